"""Act for one Kotak Neo account."""

import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from app.domain.ids import BrokerOrderId
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.orders import OrderType, TimeInForce
from app.domain.ports import Capabilities, Clock, OrderChange, OrderRequest
from app.domain.reports import (
    AccountEvent,
    Balance,
    FaultClass,
    FillReport,
    OrderReport,
    Outcome,
    PositionReport,
    Read,
    WriteResult,
)
from brokers.kotak_neo import mapping
from brokers.kotak_neo.client import NeoClient, Reply
from brokers.kotak_neo.egress import Lane
from brokers.kotak_neo.errors import classify_write, read_bare_rows, read_body, read_nested_rows, read_rows
from brokers.kotak_neo.evidence import SeenToday
from brokers.kotak_neo.requests import modify_fields, place_fields
from brokers.kotak_neo.stream import OrderStream
from brokers.kotak_neo.tags import OriginalTags

log = structlog.get_logger()

_READ_TIMEOUT_S = 10.0

CAPABILITIES = Capabilities(
    order_types=frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
    time_in_force=frozenset({TimeInForce.DAY, TimeInForce.IOC}),
    has_client_order_id_query=False,
    max_orders_per_second=8,
    # The SDK's 30 s and the longest hang seen, 60 s (brokers.md 4.2).
    not_placed_after_s=90.0,
)


class KotakNeoGateway:
    """Implement `BrokerGateway` for Kotak Neo: thread-safe, and every write is sent at most once."""

    def __init__(self, client: NeoClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._seen = SeenToday(clock)
        self._tags = OriginalTags(clock, self._request_history)
        self._changing: set[BrokerOrderId] = set()
        self._changing_lock = threading.Lock()
        self._stream = OrderStream(open_feed=client.new_order_feed, clock=clock, on_order=self._on_order)

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def submit_order(self, request: OrderRequest, *, timeout_s: float) -> WriteResult:
        fields = place_fields(request)
        result = self._write("place_order", fields, timeout_s=timeout_s, asked=None)
        if result.outcome is Outcome.ACCEPTED and result.broker_order_id is not None:
            self._tags.note(result.broker_order_id, request.client_order_id)
        return result

    def modify_order(self, change: OrderChange, *, timeout_s: float) -> WriteResult:
        fields = modify_fields(change)
        with self._alone(change.broker_order_id) as is_alone:
            if not is_alone:
                return WriteResult(
                    outcome=Outcome.NOT_SENT,
                    fault=FaultClass.INVALID,
                    message="another change of this order is under way; the later one could win or lose",
                )
            return self._write("modify_order", fields, timeout_s=timeout_s, asked=change.broker_order_id)

    def cancel_order(self, broker_order_id: BrokerOrderId, *, timeout_s: float) -> WriteResult:
        fields = {"order_id": str(broker_order_id), "amo": "NO"}
        return self._write("cancel_order", fields, timeout_s=timeout_s, asked=broker_order_id)

    def request_orders(self) -> Read[Sequence[OrderReport]]:
        rows = read_rows(self._read("order_report"))
        readable, parked = mapping.order_reports(rows or ())
        for reason in parked:
            log.warning("order_row_parked", reason=reason)
        reports, are_known = self._tags.restore(readable)
        is_clean = self._seen.judge_orders(reports) and are_known and not parked
        return Read(data=reports, as_of=self._clock.now(), clean=is_clean)

    def request_order(self, broker_order_id: BrokerOrderId) -> Read[OrderReport | None]:
        rows = read_rows(self._read("order_report", order_id=str(broker_order_id)))
        reports, are_known = self._tags.restore(mapping.order_report(row) for row in rows or ())
        found = next((report for report in reports if report.broker_order_id == broker_order_id), None)
        # Rows of another order are an answer to another question: no proof of anything.
        is_clean = self._seen.judge_order(broker_order_id, found) and len(reports) <= int(found is not None)
        return Read(data=found, as_of=self._clock.now(), clean=is_clean and are_known)

    def request_fills(self) -> Read[Sequence[FillReport]]:
        rows = read_rows(self._read("trade_report"))
        fills = tuple(mapping.fill_report(row) for row in rows or ())
        return Read(data=fills, as_of=self._clock.now(), clean=self._seen.judge_fills(fills))

    def request_positions(self) -> Read[Sequence[PositionReport]]:
        rows = read_rows(self._read("positions"))
        positions = mapping.net_positions(rows or ())
        return Read(data=positions, as_of=self._clock.now(), clean=self._seen.judge_positions(positions))

    def request_balance(self) -> Read[Balance]:
        body = read_body(self._read("limits"))
        return Read(data=mapping.balance(body), as_of=self._clock.now(), clean=True)

    def request_quote(self, instrument: Instrument, *, timeout_s: float) -> Tick | None:
        name = {"instrument_token": instrument.broker_token, "exchange_segment": instrument.segment}
        reply = self._client.call(
            "quotes", lane=Lane.READS, timeout_s=timeout_s, instrument_tokens=[name], quote_type="all"
        )
        return mapping.quote(read_bare_rows(reply), instrument, now=self._clock.now())

    def request_egress_address(self) -> str:
        return mapping.egress_address(read_rows(self._read("whatsmyip")) or ())

    def account_events(self) -> AsyncIterator[AccountEvent]:
        return self._stream.events()

    def warm_up(self) -> None:
        reply = self._client.call("limits", lane=Lane.ORDERS, timeout_s=_READ_TIMEOUT_S)
        read_body(reply)

    def close(self) -> None:
        self._client.close()

    def _write(
        self, method: str, fields: dict[str, str], *, timeout_s: float, asked: BrokerOrderId | None
    ) -> WriteResult:
        asked_at = self._clock.monotonic()
        reply = self._client.call(method, lane=Lane.ORDERS, timeout_s=timeout_s, **fields)
        result = classify_write(reply, asked=asked)
        if result.outcome is Outcome.ACCEPTED and result.broker_order_id is not None:
            self._seen.note_placed(result.broker_order_id)
            self._stream.expect_news(asked_at=asked_at)
        return result

    def _on_order(self, report: OrderReport) -> OrderReport | None:
        self._seen.note_order(report)
        return self._tags.from_memory(report)

    @contextmanager
    def _alone(self, broker_order_id: BrokerOrderId) -> Iterator[bool]:
        with self._changing_lock:
            is_alone = broker_order_id not in self._changing
            self._changing.add(broker_order_id)
        try:
            yield is_alone
        finally:
            if is_alone:
                with self._changing_lock:
                    self._changing.discard(broker_order_id)

    def _request_history(self, broker_order_id: BrokerOrderId) -> Sequence[Mapping[str, object]] | None:
        return read_nested_rows(self._read("order_history", order_id=str(broker_order_id)))

    def _read(self, method: str, **arguments: str) -> Reply:
        return self._client.call(method, lane=Lane.READS, timeout_s=_READ_TIMEOUT_S, **arguments)
