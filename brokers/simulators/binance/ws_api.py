"""Serve /ws-api/v3: signed requests over a WebSocket, and the spot account's events."""

import asyncio
import json
from collections.abc import Callable, Mapping

from starlette.websockets import WebSocket, WebSocketDisconnect

from brokers.simulators.binance.accounts import Account
from brokers.simulators.binance.ledger import Ledger
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Refused, missing, no_such_order
from brokers.simulators.binance.signing import check_key, check_signature, check_time, signed_ws_texts
from brokers.simulators.binance.simulator import Simulator
from brokers.simulators.binance.sockets import Outbox, Pace
from brokers.simulators.binance.spot_rows import account_row, order_row
from brokers.simulators.binance.symbols import SPOT, Row

Method = Callable[[Simulator, Ledger, Parameters], object]


def _status(sim: Simulator, ledger: Ledger, params: Parameters) -> object:
    sim.spot.symbol(params)
    number, name = params.integer("orderId"), params.optional("origClientOrderId")
    if number is None and name is None:
        raise missing("origClientOrderId")
    order = ledger.find_order(SPOT, number, name)
    if order is None or sim.faults.draw("not_found_lag", "spot.order", ledger.account):
        raise no_such_order()
    return order_row(order, order.state)


_METHODS: Mapping[str, tuple[str, Method]] = {
    "order.place": ("spot.place", lambda sim, ledger, params: sim.spot.place(ledger, params)),
    "order.test": ("spot.test", lambda sim, ledger, params: sim.spot.place(ledger, params, test=True)),
    "order.status": ("spot.order", _status),
    "order.cancel": ("spot.cancel", lambda sim, ledger, params: sim.spot.cancel(ledger, params)),
    "order.cancelReplace": ("spot.replace", lambda sim, ledger, params: sim.spot.replace(ledger, params)),
    "openOrders.cancelAll": (
        "spot.cancel_all",
        lambda sim, ledger, params: sim.spot.cancel_all(ledger, params),
    ),
    "openOrders.status": (
        "spot.open_orders",
        lambda _sim, ledger, _params: [order_row(item, item.state) for item in ledger.open_orders(SPOT)],
    ),
    "orderList.place.oco": ("spot.oco", lambda sim, ledger, params: sim.spot.place_pair(ledger, params)),
    "account.status": (
        "spot.account",
        lambda sim, ledger, _params: account_row(ledger, sim.clock.now_ms(), can_trade=True),
    ),
}


class WsApi:
    """Run the connections of the WebSocket API."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim

    async def serve(self, socket: WebSocket) -> None:
        """Run one connection until it ends."""
        if self._sim.faults.draw("feed_refused", "spot.user", ""):
            await socket.close()
            return
        await socket.accept()
        source = socket.client.host if socket.client else ""
        connection = _Connection(self._sim, Outbox(socket), source)
        writer = asyncio.create_task(connection.box.run())
        try:
            while True:
                await connection.receive(await socket.receive_text())
        except WebSocketDisconnect:
            return
        finally:
            connection.close()
            writer.cancel()


class _Connection:
    """One connection: what it asked, what it is subscribed to."""

    def __init__(self, sim: Simulator, box: Outbox, source: str) -> None:
        self._sim = sim
        self.box = box
        self._source = source
        self._subscriptions: dict[int, str] = {}  # account by subscription
        self._pace = Pace()
        self._next = 0

    def close(self) -> None:
        """Leave every subscription."""
        for number, account in self._subscriptions.items():
            self._sim.users.detach((SPOT, account), self.box, number)

    async def receive(self, text: str) -> None:
        """Answer one message, unless a fault keeps the answer back."""
        if self._pace.too_fast(self._sim.settings.ws_api_messages_per_second):
            self.box.close()
            return
        try:
            request = json.loads(text)
            request_id, method = request["id"], str(request["method"])
            params = dict(request.get("params") or {})
        except (ValueError, KeyError, TypeError):
            self._reply(None, 400, error={"code": -1135, "msg": "Invalid JSON Request"})
            return
        seen = self._sim.journal.open(
            source=self._source, method="WS", path=f"/ws-api/v3#{method}", now=self._sim.clock.now()
        )
        account = self._sim.accounts.find(str(params.get("apiKey", "")))
        seen.account = account.name if account else ""
        seen.client_id = str(params.get("newClientOrderId") or params.get("origClientOrderId") or "")
        faults = self._sim.faults
        endpoint = _METHODS[method][0] if method in _METHODS else "spot.ws_api"
        names = (endpoint, seen.account, seen.client_id or None)
        if faults.draw("request_lost", *names):
            seen.outcome = "dropped: request lost"
            return
        late = faults.draw("ws_late", *names)
        if late is not None:
            await asyncio.sleep(late.seconds)
        try:
            result, status, error = self._dispatch(method, params, account), 200, None
        except Refused as refusal:
            result, status, error = None, refusal.http, refusal.body()
        seen.outcome = str(status)
        if faults.draw("ws_unanswered", *names) or faults.draw("ack_lost", *names):
            seen.outcome = "dropped: reply lost"
            return
        self._reply(request_id, status, result=result, error=error)

    def _reply(
        self, request_id: object, status: int, *, result: object = None, error: Row | None = None
    ) -> None:
        limits = self._sim.limits.listed(SPOT)
        body: Row = {"id": request_id, "status": status, "rateLimits": limits}
        self.box.put(json.dumps(body | ({"result": result} if error is None else {"error": error})))

    def _dispatch(self, method: str, params: Mapping[str, object], account: Account | None) -> object:
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": self._sim.server_ms("spot.time")}
        if method == "userDataStream.unsubscribe":
            return self._unsubscribe(params)
        known = self._signed(params, account)
        if method == "userDataStream.subscribe.signature":
            return self._subscribe(known)
        if method not in _METHODS:
            raise Refused(-1020, "This operation is not supported.")
        ledger = self._sim.exchange.ledgers[known.name]
        texts = Parameters({name: _text(value) for name, value in params.items()})
        return _METHODS[method][1](self._sim, ledger, texts)

    def _signed(self, params: Mapping[str, object], account: Account | None) -> Account:
        self._sim.limits.take_weight(SPOT, self._source, 1)
        known = check_key(account, str(params.get("apiKey", "")), self._source, SPOT)
        check_signature(known, signed_ws_texts(params), str(params.get("signature", "")))
        texts = {name: str(value) for name, value in params.items()}
        check_time(texts, self._sim.server_ms("spot.ws_api", known.name))
        return known

    def _subscribe(self, account: Account) -> Row:
        if account.name in self._subscriptions.values():
            raise Refused(-2035, "User Data Stream subscription already active")
        number, self._next = self._next, self._next + 1
        self._subscriptions[number] = account.name
        self._sim.users.attach((SPOT, account.name), self.box, number)
        return {"subscriptionId": number}

    def _unsubscribe(self, params: Mapping[str, object]) -> Row:
        number = params.get("subscriptionId")
        chosen = list(self._subscriptions) if number is None else [int(str(number))]
        if not set(chosen) <= self._subscriptions.keys() or not chosen:
            raise Refused(-2036, "User Data Stream subscription not active")
        for item in chosen:
            self._sim.users.detach((SPOT, self._subscriptions.pop(item)), self.box, item)
        return {}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
