"""Hold the limits that entries are judged by and read them from what people wrote."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.instruments import underlying_of
from app.domain.markets import Currency
from app.domain.numbers import parse_exact, plain
from app.domain.risk.combined import COMBINED_NAMES

Symbols = frozenset[str]
"""Instrument ids or underlyings, with or without their venue: "NIFTY", "BTCUSDT-PERP.BINANCE"."""


class MarginCheck(StrEnum):
    """Say whether an entry needs funds that cover it; the stricter word comes last."""

    OFF = "off"
    ON = "on"


LimitValue = Decimal | Symbols | tuple[Symbols, ...] | MarginCheck
LimitSet = Mapping[str, LimitValue]
"""The limits that one scope sets, by name, as exact values."""

ALLOWED, DENIED = "allowed_symbols", "denied_symbols"
DAILY_LOSS: Final = "max_daily_loss"
SYMBOL_LISTS: Final = frozenset({ALLOWED, DENIED})
MARGIN_CHECK: Final = "margin_check"
LONGER_IS_STRICTER: Final = frozenset({"cooldown_s", "protection_window_s", "protection_pause_s"})
"""Names whose larger value binds more; of all other numbers the smaller one does."""
_WHOLE_NUMBERS = frozenset(
    {
        "max_lots",
        "max_entries_per_second",
        "max_orders_per_day",
        "max_open_positions",
        "max_open_orders",
        "max_stops",
        "max_losing_trades",
        "low_profit_trades",
    }
)
_OF_A_CURRENCY = re.compile(f"{DAILY_LOSS}_([A-Z][A-Z0-9]{{1,9}})")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Bound what entries may do; exits are never bound. Every number is positive; None: not limited.

    Amounts are in the currency of the account. Each limit bounds one account, whatever scope sets it.

    Attributes:
        max_lots: lots of one leg, all its slices together.
        max_order_notional: quantity times price of one order (option premium).
        max_account_notional: the same over the account's positions, live entries and this order.
        max_underlying_notional: the same over those of them with the order's underlying.
        margin_check: whether the account's funds must cover an entry; what its broker did not tell, or told
            too long ago, covers none.
        funds_max_age_s: real seconds since the broker was asked for the funds that the check goes by.
        price_band_fraction: how far a price may lie from the last one, as a fraction of it.
        price_band_floor: the band is never narrower than this; cheap options need it.
        max_entries_per_second: entry orders of the account in one second (venue: 10 for everything).
        max_orders_per_day: entry orders of the account on a trading date, slices counted one by one.
        max_tick_age_s: real seconds that the last price may be old.
        max_daily_loss: realized plus unrealized loss of the account, with its charges, at which entries stop.
        daily_losses: the same for the account's sums in the currencies that they name.
        max_drawdown: fall from the day's peak of profit and loss at which a scope is closed.
        max_open_positions: instruments that the account may hold or be entering at a time.
        max_open_orders: entry orders of the account that may be live at a time.
        cooldown_s: seconds without entries of a deployment after a stop ended one of its trades.
        allowed_symbols: lists that must each name the instrument or its underlying; none: all may.
        denied_symbols: instruments and underlyings that may not be entered.
        max_stops: trades of the account ended by their stop within the window that pause its entries.
        max_losing_trades: the same for trades that ended with a loss.
        max_trade_drawdown: fall of the profit of the trades that ended within the window from its peak
            that pauses the account's entries.
        low_profit_trades: trades of one instrument within the window that together earned nothing and
            pause its entries.
        protection_window_s: how far the four above look back from the end of a trade.
        protection_pause_s: how long their pause lasts from the end of the trade that caused it.
    """

    max_lots: Decimal = Decimal(50)
    max_order_notional: Decimal = Decimal(1_000_000)
    max_account_notional: Decimal = Decimal(5_000_000)
    max_underlying_notional: Decimal | None = None
    margin_check: MarginCheck = MarginCheck.OFF
    funds_max_age_s: Decimal = Decimal(60)
    price_band_fraction: Decimal = Decimal("0.20")
    price_band_floor: Decimal = Decimal(1)
    max_entries_per_second: Decimal = Decimal(8)
    max_orders_per_day: Decimal | None = None
    max_tick_age_s: Decimal = Decimal(5)
    max_daily_loss: Decimal = Decimal(25_000)
    daily_losses: tuple[tuple[Currency, Decimal], ...] = ()
    max_drawdown: Decimal | None = None
    max_open_positions: Decimal = Decimal(10)
    max_open_orders: Decimal | None = None
    cooldown_s: Decimal | None = None
    allowed_symbols: tuple[Symbols, ...] = ()
    denied_symbols: Symbols = frozenset()
    max_stops: Decimal | None = None
    max_losing_trades: Decimal | None = None
    max_trade_drawdown: Decimal | None = None
    low_profit_trades: Decimal | None = None
    protection_window_s: Decimal = Decimal(3600)
    protection_pause_s: Decimal = Decimal(1800)

    def __post_init__(self) -> None:
        for field in fields(self):
            value: LimitValue | None = getattr(self, field.name)
            if not isinstance(value, Decimal):
                continue
            _demand_positive(field.name, value)
            if field.name in _WHOLE_NUMBERS and value != value.to_integral_value():
                raise InvalidInputError(f"{field.name}: expected a whole number, got {value}")

        for currency, value in self.daily_losses:
            _demand_positive(f"{DAILY_LOSS}_{currency}", value)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "RiskLimits":
        """Read limits by name from a deployment's settings; what is not named keeps its default.

        The combined rules that stand beside them are read by `CombinedRules.from_mapping`.

        Raises:
            InvalidInputError: an unknown name, or a value that is not exact (text or whole number).
        """
        return cls.of(parse_initial_limits(values))

    @classmethod
    def of(cls, values: LimitSet) -> "RiskLimits":
        """Return the limits of a set of exact values; what it does not name keeps its default."""
        losses = daily_losses(values)
        plain_values = {name: value for name, value in values.items() if _currency_in(name) is None}
        return cls(**plain_values, daily_losses=tuple(sorted(losses.items())))  # type: ignore[arg-type]  # the names carry the types

    @property
    def named(self) -> LimitSet:
        """What is limited, by name."""
        values = {name: getattr(self, name) for name in _NAMES}
        values |= {f"{DAILY_LOSS}_{currency}": limit for currency, limit in self.daily_losses}
        return {name: value for name, value in values.items() if value not in (None, (), frozenset())}

    @property
    def looks_back(self) -> bool:
        """Whether the trades that ended today decide about entries."""
        return any(
            limit is not None
            for limit in (
                self.cooldown_s,
                self.max_stops,
                self.max_losing_trades,
                self.max_trade_drawdown,
                self.low_profit_trades,
            )
        )


