"""Receive every call of the fake module: journal it, inject faults, then hand it to its handler.

POST /terminal/{function} with {"pipe": ..., "args": {...}} answers {"result": ...} or {"error": [code,
text]}; a "hang_s" beside it tells the module to block first (null: for ever).
"""

import asyncio
import contextlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.calls import Call, Failed, Handler
from brokers.simulators.mt5.faults import Hit
from brokers.simulators.mt5.journal import Seen
from brokers.simulators.mt5.rows import Row
from brokers.simulators.mt5.simulator import Simulator
from brokers.simulators.mt5.wire_orders import ACTIONS, send_order

_LOST = ("request_lost", "late_accept")


def call_route(sim: Simulator, handlers: Mapping[str, Handler]) -> Route:
    """Return the one route that all module functions but initialize go through."""

    async def receive(request: Request) -> Response:
        function = request.path_params["function"]
        body = await request.json()
        terminal = sim.terminals.find(str(body.get("pipe")))
        seen = sim.journal.open(
            terminal=terminal.folder if terminal else "", path=request.url.path, now=sim.clock.now()
        )
        if terminal is None:
            return _failure(seen, Failed(mt5.RES_E_INTERNAL_FAIL_CONNECT))
        call = Call(
            sim=sim,
            function=function,
            arguments=body.get("args") or {},
            terminal=terminal,
            login=terminal.login,
        )
        return await _answer(call, seen, handlers.get(function))

    return Route("/terminal/{function}", receive, methods=["POST"])


def _failure(seen: Seen, failure: Failed) -> Response:
    seen.outcome = str(failure)
    return JSONResponse({"error": [failure.code, failure.text]})


async def _answer(call: Call, seen: Seen, handler: Handler | None) -> Response:
    await call.sim.advance()
    seen.login, seen.tag = call.login, _magic(call)
    reply: Row = {}
    try:
        reply["result"] = await _through_faults(call, handler, reply)
    except Failed as failure:
        seen.outcome = str(failure)
        return JSONResponse(reply | {"error": [failure.code, failure.text]})
    result = reply["result"]
    seen.outcome = (
        f"retcode {result['retcode']}" if isinstance(result, dict) and "retcode" in result else "done"
    )
    return JSONResponse(reply)


def _magic(call: Call) -> str:
    request = call.arguments.get("request")
    return str(request.get("magic", "")) if isinstance(request, dict) else ""


async def _through_faults(call: Call, handler: Handler | None, reply: Row) -> object:
    if handler is None and call.function != "order_send":
        raise Failed(mt5.RES_E_UNSUPPORTED)
    endpoint, key = _name(call)
    _misdirect(call, endpoint, key)
    await _break_pipe(call, handler, endpoint, key)
    hang = call.sim.faults.draw("terminal_hang", endpoint, call.login, key)
    if hang is not None:
        reply["hang_s"] = hang.seconds or None
        if not hang.accepted:
            raise Failed(mt5.RES_E_INTERNAL_FAIL_TIMEOUT)
    return await _carry_out(call, handler, endpoint, key)


def _name(call: Call) -> tuple[str, str]:
    # The endpoint as rules name it, and a key that makes draws about a write independent of arrival: its
    # magic number and how often it was seen, so that a retry has its own luck.
    if call.function != "order_send":
        return call.function, ""
    request = call.arguments.get("request")
    action = ACTIONS.get(request.get("action", 0), "") if isinstance(request, dict) else ""
    return f"order_send/{action}", call.sim.order_key(call.login, _magic(call))


def _misdirect(call: Call, endpoint: str, key: str) -> None:
    # Pipe crossing: another account answers from here on.
    wrong = call.sim.faults.draw("wrong_account", endpoint, call.login, key)
    if wrong is not None:
        others = [login for login in call.sim.books if login != call.login]
        call.login = wrong.other or next(iter(others), call.login)
    shift = call.sim.faults.draw("time_offset", endpoint, call.login)
    call.time_shift_s = round(shift.seconds) if shift is not None else 0


async def _break_pipe(call: Call, handler: Handler | None, endpoint: str, key: str) -> None:
    sim, login = call.sim, call.login
    if sim.faults.draw("no_ipc", endpoint, login, key) is not None:
        raise Failed(mt5.RES_E_INTERNAL_FAIL_CONNECT)
    for kind in _LOST:
        lost = sim.faults.draw(kind, endpoint, login, key)
        if lost is not None:
            if kind == "late_accept":
                sim.later(lost.seconds, lambda: _do_late(call, handler))
            raise Failed(lost.code)
    crash = sim.faults.draw("terminal_crash", endpoint, login, key)
    if crash is not None:
        if crash.accepted:
            _do(call, handler)
        sim.terminals.crash(call.terminal.folder)
        raise Failed(mt5.RES_E_INTERNAL_FAIL_RECEIVE)
    timeout = sim.faults.draw("ipc_timeout", endpoint, login, key)
    if timeout is not None:
        await _time_out(call, handler, timeout)


async def _time_out(call: Call, handler: Handler | None, hit: Hit) -> None:
    if hit.accepted:
        _do(call, handler)
    await asyncio.sleep(hit.seconds)
    raise Failed(hit.code)


def _do(call: Call, handler: Handler | None) -> object:
    return send_order(call) if handler is None else handler(call)


def _do_late(call: Call, handler: Handler | None) -> None:
    with contextlib.suppress(Failed):  # nobody waits for the answer any more
        _do(call, handler)


async def _carry_out(call: Call, handler: Handler | None, endpoint: str, key: str) -> object:
    if handler is not None:
        return handler(call)
    latency = call.sim.faults.latency(call.login, key)
    await asyncio.sleep(latency / 2)
    await call.sim.advance()
    result = send_order(call, endpoint, key)
    await asyncio.sleep(latency / 2)
    lost = call.sim.faults.draw("ack_lost", endpoint, call.login, key)
    if lost is not None:
        await asyncio.sleep(lost.seconds)
        raise Failed(lost.code)
    return result
