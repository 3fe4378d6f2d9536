"""Compare our ledger with the brokers' books, resolve unknown outcomes by evidence (I3, I4)."""

import queue
import threading
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.alarms import clear_alarm, raise_alarm
from app.db.books import (
    OVERDUE_AFTER,
    accounts_with_doubt,
    has_given_up_exit,
    revived_orders,
    save_broker_trades,
    unresolved_orders,
)
from app.db.credentials import expire_broker_session
from app.db.day import reopen_login
from app.db.exits import accounts_with_session
from app.db.funds import asks_for_funds, save_funds
from app.db.lost_orders import end_doubt, is_doubted, unproven_accounts
from app.db.models import OrderRow
from app.db.orders import lock_orders
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.breaker import EndpointClass, Witness, witness_of_read
from app.domain.errors import AddressDeniedError, BrokerError, SessionExpiredError, UnavailableError
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.markets import market_of
from app.domain.orders import OrderRole
from app.domain.ports import BrokerGateway, Clock, FundingSource
from app.domain.reconciliation import Patience, Resolution, count_miss, proof_after, resolve_unknown
from app.domain.reports import FillReport, OrderReport, Read
from app.services.book_memory import BookMemory
from app.services.breakers import Breakers, Gate
from app.services.evidence import BookRead, Evidence
from app.services.execution import Execution
from app.services.gateways import Gateways
from app.services.holding_costs import book_fundings, book_swaps
from app.services.lanes.bulkhead import Bounds, Bulkhead
from app.services.lanes.wakes import Wakes
from app.services.news import News
from app.services.reconciliation import Reconciliation
from app.services.risk_control import stop_denied_address
from app.services.runs import Lease

log = structlog.get_logger()

_POLL_S = 0.5
_DOUBT_PERIOD_S = 0.5
_DOUBT_AFTER = timedelta(seconds=1)
_READS_PER_BROKER = 16
_FUNDINGS_EACH = timedelta(minutes=5)
_DOUBT_LASTS = timedelta(seconds=30)
_FUNDS_PERIOD_S = 15.0
_FUNDS_RETRY_S = 60.0
_UNPROVEN = "ledger_unproven"
"""Code of the alarm for an account whose entries wait because nobody can read its book."""