_NAMES: Final = frozenset(field.name for field in fields(RiskLimits)) - {"daily_losses"}
"""What a set may name, currencies aside."""


def parse_limits(values: Mapping[str, object]) -> dict[str, LimitValue]:
    """Return the named limits as exact values, and no others: one scope's own, partial set.

    Raises:
        InvalidInputError: an unknown name, a value that is not exact, or one that no limit may have.
    """
    unknown = sorted(name for name in values if name not in _NAMES and _currency_in(name) is None)
    if unknown:
        known = ", ".join(sorted([*_NAMES, f"{DAILY_LOSS}_<CURRENCY>"]))
        raise InvalidInputError(f"limits: expected names out of {known}, got {', '.join(unknown)}")
    parsed = {name: _parse(name, value) for name, value in values.items()}
    RiskLimits.of(parsed)
    return parsed


def parse_initial_limits(values: Mapping[str, object]) -> dict[str, LimitValue]:
    """Return the limits among a deployment's settings, without the combined rules that stand beside them.

    Raises:
        InvalidInputError: see `parse_limits`.
    """
    return parse_limits({name: value for name, value in values.items() if name not in COMBINED_NAMES})


def daily_losses(values: LimitSet) -> dict[Currency, Decimal]:
    """Return the daily losses of a set that name their currency, like `max_daily_loss_USDT`."""
    found = {}
    for name, value in values.items():
        currency = _currency_in(name)
        if currency is not None and isinstance(value, Decimal):
            found[currency] = value
    return found


def number_of(values: LimitSet, name: str) -> Decimal | None:
    """Return a limit of a set that is a number, None where the set does not name it."""
    value = values.get(name)
    return value if isinstance(value, Decimal) else None


def write_limits(values: LimitSet) -> dict[str, object]:
    """Return one scope's set as JSON values that `parse_limits` reads back, each in its one spelling."""
    return {name: _write(value) for name, value in sorted(values.items())}


def is_named(instrument_id: InstrumentId, symbols: Symbols) -> bool:
    """Whether a list names an instrument or its underlying, with or without the venue."""
    ids = {str(instrument_id), str(underlying_of(instrument_id))}
    return not symbols.isdisjoint(ids | {name.rpartition(".")[0] for name in ids})


def _currency_in(name: str) -> Currency | None:
    found = _OF_A_CURRENCY.fullmatch(name)
    return None if found is None else Currency(found[1])


def _demand_positive(name: str, value: Decimal) -> None:
    if not value.is_finite() or value <= 0:
        raise InvalidInputError(f"{name}: expected a positive number, got {value}")


def _parse(name: str, value: object) -> LimitValue:
    if name == ALLOWED:
        return (_symbols(name, value),)
    if name == MARGIN_CHECK:
        return _margin_check(value)
    return _symbols(name, value) if name == DENIED else parse_exact(name, value)


def _margin_check(value: object) -> MarginCheck:
    if not isinstance(value, str) or value not in set(MarginCheck):
        raise InvalidInputError(f"{MARGIN_CHECK}: expected {' or '.join(MarginCheck)}, got {value!r}")
    return MarginCheck(value)


def _symbols(name: str, value: object) -> Symbols:
    """Read a list, or text with commas between the symbols."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple | frozenset) or not words:
        raise InvalidInputError(
            f"{name}: expected symbols such as NIFTY or BTCUSDT-PERP.BINANCE, got {value!r}"
        )
    symbols = frozenset(word.strip() if isinstance(word, str) else "" for word in words)
    if not all(_SYMBOL.fullmatch(symbol) for symbol in symbols):
        raise InvalidInputError(
            f"{name}: expected capitals, digits and & . _ - in every symbol, got {value!r}"
        )
    return symbols


def _write(value: LimitValue) -> object:
    if isinstance(value, Decimal):
        return f"{plain(value):f}"
    if isinstance(value, MarginCheck):
        return value.value
    symbols = value if isinstance(value, frozenset) else frozenset().union(*value)
    return sorted(symbols)
