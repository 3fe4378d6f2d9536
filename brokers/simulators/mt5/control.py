"""Serve /_sim/...: the driver's and the auditor's door, for loopback callers only.

GET  /_sim/clock      {"now", "rate", "tick_seq", "next_tick_at", "pending", "filled"}; `pending` counts
                      steps under way in real time (late and slow executions), `filled` hundredths of a lot.
POST /_sim/clock      {"now": ISO, "rate": x} jumps and runs on; answers after every tick that became due was
                      matched, in order. A clock set back never repeats a tick. Refused with a clock file.
GET  /_sim/orders     orders of all accounts, done and working, with the comment as it was sent.
GET  /_sim/fills, /_sim/positions
POST /_sim/orders     {"login": n, "request": {...}}: what a person does in the broker's own app.
GET  /_sim/requests   ?since=seq&path=...: each with terminal, account, magic, both times, outcome.
GET  /_sim/faults     profile and what was injected, by kind.
POST /_sim/faults     {"profile": name} and/or {"faults": [rule, ...]}, replacing earlier ones; see faults.py.
POST /_sim/accounts   one account or a list: adds, or changes the named fields; see accounts.Account.
GET  /_sim/terminals  folder and account of each terminal.
POST /_sim/terminals  {"crash": folder}: ends a terminal; its pipes break.
POST /_sim/reset      {"now": ISO, "rate": x}: forgets accounts, books, terminals, faults and journal.
POST /_sim/symbols    {"name": ..., property: integer, ...} changes a symbol; see symbols.Symbol.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.clock import VirtualClock
from brokers.simulators.mt5.dealer import Instruction
from brokers.simulators.mt5.hours import from_epoch
from brokers.simulators.mt5.minutes import POINTS_PER_UNIT
from brokers.simulators.mt5.records import BUY, Deal, Order, Position
from brokers.simulators.mt5.retcodes import words
from brokers.simulators.mt5.rows import Row
from brokers.simulators.mt5.simulator import Simulator
from brokers.simulators.mt5.symbols import change_symbol
from brokers.simulators.mt5.trade_request import parse_request

Control = Callable[[Simulator, Request], Awaitable[object]]
_STATES: Mapping[int, str] = {
    mt5.ORDER_STATE_PLACED: "placed",
    mt5.ORDER_STATE_CANCELED: "canceled",
    mt5.ORDER_STATE_PARTIAL: "partial",
    mt5.ORDER_STATE_FILLED: "filled",
    mt5.ORDER_STATE_REJECTED: "rejected",
    mt5.ORDER_STATE_EXPIRED: "expired",
}


def control_routes(sim: Simulator) -> list[Route]:
    """Return the control routes."""
    return [
        _control(sim, "GET", "/_sim/clock", _get_clock),
        _control(sim, "POST", "/_sim/clock", _set_clock),
        _control(sim, "GET", "/_sim/orders", _orders),
        _control(sim, "POST", "/_sim/orders", _human),
        _control(sim, "GET", "/_sim/fills", _fills),
        _control(sim, "GET", "/_sim/positions", _positions),
        _control(sim, "GET", "/_sim/requests", _requests),
        _control(sim, "GET", "/_sim/faults", _get_faults),
        _control(sim, "POST", "/_sim/faults", _set_faults),
        _control(sim, "POST", "/_sim/accounts", _put_accounts),
        _control(sim, "GET", "/_sim/terminals", _terminals),
        _control(sim, "POST", "/_sim/terminals", _crash_terminal),
        _control(sim, "POST", "/_sim/reset", _reset),
        _control(sim, "POST", "/_sim/symbols", _change_symbol),
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
    await sim.advance()
    return {"now": sim.clock.now().isoformat(), "rate": sim.clock.rate} | _ticks(sim)


async def _set_clock(sim: Simulator, request: Request) -> object:
    _jump(sim, await request.json())
    await sim.advance()
    return _ticks(sim)


async def _reset(sim: Simulator, request: Request) -> object:
    _jump(sim, await request.json())
    sim.reset()
    return _ticks(sim)


def _jump(sim: Simulator, body: Row) -> None:
    if not isinstance(sim.clock, VirtualClock):
        raise TypeError("this simulator follows a clock file; set that one")
    rate = float(str(body.get("rate", sim.clock.rate)))
    if rate < 0:
        raise ValueError(f"expected a rate of 0 or more, got {rate}")
    sim.clock.set(_instant(body["now"]), rate)


def _ticks(sim: Simulator) -> dict[str, object]:
    return {
        "tick_seq": sim.tick_seq,
        "next_tick_at": sim.next_tick().isoformat(),
        "pending": sim.pending,
        "filled": sim.executions.filled,
    }


async def _orders(sim: Simulator, _request: Request) -> object:
    return [
        _order(book, order)
        for book in sim.books.values()
        for order in (*book.history.values(), *book.orders.values())
    ]


def _price(points: int) -> str:
    return str(Decimal(points) / POINTS_PER_UNIT)


def _lots(volume: int) -> str:
    return str(Decimal(volume) / 100)


def _dollars(cents: int) -> str:
    return f"{Decimal(cents) / 100:.2f}"


def _order(book: Book, order: Order) -> Row:
    return {
        "login": book.account.login,
        "broker_order_id": str(order.ticket),
        "magic": order.magic,
        "comment": order.comment,
        "sent_comment": order.sent_comment,
        "symbol": order.symbol,
        "side": "BUY" if order.side == BUY else "SELL",
        "type": order.type,
        "price": _price(order.price),
        "stoplimit": _price(order.stoplimit),
        "sl": _price(order.sl),
        "tp": _price(order.tp),
        "lots": _lots(order.volume),
        "filled_lots": _lots(order.volume - order.left),
        "status": _STATES[order.state],
        "reason": order.reason,
        "position_id": order.position_id,
        "placed_at": from_epoch(order.setup_ms // 1000).isoformat(),
        "placed_real": order.placed_real,
    }


async def _fills(sim: Simulator, _request: Request) -> object:
    return [
        _fill(book, deal)
        for book in sim.books.values()
        for deal in book.deals
        if deal.type != mt5.DEAL_TYPE_BALANCE
    ]


def _fill(book: Book, deal: Deal) -> Row:
    return {
        "login": book.account.login,
        "fill_id": str(deal.ticket),
        "broker_order_id": str(deal.order),
        "magic": deal.magic,
        "symbol": deal.symbol,
        "side": "BUY" if deal.type == BUY else "SELL",
        "entry": deal.entry,
        "position_id": deal.position_id,
        "lots": _lots(deal.volume),
        "px": _price(deal.price),
        "profit": _dollars(deal.profit),
        "commission": _dollars(deal.commission),
        "filled_at": from_epoch(deal.at_ms // 1000).isoformat(),
    }


async def _positions(sim: Simulator, _request: Request) -> object:
    return [_position(book, held) for book in sim.books.values() for held in book.positions.values()]


def _position(book: Book, position: Position) -> Row:
    return {
        "login": book.account.login,
        "ticket": position.ticket,
        "identifier": position.identifier,
        "magic": position.magic,
        "comment": position.comment,
        "symbol": position.symbol,
        "side": "BUY" if position.side == BUY else "SELL",
        "lots": _lots(position.volume),
        "avg_px": str(
            round(Decimal(position.price.numerator) / position.price.denominator / POINTS_PER_UNIT, 8)
        ),
        "sl": _price(position.sl),
        "tp": _price(position.tp),
    }


async def _human(sim: Simulator, request: Request) -> object:
    body = await request.json()
    await sim.advance()
    asked = parse_request(body["request"])
    instruction = Instruction(request=asked, comment=asked.comment, reason=mt5.ORDER_REASON_CLIENT)
    outcome = sim.carry_out(sim.books[int(body["login"])], instruction, asked.symbol or "EURUSD")
    if outcome is None:
        raise ValueError(f"unknown symbol {asked.symbol!r}")
    return {"retcode": outcome.retcode, "order": outcome.order, "comment": words(outcome.retcode)}


async def _requests(sim: Simulator, request: Request) -> object:
    seen = sim.journal.since(int(request.query_params.get("since", "0")))
    path = request.query_params.get("path")
    return seen if path is None else [item for item in seen if item["path"] == path]


async def _get_faults(sim: Simulator, _request: Request) -> object:
    injected = dict(sorted(sim.faults.injected.items()))
    return {
        "profile": sim.faults.profile.name,
        "injected": sum(injected.values()),
        "by_kind": injected,
        "extra": len(sim.faults.extra),
    }


async def _set_faults(sim: Simulator, request: Request) -> object:
    body = await request.json()
    if "profile" in body:
        sim.faults.use(str(body["profile"]))
    if "faults" in body:
        sim.faults.set_extra(list(body["faults"]))
    return await _get_faults(sim, request)


async def _put_accounts(sim: Simulator, request: Request) -> object:
    body = await request.json()
    accounts = body if isinstance(body, list) else [body]
    return {"accounts": [sim.put_account(raw).login for raw in accounts]}


async def _terminals(sim: Simulator, _request: Request) -> object:
    return [
        {"folder": terminal.folder, "login": terminal.login, "portable": terminal.portable}
        for terminal in sim.terminals.by_folder.values()
    ]


async def _crash_terminal(sim: Simulator, request: Request) -> object:
    body = await request.json()
    sim.terminals.crash(str(body["crash"]))
    return await _terminals(sim, request)


async def _change_symbol(sim: Simulator, request: Request) -> object:
    body = await request.json()
    symbol = sim.symbols[str(body["name"])]
    change_symbol(symbol, body)
    return {"name": symbol.name}
