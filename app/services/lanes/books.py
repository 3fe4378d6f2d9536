"""Compare our ledger with the brokers' books, resolve unknown outcomes by evidence (I3, I4)."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import structlog

from app.config import Settings
from app.db.alarms import clear_alarm, raise_alarm
from app.db.books import (
    OVERDUE_AFTER,
    accounts_with_doubt,
    net_positions,
    reduce_account,
    revived_orders,
    save_broker_trades,
    unresolved_orders,
)
from app.db.credentials import expire_broker_session
from app.db.day import reopen_login
from app.db.exits import accounts_with_session
from app.db.orders import lock_orders
from app.db.session import Database
from app.domain.errors import AddressDeniedError, BrokerError, SessionExpiredError
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.ports import BrokerGateway, Clock
from app.domain.reconciliation import (
    PositionDiff,
    Resolution,
    compare_positions,
    count_miss,
    resolve_unknown,
)
from app.domain.reports import OrderReport
from app.services.execution import Execution, alarm_foreign_orders
from app.services.gateways import Gateways
from app.services.lanes.failures import log_failure
from app.services.lanes.wakes import Wakes
from app.services.news import News
from app.services.risk_control import stop_denied_address
from app.services.runs import Lease

log = structlog.get_logger()

_POLL_S = 0.25
_DOUBT_PERIOD_S = 0.5
_DOUBT_AFTER = timedelta(seconds=1)
_THREADS = 12


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
        news: News,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._execution = execution
        self._gateways = gateways
        self._news = news
        self._read_at: dict[AccountId, float] = {}
        self._busy: set[AccountId] = set()
        self._differences: dict[AccountId, tuple[PositionDiff, ...]] = {}
        self._lock = threading.Lock()
        self._reads = 0

    def run(self, lease: Lease, wakes: Wakes, *, day: date) -> dict[str, Any]:
        """Work until the lease ends."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="books") as pool:
            while lease.is_valid():
                for account_id in self._due(lease):
                    pool.submit(self._sync_guarded, account_id, day).add_done_callback(log_failure)
                lease.progress = {"reads": self._reads}
                wakes.wait(_POLL_S)
        return {"reads": self._reads}

    def _due(self, lease: Lease) -> list[AccountId]:
        now = self._clock.monotonic()
        with self._database.begin() as session:
            account_ids = accounts_with_session(session, lease.spec)
            doubtful = accounts_with_doubt(session, lease.spec, older_than=self._clock.wall() - _DOUBT_AFTER)
        due = []
        with self._lock:
            for position, account_id in enumerate(account_ids):
                # The first reads are spread over the period: no burst at the start of a run.
                spread = self._settings.reconcile_period_s * position / len(account_ids)
                read_at = self._read_at.setdefault(account_id, now - spread)
                period_s = _DOUBT_PERIOD_S if account_id in doubtful else self._settings.reconcile_period_s
                if read_at + period_s <= now and account_id not in self._busy:
                    self._busy.add(account_id)
                    due.append(account_id)
        return due

    def _sync_guarded(self, account_id: AccountId, day: date) -> None:
        try:
            self._sync(account_id, day)
        except AddressDeniedError as e:
            with self._database.begin() as session:
                stop_denied_address(session, account_id, why=str(e), now=self._clock.now())
            self._send_back_to_login(account_id, day)
        except SessionExpiredError:
            self._send_back_to_login(account_id, day)
        except BrokerError as e:
            log.warning("books_unreadable", account_id=account_id, error=str(e))
        finally:
            with self._lock:
                self._busy.discard(account_id)
                self._read_at[account_id] = self._clock.monotonic()

    def _sync(self, account_id: AccountId, day: date) -> None:
        gateway = self._gateways.get(account_id)
        self._sync_orders(gateway, account_id)
        fills = gateway.request_fills()
        with self._database.begin() as session:
            save_broker_trades(session, account_id, day, fills.data)
        self._compare_positions(gateway, account_id, day)
        self._reads += 1

    def _sync_orders(self, gateway: BrokerGateway, account_id: AccountId) -> None:
        asked = self._clock.wall()
        read = gateway.request_orders()
        foreign = self._execution.apply_reports(account_id, read.data, source="books")
        if foreign:
            with self._database.begin() as session:
                alarm_foreign_orders(session, account_id, foreign, now=self._clock.now())
        self._withdraw_revived(gateway, account_id, read.data)
        not_placed_after = timedelta(
            seconds=self._settings.not_placed_after_s or gateway.capabilities().not_placed_after_s
        )
        overdue = timedelta(seconds=self._settings.order_timeout_s) + OVERDUE_AFTER
        with self._database.begin() as session:
            doubtful = [row.id for row in unresolved_orders(session, account_id, sent_before=asked - overdue)]
        for order_id in doubtful:
            self._weigh(order_id, asked, is_clean=read.clean, not_placed_after=not_placed_after)

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
        self._execution.mark_unknown(order_id)
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

    def _compare_positions(self, gateway: BrokerGateway, account_id: AccountId, day: date) -> None:
        """A difference that two reads in a row show is real: fills may be under way during one."""
        reports = gateway.request_positions()
        with self._database.begin() as session:
            ours = net_positions(session, account_id, day)
        differences = compare_positions(ours, reports.data) if reports.clean else ()
        with self._lock:
            before = self._differences.get(account_id, ())
            self._differences[account_id] = differences
        subject = f"account:{account_id}"
        if differences and differences == before:
            text = ", ".join(f"{d.broker_symbol}: ours {d.ours}, broker's {d.theirs}" for d in differences)
            with self._database.begin() as session:
                if reduce_account(session, account_id, reason="positions differ from the broker's"):
                    log.error("positions_differ", account_id=account_id, differences=text)
                raise_alarm(
                    session,
                    "positions_differ",
                    subject=subject,
                    message=text,
                    user_id=None,
                    now=self._clock.now(),
                )
        elif before and not differences:
            with self._database.begin() as session:
                clear_alarm(session, "positions_differ", subject=subject, now=self._clock.now())

    def _send_back_to_login(self, account_id: AccountId, day: date) -> None:
        log.warning("broker_session_over", account_id=account_id)
        with self._database.begin() as session:
            expire_broker_session(session, account_id, now=self._clock.now())
            reopen_login(session, account_id, day)
        self._news.tell_ops("login", {"account_id": account_id, "status": "PENDING"})
