"""Offer the API of the MetaTrader5 package, version 5.0.6231, on a simulated terminal: 32 functions.

Put it in the place of the real one with `sys.modules["MetaTrader5"] = metatrader5`, or put the folder
`drop_in` on PYTHONPATH. MT5_SIMULATOR_URL names the simulator. `initialize(path)` means the terminal in the
folder of that path; the folder need not exist. As in the real module the connection belongs to the process,
failed calls return None (or False) and last_error tells why, and times are seconds of the trade server's
clock. The helpers Buy, Sell and Close are left out on purpose: they repeat orders by themselves and must
not be used.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from brokers.simulators.mt5 import arguments as checked
from brokers.simulators.mt5 import shapes
from brokers.simulators.mt5.arguments import BadArgumentError
from brokers.simulators.mt5.constants import *  # noqa: F403  # the real module has them at its top level
from brokers.simulators.mt5.constants import COPY_TICKS_ALL, RES_E_INVALID_PARAMS
from brokers.simulators.mt5.pipe import DEFAULT_TIMEOUT_MS, Pipe
from brokers.simulators.mt5.shapes import (
    AccountInfo,
    BookInfo,
    OrderCheckResult,
    OrderSendResult,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)

__version__ = "5.0.6231"
__author__ = "Openbell, after MetaQuotes Ltd."

_PIPE = Pipe()
Time = object  # a datetime, or epoch seconds
Array = np.ndarray[tuple[int, ...], np.dtype[np.void]]
Shape = TypeVar("Shape")


def initialize(path: str = "", **options: object) -> bool:
    """Start the terminal of a folder, connect to it and log in; False with last_error set when that fails.

    Options: login, password, server, timeout (ms, of every call), portable. Without login the terminal
    keeps the account it was last logged in to.
    """
    known = {"login", "password", "server", "timeout", "portable"}
    for name, value in options.items():
        if name not in known:
            return _refuse("")
        kind = str if name in {"password", "server"} else int
        if not isinstance(value, kind):
            return _refuse(name)
    if not isinstance(path, str):
        return _refuse("path")
    timeout = options.pop("timeout", DEFAULT_TIMEOUT_MS)
    return _PIPE.initialize(path, int(str(timeout)), options)


def login(
    login: int, password: str | None = None, server: str | None = None, timeout: int | None = None
) -> bool:  # noqa: A001, RUF100
    """Switch the terminal to another account."""
    if not isinstance(login, int):
        return _refuse("login")
    if timeout is not None and not isinstance(timeout, int):
        return _refuse("timeout")
    given = {"login": login, "password": password, "server": server}
    return _PIPE.call("login", given) is True


def shutdown() -> None:
    """Close the connection; the terminal runs on."""
    _PIPE.shutdown()


def last_error() -> tuple[int, str]:
    """Return code and text of the last call."""
    return _PIPE.last_error


def version() -> tuple[int, int, str] | None:
    """Return terminal version, build and release date."""
    answer = _PIPE.call("version", {})
    return (answer[0], answer[1], answer[2]) if isinstance(answer, list) else None


def account_info() -> AccountInfo | None:
    """Return the account that the terminal is logged in to."""
    return _one(AccountInfo, _PIPE.call("account_info", {}))


def terminal_info() -> TerminalInfo | None:
    """Return the terminal's state and settings."""
    return _one(TerminalInfo, _PIPE.call("terminal_info", {}))


def symbols_total() -> int | None:
    """Return the number of symbols."""
    return _count(_PIPE.call("symbols_total", {}))


def symbols_get(group: str | None = None) -> tuple[SymbolInfo, ...] | None:
    """Return the symbols, or those of a filter such as "*USD*,!EURUSD.fok"."""
    return _many(SymbolInfo, _ask("symbols_get", {"group": group}, texts=("group",)))


def symbol_info(symbol: str) -> SymbolInfo | None:
    """Return everything about a symbol."""
    return _one(SymbolInfo, _ask("symbol_info", {"symbol": symbol}, texts=("symbol",)))


