"""Open the doors of the exchange: what accounts may ask, and what only the house may do."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from brokers.paper.exchange import feeds, forms, rows
from brokers.paper.exchange.accounts import hash_of
from brokers.paper.exchange.house import House
from brokers.paper.exchange.orders import Order
from brokers.paper.exchange.refusals import RefusedError
from brokers.paper.exchange.rows import Row
from brokers.paper.exchange.store import AccountRow

T = TypeVar("T")
Reply = tuple[int, Row]
Door = Callable[["Call"], Awaitable[Reply]]


class Call:
    """Hold one request."""

    def __init__(self, house: House, request: Request, body: bytes) -> None:
        self.house = house
        self.form = forms.read_form(body)
        self.path = request.path_params
        self._token = bearer(request.headers.get("authorization", ""))
        self._source = request.client.host if request.client else ""

    async def as_account(self, do: Callable[[AccountRow], T]) -> T:
        """Act for the account of the request's session, committed. Raises: RefusedError."""
        return await self.house.keeper.perform(
            lambda: do(self.house.accounts.require_session(self._token, self._source))
        )

    async def write(self, do: Callable[[AccountRow], T]) -> T:
        """Act as `as_account`, within the account's rate."""

        def admitted(account: AccountRow) -> T:
            if not self.house.limiter.admits(account.name):
                raise RefusedError(429, "throttled", "expected fewer orders a second")
            return do(account)

        return await self.as_account(admitted)

    async def as_house(self, do: Callable[[], T]) -> T:
        """Act for the installation. Raises: RefusedError."""
        self.house.accounts.require_house(self._token)
        return await self.house.keeper.perform(do)

    async def log_in(self) -> Reply:
        """Open a session; the request's source address is the session's."""
        name, currency = forms.text(self.form, "account"), forms.text(self.form, "currency")
        opened = await self.as_house(lambda: self.house.accounts.log_in(name, currency, self._source))
        return 201, {
            "account": opened.account.name,
            "token": opened.token,
            "expires_at": opened.expires_at.isoformat(),
        }

    async def who(self) -> Reply:
        """Say which address the exchange sees."""
        return 200, {"address": await self.as_account(lambda _account: self._source)}

    def order_of(self, account: AccountRow) -> Order:
        """Return the order that the address names. Raises: RefusedError."""
        order = self.house.store.order(account.name, forms.order_number(self.path["order_id"]))
        if order is None:
            raise RefusedError(404, "not_found", f"no order {self.path['order_id'][:40]}")
        return order


def bearer(header: str) -> str:
    """Return the token of an Authorization header."""
    return header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""


async def _submit(call: Call) -> Reply:
    ticket = forms.ticket(call.form)
    order, is_repeat = await call.write(lambda account: call.house.exchange.submit(account, ticket))
    return 200 if is_repeat else 201, {"order": rows.order_row(order), "is_repeat": is_repeat}


async def _modify(call: Call) -> Reply:
    def change(account: AccountRow) -> Order:
        order = call.order_of(account)
        return call.house.exchange.modify(order, forms.terms(call.form, order.contract))

    return 200, {"order": rows.order_row(await call.write(change))}


async def _cancel(call: Call) -> Reply:
    order = await call.write(lambda account: call.house.exchange.cancel(call.order_of(account)))
    return 200, {"order": rows.order_row(order)}


async def _order(call: Call) -> Reply:
    return 200, await call.as_account(
        lambda account: {"order": rows.order_row(call.order_of(account)), **_state(call, account)}
    )


async def _orders(call: Call) -> Reply:
    def read(account: AccountRow) -> Row:
        found = call.house.store.orders_since(account.name, call.house.today())
        return {"orders": [rows.order_row(order) for order in found], **_state(call, account)}

    return 200, await call.as_account(read)


async def _fills(call: Call) -> Reply:
    def read(account: AccountRow) -> Row:
        found = call.house.store.fills_since(account.name, call.house.today())
        return {"fills": [rows.fill_row(row) for row in found], **_state(call, account)}

    return 200, await call.as_account(read)


