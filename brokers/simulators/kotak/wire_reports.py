"""Serve books, history, fills, positions, holdings, limits and margin."""

from decimal import Decimal

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.kotak.gate import Call, route
from brokers.simulators.kotak.ledger import Ledger
from brokers.simulators.kotak.replies import Refused, listing, no_data
from brokers.simulators.kotak.rows import fill_row, history_row, order_row, position_row, rupees
from brokers.simulators.kotak.simulator import Simulator


def report_routes(sim: Simulator) -> list[Route]:
    """Return the routes that read an account."""
    return [
        route(sim, "GET", "/quick/user/orders", "orders", _orders),
        route(sim, "GET", "/quick/user/orders/{number}", "order", _order),
        route(sim, "POST", "/quick/order/history", "history", _history),
        route(sim, "GET", "/quick/user/trades", "trades", _fills),
        route(sim, "GET", "/portfolio/v2/positions", "positions", _positions),
        route(sim, "GET", "/quick/user/positions", "positions", _positions),
        route(sim, "GET", "/portfolio/v1/holdings", "holdings", _holdings),
        route(sim, "POST", "/quick/user/limits", "limits", _limits),
        route(sim, "POST", "/quick/user/check-margin", "margin", _margin),
    ]


def _ledger(call: Call) -> Ledger:
    account, _session = call.trade_session()
    return call.sim.exchange.ledgers[account.ucc]


async def _orders(call: Call) -> Response:
    ledger = _ledger(call)
    until = call.sim.visible_until(ledger.ucc, "orders")
    shown = [(order, order.as_of(until)) for order in ledger.orders.values()]
    rows = [order_row(order, state) for order, state in reversed(shown) if state is not None]
    if rows and call.sim.faults.draw("human_strange", "orders", ledger.ucc):
        strange = {"nOrdNo": "990101000000009", "GuiOrdId": "NA", "prcTp": "ICEBERG", "ordSt": "half asleep"}
        rows.append(rows[-1] | strange)
    return listing(rows)


async def _order(call: Call) -> Response:
    ledger = _ledger(call)
    order = ledger.orders.get(call.request.path_params["number"])
    state = order.as_of(call.sim.visible_until(ledger.ucc, "order")) if order else None
    if order is None or state is None:
        return no_data()
    return listing([order_row(order, state)])


async def _history(call: Call) -> Response:
    ledger = _ledger(call)
    order = ledger.orders.get(call.j_data().get("nOrdNo") or "")
    if order is None:
        return no_data()
    until = call.sim.visible_until(ledger.ucc, "history")
    return listing([history_row(order, state) for state in reversed(order.states) if state.real <= until])


async def _fills(call: Call) -> Response:
    ledger = _ledger(call)
    until = call.sim.visible_until(ledger.ucc, "trades")
    fills = [fill for fill in ledger.fills if fill.real <= until]
    if fills and call.sim.faults.draw("fill_missing", "trades", ledger.ucc):
        fills.pop()
    return listing([fill_row(fill, ledger.orders[fill.number].exchange_number) for fill in fills])


async def _positions(call: Call) -> Response:
    ledger = _ledger(call)
    until = call.sim.visible_until(ledger.ucc, "positions")
    now = call.sim.clock.now()
    is_zero = call.sim.faults.draw("ltp_zero", "positions", ledger.ucc) is not None
    rows = []
    for item in ledger.positions(until_real=until):
        quote = call.sim.tape.quotes.get(item.contract.token)
        last = "0" if is_zero or quote is None else rupees(quote.ltp)
        rows.append(position_row(ledger.ucc, item, now) | {"ltp": last})
    return listing(rows)


async def _holdings(call: Call) -> Response:
    call.trade_session()
    return JSONResponse({"data": []})


async def _limits(call: Call) -> Response:
    account, _session = call.trade_session()
    ledger = call.sim.exchange.ledgers[account.ucc]
    used = ledger.used_margin()
    zeros = ("RealizedMtomPrsnt", "UnrealizedMtomPrsnt", "ExposureMarginPrsnt", "PremiumPrsnt")
    body = {
        "Category": "CLIENT_MTF",
        "CollateralValue": rupees(ledger.cash),
        "Collateral": "0",
        "MarginUsed": rupees(used),
        "MarginUsedPrsnt": rupees(used),
        "SpanMarginPrsnt": rupees(used),
        "NotionalCash": "0",
        "MarginWarningPrcntPrsnt": "100",
        "MarginVarPrsnt": "0",
        "BoardLotLimit": "5000000",
        "TimeStamp": str(int(call.sim.clock.now().timestamp() * 1000)),
        **dict.fromkeys(zeros, "0"),
        **account.limits,
        "Net": rupees(ledger.cash - used),
        "stat": "Ok",
        "stCode": 200,
    }
    return JSONResponse(body)


async def _margin(call: Call) -> Response:
    ledger = _ledger(call)
    data = call.j_data()
    contract = call.sim.tape.by_token.get(int(data.get("tok") or "0"))
    if contract is None:
        raise Refused(1009, "please provide valid instrument")
    quantity, side = int(data.get("qty") or "0"), str(data.get("trnsTp"))
    needed = ledger.order_margin(contract, side, quantity, int(Decimal(data.get("prc") or "0") * 100))
    used = ledger.used_margin()
    free = ledger.cash - used
    body = {
        "avlCash": rupees(ledger.cash),
        "totMrgnUsd": rupees(used + needed),
        "mrgnUsd": rupees(used),
        "ordMrgn": rupees(needed),
        "reqdMrgn": rupees(needed),
        "avlMrgn": rupees(free),
        "insufFund": rupees(max(0, needed - free)),
        "rmsVldtd": "OK" if needed <= free else "NOT_OK",
        "stat": "Ok",
        "stCode": 200,
    }
    return JSONResponse(body)
