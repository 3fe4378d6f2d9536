"""Serve /api/v3: market data, account and orders."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.routing import Route

from brokers.simulators.binance import stream_rows
from brokers.simulators.binance.gate import KEYED, OPEN, SIGNED, Call, Door, Handler, route
from brokers.simulators.binance.orders import Fill, Order, OrderState
from brokers.simulators.binance.replies import Refused, missing, no_such_order
from brokers.simulators.binance.simulator import Simulator
from brokers.simulators.binance.spot_desk import KINDS
from brokers.simulators.binance.spot_rows import account_row, list_row, order_row, trade_row
from brokers.simulators.binance.symbols import BASE, NAME, QUOTE, SPOT, Row, eight, spot_filters
from brokers.simulators.binance.tape import INTERVALS

_MOST_ROWS = 1000
_ALL_TIME_MS = 10**15
OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})

RowMaker = Callable[[Order, OrderState], Row]


def spot_routes(sim: Simulator) -> list[Route]:
    """Return the routes of the spot API."""
    return [
        route(
            sim,
            Door(method=method, path=f"/api/v3/{path}", endpoint=f"spot.{name}", weight=weight, security=who),
            handler,
        )
        for method, path, name, weight, who, handler in _ROUTES
    ]


def server_time(call: Call) -> Row:
    """Return the server's time."""
    return {"serverTime": call.sim.server_ms(call.endpoint)}


def _gone(_call: Call) -> object:
    # Spot listen keys are removed: accounts subscribe over the WebSocket API.
    raise Refused(-1000, "This endpoint has been removed.", 410)