class BooksRun:
    """Read every account's books, often where something is in doubt, else once per period."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        execution: Execution,
        gateways: Gateways,
        breakers: Breakers,
        news: News,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._execution = execution
        self._gateways = gateways
        self._breakers = breakers
        self._news = news
        self._evidence = Evidence(clock)
        self._reconciliation = Reconciliation(database, clock, execution)
        self._trades = BookMemory[FillReport](clock)
        self._heard: queue.SimpleQueue[Witness | None] = queue.SimpleQueue()
        self._read_at: dict[AccountId, float] = {}
        self._funds_due: dict[AccountId, float] = {}
        self._busy: set[AccountId] = set()
        self._funded_at: dict[AccountId, datetime] = {}
        self._unproven: Mapping[AccountId, datetime] = {}
        self._lock = threading.Lock()
        self._reads = 0

    def run(self, lease: Lease, wakes: Wakes, *, day: date) -> dict[str, Any]:
        """Work until the lease ends."""
        bounds = Bounds(broker_of=self._gateways.broker_of, per_broker=_READS_PER_BROKER, per_account=1)
        with Bulkhead("books", bounds) as bulkhead, lease.working():
            while lease.is_valid():
                self._tell_breakers()
                self._start(bulkhead, self._due(lease, day), day)
                lease.progress = {"reads": self._reads}
                wakes.wait(_POLL_S)
        self._tell_breakers()
        return {"reads": self._reads}

    def _start(self, bulkhead: Bulkhead, due: Sequence[AccountId], day: date) -> None:
        """Start the reads that find a seat; the others are due again at the next look."""
        seats = bulkhead.seats()
        for account_id in due:
            if seats.takes(account_id):
                with self._lock:
                    self._busy.add(account_id)
                bulkhead.start(account_id, partial(self._sync_guarded, account_id, day))

    def _due(self, lease: Lease, day: date) -> list[AccountId]:
        """Return the accounts whose books should be read now: those in doubt first, then by age."""
        now = self._clock.monotonic()
        with self._database.begin() as session:
            account_ids = accounts_with_session(session, lease.spec)
            doubted_since = self._clock.wall() - _DOUBT_AFTER
            doubtful = accounts_with_doubt(session, lease.spec, day=day, older_than=doubted_since)
            unproven = unproven_accounts(session, lease.spec)
        doubtful |= {i for i in account_ids if self._reconciliation.is_unsure(i) or i in unproven}
        period_s = self._settings.reconcile_period_s
        self._unproven = unproven
        with self._lock:
            for position, account_id in enumerate(account_ids):
                # The first reads are spread over the period: no burst at the start of a run, but of those
                # whose orders wait for them.
                spread_s = period_s * position / len(account_ids)
                self._read_at.setdefault(account_id, 0.0 if account_id in unproven else now - spread_s)
            periods = {i: _DOUBT_PERIOD_S if i in doubtful else period_s for i in account_ids}
            due = [i for i in account_ids if self._read_at[i] + periods[i] <= now and i not in self._busy]
            due.sort(key=lambda i: (i not in doubtful, self._read_at[i]))
        brokers = {self._gateways.broker_of(i) for i in due if i not in doubtful}
        gates = {broker: self._gate(broker) for broker in brokers}
        return [i for i in due if i in doubtful or gates[self._gateways.broker_of(i)](i)]

    def _gate(self, broker: BrokerCode) -> Gate:
        try:
            return self._breakers.gate(broker, EndpointClass.READS)
        except UnavailableError:
            return _everybody  # reading opens no exposure

    def _tell_breakers(self) -> None:
        heard = []
        while not self._heard.empty():
            heard.append(self._heard.get())
        self._breakers.hear(EndpointClass.READS, heard)

    def _sync_guarded(self, account_id: AccountId, day: date) -> Witness | None:
        asked_at = self._clock.wall()
        fault: BrokerError | None = None
        doubted_since = self._unproven.get(account_id)
        try:
            self._sync(account_id, day, doubted_since)
        except BrokerError as e:
            fault = e
            if not isinstance(e, SessionExpiredError):
                log.warning("books_unreadable", account_id=account_id, error=str(e))
            self._note_doubt(account_id, doubted_since, is_clean=False)
        finally:
            with self._lock:
                self._busy.discard(account_id)
                self._read_at[account_id] = self._clock.monotonic()
        witness = witness_of_read(account_id, asked_at, fault)
        self._heard.put(witness)
        return witness

    def _sync(self, account_id: AccountId, day: date, doubted_since: datetime | None) -> None:
        gateway = self._gateways.get(account_id)
        if doubted_since is not None:
            self._reconciliation.doubt(account_id)
            self._trades.forget(account_id)
        try:
            self._note_doubt(account_id, doubted_since, is_clean=self._sync_orders(gateway, account_id, day))
            self._sync_fills(gateway, account_id, day)
            self._sync_fundings(gateway, account_id)
            self._sync_funds(gateway, account_id)
        except SessionExpiredError as e:
            self._send_back_to_login(gateway, account_id, day, e)
            raise

    def _sync_fills(self, gateway: BrokerGateway, account_id: AccountId, day: date) -> None:
        fills = gateway.request_fills()
        news = self._trades.news(account_id, fills.data)
        now, market = self._clock.now(), market_of(self._gateways.broker_of(account_id))
        with self._database.begin() as session:
            save_broker_trades(session, account_id, day, news)
            book_swaps(session, account_id, news, market=market, now=now)
            self._evidence.note_trades(session, account_id, fills)
        self._trades.note(account_id, news)
        asked = self._clock.wall()
        positions = gateway.request_positions()
        self._reconciliation.compare_positions(
            account_id,
            day,
            positions,
            asked=asked,
            patience=Patience(
                settles_in=timedelta(seconds=self._settings.reconcile_period_s),
                late_by=self._not_placed_after(gateway),
            ),
        )
        self._reads += 1

    def _sync_fundings(self, gateway: BrokerGateway, account_id: AccountId) -> None:
        """Book what was taken or given for holding; a dear question, so it is asked seldom."""
        asked, now = self._funded_at.get(account_id), self._clock.now()
        if not isinstance(gateway, FundingSource) or (asked is not None and now - asked < _FUNDINGS_EACH):
            return
        self._funded_at[account_id] = now
        try:
            reports = gateway.request_fundings()
        except SessionExpiredError:
            raise
        except BrokerError as e:
            # The books themselves were read: this is asked again a little later, and doubts no order.
            log.warning("fundings_unreadable", account_id=account_id, error=str(e))
            return
        market = market_of(self._gateways.broker_of(account_id))
        with self._database.begin() as session:
            book_fundings(session, account_id, reports, market=market, now=now)

    def _sync_funds(self, gateway: BrokerGateway, account_id: AccountId) -> None:
        """Read the money of an account whose limits ask for it; after a fault the last figure grows old."""
        now = self._clock.monotonic()
        if now < self._funds_due.get(account_id, now):
            return
        self._funds_due[account_id] = now + _FUNDS_PERIOD_S
        with self._database.begin() as session:
            if not asks_for_funds(session, account_id):
                return
        asked = self._clock.wall()
        try:
            read = gateway.request_balance()
        except SessionExpiredError:
            raise
        except BrokerError as e:
            log.warning("funds_unreadable", account_id=account_id, error=str(e))
            self._funds_due[account_id] = now + _FUNDS_RETRY_S
            return
        if read.clean:
            with self._database.begin() as session:
                save_funds(session, account_id, read.data, asked=asked)

    def _sync_orders(self, gateway: BrokerGateway, account_id: AccountId, day: date) -> bool:
        """Bring the book of orders into the ledger; return whether it shows all that there is."""
        asked = self._clock.wall()
        overdue_since = asked - timedelta(seconds=self._settings.order_timeout_s) - OVERDUE_AFTER
        read = self._read_orders(gateway, account_id, overdue_since=overdue_since)
        foreign = self._reconciliation.apply_book(account_id, read, source="books")
        self._withdraw_revived(gateway, account_id, read.data)
        late_by = self._not_placed_after(gateway)
        with self._database.begin() as session:
            orders = unresolved_orders(session, account_id, sent_before=overdue_since)
            # Today's book says nothing about earlier orders: they stay UNKNOWN until a person settles them.
            todays = [row for row in orders if row.day == day]
            waits = {row.id: _proof_after(session, row, late_by) for row in todays}
            seen = BookRead(asked=asked, is_clean=read.clean, strangers=foreign, proof_after=waits)
            self._evidence.note_orders(session, todays, seen)
            doubtful = [row.id for row in orders]
        for order_id in doubtful:
            self._execution.mark_unknown(order_id)
        for order_id, wait in waits.items():
            self._weigh(order_id, asked, is_clean=read.clean, not_placed_after=wait)
        return read.clean

    def _note_doubt(self, account_id: AccountId, since: datetime | None, *, is_clean: bool) -> None:
        """End the doubt that was there before a clean read; call a person where it lasts too long."""
        if since is None:
            return
        subject, now = f"account:{account_id}", self._clock.now()
        with self._database.begin() as session:
            if is_clean:
                end_doubt(session, account_id, since=since)
                clear_alarm(session, _UNPROVEN, subject=subject, now=now)
            elif self._clock.wall() - since > _DOUBT_LASTS and is_doubted(session, account_id, since=since):
                message = "no entry leaves: its books could not be read whole since its lanes stood still"
                raise_alarm(session, _UNPROVEN, subject=subject, message=message, user_id=None, now=now)

    def _not_placed_after(self, gateway: BrokerGateway) -> timedelta:
        seconds = self._settings.not_placed_after_s or gateway.capabilities().not_placed_after_s
        return timedelta(seconds=seconds)

    def _read_orders(
        self, gateway: BrokerGateway, account_id: AccountId, *, overdue_since: datetime
    ) -> Read[Sequence[OrderReport]]:
        """Read the book; while it is unreadable, admit what is unknown all the same (I3)."""
        try:
            return gateway.request_orders()
        except BrokerError as e:
            with self._database.begin() as session:
                unresolved = unresolved_orders(session, account_id, sent_before=overdue_since)
                order_ids = [row.id for row in unresolved]
            for order_id in order_ids:
                self._execution.mark_unknown(order_id)
            with self._database.begin() as session:
                self._evidence.note_unreadable(session, account_id, e)
            raise

    def _withdraw_revived(
        self, gateway: BrokerGateway, account_id: AccountId, reports: Sequence[OrderReport]
    ) -> None:
        """Cancel what appeared at the broker after it was proven absent; its fills are booked like others."""
        working = [r.broker_order_id for r in reports if r.status.is_working]
        with self._database.begin() as session:
            revived = [
                (row.client_order_id, row.broker_order_id)
                for row in revived_orders(session, account_id, working)
            ]
            for client_order_id, _ in revived:
                raise_alarm(
                    session,
                    "order_revived",
                    subject=f"order:{client_order_id}",
                    message="this order was given up and then appeared at the broker; it is being canceled",
                    user_id=None,
                    now=self._clock.now(),
                )
        for client_order_id, broker_order_id in revived:
            log.error("order_revived", client_order_id=client_order_id)
            gateway.cancel_order(
                BrokerOrderId(str(broker_order_id)), timeout_s=self._settings.order_timeout_s
            )

    def _weigh(self, order_id: int, asked: datetime, *, is_clean: bool, not_placed_after: timedelta) -> None:
        """Count one more clean read without the order; two after the deadline prove its absence."""
        if not is_clean:
            return
        with self._database.begin() as session:
            row = lock_orders(session, [order_id])[order_id]
            if row.submitted_wall is None or row.broker_order_id is not None:
                return
            row.clean_misses = count_miss(
                row.clean_misses, sent_ago=asked - row.submitted_wall, not_placed_after=not_placed_after
            )
            misses = row.clean_misses
        if resolve_unknown(is_found=False, clean_misses=misses) is Resolution.NOT_PLACED:
            self._execution.settle_not_placed(order_id, evidence=f"{misses} clean reads without it")

    def _send_back_to_login(
        self, gateway: BrokerGateway, account_id: AccountId, day: date, error: SessionExpiredError
    ) -> None:
        """End the session that was refused, and no other: a newer login may have replaced it already."""
        now, generation = self._clock.now(), self._gateways.forget(account_id, gateway)
        with self._database.begin() as session:
            if isinstance(error, AddressDeniedError):
                stop_denied_address(session, account_id, why=str(error), now=now)
            if generation is None or not expire_broker_session(
                session, account_id, generation=generation, now=now
            ):
                return
            reopen_login(session, account_id, day)
        log.warning("broker_session_over", account_id=account_id, error=error.code)
        self._news.tell_ops("login", {"account_id": account_id, "status": "PENDING"})


def _proof_after(session: Session, order: OrderRow, late_by: timedelta) -> timedelta:
    has_given_up = has_given_up_exit(session, order)
    return proof_after(OrderRole(order.role), late_by=late_by, has_given_up=has_given_up)


def _everybody(_: AccountId) -> bool:
    return True
