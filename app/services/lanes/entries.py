"""Run the entry lane of a shard of accounts: claim, commit, send, record.

The order row is the outbox. A claim moves INITIALIZED to SUBMITTED and is committed before the
network call; only the claimer may send, so a crash in between leaves SUBMITTED, which is resolved by
evidence and never sent again (I1, I2).
"""

import queue
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.exits import accounts_with_session
from app.db.leases import LeaseLostError, check_fence
from app.db.models import AccountRow, OrderRow, SignalRow, UserRow
from app.db.orders import move_order
from app.db.session import Database
from app.db.shards import in_shard
from app.domain.accounts import AccountMode, BrokerCode, TradingState, may_open_exposure, strictest
from app.domain.errors import (
    BrokerError,
    ConfigError,
    InvalidInputError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import AccountId, InstrumentId
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus
from app.domain.ports import Clock
from app.domain.reports import FaultClass, WriteResult
from app.infra.rate_limit import OrderBudget
from app.services.execution import Execution
from app.services.gateways import Gateways
from app.services.lanes.failures import found_no_way, log_failure, refused_by_us
from app.services.lanes.requests import ContractBook, order_request
from app.services.lanes.wakes import Wakes
from app.services.lanes.warmth import Warmth
from app.services.runs import Lease

log = structlog.get_logger()

_POLL_S = 0.25
_CLAIM_LIMIT = 500
_THREADS = 48


class EntryLane:
    """Send approved entries of the accounts in one shard."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        execution: Execution,
        gateways: Gateways,
        budget: OrderBudget,
        contracts: ContractBook,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._execution = execution
        self._gateways = gateways
        self._budget = budget
        self._contracts = contracts
        self._outcomes: queue.SimpleQueue[tuple[int, WriteResult]] = queue.SimpleQueue()
        self._sent = 0

    def run(self, lease: Lease, wakes: Wakes) -> dict[str, Any]:
        """Work until the lease ends; calls in flight are finished and recorded."""
        with (
            Warmth(self._gateways, self._clock) as warmth,
            ThreadPoolExecutor(_THREADS, thread_name_prefix="entry") as pool,
        ):
            while lease.is_valid():
                self._record_outcomes()
                if warmth.is_due():
                    warmth.keep(self._accounts(lease))
                for order_id, account_id in self._claim(lease):
                    pool.submit(self._send, order_id, account_id, wakes).add_done_callback(log_failure)
                lease.progress = {"sent": self._sent}
                wakes.wait(_POLL_S)
        self._record_outcomes()
        return {"sent": self._sent}

    def _accounts(self, lease: Lease) -> list[AccountId]:
        with self._database.begin() as session:
            return accounts_with_session(session, lease.spec)

    def _claim(self, lease: Lease) -> list[tuple[int, AccountId]]:
        """Move what may leave to SUBMITTED in one transaction for the whole shard (group commit)."""
        now, wall = self._clock.now(), self._clock.wall()
        claimed: list[tuple[int, AccountId]] = []
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                for order, account, state in _candidates(session, lease.spec):
                    kind = self._verdict(order, account, state)
                    if kind is None:
                        continue
                    if kind is OrderEventKind.EXPIRED and order.signal_id is not None:
                        session.get_one(SignalRow, order.signal_id).is_expired = True
                    order.fence = lease.fence
                    move_order(session, order, kind, source="entry_lane", now=now, wall=wall)
                    if kind is OrderEventKind.SUBMITTED:
                        order.submitted_wall = wall
                        claimed.append((order.id, AccountId(order.account_id)))
        except LeaseLostError:
            log.warning("claim_refused", run=lease.name, fence=lease.fence)
            return []
        except OperationalError as e:
            # Nothing was committed, so nothing is sent; the next pass sees the same orders.
            log.warning("claim_postponed", run=lease.name, error=type(e.orig).__name__)
            return []
        return claimed

    def _verdict(self, order: OrderRow, account: AccountRow, state: TradingState) -> OrderEventKind | None:
        broker = BrokerCode(account.broker)
        is_simulated = self._settings.is_simulated(broker)
        if not may_open_exposure(broker, AccountMode(account.mode), is_simulated=is_simulated):
            log.error("entry_of_a_paper_account_refused", order_id=order.id, account_id=account.id)
            return OrderEventKind.CANCELED
        if order.valid_until is not None and order.valid_until < self._clock.now():
            return OrderEventKind.EXPIRED
        if not state.allows_entries:
            return OrderEventKind.CANCELED
        try:
            return OrderEventKind.SUBMITTED if self._budget.take_for_entry(order.account_id) else None
        except UnavailableError:
            return None  # no budget, no entry; the order waits and expires by itself

    def _send(self, order_id: int, account_id: AccountId, wakes: Wakes) -> None:
        """Make the one network call of a claimed order. Runs in a pool thread."""
        with self._database.begin() as session:
            order = session.get_one(OrderRow, order_id)
        try:
            request = order_request(order, self._contracts.get(order.day, InstrumentId(order.instrument_id)))
            gateway = self._gateways.get(account_id)
            result = gateway.submit_order(request, timeout_s=self._settings.order_timeout_s)
        except (BrokerError, ConfigError) as e:
            result = found_no_way(e)
        except InvalidInputError as e:
            log.error("entry_refused_by_adapter", order_id=order_id, error=str(e))  # noqa: TRY400  no fault of code
            result = refused_by_us(e)
        if result.fault is FaultClass.AUTH_EXPIRED:
            self._refresh(account_id)
        self._sent += 1
        self._outcomes.put((order_id, result))
        wakes.set()

    def _refresh(self, account_id: AccountId) -> None:
        try:
            self._gateways.refresh(account_id)
        except SessionExpiredError:
            log.warning("broker_session_missing", account_id=account_id)

    def _record_outcomes(self) -> None:
        batch: list[tuple[int, WriteResult]] = []
        while not self._outcomes.empty():
            batch.append(self._outcomes.get())
        self._execution.apply_submit_outcomes(batch, source="entry_lane")


def _candidates(
    session: Session, spec: dict[str, Any]
) -> Iterable[tuple[OrderRow, AccountRow, TradingState]]:
    statement = (
        select(OrderRow, AccountRow, UserRow.trading_state)
        .join(AccountRow, AccountRow.id == OrderRow.account_id)
        .join(UserRow, UserRow.id == OrderRow.user_id)
        .where(
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.status == OrderStatus.INITIALIZED,
            in_shard(OrderRow.account_id, spec),
        )
        .order_by(OrderRow.id)
        .limit(_CLAIM_LIMIT)
        .with_for_update(of=OrderRow)
    )
    for order, account, user_state in session.execute(statement):
        yield order, account, strictest(TradingState(account.trading_state), TradingState(user_state))