def _exchange_info(call: Call) -> Row:
    wanted = call.params.values.get("symbol")
    if wanted is not None and (SPOT, wanted) not in call.sim.tape.symbols:
        raise Refused(-1121, "Invalid symbol.")
    symbol = call.sim.tape.symbols[SPOT, NAME]
    row: Row = {
        "symbol": symbol.name,
        "status": symbol.status,
        "baseAsset": BASE,
        "baseAssetPrecision": 8,
        "quoteAsset": QUOTE,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": sorted(KINDS),
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": spot_filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }
    return {
        "timezone": "UTC",
        "serverTime": call.sim.server_ms(call.endpoint),
        "rateLimits": call.sim.limits.listed(SPOT),
        "exchangeFilters": [],
        "symbols": [row],
    }


def known_symbol(call: Call) -> tuple[str, str]:
    """Return the market and symbol of a market data call. Raises: Refused -1121."""
    key = (call.market, call.params.text("symbol"))
    if key not in call.sim.tape.symbols:
        raise Refused(-1121, "Invalid symbol.")
    return key


def limit_of(call: Call, default: int = 500) -> int:
    """Return how many rows a call wants."""
    limit = call.params.integer("limit")
    return min(max(1, limit if limit is not None else default), _MOST_ROWS)


def klines(call: Call) -> list[list[object]]:
    """Return the bars of an interval, oldest first."""
    interval = call.params.choice("interval", INTERVALS, -1120, "interval")
    start, end = call.params.integer("startTime"), call.params.integer("endTime")
    key, limit = known_symbol(call), limit_of(call)
    until = call.sim.clock.now() if end is None else datetime.fromtimestamp(end / 1000, tz=UTC)
    if start is not None:
        # The oldest `limit` bars from the start on, not the newest ones before the end.
        span_ms = INTERVALS[interval] * 60_000
        until = min(until, datetime.fromtimestamp((start + (limit - 1) * span_ms) / 1000, tz=UTC))
    candles = call.sim.tape.candles(key, interval, limit=limit, until=until)
    rows = [stream_rows.kline_list(candle) for candle in candles]
    return [row for row in rows if start is None or int(str(row[0])) >= start]


def ticker_price(call: Call) -> object:
    """Return the last price of one symbol, or of all."""
    rows = [
        {"symbol": name, "price": eight(quote.last) if market == SPOT else str(quote.last)}
        for (market, name), quote in call.sim.tape.quotes.items()
        if market == call.market
    ]
    if "symbol" not in call.params.values:
        return rows
    _market, symbol = known_symbol(call)
    return next(row for row in rows if row["symbol"] == symbol)


def _book_ticker(call: Call) -> object:
    rows = [
        {
            "symbol": name,
            "bidPrice": eight(quote.bid),
            "bidQty": eight(quote.bid_qty),
            "askPrice": eight(quote.ask),
            "askQty": eight(quote.ask_qty),
        }
        for (market, name), quote in call.sim.tape.quotes.items()
        if market == SPOT
    ]
    if "symbol" not in call.params.values:
        return rows
    _market, symbol = known_symbol(call)
    return next(row for row in rows if row["symbol"] == symbol)


def depth(call: Call) -> Row:
    """Return the levels that an incoming order would meet."""
    key = known_symbol(call)
    quote, tick = call.sim.tape.quotes[key], call.sim.tape.symbols[key].tick
    limit = limit_of(call, 100)
    return {
        "lastUpdateId": call.sim.tape.seq,
        "bids": [[str(price), str(qty)] for price, qty in quote.levels("SELL", tick)[:limit]],
        "asks": [[str(price), str(qty)] for price, qty in quote.levels("BUY", tick)[:limit]],
    }


def _account(call: Call) -> Row:
    can_trade = call.account is not None and call.account.can_trade
    return account_row(call.ledger, call.sim.clock.now_ms(), can_trade=can_trade)


def _order_counts(call: Call) -> object:
    return call.sim.limits.counted(SPOT, call.name)


def _test(call: Call) -> Row:
    return call.sim.spot.place(call.ledger, call.params, test=True)


def _replace(call: Call) -> Row:
    return call.sim.spot.replace(call.ledger, call.params)


def _amend(call: Call) -> Row:
    return call.sim.spot.amend(call.ledger, call.params)


def _cancel_all(call: Call) -> object:
    return call.sim.spot.cancel_all(call.ledger, call.params)


def _cancel_pair(call: Call) -> Row:
    return call.sim.spot.cancel_pair(call.ledger, call.params)


def _order(call: Call) -> Row:
    call.sim.spot.symbol(call.params)
    order = looked_up(call)
    state = order.as_of(call.sim.visible_until(call.name, call.endpoint))
    if state is None or hidden_yet(call, order.states[0].real):
        raise no_such_order()
    return order_row(order, state)


def looked_up(call: Call) -> Order:
    """Return the order that a query names. Raises: Refused -1102, -2013, -2039."""
    number, client_id = call.params.integer("orderId"), call.params.optional("origClientOrderId")
    if number is None and client_id is None:
        raise missing("origClientOrderId")
    order = call.ledger.find_order(call.market, number, client_id)
    if order is None:
        raise no_such_order()
    if client_id is not None and order.client_id != client_id:
        raise Refused(-2039, "Client order ID is not correct for this order ID.")
    return order


def hidden_yet(call: Call, placed_real: float) -> bool:
    """Return whether a fault keeps a young order from being found."""
    hit = call.sim.faults.draw("not_found_lag", call.endpoint, call.name)
    return hit is not None and (hit.seconds == 0 or time.monotonic() - placed_real < hit.seconds)


def visible_orders(call: Call, row: RowMaker) -> list[Row]:
    """Return the account's orders of a market as the report shows them by now."""
    until = call.sim.visible_until(call.name, call.endpoint)
    symbol = call.params.values.get("symbol")
    rows = []
    for order in call.ledger.orders.values():
        state = order.as_of(until)
        wanted = order.market == call.market and symbol in {None, order.symbol}
        if wanted and state is not None:
            rows.append(row(order, state))
    return rows


def _open_orders(call: Call) -> list[Row]:
    return [row for row in visible_orders(call, order_row) if row["status"] in OPEN_STATUSES]


def _all_orders(call: Call) -> list[Row]:
    call.sim.spot.symbol(call.params)
    return windowed(call, visible_orders(call, order_row), "time", "orderId")


def windowed(call: Call, rows: list[Row], time_name: str, id_name: str | None) -> list[Row]:
    """Return the rows from an id or within a window of time: the newest ones when neither is given."""
    start, end = call.params.integer("startTime"), call.params.integer("endTime")
    first_id = None if id_name is None else call.params.integer("fromId" if id_name == "id" else id_name)
    if id_name is not None and first_id is not None:
        return [row for row in rows if int(str(row[id_name])) >= first_id][: limit_of(call)]
    if start is not None or end is not None:
        low, high = start or 0, _ALL_TIME_MS if end is None else end
        return [row for row in rows if low <= int(str(row[time_name])) <= high][: limit_of(call)]
    return rows[-limit_of(call) :]


def visible_fills(call: Call) -> list[Fill]:
    """Return the fills of a market that the report shows by now."""
    until = call.sim.visible_until(call.name, call.endpoint)
    symbol, number = call.params.values.get("symbol"), call.params.integer("orderId")
    fills = [
        fill
        for fill in call.ledger.fills
        if fill.market == call.market
        and fill.real <= until
        and symbol in {None, fill.symbol}
        and number in {None, fill.number}
    ]
    return fills[:-1] if fills and call.sim.faults.draw("fills_lag", call.endpoint, call.name) else fills


def _fills(call: Call) -> list[Row]:
    call.sim.spot.symbol(call.params)
    rows = [trade_row(fill, call.ledger.orders[fill.number].list_number) for fill in visible_fills(call)]
    return windowed(call, rows, "time", "id")


def _pair(call: Call) -> Row:
    number, name = call.params.integer("orderListId"), call.params.optional("origClientOrderId")
    pair = call.sim.spot.find_pair(call.ledger, number, name)
    if pair is None:
        raise Refused(-2018, "Order list does not exist.")
    return list_row(pair)


def _open_pairs(call: Call) -> list[Row]:
    return [list_row(pair) for pair in call.ledger.lists.values() if not pair.done]


_ROUTES: tuple[tuple[str, str, str, int, str, Handler], ...] = (
    ("GET", "ping", "ping", 1, OPEN, lambda _call: {}),
    ("GET", "time", "time", 1, OPEN, server_time),
    ("GET", "exchangeInfo", "exchange_info", 20, OPEN, _exchange_info),
    ("GET", "klines", "klines", 2, OPEN, klines),
    ("GET", "ticker/price", "ticker", 2, OPEN, ticker_price),
    ("GET", "ticker/bookTicker", "ticker", 2, OPEN, _book_ticker),
    ("GET", "depth", "depth", 5, OPEN, depth),
    ("GET", "account", "account", 20, SIGNED, _account),
    ("GET", "rateLimit/order", "rate_limit", 40, SIGNED, _order_counts),
    ("POST", "order", "place", 1, SIGNED, lambda call: call.sim.spot.place(call.ledger, call.params)),
    ("POST", "order/test", "test", 1, SIGNED, _test),
    ("GET", "order", "order", 4, SIGNED, _order),
    ("DELETE", "order", "cancel", 1, SIGNED, lambda call: call.sim.spot.cancel(call.ledger, call.params)),
    ("POST", "order/cancelReplace", "replace", 1, SIGNED, _replace),
    ("PUT", "order/amend/keepPriority", "modify", 4, SIGNED, _amend),
    ("GET", "openOrders", "open_orders", 6, SIGNED, _open_orders),
    ("DELETE", "openOrders", "cancel_all", 1, SIGNED, _cancel_all),
    ("GET", "allOrders", "all_orders", 20, SIGNED, _all_orders),
    ("GET", "myTrades", "fills", 20, SIGNED, _fills),
    (
        "POST",
        "orderList/oco",
        "oco",
        1,
        SIGNED,
        lambda call: call.sim.spot.place_pair(call.ledger, call.params),
    ),
    ("GET", "orderList", "order_list", 4, SIGNED, _pair),
    ("GET", "openOrderList", "order_lists", 6, SIGNED, _open_pairs),
    ("DELETE", "orderList", "cancel", 1, SIGNED, _cancel_pair),
    ("POST", "userDataStream", "listen_key", 2, KEYED, _gone),
)
