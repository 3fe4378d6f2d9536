"""Act for one paper account."""

from collections.abc import AsyncIterator, Mapping, Sequence

from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderType, TimeInForce
from app.domain.ports import Capabilities, Clock, OrderChange, OrderRequest
from app.domain.reports import (
    AccountEvent,
    Balance,
    FillReport,
    OrderReport,
    PositionReport,
    Read,
    WriteResult,
)
from brokers.paper import mapping
from brokers.paper.client import Lane, PaperClient, Reply
from brokers.paper.errors import classify_write, error_code, read_body
from brokers.paper.evidence import SeenOrders
from brokers.paper.requests import modify_form, place_form
from brokers.paper.stream import OrderStream

_READ_TIMEOUT_S = 10.0

CAPABILITIES = Capabilities(
    order_types=frozenset(OrderType),
    time_in_force=frozenset(TimeInForce),
    has_client_order_id_query=False,
    max_orders_per_second=40,
    # A request that still waits in the socket when its sender gives up is served within moments.
    not_placed_after_s=20.0,
    resting_time_in_force=TimeInForce.DAY,
    changes_in_place=True,
    rests_stops=True,
)


class PaperGateway:
    """Implement `BrokerGateway` on paper: thread-safe, and every write is sent at most once."""

    def __init__(self, client: PaperClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._seen = SeenOrders()
        self._stream = OrderStream(
            client.base, token=client.token, egress=client.egress, on_order=self._seen.note
        )

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def submit_order(self, request: OrderRequest, *, timeout_s: float) -> WriteResult:
        form = place_form(request)
        reply = self._client.call("POST", "/orders", lane=Lane.ORDERS, timeout_s=timeout_s, form=form)
        return self._result(reply, asked=None)

    def modify_order(self, change: OrderChange, *, timeout_s: float) -> WriteResult:
        form = modify_form(change)
        reply = self._client.call(
            "PUT", _path(change.broker_order_id), lane=Lane.ORDERS, timeout_s=timeout_s, form=form
        )
        return self._result(reply, asked=change.broker_order_id)

    def cancel_order(self, broker_order_id: BrokerOrderId, *, timeout_s: float) -> WriteResult:
        reply = self._client.call("DELETE", _path(broker_order_id), lane=Lane.ORDERS, timeout_s=timeout_s)
        return self._result(reply, asked=broker_order_id)

    def request_orders(self) -> Read[Sequence[OrderReport]]:
        body = self._read("/orders")
        reports = tuple(mapping.order_report(row) for row in mapping.rows(body, "orders"))
        is_clean = self._seen.judge_orders(body, reports)
        return Read(data=reports, as_of=self._clock.now(), clean=is_clean)

    def request_order(self, broker_order_id: BrokerOrderId) -> Read[OrderReport | None]:
        reply = self._get(_path(broker_order_id))
        report = None
        if (reply.status, error_code(reply)) != (404, "not_found"):
            report = mapping.order_report(mapping.part(read_body(reply), "order"))
        is_asked = report is None or report.broker_order_id == broker_order_id
        # An answer about another order is no proof of anything.
        found = report if is_asked else None
        is_clean = self._seen.judge_order(broker_order_id, found) and is_asked
        return Read(data=found, as_of=self._clock.now(), clean=is_clean)

    def request_fills(self) -> Read[Sequence[FillReport]]:
        body = self._read("/fills")
        fills = tuple(mapping.fill_report(row) for row in mapping.rows(body, "fills"))
        known = self._seen.filled(mapping.instant(body, "since"))
        is_clean = self._seen.judge(body) and known <= {fill.broker_order_id for fill in fills}
        return Read(data=fills, as_of=self._clock.now(), clean=is_clean)

    def request_positions(self) -> Read[Sequence[PositionReport]]:
        body = self._read("/positions")
        positions = tuple(mapping.position_report(row) for row in mapping.rows(body, "positions"))
        return Read(data=positions, as_of=self._clock.now(), clean=self._seen.judge(body))

    def request_balance(self) -> Read[Balance]:
        return Read(data=mapping.balance(self._read("/balance")), as_of=self._clock.now(), clean=True)

    def request_egress_address(self) -> str:
        return mapping.text(self._read("/address"), "address")

    def account_events(self) -> AsyncIterator[AccountEvent]:
        return self._stream.events()

    def warm_up(self) -> None:
        reply = self._client.call("GET", "/balance", lane=Lane.ORDERS, timeout_s=_READ_TIMEOUT_S)
        read_body(reply)

    def close(self) -> None:
        self._client.close()

    def _result(self, reply: Reply, *, asked: BrokerOrderId | None) -> WriteResult:
        result = classify_write(reply, asked=asked)
        if result.broker_order_id is not None:
            self._seen.note(mapping.order_report(mapping.part(reply.body or {}, "order")))
        return result

    def _read(self, path: str) -> Mapping[str, object]:
        return read_body(self._get(path))

    def _get(self, path: str) -> Reply:
        return self._client.call("GET", path, lane=Lane.READS, timeout_s=_READ_TIMEOUT_S)


def _path(broker_order_id: BrokerOrderId) -> str:
    # Only the exchange's own ids make an address; another text asks for order 0, which nobody has.
    is_id = broker_order_id.isascii() and broker_order_id.isdecimal()
    return f"/orders/{broker_order_id if is_id else 0}"
