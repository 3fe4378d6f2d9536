"""Receive every REST call: journal it, inject faults, then hand it to its handler."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from brokers.simulators.kotak.accounts import Account, Session
from brokers.simulators.kotak.catalog import REFUSING_KINDS
from brokers.simulators.kotak.faults import Hit
from brokers.simulators.kotak.journal import Seen
from brokers.simulators.kotak.replies import (
    Dropped,
    HalfReply,
    Refused,
    gateway_json,
    gateway_page,
    refused,
    throttled,
)
from brokers.simulators.kotak.simulator import Simulator
from brokers.simulators.kotak.sockets import abort

WRITES = frozenset({"place", "modify", "cancel"})
_READS_PER_SECOND = 25
_OPENING_S = 10.0


def _refuse(code: int, _request: Request, hit: Hit) -> Response:
    return refused(code, hit.status)


_FAULTY_REPLIES: Mapping[str, Callable[[Request, Hit], Response]] = {
    "http_429": lambda _request, _hit: throttled(),
    "http_429_bare": lambda _request, _hit: throttled(is_told_when=False),
    "http_403": lambda _request, _hit: gateway_page(403),
    "http_5xx_html": lambda _request, hit: gateway_page(hit.status or 502),
    "http_5xx_json": lambda _request, hit: gateway_json(hit.status or 503),
    "html_200": lambda _request, _hit: gateway_page(200),
    "redirect": lambda request, hit: RedirectResponse(str(request.url), status_code=hit.status or 307),
    "outage": lambda _request, hit: gateway_page(hit.status or 503),
    "refusal": lambda _request, hit: refused(hit.code or 0, hit.status),
    **{kind: partial(_refuse, code) for kind, code in REFUSING_KINDS.items()},
}


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as the handlers see it."""

    sim: Simulator
    endpoint: str
    request: Request
    body: bytes
    source: str
    ucc: str
    tag: str

    @property
    def key(self) -> str | None:
        """Return the name that makes draws about this call independent of arrival: the client's tag."""
        return self.tag or None

    def header(self, name: str) -> str:
        """Return a header, empty when absent."""
        return self.request.headers.get(name, "")

    def j_data(self) -> dict[str, str | None]:
        """Return the one form field jData; every value in it must be text or null.

        Raises: Refused 1007 for any other body.
        """
        if not self.header("content-type").startswith("application/x-www-form-urlencoded"):
            raise Refused(1007, "invalid body")
        try:
            (text,) = parse_qs(self.body.decode(), keep_blank_values=True)["jData"]
            data = json.loads(text)
        except (KeyError, ValueError) as error:
            raise Refused(1007, "invalid body") from error
        if not isinstance(data, dict) or not all(v is None or isinstance(v, str) for v in data.values()):
            raise Refused(1007, "invalid body")
        return data

    def json_body(self) -> dict[str, str]:
        """Return a JSON object of texts. Raises: Refused 1007."""
        try:
            data = json.loads(self.body)
        except ValueError as error:
            raise Refused(1007, "invalid body") from error
        if not isinstance(data, dict):
            raise Refused(1007, "invalid body")
        return {str(name): str(value) for name, value in data.items()}

    def customer(self) -> None:
        """Demand a known consumer key, as the calls that need no login do."""
        if not self.sim.accounts.knows_key(self.header("authorization")):
            raise Refused(100008, "unauthorized", 403)

    def trade_session(self) -> tuple[Account, Session]:
        """Return the account and session of a call that needs a login.

        Raises: Refused 100022 for a bad or ended token, 100021 for a view token.
        """
        session = self.sim.accounts.find_session(self.header("auth"), self.header("sid"))
        if session is None:
            raise Refused(100022, "invalid session token", 403)
        if session.kind != "Trade":
            raise Refused(100021, "invalid access type", 403)
        return self.sim.accounts.by_ucc[session.ucc], session

    def order_session(self) -> Account:
        """Return the account of an order call: the consumer key, the address and its session must fit.

        Raises: Refused 100008 for a foreign key or address, 1037 when the session came from another address.
        """
        account, session = self.trade_session()
        if self.header("authorization") != account.consumer_key:
            raise Refused(100008, "unauthorized", 403)
        if account.allowed_ips and self.source not in account.allowed_ips:
            raise Refused(100008, "unauthorized", 403)
        if session.source != self.source:
            raise Refused(1037, "session IP differs from the request IP", 403)
        return account


Handler = Callable[[Call], Awaitable[Response]]


