"""Act for one Binance account, spot or USD-M futures."""

import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from app.domain.errors import BrokerError, InvalidInputError, ProtocolError
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
    FundingReport,
    OrderReport,
    Outcome,
    PositionReport,
    Read,
    WriteResult,
)
from brokers.binance import codes, mapping
from brokers.binance.budget import Urgency
from brokers.binance.client import BinanceClient, Cost, Reply
from brokers.binance.egress import Lane
from brokers.binance.errors import classify_write, read_object, with_order_id
from brokers.binance.evidence import SeenToday
from brokers.binance.futures import FuturesBooks
from brokers.binance.instruments import FUTURES_SEGMENT
from brokers.binance.reads import Reader
from brokers.binance.refs import OrderRef, parse_ref
from brokers.binance.requests import is_algo, place_fields
from brokers.binance.rulebook import RuleBook
from brokers.binance.spot import SpotBooks
from brokers.binance.stream import OrderStream
from brokers.binance.values import in_ms, whole

# A request sent just before midnight must still be found just after it.
_LOOK_BACK = timedelta(hours=1)
_SWEEP_EVERY_S = 60.0
_QUOTE_WEIGHT = 2
# Foreign symbols that one account's reads follow; beyond, a read is told as not clean.
_MOST_FOREIGN = 10
_MOST_SINGLE_READS = 20
# Orders, fills and positions are read one after the other: the same fills serve for both.
_SAME_READ = timedelta(seconds=1)
_REFUSED_KEY = frozenset({FaultClass.AUTH_EXPIRED, FaultClass.IP_DENIED})

