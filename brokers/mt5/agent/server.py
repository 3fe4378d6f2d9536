"""Answer the platform over HTTP, one JSON object for each call, for the holder of the token only."""

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import AppError
from brokers.mt5.agent.asked import Body, asked_seconds, asked_text, asked_whole, asked_write
from brokers.mt5.agent.config import AgentConfig
from brokers.mt5.agent.refusals import RefusedError
from brokers.mt5.agent.terminal import Terminal
from brokers.mt5.agent.terminal_thread import (
    SLIPS,
    NotStartedError,
    StillRunningError,
    TerminalThread,
    Urgency,
)
from brokers.mt5.agent.trading import Reply, Trading
from brokers.mt5.log_lines import LogLines
from brokers.mt5.protocol import LIVE_MODULE, PROTOCOL, Refusal, Result, TradeAction

T = TypeVar("T")
Answer = Callable[[Body], Awaitable[Reply]]
_MOST_BYTES = 65_536
_STATUS = {
    Refusal.BAD_TOKEN: HTTPStatus.UNAUTHORIZED,
    Refusal.PEER_DENIED: HTTPStatus.FORBIDDEN,
    Refusal.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Refusal.NOT_CONNECTED: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.SICK: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Agent:
    """Route calls to the terminal thread and put what it says into replies."""

    def __init__(
        self,
        config: AgentConfig,
        *,
        terminal: Terminal,
        trading: Trading,
        thread: TerminalThread,
        log: LogLines,
    ) -> None:
        self._log = log
        self._config = config
        self._terminal = terminal
        self._trading = trading
        self._thread = thread

    def asgi(self) -> Starlette:
        """Build the application."""
        terminal = self._terminal
        reads: dict[str, Callable[[Body], Reply]] = {
            "books": lambda _: terminal.books(),
            "order": lambda body: terminal.order(asked_whole(body, "ticket")),
            "symbols": lambda _: {"symbols": terminal.symbols(), "time": terminal.server_time()},
            "ticks": lambda body: terminal.prices(_names(body)),
            "account": lambda _: {"account": terminal.identify()[0], "time": terminal.server_time()},
            "outcome": lambda body: self._trading.outcome(asked_text(body, "command_id")),
            "login": self._login,
        }
        routes = [self._route(name, self._reading(work)) for name, work in reads.items()]
        routes += [self._route(action.value, self._writing(action)) for action in TradeAction]
        routes += [self._route("health", self._health)]
        return Starlette(routes=routes)

    async def _health(self, _: Body) -> Reply:
        if self._thread.is_sick:
            raise RefusedError(Refusal.SICK, "a call to the terminal hung: this process must be replaced")
        return {
            "beat_age_s": round(self._thread.beat_age_s, 3),
            "login": self._config.login,
            "pid": os.getpid(),
        }

    def _login(self, body: Body) -> Reply:
        is_live = self._config.module == LIVE_MODULE
        if is_live and body.get("is_live_allowed") is not True:
            raise RefusedError(Refusal.LIVE_FORBIDDEN, "this agent trades live, and live was not allowed")
        self._terminal.log_in(
            asked_whole(body, "login"), asked_text(body, "password"), asked_text(body, "server")
        )
        account, _ = self._terminal.identify()
        return {"account": account, "time": self._terminal.server_time(), "is_live": is_live}

    def _reading(self, work: Callable[[Body], Reply]) -> Answer:
        async def answer(body: Body) -> Reply:
            timeout_s = asked_seconds(body, "timeout_s")
            return await self._on_terminal(lambda: work(body), urgency=Urgency.READ, timeout_s=timeout_s)

        return answer

    def _writing(self, action: TradeAction) -> Answer:
        async def answer(body: Body) -> Reply:
            asked = asked_write(action, body)
            try:
                return await self._on_terminal(
                    lambda: self._trading.write(asked), urgency=asked.urgency, timeout_s=asked.timeout_s
                )
            except StillRunningError:
                self._log.warning("command_still_running", command_id=asked.command_id)
                return {"result": Result.UNKNOWN, "message": "the terminal has not answered in time"}

        return answer

    async def _on_terminal(self, work: Callable[[], T], *, urgency: Urgency, timeout_s: float) -> T:
        try:
            return await self._thread.run(work, urgency=urgency, timeout_s=timeout_s)
        except NotStartedError as e:
            is_sick = self._thread.is_sick
            raise RefusedError(
                Refusal.SICK if is_sick else Refusal.BUSY, "the terminal was busy; nothing was begun"
            ) from e

    def _route(self, name: str, answer: Answer) -> Route:
        async def respond(request: Request) -> Response:
            envelope: Reply = {"protocol": PROTOCOL, "peer": _peer(request)}
            try:
                self._check_caller(request, is_health=name == "health")
                body = await _body(request)
                envelope |= {"command_id": body.get("command_id"), "nonce": body.get("nonce")}
                return _json({**envelope, "result": Result.DONE, **await answer(body)})
            except RefusedError as e:
                status = _STATUS.get(e.refusal, HTTPStatus.CONFLICT)
                refused = {"result": Result.REFUSED, "refusal": e.refusal, "message": e.message}
                return _json({**envelope, **refused}, status=status)
            except (StillRunningError, ClientDisconnect, AppError, *SLIPS) as e:
                message = f"{type(e).__name__}: {e}"[:200]
                self._log.warning("call_failed", call=name, error=message)
                # No word about the outcome: a write that ends here may have been sent.
                unknown = {"result": Result.UNKNOWN, "message": message}
                return _json({**envelope, **unknown}, status=HTTPStatus.BAD_GATEWAY)

        return Route(f"/v1/{name}", respond, methods=["POST"])

    def _check_caller(self, request: Request, *, is_health: bool) -> None:
        peer = _peer(request)
        is_allowed = is_health or not self._config.allowed_peers or peer in self._config.allowed_peers
        if not is_allowed:
            raise RefusedError(Refusal.PEER_DENIED, f"calls from {peer} are not allowed")
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._config.token}".encode()):
            raise RefusedError(Refusal.BAD_TOKEN, "expected the agent's token")


def new_server(agent: Agent, config: AgentConfig) -> uvicorn.Server:
    """Build the server; its `run` ends when the process is told to."""
    return uvicorn.Server(
        uvicorn.Config(
            agent.asgi(),
            host=config.host,
            port=config.port,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
            access_log=False,
            log_level="warning",
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    )


def _peer(request: Request) -> str:
    return "" if request.client is None else request.client.host


async def _body(request: Request) -> Body:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MOST_BYTES:
            raise RefusedError(Refusal.BAD_REQUEST, f"expected at most {_MOST_BYTES} bytes")
    try:
        body = json.loads(bytes(raw))
    except (ValueError, RecursionError) as e:
        raise RefusedError(Refusal.BAD_REQUEST, "expected a JSON object") from e
    if not isinstance(body, Mapping):
        raise RefusedError(Refusal.BAD_REQUEST, "expected a JSON object")
    return body


def _names(body: Body) -> list[str]:
    names = body.get("symbols")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedError(Refusal.BAD_REQUEST, "symbols: expected a list of names")
    return names


def _json(reply: Mapping[str, object], *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    # Numbers of the terminal travel as text: no digit is lost, none is added.
    text = json.dumps(reply, default=str, separators=(",", ":"))
    return Response(text, status_code=status, media_type="application/json")
