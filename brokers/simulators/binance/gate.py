"""Receive every REST call: journal it, inject faults, check who signed it, then hand it to its handler."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from brokers.simulators.binance.accounts import Account
from brokers.simulators.binance.faults import Hit, is_write
from brokers.simulators.binance.journal import Seen
from brokers.simulators.binance.ledger import Ledger
from brokers.simulators.binance.limits import TooMany
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Dropped, Refused, gateway_page
from brokers.simulators.binance.signing import (
    check_deadline,
    check_key,
    check_signature,
    check_time,
    signed_texts,
)
from brokers.simulators.binance.simulator import Simulator
from brokers.simulators.binance.sockets import abort

OPEN, KEYED, SIGNED = "open", "keyed", "signed"
PLACING = frozenset({"place", "oco", "algo_place"})
_IDS = ("newClientOrderId", "clientAlgoId", "listClientOrderId", "origClientOrderId")


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as the handlers see it."""

    sim: Simulator
    market: str
    endpoint: str  # with its market: spot.place
    request: Request
    raw: str
    params: Parameters
    source: str
    account: Account | None

    @property
    def name(self) -> str:
        """Return the account's name, empty without one."""
        return self.account.name if self.account else ""

    @property
    def client_id(self) -> str:
        """Return the client's own name for what it asks."""
        return next((self.params.values[name] for name in _IDS if name in self.params.values), "")

    @property
    def ledger(self) -> Ledger:
        """Return the account's ledger."""
        return self.sim.exchange.ledgers[self.name]


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One endpoint: where it is, what it costs and who may come in."""

    method: str
    path: str
    endpoint: str  # with its market
    weight: int = 1
    security: str = SIGNED


class HalfResponse(Response):
    """Send the head and half the body, then cut the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 # ASGI
        """Promise the whole body and stop in the middle."""
        half = bytes(self.body)[: max(1, len(self.body) // 2)]
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(0)
        abort(scope["state"])
        await asyncio.sleep(0)


def route(sim: Simulator, door: Door, handler: Handler) -> Route:
    """Return the Starlette route that runs a handler behind the gate."""

    async def receive(request: Request) -> Response:
        source = request.client.host if request.client else ""
        seen = sim.journal.open(
            source=source, method=request.method, path=request.url.path, now=sim.clock.now()
        )
        body = (await request.body()).decode(errors="replace")
        raw = "&".join(filter(None, (request.url.query, body)))
        call = Call(
            sim=sim,
            market=door.endpoint.partition(".")[0],
            endpoint=door.endpoint,
            request=request,
            raw=raw,
            params=Parameters(dict(parse_qsl(raw, keep_blank_values=True))),
            source=source,
            account=sim.accounts.find(request.headers.get("x-mbx-apikey", "")),
        )
        seen.account, seen.client_id = call.name, call.client_id
        return await _answer(call, seen, door, handler)

    return Route(door.path, receive, methods=[door.method])


async def _answer(call: Call, seen: Seen, door: Door, handler: Handler) -> Response:
    try:
        response = await _through_faults(call, door, handler)
    except Dropped as drop:
        seen.outcome = f"dropped: {drop}"
        if drop.half is not None:
            return drop.half
        return await _cut(call.request)
    except Refused as refusal:
        seen.outcome = str(refusal)
        response = refusal.response()
        if isinstance(refusal, TooMany):
            response.headers["Retry-After"] = str(refusal.retry_after_s)
    else:
        seen.outcome = str(response.status_code)
    counted = call.name if is_write(call.endpoint) else None
    response.headers.update(call.sim.limits.headers(call.market, call.source, counted))
    return response


async def _cut(request: Request) -> Response:
    abort(request.scope["state"])
    await asyncio.sleep(0)  # let the loss of the connection reach the server before it would answer
    await asyncio.sleep(0)
    return Response()


async def _through_faults(call: Call, door: Door, handler: Handler) -> Response:
    faults = call.sim.faults
    call.sim.limits.take_weight(call.market, call.source, door.weight)
    lost = _draw(call, "request_lost")
    if lost is not None:
        await asyncio.sleep(lost.seconds)
        raise Dropped("request lost before it was accepted")
    for kind, reply in _FAULTY_REPLIES.items():
        if kind == "code_1008" and _only_reduces(call):
            continue
        hit = _draw(call, kind)
        if hit is not None:
            if hit.accepted:
                _handle(call, door, handler)
            return reply(call, hit)
    deadline = _admit(call, door)
    hang = _draw(call, "hang")
    if hang is not None:
        await asyncio.sleep(hang.seconds)
    if not is_write(call.endpoint):
        return JSONResponse(handler(call))
    half_latency = faults.latency(call.endpoint, call.name, call.client_id or _serial(call)) / 2
    await asyncio.sleep(half_latency)
    if deadline is not None:
        check_deadline(deadline, call.sim.server_ms(call.endpoint, call.name))
    return await _write(call, handler, half_latency, deadline)


async def _write(call: Call, handler: Handler, half_latency: float, deadline: int | None) -> Response:
    lost = _draw(call, "ack_lost")
    late = None
    if lost is not None and call.endpoint.rpartition(".")[2] in PLACING:
        late = _draw(call, "late_placement")
    if lost is not None and late is not None:
        call.sim.exchange.later(_handle_late, call, handler, deadline, delay_s=late.seconds)
        await asyncio.sleep(lost.seconds)
        raise Dropped(f"reply lost, the order appears {late.seconds:.1f} s later")
    response = JSONResponse(handler(call))
    await asyncio.sleep(half_latency)
    if lost is not None:
        await asyncio.sleep(lost.seconds)
        raise Dropped("reply lost after it was accepted")
    if _draw(call, "half_body"):
        half = HalfResponse(response.body, media_type="application/json")
        raise Dropped("half the reply sent after it was accepted", half)
    return response


def _draw(call: Call, kind: str) -> Hit | None:
    return call.sim.faults.draw(kind, call.endpoint, call.name, call.client_id or None)


def _only_reduces(call: Call) -> bool:
    # An overloaded futures engine still takes what closes positions.
    values = call.params.values
    return call.market == "futures" and "true" in {
        values.get("reduceOnly", "").lower(),
        values.get("closePosition", "").lower(),
    }


def _serial(call: Call) -> str:
    return call.sim.faults.serial(call.endpoint, call.name)


def _handle(call: Call, door: Door, handler: Handler) -> None:
    # Behind a faulty reply the request takes effect if it may.
    try:
        _admit(call, door)
        handler(call)
    except Refused:
        return


def _handle_late(call: Call, handler: Handler, deadline: int | None) -> None:
    bound_ms = 1000 * call.sim.settings.engine_bound_s
    if deadline is not None and call.sim.server_ms(call.endpoint, call.name) > deadline + bound_ms:
        return
    try:
        handler(call)
    except Refused:
        return


def _admit(call: Call, door: Door) -> int | None:
    """Check key, signature and time; return the deadline of a signed call, server ms."""
    if door.security == OPEN:
        return None
    key = call.request.headers.get("x-mbx-apikey", "")
    account = check_key(call.account, key, call.source, call.market)
    if door.security == KEYED:
        return None
    check_signature(account, signed_texts(call.raw), call.params.values.get("signature", ""))
    deadline = check_time(call.params.values, call.sim.server_ms(call.endpoint, call.name))
    if is_write(call.endpoint) and not account.can_trade:
        raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return deadline


def _coded(code: int, text: str, http: int) -> Callable[[Call, Hit], Response]:
    return lambda _call, _hit: JSONResponse({"code": code, "msg": text}, status_code=http)


def _throttled(http: int) -> Callable[[Call, Hit], Response]:
    def reply(_call: Call, hit: Hit) -> Response:
        body = {"code": -1003, "msg": "Too many requests."}
        headers = {"Retry-After": str(int(hit.seconds))} if hit.seconds else None
        return JSONResponse(body, status_code=http, headers=headers)

    return reply


def _engine_timeout(call: Call, _hit: Hit) -> Response:
    body = {"code": -1007, "msg": call.sim.settings.engine_timeout_text}
    return JSONResponse(body, status_code=call.sim.settings.engine_timeout_status)


def _unavailable(call: Call, _hit: Hit) -> Response:
    body = {"code": -1000, "msg": call.sim.settings.futures_503_text}
    return JSONResponse(body, status_code=503)


def _overloaded(call: Call, hit: Hit) -> Response:
    del hit
    text = "Server is currently overloaded with other requests. Please try again in a few minutes."
    return JSONResponse({"code": -1008, "msg": text}, status_code=call.sim.settings.overloaded_status)


_FAULTY_REPLIES: Mapping[str, Callable[[Call, Hit], Response]] = {
    "http_429": _throttled(429),
    "http_418": _throttled(418),
    "http_403": lambda _call, _hit: gateway_page(403),
    "http_5xx_html": lambda _call, _hit: gateway_page(502),
    "http_5xx_json": _unavailable,
    "outage": lambda _call, _hit: gateway_page(503),
    "html_200": lambda _call, _hit: gateway_page(200),
    "redirect": lambda call, _hit: RedirectResponse(str(call.request.url), status_code=307),
    "code_1000": _coded(-1000, "An unknown error occurred while processing the request.", 500),
    "code_1001": _coded(-1001, "Internal error; unable to process your request. Please try again.", 503),
    "code_1006": _coded(
        -1006, "An unexpected response was received from the message bus. Execution status unknown.", 500
    ),
    "code_1007": _engine_timeout,
    "code_1008": _overloaded,
    "code_1016": _coded(-1016, "This service is no longer available.", 503),
    "code_2015": _coded(-2015, "Invalid API-key, IP, or permissions for action.", 401),
}