def route(sim: Simulator, method: str, path: str, endpoint: str, handler: Handler) -> Route:  # noqa: PLR0917
    """Return the Starlette route that runs a handler behind the gate."""

    async def receive(request: Request) -> Response:
        source = request.client.host if request.client else ""
        seen = sim.journal.open(source=source, method=method, path=request.url.path, now=sim.clock.now())
        call = Call(
            sim=sim,
            endpoint=endpoint,
            request=request,
            body=await request.body(),
            source=source,
            ucc="",
            tag="",
        )
        _identify(call, seen)
        return await _answer(call, seen, handler)

    return Route(path, receive, methods=[method])


def _identify(call: Call, seen: Seen) -> None:
    session = call.sim.accounts.sessions.get(call.header("auth"))
    if session is not None:
        call.ucc = session.ucc
    elif call.endpoint == "login":
        call.ucc = _peek(call.body, "ucc")
    if call.endpoint == "place":
        form = parse_qs(call.body.decode(errors="replace")).get("jData", ["{}"])
        call.tag = _peek(form[0].encode(), "ig")
    seen.ucc, seen.tag = call.ucc, call.tag


def _peek(body: bytes, name: str) -> str:
    try:
        data = json.loads(body)
    except ValueError:
        return ""
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


async def _answer(call: Call, seen: Seen, handler: Handler) -> Response:
    try:
        response = await _through_faults(call, handler)
    except Refused as refusal:
        seen.outcome = str(refusal)
        return refusal.response()
    except Dropped as drop:
        seen.outcome = f"dropped: {drop}"
        return await _cut(call.request)
    seen.outcome = str(response.status_code)
    return response


async def _cut(request: Request) -> Response:
    abort(request.scope["state"])
    await asyncio.sleep(0)  # let the loss of the connection reach the server before it would answer
    await asyncio.sleep(0)
    return Response()


async def _through_faults(call: Call, handler: Handler) -> Response:
    faults, endpoint, ucc = call.sim.faults, call.endpoint, call.ucc
    lost = faults.draw("request_lost", endpoint, ucc, call.key)
    if lost is not None:
        await asyncio.sleep(lost.seconds)
        raise Dropped("request lost before it was accepted")
    if _too_fast(call):
        return throttled()
    for kind, reply in _FAULTY_REPLIES.items():
        faulty = faults.draw(kind, endpoint, ucc, call.key)
        if faulty is not None:
            if faulty.accepted:
                await handler(call)
            return reply(call.request, faulty)
    await asyncio.sleep(_delay(call))
    if faults.draw("half_body", endpoint, ucc, call.key):
        try:
            whole = await handler(call)
        except Refused as refusal:
            whole = refusal.response()
        return HalfReply(bytes(whole.body), status_code=whole.status_code, media_type="application/json")
    return await (_write(call, handler) if endpoint in WRITES else handler(call))


def _delay(call: Call) -> float:
    """Return for how many real seconds faults hold the request up before it goes on."""
    faults, endpoint, ucc = call.sim.faults, call.endpoint, call.ucc
    hits = [faults.draw("hang", endpoint, ucc, call.key)]
    if endpoint in WRITES:
        number = call.sim.bursts.count(ucc)
        hits.append(faults.draw("burst_hang", endpoint, ucc, call.key, burst=number))
        since_open = (call.sim.clock.now() - call.sim.grid.opens).total_seconds()
        if 0 <= since_open < _OPENING_S:
            hits.append(faults.draw("open_delay", endpoint, ucc, call.key))
    return sum(hit.seconds for hit in hits if hit is not None)


async def _write(call: Call, handler: Handler) -> Response:
    faults, endpoint, ucc = call.sim.faults, call.endpoint, call.ucc
    latency = faults.latency(endpoint, ucc, call.tag or faults.serial(endpoint, ucc))
    await asyncio.sleep(latency / 2)
    response = await handler(call)
    await asyncio.sleep(latency / 2)
    # A lost reply to place is drawn by its handler, because such an order may also come late.
    lost = None if endpoint == "place" else faults.draw("ack_lost", endpoint, ucc)
    if lost is not None:
        await asyncio.sleep(lost.seconds)
        raise Dropped("reply lost after it was accepted")
    return response


def _too_fast(call: Call) -> bool:
    if not call.ucc:
        return False
    writes = call.endpoint in WRITES
    bucket = "writes" if writes else call.endpoint
    per_second = call.sim.faults.profile.orders_per_second if writes else _READS_PER_SECOND
    return not call.sim.limiter.admits(bucket, call.ucc, per_second)