def symbol_info_tick(symbol: str) -> Tick | None:
    """Return a symbol's newest tick."""
    return _one(Tick, _ask("symbol_info_tick", {"symbol": symbol}, texts=("symbol",)))


def symbol_select(symbol: str, enable: bool = True) -> bool:  # noqa: FBT001, FBT002  # as the real one
    """Put a symbol into Market Watch, or take it out."""
    return _PIPE.call("symbol_select", {"symbol": symbol, "enable": bool(enable)}) is True


def market_book_add(symbol: str) -> bool:
    """Open a symbol's depth of market."""
    return _PIPE.call("market_book_add", {"symbol": symbol}) is True


def market_book_get(symbol: str) -> tuple[BookInfo, ...] | None:
    """Return a symbol's depth of market, asks first."""
    return _many(BookInfo, _PIPE.call("market_book_get", {"symbol": symbol}))


def market_book_release(symbol: str) -> bool:
    """Close a symbol's depth of market."""
    return _PIPE.call("market_book_release", {"symbol": symbol}) is True


def copy_rates_from(symbol: str, timeframe: int, date_from: Time, count: int) -> Array | None:
    """Return `count` bars whose start is not after an instant, oldest first."""
    return _array(
        "copy_rates_from", shapes.RATE_DTYPE, symbol, timeframe=timeframe, date_from=date_from, count=count
    )


def copy_rates_from_pos(symbol: str, timeframe: int, start_pos: int, count: int) -> Array | None:
    """Return `count` bars counted back from the newest, which is position 0; oldest first."""
    return _array(
        "copy_rates_from_pos",
        shapes.RATE_DTYPE,
        symbol,
        timeframe=timeframe,
        start_pos=start_pos,
        count=count,
    )


def copy_rates_range(symbol: str, timeframe: int, date_from: Time, date_to: Time) -> Array | None:
    """Return the bars that start between two instants, both included."""
    return _array(
        "copy_rates_range",
        shapes.RATE_DTYPE,
        symbol,
        timeframe=timeframe,
        date_from=date_from,
        date_to=date_to,
    )


def copy_ticks_from(symbol: str, date_from: Time, count: int, flags: int = COPY_TICKS_ALL) -> Array | None:
    """Return `count` ticks from an instant on."""
    return _array("copy_ticks_from", shapes.TICK_DTYPE, symbol, date_from=date_from, count=count, flags=flags)


def copy_ticks_range(
    symbol: str, date_from: Time, date_to: Time, flags: int = COPY_TICKS_ALL
) -> Array | None:
    """Return the ticks between two instants, both included."""
    return _array(
        "copy_ticks_range", shapes.TICK_DTYPE, symbol, date_from=date_from, date_to=date_to, flags=flags
    )


def orders_total() -> int | None:
    """Return the number of working orders."""
    return _count(_PIPE.call("orders_total", {}))


def orders_get(**filters: object) -> tuple[TradeOrder, ...] | None:
    """Return the working orders, all or by symbol, group or ticket."""
    return _many(TradeOrder, _ask("orders_get", filters, texts=("symbol", "group"), numbers=("ticket",)))


def order_calc_margin(action: int, symbol: str, volume: float, price: float) -> float | None:
    """Return the margin of a volume at a price, in the account's currency."""
    given = {"action": action, "symbol": symbol, "volume": volume, "price": price}
    return _real(_PIPE.call("order_calc_margin", given))


def order_calc_profit(  # noqa: PLR0917  # as the real one
    action: int, symbol: str, volume: float, price_open: float, price_close: float
) -> float | None:
    """Return the profit of a volume between two prices, in the account's currency."""
    given = {"action": action, "symbol": symbol, "volume": volume}
    given |= {"price_open": price_open, "price_close": price_close}
    return _real(_PIPE.call("order_calc_profit", given))


