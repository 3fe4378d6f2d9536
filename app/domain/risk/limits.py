"""Hold the limits that entries are judged by and read them from what people wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.numbers import parse_exact
from app.domain.risk.combined import COMBINED_NAMES

_WHOLE_NUMBERS = frozenset({"max_lots", "max_entries_per_second", "max_open_positions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Bound what entries may do; exits are never bound. Every limit is positive, none can be switched off.

    Attributes:
        max_lots: lots of one leg, all its slices together.
        max_order_notional: quantity times price of one order (option premium), rupees.
        max_account_notional: the same over the account's positions, live entries and this order.
        price_band_fraction: how far a price may lie from the last one, as a fraction of it.
        price_band_floor: the band is never narrower than this, rupees; cheap options need it.
        max_entries_per_second: entry orders of the account in one second (venue: 10 for everything).
        max_tick_age_s: real seconds that the last price may be old.
        max_daily_loss: realized plus unrealized loss of the account at which entries stop, rupees.
        max_open_positions: instruments that the account may hold or be entering at a time.
        max_drawdown: fall from the day's peak of profit and loss at which a scope is closed, rupees;
            None: not watched.
    """

    max_lots: Decimal = Decimal(50)
    max_order_notional: Decimal = Decimal(1_000_000)
    max_account_notional: Decimal = Decimal(5_000_000)
    price_band_fraction: Decimal = Decimal("0.20")
    price_band_floor: Decimal = Decimal(1)
    max_entries_per_second: Decimal = Decimal(8)
    max_tick_age_s: Decimal = Decimal(5)
    max_daily_loss: Decimal = Decimal(25_000)
    max_open_positions: Decimal = Decimal(10)
    max_drawdown: Decimal | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Decimal | None = getattr(self, field.name)
            if value is None:
                continue
            if not value.is_finite() or value <= 0:
                raise InvalidInputError(f"{field.name}: expected a positive number, got {value}")
            if field.name in _WHOLE_NUMBERS and value != value.to_integral_value():
                raise InvalidInputError(f"{field.name}: expected a whole number, got {value}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "RiskLimits":
        """Read limits by name from a deployment's settings; what is not named keeps its default.

        The combined rules that stand beside them are read by `CombinedRules.from_mapping`.

        Raises:
            InvalidInputError: an unknown name, or a value that is not exact (text or whole number).
        """
        return cls(**parse_limits({n: v for n, v in values.items() if n not in COMBINED_NAMES}))


def parse_limits(values: Mapping[str, object]) -> dict[str, Decimal]:
    """Return the named limits as exact numbers, and no others: one scope's own, partial set.

    Raises:
        InvalidInputError: an unknown name, a value that is not exact, or one that no limit may have.
    """
    known = sorted(field.name for field in fields(RiskLimits))
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InvalidInputError(f"limits: expected names out of {', '.join(known)}, got {', '.join(unknown)}")
    parsed = {name: parse_exact(name, value) for name, value in values.items()}
    RiskLimits(**parsed)
    return parsed