CAPABILITIES = Capabilities(
    order_types=frozenset(OrderType),
    time_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    has_client_order_id_query=True,
    max_orders_per_second=4,
    # recvWindow 3 s and the matching engine's 10 s (brokers.md 2.8), and 7 s between commit and signature.
    not_placed_after_s=20.0,
    resting_time_in_force=TimeInForce.GTC,
    # Spot cannot change an order; futures only LIMIT ones, not the stops that matter.
    changes_in_place=False,
    rests_stops=True,
)
FUTURES_CAPABILITIES = replace(CAPABILITIES, max_orders_per_second=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Hold what a gateway is built of."""

    client: BinanceClient
    reader: Reader
    books: SpotBooks | FuturesBooks
    rulebook: RuleBook
    refresh_rules: Callable[[Reader], None]
    symbols: Collection[str]


class BinanceGateway:
    """Implement `BrokerGateway` for Binance: thread-safe, and every write is sent at most once.

    An account trades the symbols of its session only. So `request_orders` can prove that an order does
    not exist although Binance lists finished orders by symbol: it reads these symbols, plus up to ten others
    in which somebody opened an order or position elsewhere (seen once a minute).
    """

    def __init__(self, parts: Parts, stream: Callable[[SeenToday], OrderStream], clock: Clock) -> None:
        self._parts = parts
        self._client, self._books, self._reader = parts.client, parts.books, parts.reader
        self._clock = clock
        self._seen = SeenToday(clock)
        self._stream = stream(self._seen)
        self._lock = threading.Lock()
        self._foreign: frozenset[str] = frozenset()
        self._swept_at: float | None = None
        self._last_fills: Read[Sequence[FillReport]] | None = None

    def __repr__(self) -> str:
        return f"BinanceGateway({self._books.segment}, {self._client!r})"

    def capabilities(self) -> Capabilities:
        return FUTURES_CAPABILITIES if self._books.segment == FUTURES_SEGMENT else CAPABILITIES

    def submit_order(self, request: OrderRequest, *, timeout_s: float) -> WriteResult:
        symbol = request.instrument.broker_symbol
        fields = place_fields(
            request,
            segment=self._books.segment,
            symbols=self._parts.symbols,
            rules=self._parts.rulebook.rules(symbol),
        )
        own_id = "clientAlgoId" if is_algo(request) else "clientOrderId"
        cost = Cost(
            weight=self._books.place_weight,
            orders=1,
            urgency=Urgency.EXIT if request.reduces_only else Urgency.NORMAL,
        )
        expected = {"symbol": symbol, own_id: request.client_order_id}
        method = self._books.place_method(request)
        result, reply, asked_at = self._write(
            method, fields, timeout_s=timeout_s, cost=cost, expected=expected
        )
        if result.outcome is not Outcome.ACCEPTED:
            return result
        return self._placed(reply, symbol, is_conditional=is_algo(request), asked_at=asked_at)

    def modify_order(self, change: OrderChange, *, timeout_s: float) -> WriteResult:  # noqa: ARG002
        raise InvalidInputError(
            f"{change.broker_order_id}: Binance changes no order in place; cancel it and send another"
        )

    def cancel_order(self, broker_order_id: BrokerOrderId, *, timeout_s: float) -> WriteResult:
        ref = parse_ref(broker_order_id)
        if ref is None or (ref.is_algo and not self._books.has_algos):
            return WriteResult(
                outcome=Outcome.REJECTED,
                fault=FaultClass.NOT_FOUND,
                message="no order at Binance has such a name",
            )
        # What a triggered stop became is what can still be canceled.
        result = self._cancel(self._books.successor(ref) or ref, broker_order_id, timeout_s)
        if result.fault is not FaultClass.NOT_FOUND:
            return result
        return self._explain_refused_cancel(ref, result, timeout_s)

    def request_orders(self) -> Read[Sequence[OrderReport]]:
        as_of, since_ms = self._clock.now(), self._since_ms(_LOOK_BACK)
        is_whole = self._sweep()
        reports: list[OrderReport] = []
        for symbol in sorted({*self._parts.symbols, *self._foreign}):
            found, is_symbol_whole = self._books.orders(symbol, since_ms)
            is_whole = is_whole and is_symbol_whole
            reports += found
        reports += self._missing(reports)
        is_clean = self._seen.judge_orders(reports) and is_whole
        return Read(data=tuple(reports), as_of=as_of, clean=is_clean)

    def request_order(self, broker_order_id: BrokerOrderId) -> Read[OrderReport | None]:
        as_of, ref = self._clock.now(), parse_ref(broker_order_id)
        found = None if ref is None or (ref.is_algo and not self._books.has_algos) else self._books.order(ref)
        return Read(data=found, as_of=as_of, clean=self._seen.judge_order(broker_order_id, found))

    def request_fills(self) -> Read[Sequence[FillReport]]:
        as_of, since_ms = self._clock.now(), self._since_ms(timedelta(0))
        is_whole = True
        fills: list[FillReport] = []
        for symbol in sorted({*self._parts.symbols, *self._foreign}):
            found, is_symbol_whole = self._books.fills(symbol, since_ms)
            is_whole = is_whole and is_symbol_whole
            fills += found
        is_clean = self._seen.judge_fills(fills) and is_whole
        read: Read[Sequence[FillReport]] = Read(data=tuple(fills), as_of=as_of, clean=is_clean)
        self._last_fills = read
        return read

    def request_positions(self) -> Read[Sequence[PositionReport]]:
        if self._books.segment == FUTURES_SEGMENT:
            as_of = self._clock.now()
            positions = self._books.positions(())
            return Read(data=positions, as_of=as_of, clean=self._seen.judge_positions(positions))
        fills = self._last_fills
        if fills is None or self._clock.now() - fills.as_of > _SAME_READ:
            fills = self.request_fills()
        return Read(data=self._books.positions(fills.data), as_of=fills.as_of, clean=fills.clean)

    def request_balance(self) -> Read[Balance]:
        as_of = self._clock.now()
        return Read(data=self._books.balance(), as_of=as_of, clean=True)

    def request_fundings(self) -> Sequence[FundingReport]:
        return self._books.fundings(self._since_ms(_LOOK_BACK))

    def request_quote(self, instrument: Instrument, *, timeout_s: float) -> Tick | None:
        cost = Cost(weight=_QUOTE_WEIGHT, urgency=Urgency.EXIT)
        reply = self._client.call(
            self._books.quote_method,
            lane=Lane.READS,
            timeout_s=timeout_s,
            cost=cost,
            symbol=instrument.broker_symbol,
        )
        row = read_object(reply)
        return None if row is None else mapping.quote(row, instrument, now=self._clock.now())

    def request_egress_address(self) -> str:
        """Return the address that this account leaves from; Binance does not tell what it sees.

        A read is made first: binding to an address that is not ours fails.
        """
        self._books.open_rows(min(self._parts.symbols))
        return self._client.transport.egress

    def account_events(self) -> AsyncIterator[AccountEvent]:
        return self._stream.events()

    def warm_up(self) -> None:
        self._books.open_rows(min(self._parts.symbols), lane=Lane.ORDERS)
        if self._parts.rulebook.claim_refresh():
            self._parts.refresh_rules(self._reader)

    def close(self) -> None:
        self._client.close()

    def _write(
        self,
        method: str,
        fields: Mapping[str, str],
        *,
        timeout_s: float,
        cost: Cost,
        expected: Mapping[str, object],
    ) -> tuple[WriteResult, Reply, float]:
        if self._client.needs_clock(max_age_s=float("inf")):
            self._reader.sync_clock(timeout_s=timeout_s)
        asked_at = self._clock.monotonic()
        reply = self._client.call(method, lane=Lane.ORDERS, timeout_s=timeout_s, cost=cost, **fields)
        result = classify_write(reply, expected=expected)
        if reply.code == codes.CLOCK_CODE:
            self._reader.sync_clock(timeout_s=timeout_s)
        if reply.code in codes.STALE_RULES_CODES:
            self._parts.rulebook.doubt()
        if result.fault in _REFUSED_KEY:
            self._stream.doubt()
        return result, reply, asked_at

    def _placed(self, reply: Reply, symbol: str, *, is_conditional: bool, asked_at: float) -> WriteResult:
        body = reply.value
        try:
            number = whole(body, "algoId" if is_conditional else "orderId") if isinstance(body, dict) else 0
        except ProtocolError as e:
            return WriteResult(outcome=Outcome.UNKNOWN, fault=FaultClass.UNKNOWN, message=str(e))
        order_id = OrderRef(symbol, number, is_algo=is_conditional).broker_order_id
        self._seen.note_placed(order_id)
        self._stream.expect_news(asked_at=asked_at)
        return WriteResult(outcome=Outcome.ACCEPTED, broker_order_id=order_id)

    def _cancel(self, ref: OrderRef, asked: BrokerOrderId, timeout_s: float) -> WriteResult:
        method, fields = self._books.cancel_call(ref)
        expected = {"algoId" if ref.is_algo else "orderId": ref.number}
        cost = Cost(weight=1, urgency=Urgency.EXIT)
        result, _, asked_at = self._write(method, fields, timeout_s=timeout_s, cost=cost, expected=expected)
        if result.outcome is not Outcome.ACCEPTED:
            return result
        self._stream.expect_news(asked_at=asked_at)
        return with_order_id(result, asked)

    def _explain_refused_cancel(self, ref: OrderRef, refused: WriteResult, timeout_s: float) -> WriteResult:
        """Look up why there was nothing to cancel: ended, never there, or a stop that has just triggered."""
        known = self._books.successor(ref)
        try:
            found = self._books.order(ref, is_for_exit=True)
        except BrokerError:
            return replace(refused, fault=FaultClass.UNKNOWN)
        if found is None:
            return refused
        self._seen.note_order(found)
        if found.status.is_terminal:
            return replace(refused, fault=FaultClass.ALREADY_DONE)
        successor = self._books.successor(ref)
        if known is None and successor is not None:
            return self._cancel(successor, ref.broker_order_id, timeout_s)
        return replace(refused, fault=FaultClass.UNKNOWN)

    def _missing(self, shown: Sequence[OrderReport]) -> list[OrderReport]:
        """Read the orders one by one that worked and are in no list: they ended, or the list is stale."""
        names = self._seen.working() - {report.broker_order_id for report in shown}
        refs = [ref for name in sorted(names) if (ref := parse_ref(name)) is not None]
        found = (self._books.order(ref) for ref in refs[:_MOST_SINGLE_READS])
        return [report for report in found if report is not None]

    def _sweep(self) -> bool:
        """Look once a minute where else the account has something open; whether all of it can be followed."""
        now = self._clock.monotonic()
        with self._lock:
            is_due = self._swept_at is None or now - self._swept_at > _SWEEP_EVERY_S
        if is_due:
            seen = self._foreign | (self._books.open_symbols() - set(self._parts.symbols))
            with self._lock:
                self._swept_at, self._foreign = now, frozenset(sorted(seen)[:_MOST_FOREIGN])
            return len(seen) <= _MOST_FOREIGN
        return len(self._foreign) < _MOST_FOREIGN

    def _since_ms(self, back: timedelta) -> int:
        now = self._clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return in_ms(min(midnight, now - back))