def order_check(request: Mapping[str, object]) -> OrderCheckResult | None:
    """Check a trade request without sending it; retcode 0 is a good one."""
    return _trade("order_check", OrderCheckResult, request)


def order_send(request: Mapping[str, object]) -> OrderSendResult | None:
    """Send a trade request to the server."""
    return _trade("order_send", OrderSendResult, request)


def positions_total() -> int | None:
    """Return the number of open positions."""
    return _count(_PIPE.call("positions_total", {}))


def positions_get(**filters: object) -> tuple[TradePosition, ...] | None:
    """Return the open positions, all or by symbol, group or ticket."""
    return _many(
        TradePosition, _ask("positions_get", filters, texts=("symbol", "group"), numbers=("ticket",))
    )


def history_orders_total(date_from: Time, date_to: Time) -> int | None:
    """Return the number of orders done between two instants."""
    return _count(_history("history_orders_total", date_from, date_to, {}))


def history_orders_get(
    date_from: Time = None, date_to: Time = None, **filters: object
) -> tuple[TradeOrder, ...] | None:
    """Return the orders done between two instants (and group), or those of a ticket or position."""
    return _many(TradeOrder, _history("history_orders_get", date_from, date_to, filters))


def history_deals_total(date_from: Time, date_to: Time) -> int | None:
    """Return the number of deals between two instants."""
    return _count(_history("history_deals_total", date_from, date_to, {}))


def history_deals_get(
    date_from: Time = None, date_to: Time = None, **filters: object
) -> tuple[TradeDeal, ...] | None:
    """Return the deals between two instants (and group), or those of an order (`ticket`) or position."""
    return _many(TradeDeal, _history("history_deals_get", date_from, date_to, filters))


def _refuse(name: str) -> bool:
    _PIPE.fail(RES_E_INVALID_PARAMS, str(BadArgumentError(name)))
    return False


def _guarded(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except BadArgumentError as error:
        _PIPE.fail(RES_E_INVALID_PARAMS, str(error))
        return None


def _ask(
    function: str, filters: Mapping[str, object], *, texts: tuple[str, ...], numbers: tuple[str, ...] = ()
) -> object:
    return _guarded(lambda: _PIPE.call(function, checked.chosen(filters, texts=texts, numbers=numbers)))


def _history(function: str, date_from: Time, date_to: Time, filters: Mapping[str, object]) -> object:
    def ask() -> object:
        given = checked.chosen(filters, texts=("group",), numbers=("ticket", "position"))
        for name, value in (("date_from", date_from), ("date_to", date_to)):
            if value is not None:
                given[name] = checked.seconds(value, name)
        return _PIPE.call(function, given)

    return _guarded(ask)


def _trade(function: str, shape: Callable[..., Shape], request: object) -> Shape | None:
    try:
        fields = checked.request_fields(request)
    except BadArgumentError as error:
        _PIPE.fail(RES_E_INVALID_PARAMS, str(error))
        return None
    answer = _PIPE.call(function, {"request": fields})
    return shape(**answer, request=TradeRequest(**fields)) if isinstance(answer, dict) else None


def _one(shape: Callable[..., Shape], answer: object) -> Shape | None:
    return shape(**answer) if isinstance(answer, dict) else None


def _many(shape: Callable[..., Shape], answer: object) -> tuple[Shape, ...] | None:
    return tuple(shape(**row) for row in answer) if isinstance(answer, list) else None


def _count(answer: object) -> int | None:
    return answer if isinstance(answer, int) else None


def _real(answer: object) -> float | None:
    return float(answer) if isinstance(answer, int | float) else None


def _array(function: str, dtype: np.dtype[np.void], symbol: str, **given: object) -> Array | None:
    def ask() -> object:
        for name, value in given.items():
            given[name] = (
                checked.seconds(value, name) if name.startswith("date_") else checked.whole(value, name)
            )
        return _PIPE.call(function, {"symbol": symbol, **given})

    rows = _guarded(ask)
    return np.array([tuple(row) for row in rows], dtype=dtype) if isinstance(rows, list) else None
