"""List what the broker trades: EURUSD in the four execution modes, all on the same real prices."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from brokers.simulators.mt5 import constants as mt5

POINT_DIGITS = 5
CONTRACT_SIZE = 100_000
FILL_FOK, FILL_IOC = 1, 2  # flags of filling_mode


@dataclass(slots=True, kw_only=True)
class Symbol:
    """One symbol; levels in points, volumes in hundredths of a lot."""

    name: str
    description: str
    execution: int
    filling_mode: int
    stops_level: int = 10
    freeze_level: int = 0
    volume_min: int = 1
    volume_max: int = 10_000
    volume_step: int = 1
    volume_limit: int = 0  # of one direction, 0 for no limit
    trade_mode: int = mt5.SYMBOL_TRADE_MODE_FULL

    def allows_filling(self, filling: int, *, pending: bool) -> bool:
        """Return whether an order may be filled this way (MQL5 reference, order properties)."""
        if filling == mt5.ORDER_FILLING_RETURN:
            return pending or self.execution != mt5.SYMBOL_TRADE_EXECUTION_MARKET
        if filling == mt5.ORDER_FILLING_FOK:
            return bool(self.filling_mode & FILL_FOK)
        return filling == mt5.ORDER_FILLING_IOC and bool(self.filling_mode & FILL_IOC)


def list_symbols() -> dict[str, Symbol]:
    """Return the symbols by name."""
    symbols = (
        Symbol(
            name="EURUSD",
            description="Euro vs US Dollar, market execution",
            execution=mt5.SYMBOL_TRADE_EXECUTION_MARKET,
            filling_mode=FILL_FOK | FILL_IOC,
        ),
        Symbol(
            name="EURUSD.fok",
            description="Euro vs US Dollar, market execution, fill or kill only",
            execution=mt5.SYMBOL_TRADE_EXECUTION_MARKET,
            filling_mode=FILL_FOK,
        ),
        Symbol(
            name="EURUSD.ins",
            description="Euro vs US Dollar, instant execution, tenths of a lot, frozen near the market",
            execution=mt5.SYMBOL_TRADE_EXECUTION_INSTANT,
            filling_mode=FILL_FOK,
            stops_level=30,
            freeze_level=15,
            volume_min=10,
            volume_max=500,
            volume_step=10,
        ),
        Symbol(
            name="EURUSD.ecn",
            description="Euro vs US Dollar, exchange execution",
            execution=mt5.SYMBOL_TRADE_EXECUTION_EXCHANGE,
            filling_mode=FILL_IOC,
            stops_level=0,
            volume_limit=2_000,
        ),
    )
    return {symbol.name: symbol for symbol in symbols}


def change_symbol(symbol: Symbol, raw: Mapping[str, object]) -> None:
    """Set the named properties of a symbol. Raises: ValueError for an unknown or a non-integer one."""
    known = {item.name for item in fields(Symbol)} - {"name", "description"}
    for name, value in raw.items():
        if name == "name":
            continue
        if name not in known or not isinstance(value, int):
            raise ValueError(f"expected an integer for one of {sorted(known)}, got {name}={value!r}")
        setattr(symbol, name, value)