async def _positions(call: Call) -> Reply:
    def read(account: AccountRow) -> Row:
        found = call.house.store.positions(account.name, since=call.house.today())
        return {"positions": [rows.position_row(item) for item in found], **_state(call, account)}

    return 200, await call.as_account(read)


async def _balance(call: Call) -> Reply:
    def read(account: AccountRow) -> Row:
        money = call.house.exchange.money(account)
        return {
            "currency": account.currency,
            "cash": str(account.cash),
            "available": str(money.available),
            "used": str(money.used),
        }

    return 200, await call.as_account(read)


def _state(call: Call, account: AccountRow) -> Row:
    return {"sequence": account.sequence, "since": call.house.today().isoformat()}


async def _quotes(call: Call) -> Reply:
    quotes = forms.quotes(call.form)
    return 200, {"taken": await call.as_house(lambda: call.house.exchange.take_quotes(quotes))}


async def _close_session(call: Call) -> Reply:
    venue = forms.optional_text(call.form, "venue")
    return 200, {"expired": await call.as_house(lambda: call.house.exchange.close_session(venue))}


async def _reject(call: Call) -> Reply:
    number, reason = forms.order_number(call.path["order_id"]), forms.text(call.form, "reason")
    order = await call.as_house(lambda: call.house.exchange.reject(number, reason))
    return 200, {"order": rows.order_row(order)}


async def _end_sessions(call: Call) -> Reply:
    name = forms.text(call.form, "account")
    await call.as_house(lambda: call.house.accounts.end_sessions(name))
    call.house.feeds.end(name)
    return 200, {"account": name}


def routes(house: House) -> list[BaseRoute]:
    """Return every door."""
    doors: list[tuple[str, str, Door]] = [
        ("POST", "/sessions", Call.log_in),
        ("GET", "/address", Call.who),
        ("POST", "/orders", _submit),
        ("PUT", "/orders/{order_id}", _modify),
        ("DELETE", "/orders/{order_id}", _cancel),
        ("GET", "/orders/{order_id}", _order),
        ("GET", "/orders", _orders),
        ("GET", "/fills", _fills),
        ("GET", "/positions", _positions),
        ("GET", "/balance", _balance),
        ("POST", "/quotes", _quotes),
        ("POST", "/session/close", _close_session),
        ("POST", "/house/orders/{order_id}/reject", _reject),
        ("POST", "/house/sessions/end", _end_sessions),
    ]
    return [
        *(Route(path, _endpoint(house, door), methods=[method]) for method, path, door in doors),
        WebSocketRoute("/events", _events(house)),
    ]


def _endpoint(house: House, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            status, body = await door(Call(house, request, await request.body()))
        except RefusedError as refusal:
            headers = {"Retry-After": "1"} if refusal.status == 429 else None
            error = {"code": refusal.code, "message": str(refusal)}
            return JSONResponse({"error": error}, refusal.status, headers=headers)
        return JSONResponse(body, status)

    return answer


def _events(house: House) -> Callable[[WebSocket], Awaitable[None]]:
    async def serve(socket: WebSocket) -> None:
        token = bearer(socket.headers.get("authorization", ""))
        source = socket.client.host if socket.client else ""
        try:
            account = await house.keeper.perform(lambda: house.accounts.require_session(token, source))
        except RefusedError:
            await socket.close()  # before it was accepted: the client sees HTTP 403
            return
        stream = house.feeds.open(account.name)
        try:
            # Read again now that no news can slip past: the number in "hello" is the last one missed.
            now_known = await house.keeper.perform(lambda: house.store.account(account.name))
            session = await house.keeper.perform(lambda: house.store.session(hash_of(token)))
            if now_known is None or session is None:
                await socket.close()
                return
            await socket.accept()
            stream.sequence = max(stream.sequence, now_known.sequence)
            stream.put("hello")
            left_s = feeds.seconds_until(session.expires_at, house.clock.now())
            await feeds.serve(socket, stream, expires_in_s=left_s)
        finally:
            house.feeds.drop(account.name, stream)

    return serve
