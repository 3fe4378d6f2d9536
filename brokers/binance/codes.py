"""Hold Binance's error codes as one table: what each of them proves about a write.

Sources: brokers.md 2.7; the error pages of the spot and the USD-M futures documentation (2026).
"""

from app.domain.reports import FaultClass, Outcome

_O, _F = Outcome, FaultClass
Verdict = tuple[Outcome, FaultClass]

CLOCK_CODE = -1021
NOT_THERE_CODE = -2013
CANCEL_REJECTED_CODE = -2011
KEY_ADDRESS_OR_PERMISSION_CODE = -2015
OVERLOADED_CODE = -1008
THROTTLED_CODES = frozenset({-1003, OVERLOADED_CODE, -1015, -1034})
AUTH_CODES = frozenset({-1002, -1022, -2008, -2014, -2017, -4056, -4057})
ADDRESS_CODES = frozenset({-1011, KEY_ADDRESS_OR_PERMISSION_CODE})
DOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -1016, CLOCK_CODE})
STALE_RULES_CODES = frozenset({-1013, -1111, -1121, -1122, -4014, -4023, -4108, -4140, -4141})
"""Refusals that say that what we know of the symbol (tick, step, state) may be of yesterday."""


def _each(codes: tuple[int, ...] | frozenset[int], verdict: Verdict) -> dict[int, Verdict]:
    return dict.fromkeys(codes, verdict)


TABLE: dict[int, Verdict] = {
    # Execution status unknown: the matching engine may have the order.
    **_each((-1000, -1001, -1006, -1007), (_O.UNKNOWN, _F.BROKER_DOWN)),
    # Turned away before the matching engine.
    **_each(THROTTLED_CODES, (_O.NOT_SENT, _F.THROTTLED)),
    **_each((-1016, CLOCK_CODE), (_O.NOT_SENT, _F.BROKER_DOWN)),
    **_each(AUTH_CODES, (_O.NOT_SENT, _F.AUTH_EXPIRED)),
    **_each(ADDRESS_CODES, (_O.NOT_SENT, _F.IP_DENIED)),
    # The first order with this client id exists: look it up.
    -4116: (_O.UNKNOWN, _F.DUPLICATE),
    # Refused for good.
    **_each((-1099, -4087, -4088, -4109, -4400), (_O.REJECTED, _F.AUTH_DENIED)),
    **_each((-2018, -2019, -2023, -2024, -2027, -2028, -4050, -4051, -4118), (_O.REJECTED, _F.FUNDS)),
    **_each((-2016, -4022, -4108, -4140, -4141), (_O.REJECTED, _F.MARKET_CLOSED)),
    **_each((CANCEL_REJECTED_CODE, NOT_THERE_CODE), (_O.REJECTED, _F.NOT_FOUND)),
    -2026: (_O.REJECTED, _F.INVALID),
    # A stop that triggers at this moment can be neither canceled nor changed; look again.
    -4117: (_O.REJECTED, _F.UNKNOWN),
    **_each((-1010, -1013, -1014, -1020, -1023, -1004, -1005), (_O.REJECTED, _F.INVALID)),
    **_each(
        (-2010, -2012, -2020, -2021, -2022, -2025, -2035, -2036, -2038, -2039), (_O.REJECTED, _F.INVALID)
    ),
}

# Texts decide for the codes that the matching engine uses for everything (brokers.md 2.7).
TEXT_CODES = frozenset({-1010, -1013, -2010})
TEXTS: tuple[tuple[str, Verdict], ...] = (
    ("duplicate order sent", (_O.UNKNOWN, _F.DUPLICATE)),
    ("insufficient", (_O.REJECTED, _F.FUNDS)),
    ("market is closed", (_O.REJECTED, _F.MARKET_CLOSED)),
    ("may not place or cancel", (_O.REJECTED, _F.AUTH_DENIED)),
    ("disabled on this account", (_O.REJECTED, _F.AUTH_DENIED)),
    ("trading is not enabled", (_O.REJECTED, _F.AUTH_DENIED)),
    ("not permitted", (_O.REJECTED, _F.AUTH_DENIED)),
)
# Whole families: parameters (-11xx), futures filters and state (-4xxx), futures order rules (-5xxx).
_FAMILIES = (range(-1199, -1099), range(-4999, -3999), range(-5099, -4999))


def verdict(code: int | None, text: str) -> Verdict | None:
    """Return what a code proves about a write, or None for one that nobody has described."""
    if code is None:
        return None
    if code in TEXT_CODES:
        words = text.lower()
        for part, found in TEXTS:
            if part in words:
                return found
    if code in TABLE:
        return TABLE[code]
    return (_O.REJECTED, _F.INVALID) if any(code in family for family in _FAMILIES) else None
