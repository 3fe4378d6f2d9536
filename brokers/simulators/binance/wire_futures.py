"""Serve /fapi: market data, account, orders, conditional orders and listen keys."""

import json
import time
from urllib.parse import unquote_plus

from starlette.routing import Route

from brokers.simulators.binance import futures_rows
from brokers.simulators.binance.gate import KEYED, OPEN, SIGNED, Call, Door, Handler, route
from brokers.simulators.binance.ledger import Position
from brokers.simulators.binance.orders import Order
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Refused, no_such_order
from brokers.simulators.binance.simulator import Simulator
from brokers.simulators.binance.symbols import BASE, FUTURES, NAME, QUOTE, Row, eight, futures_filters
from brokers.simulators.binance.wire_spot import (
    OPEN_STATUSES,
    depth,
    hidden_yet,
    klines,
    known_symbol,
    looked_up,
    server_time,
    ticker_price,
    visible_fills,
    visible_orders,
    windowed,
)

_HIGHEST_LEVERAGE = 125


def futures_routes(sim: Simulator) -> list[Route]:
    """Return the routes of the futures API."""
    return [
        route(
            sim,
            Door(
                method=method, path=f"/fapi/{path}", endpoint=f"futures.{name}", weight=weight, security=who
            ),
            handler,
        )
        for method, path, name, weight, who, handler in (*_DATA, *_ORDERS, *_ALGOS, *_ACCOUNT, *_BATCHES)
    ]


