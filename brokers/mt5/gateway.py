"""Act for one MT5 account through its agent."""

import uuid
from collections.abc import AsyncIterator, Sequence

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId
from app.domain.orders import TimeInForce
from app.domain.ports import Capabilities, Clock, OrderChange, OrderRequest
from app.domain.reports import (
    AccountEvent,
    Balance,
    FillReport,
    OrderReport,
    Outcome,
    PositionReport,
    Read,
    WriteResult,
)
from brokers.mt5 import mapping
from brokers.mt5.books import Books, read_books, read_order
from brokers.mt5.errors import classify_write, read_body
from brokers.mt5.evidence import SeenToday
from brokers.mt5.protocol import TradeAction
from brokers.mt5.requests import ORDER_TYPES, Fields, cancel_fields, modify_fields, submit_fields, ticket_of
from brokers.mt5.rpc import AgentClient, Lane
from brokers.mt5.server_time import ServerClock, day_start
from brokers.mt5.session import SessionRecord
from brokers.mt5.stream import BooksStream
from brokers.mt5.time_notes import note_time
from brokers.mt5.values import Row, name_of, row

HEDGING = 2
_READ_TIMEOUT_S = 10.0


def capabilities_of(margin_mode: int) -> Capabilities:
    """Return what an account of a margin mode can do.

    A resting stop of a hedging account would open a second position beside the one that it should close.
    """
    return Capabilities(
        order_types=ORDER_TYPES,
        time_in_force=frozenset(TimeInForce),
        has_client_order_id_query=False,
        # Brokers do not tell their limit; 10024 says when it was passed (brokers.md 4.1).
        max_orders_per_second=5,
        # brokers.md 4.2: two clean scans, at least 30 s later.
        not_placed_after_s=30.0,
        resting_time_in_force=TimeInForce.GTC,
        changes_in_place=False,
        rests_stops=margin_mode != HEDGING,
    )


class Mt5Gateway:
    """Implement `BrokerGateway` for MT5: thread-safe, and every write is sent at most once.

    Args:
        client: the way to the account's agent.
        record: the session.
        clock: platform time.
        is_live_allowed: travels with every write; an agent of a real terminal refuses without it (I15).
    """

    def __init__(
        self, client: AgentClient, record: SessionRecord, clock: Clock, *, is_live_allowed: bool
    ) -> None:
        self._client = client
        self._clock = clock
        self._capabilities = capabilities_of(record.margin_mode)
        self._is_live_allowed = is_live_allowed
        self._server_clock = ServerClock()
        self._seen = SeenToday()
        self._stream = BooksStream(look=self._look, clock=clock)

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def submit_order(self, request: OrderRequest, *, timeout_s: float) -> WriteResult:
        fields = submit_fields(request)
        result = self._write(TradeAction.SUBMIT, fields, timeout_s=timeout_s, asked=None)
        if result.outcome is Outcome.ACCEPTED and result.broker_order_id is not None:
            self._seen.note_placed(result.broker_order_id)
        return result

    def modify_order(self, change: OrderChange, *, timeout_s: float) -> WriteResult:
        fields = modify_fields(change, command_id=_command_id())
        return self._write(TradeAction.MODIFY, fields, timeout_s=timeout_s, asked=change.broker_order_id)

    def cancel_order(self, broker_order_id: BrokerOrderId, *, timeout_s: float) -> WriteResult:
        fields = cancel_fields(broker_order_id, command_id=_command_id())
        return self._write(TradeAction.CANCEL, fields, timeout_s=timeout_s, asked=broker_order_id)

    def request_orders(self) -> Read[Sequence[OrderReport]]:
        books, is_clean = self._look()
        return Read(data=books.orders, as_of=self._clock.now(), clean=is_clean)

    def request_order(self, broker_order_id: BrokerOrderId) -> Read[OrderReport | None]:
        body = self._read("order", ticket=ticket_of(broker_order_id))
        found, is_connected = read_order(body, clock=self._server_clock)
        if found is not None and found.broker_order_id != broker_order_id:
            raise ProtocolError(f"expected order {broker_order_id}, got {found.broker_order_id}")
        is_clean = is_connected and self._seen.judge_order(broker_order_id, found)
        return Read(data=found, as_of=self._clock.now(), clean=is_clean)

    def request_fills(self) -> Read[Sequence[FillReport]]:
        books, is_clean = self._look()
        return Read(data=books.fills, as_of=self._clock.now(), clean=is_clean)

    def request_positions(self) -> Read[Sequence[PositionReport]]:
        books, is_clean = self._look()
        return Read(data=books.positions, as_of=self._clock.now(), clean=is_clean)

    def request_balance(self) -> Read[Balance]:
        account = row(self._read("account").get("account"), "account")
        return Read(data=mapping.balance(account), as_of=self._clock.now(), clean=True)

    def request_egress_address(self) -> str:
        return name_of(self._read("account"), "peer")

    def account_events(self) -> AsyncIterator[AccountEvent]:
        return self._stream.events()

    def warm_up(self) -> None:
        self._read("account", lane=Lane.ORDERS)

    def close(self) -> None:
        self._client.close()

    def _look(self) -> tuple[Books, bool]:
        body = self._read("books")
        day = day_start(self._clock.now())
        books = read_books(body, clock=self._server_clock, since=day)
        return books, self._seen.judge(books, day=day)

    def _write(
        self, action: TradeAction, fields: Fields, *, timeout_s: float, asked: BrokerOrderId | None
    ) -> WriteResult:
        body = {**fields, "is_live_allowed": self._is_live_allowed}
        reply = self._client.call(action, body, timeout_s=timeout_s, lane=Lane.ORDERS)
        return classify_write(reply, asked=asked)

    def _read(self, name: str, *, lane: Lane = Lane.READS, **arguments: object) -> Row:
        body = read_body(self._client.call(name, arguments, timeout_s=_READ_TIMEOUT_S, lane=lane))
        note_time(
            self._server_clock,
            row(body.get("time"), "time"),
            now=self._clock.now(),
            is_simulated=not self._is_live_allowed,
        )
        return body


def _command_id() -> str:
    return uuid.uuid4().hex
