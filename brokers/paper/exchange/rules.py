"""Hold the rules of the paper exchange: slippage, liquidity, freshness, money, fees."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from app.domain.errors import ConfigError
from app.domain.instruments import InstrumentKind
from app.domain.orders import Side

_FEE_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """Price a fill: `flat` once per order, with its first fill, and a fraction of the traded value."""

    flat: Decimal = Decimal(0)
    buy_fraction: Decimal = Decimal(0)
    sell_fraction: Decimal = Decimal(0)

    def fee(self, side: Side, value: Decimal, *, is_first: bool) -> Decimal:
        """Return the fee of one fill of that value, rounded up to four decimals: never cheaper than real."""
        fraction = self.buy_fraction if side is Side.BUY else self.sell_fraction
        fee = value * fraction + (self.flat if is_first else 0)
        return fee.quantize(_FEE_STEP, ROUND_CEILING)


# India, index options, at Kotak's zero brokerage for API orders: transaction charge, IPFT, SEBI fee and 18 %
# GST on them; STT 0.15 % on the sale, stamp duty 0.003 % on the purchase.
# Source: NSE/FATAX73524 of 2026-03-31, NSE/FA/73061 of 2026-02-27. Binance's lowest spot tier, 2026; a raw
# forex account's usual commission of 3.5 dollars per 100,000 and side.
_FEES = {
    "INR": FeeSchedule(buy_fraction=Decimal("0.000450434"), sell_fraction=Decimal("0.001920434")),
    "USDT": FeeSchedule(buy_fraction=Decimal("0.001"), sell_fraction=Decimal("0.001")),
    "USD": FeeSchedule(buy_fraction=Decimal("0.000035"), sell_fraction=Decimal("0.000035")),
}
_OPENING = {"INR": Decimal(1_000_000), "USDT": Decimal(10_000), "USD": Decimal(10_000)}
_MARGIN = {
    InstrumentKind.OPTION: Decimal(1),
    InstrumentKind.SPOT: Decimal(1),
    InstrumentKind.PERPETUAL: Decimal("0.1"),
    InstrumentKind.FOREX: Decimal("0.05"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Hold every setting of the exchange; `load_rules` reads them from a TOML file.

    `max_lots_per_tick` is the most that one account gets of one instrument and side between two ticks,
    None for no limit. `margin_fraction` is the part of a position's value at cost that it binds.
    """

    slippage_ticks: int = 1
    max_lots_per_tick: int | None = None
    quote_max_age_s: int = 15
    session_hours: int = 24
    orders_per_second: int = 50
    opening_balance: Mapping[str, Decimal] = field(default_factory=lambda: dict(_OPENING))
    fees: Mapping[str, FeeSchedule] = field(default_factory=lambda: dict(_FEES))
    margin_fraction: Mapping[InstrumentKind, Decimal] = field(default_factory=lambda: dict(_MARGIN))

    def __post_init__(self) -> None:
        least = {"slippage_ticks": 0, "quote_max_age_s": 1, "session_hours": 1, "orders_per_second": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ConfigError(f"{name}: expected {bound} or more, got {getattr(self, name)}")
        if self.max_lots_per_tick is not None and self.max_lots_per_tick < 1:
            raise ConfigError(f"max_lots_per_tick: expected 1 or more, got {self.max_lots_per_tick}")
        without = sorted(set(self.opening_balance) - set(self.fees))
        if without:
            raise ConfigError(f"fees: expected a schedule for every opening balance, none for {without}")
        money = [*self.opening_balance.values(), *self.margin_fraction.values()]
        for fees in self.fees.values():
            money += [fees.flat, fees.buy_fraction, fees.sell_fraction]
        if not all(value.is_finite() and value >= 0 for value in money):
            raise ConfigError(
                f"expected amounts and fractions of zero or more, got {[str(value) for value in money]}"
            )


def load_rules(path: Path | None) -> Rules:
    """Return the rules of a TOML file, the defaults without one.

    Raises: ConfigError naming what is wrong; an unknown name is wrong too.
    """
    if path is None:
        return Rules()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as e:
        raise ConfigError(f"the rules of the paper exchange cannot be read: {e}") from e
    changes: dict[str, object] = {}
    for name, value in raw.items():
        try:
            changes[name] = _TABLES[name](value) if name in _TABLES else _whole(value)
        except (TypeError, ValueError, AttributeError, ArithmeticError) as e:
            raise ConfigError(f"{name}: expected another form, got {value!r:.80} ({e})") from e
    unknown = sorted(set(changes) - set(Rules.__dataclass_fields__))
    if unknown:
        raise ConfigError(f"expected the names of rules, got {', '.join(unknown)}")
    return Rules(**changes)  # type: ignore[arg-type]  # names and forms are checked above


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number")
    return value


def _opening(table: Mapping[str, object]) -> dict[str, Decimal]:
    return _OPENING | {currency: Decimal(str(amount)) for currency, amount in table.items()}


def _schedules(table: Mapping[str, Mapping[str, object]]) -> dict[str, FeeSchedule]:
    return _FEES | {
        currency: FeeSchedule(**{name: Decimal(str(value)) for name, value in schedule.items()})
        for currency, schedule in table.items()
    }


def _margins(table: Mapping[str, object]) -> dict[InstrumentKind, Decimal]:
    return _MARGIN | {InstrumentKind(kind): Decimal(str(value)) for kind, value in table.items()}


_TABLES = {"opening_balance": _opening, "fees": _schedules, "margin_fraction": _margins}
