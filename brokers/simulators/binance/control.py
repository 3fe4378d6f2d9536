"""Serve /_sim/...: the driver's and the auditor's door, for loopback callers only.

GET  /_sim/clock      {"now", "rate", "tick_seq", "next_tick_at", "pending", "filled"}; `pending` counts the
                      late placements under way in real time: 0 means nothing is in flight here.
POST /_sim/clock      {"now": ISO, "rate": x} jumps and runs on; answers after every tick that became due was
                      matched and handed to the streams, in order. A clock set back never repeats a tick.
GET  /_sim/schedule   the grid instants of the first day.
POST /_sim/windows    {"windows": [[ISO, ISO], ...]}: tick every 3 s inside, every 15 s elsewhere.
GET  /_sim/orders     orders of all accounts, whatever the wire shows by now; /_sim/algos: conditional ones.
GET  /_sim/fills, /_sim/positions, /_sim/balances, /_sim/feeds
GET  /_sim/sessions   the listen keys that are alive, for those who search what betrays one.
GET  /_sim/requests   ?since=seq&path=...: each with source address, real and virtual time, outcome.
GET  /_sim/faults     profile and what was injected, by kind.
POST /_sim/faults     {"profile": name} and/or {"faults": [rule, ...]}, replacing the earlier ones;
                      a rule: {"kind", "rate", "endpoint", "account": [..], "count", "from", "to", "seconds"}.
POST /_sim/accounts   one account or a list: adds, or changes the named fields.
POST /_sim/symbols    {"market", "symbol", field: value, ...}: as the venue does with an announcement.
POST /_sim/external   {"account", "market", "params"}: an order by the human in the venue's own app.
GET, POST /_sim/settings    what is not known of the real wire; /_sim/pardon forgets bans and counts.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.binance.faults import COMMANDS, Rule, parse_rule
from brokers.simulators.binance.limits import EVERYONE
from brokers.simulators.binance.orders import AlgoOrder, Fill, Order
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Refused
from brokers.simulators.binance.simulator import Simulator
from brokers.simulators.binance.symbols import SPOT, Row

Control = Callable[[Simulator, Request], Awaitable[object]]


def control_routes(sim: Simulator, refuse_connections: Callable[[float], None]) -> list[Route]:
    """Return the control routes; `refuse_connections` closes the door for real seconds."""

    async def set_faults(sim: Simulator, request: Request) -> object:
        return await _set_faults(sim, request, refuse_connections)

    table: tuple[tuple[str, str, Control], ...] = (
        ("GET", "clock", _get_clock),
        ("POST", "clock", _set_clock),
        ("GET", "schedule", _schedule),
        ("POST", "windows", _set_windows),
        ("GET", "orders", _orders),
        ("GET", "algos", _algos),
        ("GET", "fills", _fills),
        ("GET", "positions", _positions),
        ("GET", "balances", _balances),
        ("GET", "sessions", _sessions),
        ("GET", "requests", _requests),
        ("GET", "feeds", _feeds),
        ("GET", "faults", _get_faults),
        ("POST", "faults", set_faults),
        ("POST", "accounts", _put_accounts),
        ("POST", "symbols", _change_symbol),
        ("POST", "external", _external),
        ("GET", "settings", _get_settings),
        ("POST", "settings", _set_settings),
        ("POST", "pardon", _pardon),
    )
    return [_control(sim, method, f"/_sim/{name}", handler) for method, name, handler in table]


def _control(sim: Simulator, method: str, path: str, handler: Control) -> Route:
    async def receive(request: Request) -> Response:
        if request.client is None or not request.client.host.startswith("127."):
            return JSONResponse({"error": "control is for loopback callers only"}, status_code=403)
        try:
            return JSONResponse(await handler(sim, request))
        except (ValueError, KeyError, TypeError, Refused) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)

    return Route(path, receive, methods=[method])


def _instant(text: object) -> datetime:
    instant = datetime.fromisoformat(str(text))
    if instant.tzinfo is None:
        raise ValueError(f"expected an instant with an offset, got {text!r}")
    return instant


async def _get_clock(sim: Simulator, _request: Request) -> object:
    return {"now": sim.clock.now().isoformat(), "rate": sim.clock.rate} | _ticks(sim)


async def _set_clock(sim: Simulator, request: Request) -> object:
    body = await request.json()
    rate = float(body.get("rate", sim.clock.rate))
    if rate < 0:
        raise ValueError(f"expected a rate of 0 or more, got {rate}")
    sim.clock.set(_instant(body["now"]), rate)
    await sim.advance()
    return _ticks(sim)


def _ticks(sim: Simulator) -> Row:
    return {
        "tick_seq": sim.tape.seq,
        "next_tick_at": sim.grid.next_after(sim.tape.instant).isoformat(),
        "pending": sim.exchange.pending,
        "filled": str(sim.exchange.filled),
    }


async def _schedule(sim: Simulator, _request: Request) -> object:
    return [instant.isoformat() for instant in sim.grid.first_day()]


async def _set_windows(sim: Simulator, request: Request) -> object:
    body = await request.json()
    sim.grid.set_windows([(_instant(start), _instant(end)) for start, end in body["windows"]])
    return _ticks(sim)


async def _orders(sim: Simulator, _request: Request) -> object:
    return [_order(order) for ledger in sim.exchange.ledgers.values() for order in ledger.orders.values()]


def _order(order: Order) -> Row:
    state = order.state
    return {
        "account": order.account,
        "market": order.market,
        "broker_order_id": order.number,
        "client_id": order.client_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.kind,
        "tif": order.tif,
        "price": str(state.price),
        "trigger": str(order.stop),
        "qty": str(state.qty),
        "filled": str(state.filled),
        "avg_px": str(state.average),
        "status": str(state.status),
        "working": state.working,
        "reduce_only": order.reduce_only,
        "list": order.list_number,
        "placed_ms": order.created_ms,
        "placed_real": order.created_real,
    }


async def _algos(sim: Simulator, _request: Request) -> object:
    return [_algo(algo) for ledger in sim.exchange.ledgers.values() for algo in ledger.algos.values()]


def _algo(algo: AlgoOrder) -> Row:
    return {
        "account": algo.account,
        "market": "futures",
        "broker_order_id": algo.number,
        "client_id": algo.client_id,
        "symbol": algo.symbol,
        "side": algo.side,
        "type": algo.kind,
        "price": str(algo.price),
        "trigger": str(algo.trigger),
        "qty": str(algo.qty),
        "status": algo.status,
        "reason": algo.reason,
        "became": None if algo.order is None else algo.order.number,
    }


async def _fills(sim: Simulator, _request: Request) -> object:
    return [_fill(fill) for ledger in sim.exchange.ledgers.values() for fill in ledger.fills]


def _fill(fill: Fill) -> Row:
    return {
        "account": fill.account,
        "market": fill.market,
        "fill_id": fill.trade_id,
        "broker_order_id": fill.number,
        "client_id": fill.client_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": str(fill.qty),
        "px": str(fill.price),
        "fee": str(fill.fee),
        "fee_asset": fill.fee_asset,
        "maker": fill.maker,
        "filled_ms": fill.at_ms,
    }


async def _positions(sim: Simulator, _request: Request) -> object:
    return [
        {
            "account": ledger.account,
            "market": "futures",
            "symbol": position.symbol,
            "net": str(position.qty),
            "entry": str(position.entry),
            "realized": str(position.realized),
        }
        for ledger in sim.exchange.ledgers.values()
        for position in ledger.positions.values()
    ]


async def _balances(sim: Simulator, _request: Request) -> object:
    return [
        {
            "account": ledger.account,
            "spot": {asset: str(total) for asset, total in ledger.balances.items()},
            "locked": {asset: str(amount) for asset, amount in ledger.locked().items()},
            "futures_usdt": str(ledger.futures_usdt),
        }
        for ledger in sim.exchange.ledgers.values()
    ]


async def _sessions(sim: Simulator, _request: Request) -> object:
    return [{"account": item.account, "token": item.key} for item in sim.users.living_keys()]


async def _requests(sim: Simulator, request: Request) -> object:
    seen = sim.journal.since(int(request.query_params.get("since", "0")))
    path = request.query_params.get("path")
    return seen if path is None else [item for item in seen if item["path"] == path]


async def _feeds(sim: Simulator, _request: Request) -> object:
    return {"user_feeds": sim.users.count(), "market_feeds": sim.market_streams.count()}


async def _get_faults(sim: Simulator, _request: Request) -> object:
    injected = dict(sorted(sim.faults.injected.items()))
    return {
        "profile": sim.faults.profile.name,
        "injected": sum(injected.values()),
        "by_kind": injected,
        "extra": len(sim.faults.extra),
    }


async def _set_faults(
    sim: Simulator, request: Request, refuse_connections: Callable[[float], None]
) -> object:
    body = await request.json()
    rules = [parse_rule(raw) for raw in body.get("faults", [])]
    if "profile" in body:
        sim.faults.use(str(body["profile"]))
    if "faults" in body:
        sim.faults.set_extra(rule for rule in rules if rule.kind not in COMMANDS)
    for rule in rules:
        if rule.kind == "refuse_connect":
            refuse_connections(rule.seconds)
            sim.faults.injected[rule.kind] += 1
        elif rule.kind in COMMANDS:
            sim.faults.injected[rule.kind] += _obey(sim, rule)
    return await _get_faults(sim, request)


def _obey(sim: Simulator, rule: Rule) -> int:
    """Carry out a fault that strikes at once; return how often it struck."""
    if rule.kind == "listen_key_expired":
        return sim.users.expire_keys(rule.account, sim.clock.now_ms())
    if rule.kind == "server_shutdown":
        return sim.shut_down()
    if rule.kind == "disconnect":
        return sim.users.cut_all(rule.account) + sim.market_streams.cut_all()
    sim.limits.ban(EVERYONE, rule.seconds)
    return 1


async def _put_accounts(sim: Simulator, request: Request) -> object:
    body = json.loads(await request.body())
    accounts = body if isinstance(body, list) else [body]
    return {"accounts": [sim.put_account(raw).name for raw in accounts]}


async def _change_symbol(sim: Simulator, request: Request) -> object:
    body = dict(await request.json())
    symbol = sim.tape.symbols[str(body.pop("market")), str(body.pop("symbol"))]
    for name, value in body.items():
        symbol.change(str(name), value)
    return {"symbol": symbol.name, "status": symbol.status}


async def _external(sim: Simulator, request: Request) -> object:
    body = await request.json()
    ledger = sim.exchange.ledgers[str(body["account"])]
    params = {str(name): str(value) for name, value in body["params"].items()}
    params.setdefault("newClientOrderId", f"web_{sim.exchange.next_number()}")
    desk = sim.spot if body["market"] == SPOT else sim.futures
    return desk.place(ledger, Parameters(params | {"newOrderRespType": "RESULT"}))


async def _get_settings(sim: Simulator, _request: Request) -> object:
    return sim.settings.shown()


async def _set_settings(sim: Simulator, request: Request) -> object:
    sim.settings.change(await request.json())
    return sim.settings.shown()


async def _pardon(sim: Simulator, _request: Request) -> object:
    sim.limits.pardon()
    return {}
