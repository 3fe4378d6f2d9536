"""Answer initialize, login, shutdown, version, terminal_info and account_info."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.accounts import Account
from brokers.simulators.mt5.calls import Call, Failed, Handler
from brokers.simulators.mt5.rows import Row, account_row
from brokers.simulators.mt5.simulator import Simulator
from brokers.simulators.mt5.terminals import Terminal

_BUILD = 6231
_VERSION = (500, _BUILD, "22 Aug 2026")


def initialize_route(sim: Simulator) -> Route:
    """Return the route that starts a folder's terminal, opens a pipe to it and logs in when asked."""

    async def receive(request: Request) -> Response:
        body = await request.json()
        folder = str(body["folder"])
        seen = sim.journal.open(terminal=folder, path=request.url.path, now=sim.clock.now())
        await sim.advance()
        pipe, terminal = sim.terminals.connect(folder, portable=bool(body.get("portable")))
        seen.login = body.get("login") or terminal.login
        reply: Row = {}
        try:
            await _break(sim, seen.login, reply)
            await _start(sim, terminal, body)
        except Failed as failure:
            sim.terminals.disconnect(pipe)
            seen.outcome = str(failure)
            return JSONResponse(reply | {"error": [failure.code, failure.text]})
        seen.outcome = "done"
        return JSONResponse({"result": {"pipe": pipe}})

    return Route("/initialize", receive, methods=["POST"])


async def _break(sim: Simulator, login: int, reply: Row) -> None:
    hang = sim.faults.draw("terminal_hang", "initialize", login)
    if hang is not None:
        reply["hang_s"] = hang.seconds or None
        raise Failed(mt5.RES_E_INTERNAL_FAIL_TIMEOUT)
    for kind in ("init_fail", "ipc_timeout"):
        hit = sim.faults.draw(kind, "initialize", login)
        if hit is not None:
            await asyncio.sleep(hit.seconds)
            raise Failed(mt5.RES_E_INTERNAL_FAIL_INIT if kind == "init_fail" else hit.code)


async def _start(sim: Simulator, terminal: Terminal, body: Row) -> None:
    login = body.get("login") or terminal.login
    if not isinstance(login, int):
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    if not terminal.selected:
        terminal.selected = set(sim.symbols)
    if not login:
        return  # a terminal without an account: it runs, and account_info fails
    slow = sim.faults.draw("login_slow", "initialize", login)
    if slow is not None:
        await asyncio.sleep(slow.seconds)
    if sim.faults.draw("login_fail", "initialize", login) is not None:
        raise Failed(mt5.RES_E_AUTH_FAILED)
    remembered = login == terminal.login
    _log_in(sim, terminal, login, body, remembered=remembered)


def _log_in(sim: Simulator, terminal: Terminal, login: int, given: Row, *, remembered: bool) -> None:
    account = sim.accounts.by_login.get(login)
    password, server = given.get("password"), given.get("server")
    if account is None or account.login_error or not _fits(account, password, server, remembered=remembered):
        raise Failed(mt5.RES_E_AUTH_FAILED)
    terminal.login = login


def _fits(account: Account, password: object, server: object, *, remembered: bool) -> bool:
    # A terminal remembers the password of the account it was last logged in to.
    known = password == account.password or (remembered and password is None)
    return known and server in {None, account.server}


def _login(call: Call) -> bool:
    login = call.number("login")
    if call.sim.faults.draw("login_fail", "login", login) is not None:
        raise Failed(mt5.RES_E_AUTH_FAILED)
    remembered = login == call.terminal.login
    _log_in(call.sim, call.terminal, login, dict(call.arguments), remembered=remembered)
    return True


def _shutdown(call: Call) -> None:
    call.sim.terminals.disconnect(call.text("pipe"))


def _terminal_info(call: Call) -> Row:
    terminal = call.terminal
    account = call.sim.accounts.by_login.get(call.login)
    lost = call.sim.faults.draw("disconnected", "terminal_info", call.login)
    return {
        "community_account": False,
        "community_connection": False,
        "connected": account is not None and lost is None,
        "dlls_allowed": False,
        "trade_allowed": account is not None and account.algo_trading,
        "tradeapi_disabled": account is not None and account.api_disabled,
        "email_enabled": False,
        "ftp_enabled": False,
        "notifications_enabled": False,
        "mqid": False,
        "build": _BUILD,
        "maxbars": 100_000,
        "codepage": 1252,
        "ping_last": 12_000,  # microseconds
        "community_balance": 0.0,
        "retransmission": 0.0,
        "company": "Openbell Simulated Brokers",
        "name": "MetaTrader 5",
        "language": "English",
        "path": terminal.folder,
        "data_path": terminal.folder if terminal.portable else f"{terminal.folder}/roaming",
        "commondata_path": f"{terminal.folder}/common",
    }


def _account_info(call: Call) -> Row:
    return account_row(call.book, call.sim.quote())


SESSION_HANDLERS: dict[str, Handler] = {
    "login": _login,
    "shutdown": _shutdown,
    "version": lambda _call: _VERSION,
    "terminal_info": _terminal_info,
    "account_info": _account_info,
}
