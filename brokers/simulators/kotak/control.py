"""Serve /_sim/...: the driver's and the auditor's door, for loopback callers only.

GET  /_sim/clock      {"now", "rate", "tick_seq", "next_tick_at", "pending"}; `pending` counts the steps under
                      way in real time, late placements included: 0 means nothing is in flight here.
POST /_sim/clock      {"now": ISO, "rate": x} jumps and runs on; answers after every tick that became due was
                      matched and handed to the feeds, in order. A clock set back never repeats a tick.
GET  /_sim/schedule   all grid instants of the day; the last one, 15:30:00, only closes the session.
POST /_sim/windows    {"windows": [[ISO, ISO], ...]}: tick every 3 s inside, every 15 s elsewhere.
GET  /_sim/orders     orders of all accounts with the client's own tag, whatever the wire shows by now.
GET  /_sim/fills, /_sim/positions, /_sim/feeds
GET  /_sim/sessions   every session of the day with its token, for those who search what betrays one.
GET  /_sim/requests   ?since=seq&path=...: each with source address, real and virtual time, outcome.
GET  /_sim/faults     profile and what was injected, by kind.
POST /_sim/faults     {"profile": name} and/or {"faults": [rule, ...]}, replacing the earlier ones;
                      a rule: {"kind", "rate", "endpoint", "ucc": [...], "count", "from", "to", "seconds"};
                      kinds and their meaning are in catalog.py and under "kinds" of GET /_sim/faults.
POST /_sim/halt       {"until": ISO}: the exchange deletes every living order, refuses new ones and shows no
                      prices until this virtual instant; answers how many orders it deleted.
POST /_sim/accounts   one account or a list: adds, or changes the named fields; also login_hang, login_error.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.kotak.catalog import DEEDS, DRAWN
from brokers.simulators.kotak.ledger import Position
from brokers.simulators.kotak.orders import Fill, Order
from brokers.simulators.kotak.rows import Row, rupees
from brokers.simulators.kotak.simulator import Simulator

Control = Callable[[Simulator, Request], Awaitable[object]]


def control_routes(sim: Simulator) -> list[Route]:
    """Return the control routes."""
    return [
        _control(sim, "GET", "/_sim/clock", _get_clock),
        _control(sim, "POST", "/_sim/clock", _set_clock),
        _control(sim, "GET", "/_sim/schedule", _schedule),
        _control(sim, "POST", "/_sim/windows", _set_windows),
        _control(sim, "GET", "/_sim/orders", _orders),
        _control(sim, "GET", "/_sim/fills", _fills),
        _control(sim, "GET", "/_sim/positions", _positions),
        _control(sim, "GET", "/_sim/sessions", _sessions),
        _control(sim, "GET", "/_sim/requests", _requests),
        _control(sim, "GET", "/_sim/feeds", _feeds),
        _control(sim, "GET", "/_sim/faults", _get_faults),
        _control(sim, "POST", "/_sim/faults", _set_faults),
        _control(sim, "POST", "/_sim/halt", _halt),
        _control(sim, "POST", "/_sim/accounts", _put_accounts),
    ]


def _control(sim: Simulator, method: str, path: str, handler: Control) -> Route:
    async def receive(request: Request) -> Response:
        if request.client is None or not request.client.host.startswith("127."):
            return JSONResponse({"error": "control is for loopback callers only"}, status_code=403)
        try:
            return JSONResponse(await handler(sim, request))
        except (ValueError, KeyError, TypeError) as error:
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


def _ticks(sim: Simulator) -> dict[str, object]:
    following = sim.grid.next_after(sim.tape.instant)
    return {
        "tick_seq": sim.tape.seq,
        "next_tick_at": following.isoformat() if following else None,
        "pending": sim.exchange.pending,
        "filled": sim.exchange.filled,
    }


async def _schedule(sim: Simulator, _request: Request) -> object:
    return [instant.isoformat() for instant in sim.grid.instants]


async def _set_windows(sim: Simulator, request: Request) -> object:
    body = await request.json()
    sim.grid.set_windows([(_instant(start), _instant(end)) for start, end in body["windows"]])
    return {"instants": len(sim.grid.instants)} | _ticks(sim)


async def _orders(sim: Simulator, _request: Request) -> object:
    return [_order(order) for ledger in sim.exchange.ledgers.values() for order in ledger.orders.values()]


def _order(order: Order) -> Row:
    state = order.state
    return {
        "ucc": order.ucc,
        "broker_order_id": order.number,
        "tag": order.tag,
        "symbol": order.contract.symbol,
        "token": order.contract.token,
        "side": order.side,
        "product": order.product,
        "type": state.terms.kind,
        "price": rupees(state.terms.price),
        "trigger": rupees(state.terms.trigger),
        "qty": state.terms.qty,
        "filled": state.filled,
        "canceled": state.canceled,
        "avg_px": rupees(state.average),
        "status": str(state.status),
        "reason": state.reason,
        "modifications": state.modifications,
        "placed_at": order.placed_at.isoformat(),
        "placed_real": order.placed_epoch,
    }


async def _fills(sim: Simulator, _request: Request) -> object:
    return [_fill(fill) for ledger in sim.exchange.ledgers.values() for fill in ledger.fills]


def _fill(fill: Fill) -> Row:
    return {
        "ucc": fill.ucc,
        "fill_id": fill.fill_id,
        "broker_order_id": fill.number,
        "symbol": fill.contract.symbol,
        "token": fill.contract.token,
        "side": fill.side,
        "product": fill.product,
        "qty": fill.qty,
        "px": rupees(fill.price),
        "filled_at": fill.at.isoformat(),
    }


async def _positions(sim: Simulator, _request: Request) -> object:
    return [
        _position(ledger.ucc, position)
        for ledger in sim.exchange.ledgers.values()
        for position in ledger.positions()
    ]


def _position(ucc: str, position: Position) -> Row:
    return {
        "ucc": ucc,
        "symbol": position.contract.symbol,
        "token": position.contract.token,
        "product": position.product,
        "net": position.net,
        "bought": position.bought,
        "sold": position.sold,
        "buy_amount": rupees(position.buy_amount),
        "sell_amount": rupees(position.sell_amount),
    }


async def _sessions(sim: Simulator, _request: Request) -> object:
    sessions = sim.accounts.sessions.values()
    return [{"ucc": item.ucc, "kind": item.kind, "token": item.token, "sid": item.sid} for item in sessions]


async def _requests(sim: Simulator, request: Request) -> object:
    seen = sim.journal.since(int(request.query_params.get("since", "0")))
    path = request.query_params.get("path")
    return seen if path is None else [item for item in seen if item["path"] == path]


async def _feeds(sim: Simulator, _request: Request) -> object:
    return {"order_feeds": sim.order_feeds.count(), "market_feeds": sim.market_feed.count()}


async def _get_faults(sim: Simulator, _request: Request) -> object:
    injected = dict(sorted(sim.faults.injected.items()))
    return {
        "profile": sim.faults.profile.name,
        "injected": sum(injected.values()),
        "by_kind": injected,
        "extra": len(sim.faults.extra),
        "kinds": {name: {"rows": kind.rows, "says": kind.says} for name, kind in {**DRAWN, **DEEDS}.items()},
    }


async def _set_faults(sim: Simulator, request: Request) -> object:
    body = await request.json()
    if "profile" in body:
        sim.faults.use(str(body["profile"]))
    if "faults" in body:
        raw = list(body["faults"])
        sim.faults.set_extra([item for item in raw if item.get("kind") not in DEEDS])
        for deed in raw:
            if deed.get("kind") in DEEDS:
                sim.faults.injected[deed["kind"]] += _do(sim, deed)
    return await _get_faults(sim, request)


def _do(sim: Simulator, deed: Mapping[str, Any]) -> int:
    """Do what a rule of this kind asks for at once; return how often it hit."""
    kind, uccs = deed["kind"], deed.get("ucc")
    if kind == "session_kill":
        return sim.kill_sessions(uccs)
    if kind == "key_reset":
        return sim.reset_keys(uccs)
    if kind == "feed_cut":
        return sim.cut_feeds(uccs)
    return sim.refuse_connections(float(deed["seconds"]))


async def _halt(sim: Simulator, request: Request) -> object:
    body = await request.json()
    return {"deleted": sim.exchange.halt(_instant(body["until"]))}


async def _put_accounts(sim: Simulator, request: Request) -> object:
    body = json.loads(await request.body())
    accounts = body if isinstance(body, list) else [body]
    return {"accounts": [sim.put_account(raw).ucc for raw in accounts]}