def _exchange_info(call: Call) -> Row:
    symbol = call.sim.tape.symbols[FUTURES, NAME]
    row: Row = {
        "symbol": symbol.name,
        "pair": symbol.name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": symbol.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": BASE,
        "quoteAsset": QUOTE,
        "marginAsset": QUOTE,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": futures_filters(symbol),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
    return {
        "timezone": "UTC",
        "serverTime": call.sim.server_ms(call.endpoint),
        "futuresType": "U_MARGINED",
        "rateLimits": call.sim.limits.listed(FUTURES),
        "exchangeFilters": [],
        "assets": [{"asset": QUOTE, "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [row],
    }


def _book_ticker(call: Call) -> object:
    now_ms = call.sim.clock.now_ms()
    rows = [
        {
            "symbol": name,
            "bidPrice": str(quote.bid),
            "bidQty": str(quote.bid_qty),
            "askPrice": str(quote.ask),
            "askQty": str(quote.ask_qty),
            "time": now_ms,
            "lastUpdateId": call.sim.tape.seq,
        }
        for (market, name), quote in call.sim.tape.quotes.items()
        if market == FUTURES
    ]
    if "symbol" not in call.params.values:
        return rows
    _market, symbol = known_symbol(call)
    return next(row for row in rows if row["symbol"] == symbol)


def _mark_price(call: Call) -> object:
    _market, symbol = known_symbol(call)
    price = eight(call.sim.exchange.marks()[symbol])
    now_ms = call.sim.clock.now_ms()
    names = ("markPrice", "indexPrice", "estimatedSettlePrice")
    rate = eight(call.sim.exchange.funding_rate)
    return {"symbol": symbol, "lastFundingRate": rate, "time": now_ms} | dict.fromkeys(names, price)


_DATA: tuple[tuple[str, str, str, int, str, Handler], ...] = (
    ("GET", "v1/ping", "ping", 1, OPEN, lambda _call: {}),
    ("GET", "v1/time", "time", 1, OPEN, server_time),
    ("GET", "v1/exchangeInfo", "exchange_info", 1, OPEN, _exchange_info),
    ("GET", "v1/klines", "klines", 2, OPEN, klines),
    ("GET", "v1/depth", "depth", 5, OPEN, depth),
    ("GET", "v1/ticker/price", "ticker", 1, OPEN, ticker_price),
    ("GET", "v2/ticker/price", "ticker", 1, OPEN, ticker_price),
    ("GET", "v1/ticker/bookTicker", "ticker", 2, OPEN, _book_ticker),
    ("GET", "v1/premiumIndex", "ticker", 1, OPEN, _mark_price),
)


def _order(call: Call) -> Row:
    call.sim.futures.symbol(call.params)
    order: Order = looked_up(call)
    state = order.as_of(call.sim.visible_until(call.name, call.endpoint))
    if state is None or hidden_yet(call, order.states[0].real):
        raise no_such_order()
    return futures_rows.listed_row(order, state)


def _open_orders(call: Call) -> list[Row]:
    rows = visible_orders(call, futures_rows.listed_row)
    return [row for row in rows if row["status"] in OPEN_STATUSES]


def _all_orders(call: Call) -> list[Row]:
    call.sim.futures.symbol(call.params)
    return windowed(call, visible_orders(call, futures_rows.listed_row), "time", "orderId")


def _fills(call: Call) -> list[Row]:
    return windowed(call, [futures_rows.trade_row(fill) for fill in visible_fills(call)], "time", "id")


def _place(call: Call) -> Row:
    return call.sim.futures.place(call.ledger, call.params)


def _test(call: Call) -> Row:
    return call.sim.futures.place(call.ledger, call.params, test=True)


_ORDERS: tuple[tuple[str, str, str, int, str, Handler], ...] = (
    ("POST", "v1/order", "place", 0, SIGNED, _place),
    ("POST", "v1/order/test", "test", 0, SIGNED, _test),
    ("GET", "v1/order", "order", 1, SIGNED, _order),
    ("PUT", "v1/order", "modify", 1, SIGNED, lambda call: call.sim.futures.modify(call.ledger, call.params)),
    (
        "DELETE",
        "v1/order",
        "cancel",
        1,
        SIGNED,
        lambda call: call.sim.futures.cancel(call.ledger, call.params),
    ),
    ("GET", "v1/openOrders", "open_orders", 1, SIGNED, _open_orders),
    ("GET", "v1/allOrders", "all_orders", 5, SIGNED, _all_orders),
    ("GET", "v1/userTrades", "fills", 5, SIGNED, _fills),
    (
        "DELETE",
        "v1/allOpenOrders",
        "cancel_all",
        1,
        SIGNED,
        lambda call: call.sim.futures.cancel_all(call.ledger, call.params),
    ),
)


def _algo(call: Call) -> Row:
    algo = call.ledger.find_algo(call.params.integer("algoId"), call.params.optional("clientAlgoId"))
    until = call.sim.visible_until(call.name, call.endpoint)
    if algo is None or algo.real > until or hidden_yet(call, algo.real):
        raise no_such_order()
    return futures_rows.algo_row(algo)


def _algos(call: Call) -> list[Row]:
    until = call.sim.visible_until(call.name, call.endpoint)
    symbol = call.params.values.get("symbol")
    found = [algo for algo in call.ledger.algos.values() if symbol in {None, algo.symbol}]
    return [futures_rows.algo_row(algo) for algo in found if algo.real <= until]


def _open_algos(call: Call) -> list[Row]:
    return [row for row in _algos(call) if row["algoStatus"] == "NEW"]


def _all_algos(call: Call) -> list[Row]:
    call.sim.futures.symbol(call.params)
    return windowed(call, _algos(call), "createTime", "algoId")


_ALGOS: tuple[tuple[str, str, str, int, str, Handler], ...] = (
    (
        "POST",
        "v1/algoOrder",
        "algo_place",
        0,
        SIGNED,
        lambda call: call.sim.futures.place_algo(call.ledger, call.params),
    ),
    ("GET", "v1/algoOrder", "algo", 1, SIGNED, _algo),
    (
        "DELETE",
        "v1/algoOrder",
        "algo_cancel",
        1,
        SIGNED,
        lambda call: call.sim.futures.cancel_algo(call.ledger, call.params),
    ),
    ("GET", "v1/openAlgoOrders", "open_algos", 1, SIGNED, _open_algos),
    ("GET", "v1/allAlgoOrders", "all_algos", 5, SIGNED, _all_algos),
    (
        "DELETE",
        "v1/algoOpenOrders",
        "cancel_all",
        1,
        SIGNED,
        lambda call: call.sim.futures.cancel_all_algos(call.ledger, call.params),
    ),
)


def _account(call: Call) -> Row:
    can_trade = call.account is not None and call.account.can_trade
    marks, now_ms = call.sim.exchange.marks(), call.sim.clock.now_ms()
    return futures_rows.account_row(call.ledger, marks, now_ms, can_trade=can_trade)


def _balance(call: Call) -> list[Row]:
    return futures_rows.balance_rows(call.ledger, call.sim.exchange.marks(), call.sim.clock.now_ms())


def _positions(call: Call) -> list[Row]:
    until = call.sim.visible_until(call.name, call.endpoint)
    stale = call.sim.faults.draw("positions_stale", call.endpoint, call.name) is not None
    fills = [fill for fill in call.ledger.fills if fill.market == FUTURES and fill.real <= until]
    positions: dict[str, Position] = {}
    for fill in fills[:-1] if stale else fills:
        position = positions.setdefault(fill.symbol, Position(symbol=fill.symbol))
        position.apply(fill.qty if fill.side == "BUY" else -fill.qty, fill.price)
        position.updated_ms = fill.at_ms
    marks, symbol = call.sim.exchange.marks(), call.params.values.get("symbol")
    return [
        futures_rows.position_row(call.ledger, position, marks[name])
        for name, position in positions.items()
        if position.qty != 0 and symbol in {None, name}
    ]


def _income(call: Call) -> list[Row]:
    """Show fundings only: nothing here asks for other kinds of income."""
    kind, symbol = call.params.values.get("incomeType"), call.params.values.get("symbol")
    fundings = [f for f in call.ledger.fundings if symbol in {None, f.symbol}]
    rows = [futures_rows.income_row(f) for f in fundings] if kind in {None, "FUNDING_FEE"} else []
    return windowed(call, rows, "time", None)


def _leverage(call: Call) -> Row:
    symbol = call.sim.futures.symbol(call.params)
    leverage = call.params.integer("leverage") or 0
    if not 0 < leverage <= _HIGHEST_LEVERAGE:
        raise Refused(-4028, f"Leverage {leverage} is not valid.")
    call.ledger.leverage[symbol] = leverage
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": "1000000"}


def _margin_type(call: Call) -> Row:
    symbol = call.sim.futures.symbol(call.params)
    kind = call.params.choice("marginType", {"ISOLATED", "CROSSED"}, -4045, "marginType")
    if call.ledger.margin_types.get(symbol, "CROSSED") == kind:
        raise Refused(-4046, "No need to change margin type.")
    call.ledger.margin_types[symbol] = kind
    return {"code": 200, "msg": "success"}


def _set_mode(call: Call) -> Row:
    hedge = call.params.flag("dualSidePosition")
    if hedge == call.ledger.hedge:
        raise Refused(-4059, "No need to change position side.")
    if any(position.qty for position in call.ledger.positions.values()):
        raise Refused(-4068, "Position side cannot be changed if there exists position.")
    call.ledger.hedge = hedge
    return {"code": 200, "msg": "success"}


def _countdown(call: Call) -> Row:
    symbol = call.sim.futures.symbol(call.params)
    milliseconds = call.params.integer("countdownTime") or 0
    if milliseconds:
        call.ledger.countdowns[symbol] = time.monotonic() + milliseconds / 1000
    else:
        call.ledger.countdowns.pop(symbol, None)
    return {"symbol": symbol, "countdownTime": str(milliseconds)}


def _close_key(call: Call) -> Row:
    call.sim.users.close_key(call.name)
    return {}


_ACCOUNT: tuple[tuple[str, str, str, int, str, Handler], ...] = (
    ("GET", "v2/account", "account", 5, SIGNED, _account),
    ("GET", "v3/account", "account", 5, SIGNED, _account),
    ("GET", "v2/balance", "balance", 5, SIGNED, _balance),
    ("GET", "v3/balance", "balance", 5, SIGNED, _balance),
    ("GET", "v2/positionRisk", "positions", 5, SIGNED, _positions),
    ("GET", "v3/positionRisk", "positions", 5, SIGNED, _positions),
    ("GET", "v1/income", "income", 30, SIGNED, _income),
    ("POST", "v1/leverage", "leverage", 1, SIGNED, _leverage),
    ("POST", "v1/marginType", "margin_type", 1, SIGNED, _margin_type),
    (
        "GET",
        "v1/positionSide/dual",
        "position_mode",
        30,
        SIGNED,
        lambda call: {"dualSidePosition": call.ledger.hedge},
    ),
    ("POST", "v1/positionSide/dual", "position_mode", 1, SIGNED, _set_mode),
    ("POST", "v1/countdownCancelAll", "countdown", 10, SIGNED, _countdown),
    (
        "POST",
        "v1/listenKey",
        "listen_key",
        1,
        KEYED,
        lambda call: {"listenKey": call.sim.users.open_key(call.name)},
    ),
    (
        "PUT",
        "v1/listenKey",
        "listen_key",
        1,
        KEYED,
        lambda call: {"listenKey": call.sim.users.keep_key(call.name)},
    ),
    ("DELETE", "v1/listenKey", "listen_key", 1, KEYED, _close_key),
)


def _listed(call: Call, name: str) -> list[object]:
    # The library encodes this one parameter before it signs, so it may arrive encoded twice.
    text = call.params.text(name)
    try:
        listed = json.loads(text if text.startswith("[") else unquote_plus(text))
    except ValueError as error:
        raise Refused(-1130, f"Data sent for parameter '{name}' is not valid.") from error
    if not isinstance(listed, list):
        raise Refused(-1130, f"Data sent for parameter '{name}' is not valid.")
    return listed


def _place_batch(call: Call) -> object:
    orders = [
        Parameters({str(name): str(value) for name, value in dict(item).items()})  # type: ignore[call-overload]  # JSON objects
        for item in _listed(call, "batchOrders")
    ]
    return call.sim.futures.place_batch(call.ledger, orders)


def _cancel_batch(call: Call) -> object:
    ours, theirs = ("origClientOrderIdList", "origClientOrderId"), ("orderIdList", "orderId")
    listed, single = ours if ours[0] in call.params.values else theirs
    symbol = call.params.text("symbol")
    items = [Parameters({"symbol": symbol, single: str(value)}) for value in _listed(call, listed)]
    return call.sim.futures.cancel_batch(call.ledger, items)


_BATCHES: tuple[tuple[str, str, str, int, str, Handler], ...] = (
    ("POST", "v1/batchOrders", "batch", 5, SIGNED, _place_batch),
    ("DELETE", "v1/batchOrders", "cancel_all", 1, SIGNED, _cancel_batch),
)
