"""Bring what brokers answer and report into the ledger, whoever hears it first.

The same news may come from the reply to the order, the account's stream and the books, in any order and
more than once. Each function is idempotent: orders are locked, older news changes nothing, and a fill
is booked once per cumulative quantity.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.books import NOT_PLACED
from app.db.exit_rules import take_back_move
from app.db.exits import resting_exit_qty
from app.db.legs import lock_legs_of, note_protected
from app.db.lost_orders import by_our_tag, lost_among
from app.db.models import LegRow, OrderRow
from app.db.orders import book_fill, lock_orders, move_order
from app.db.report_matches import Matches, Reports, is_news, match_reports
from app.db.session import Database, is_held, wait_briefly
from app.domain.errors import InvariantError
from app.domain.ids import CLIENT_ORDER_ID_LENGTH, AccountId, ClientOrderId
from app.domain.orders import TERMINAL, OrderEventKind, OrderRole, OrderStatus
from app.domain.ports import Clock
from app.domain.reconciliation import held_at_broker
from app.domain.reports import FaultClass, OrderReport, Outcome, WriteResult
from app.services.evidence import Evidence
from app.services.lost_orders import lock_legs_of_lost, note_ledger_behind, take_back_exits
from app.services.news import News, order_news
from app.services.risk_control import stop_denied_address

log = structlog.get_logger()

_K, _S = OrderEventKind, OrderStatus
_CHANGE_OVERDUE_S = 15.0

# What a report's status says happened; statuses missing here carry no news by themselves.
_NEWS_OF_STATUS = {
    _S.ACCEPTED: _K.ACCEPTED,
    _S.TRIGGERED: _K.TRIGGERED,
    _S.CANCELED: _K.CANCELED,
    _S.REJECTED: _K.REJECTED,
    _S.EXPIRED: _K.EXPIRED,
}


class Execution:
    """Apply outcomes and reports; every method is one transaction and publishes after its commit."""

    def __init__(self, database: Database, clock: Clock, news: News) -> None:
        self._database = database
        self._clock = clock
        self._news = news
        self._evidence = Evidence(clock)

    def apply_submit_outcomes(
        self, outcomes: Sequence[tuple[int, WriteResult]], *, source: str
    ) -> Collection[int]:
        """Record how sending ended for a batch of orders, by order id.

        Returns: the orders that somebody else is writing; tell theirs again.
        """
        return self._apply(dict(outcomes), source, self._on_submit_outcome)

    def apply_change_outcomes(
        self, outcomes: Sequence[tuple[int, WriteResult]], *, source: str
    ) -> Collection[int]:
        """Record how modify requests ended for a batch of orders; return which to tell again."""
        return self._apply(dict(outcomes), source, self._on_change_outcome)

    def apply_cancel_outcomes(
        self, outcomes: Sequence[tuple[int, WriteResult]], *, source: str
    ) -> Collection[int]:
        """Record how cancel requests ended for a batch of orders; return which to tell again."""
        return self._apply(dict(outcomes), source, self._on_cancel_outcome)

    def apply_reports(
        self, account_id: AccountId, reports: Sequence[OrderReport], *, source: str, is_brief: bool = False
    ) -> Sequence[OrderReport]:
        """Apply the broker's view of orders; return the reports that are not ours (external orders).

        Args: is_brief: fail with an error that `is_held` tells rather than wait for who writes the same rows.
        """
        if not reports:
            return ()
        with self._database.begin() as session:
            if is_brief:
                wait_briefly(session)
            ours = match_reports(session, {account_id: reports})
            ids = {number: order.id for (_, number), order in ours.items()}
            lost = lost_among(session, account_id, [r for r in reports if r.broker_order_id not in ids])
            rows, news = self._lock_news(session, ours, {account_id: reports})
            legs = lock_legs_of_lost(session, account_id, now=self._clock.now()) if lost else ()
            lock_legs_of(session, rows.values())
            unsent = {o.client_order_id for o in rows.values() if o.submitted_wall is None}
            changed = self._take_news(session, rows, news, source)
            for row, report in take_back_exits(session, legs, lost, now=self._clock.now()):
                self._on_report(session, row, report, source)
                changed.append(row)
                ids[report.broker_order_id] = row.id
        self._publish(changed)
        if lost or unsent:
            by_tag = by_our_tag(r for r in reports if r.tag[:CLIENT_ORDER_ID_LENGTH] in unsent)
            self._note_ledger_behind(account_id, {**lost, **by_tag})
        return [r for r in reports if r.broker_order_id not in ids]

    def apply_news(self, reports: Reports, *, source: str) -> Collection[AccountId]:
        """Apply what several accounts' brokers say in one transaction, which costs less than one for each.

        Returns: the accounts of which nothing was applied and each needs `apply_reports`: there is more to
        them, a stranger's order or one that we never sent, or one of them cannot be applied now.
        """
        try:
            with self._database.begin() as session:
                wait_briefly(session)
                ours = match_reports(session, reports)
                alone = {i for i, of in reports.items() if not _are_plain(ours, i, of)}
                together = {i: of for i, of in reports.items() if i not in alone}
                rows, news = self._lock_news(session, ours, together)
                lock_legs_of(session, rows.values())
                changed = self._take_news(session, rows, news, source)
        except InvariantError:
            return reports.keys()
        except OperationalError as e:
            if not is_held(e):
                raise
            return reports.keys()
        self._publish(changed)
        return alone

    def _lock_news(
        self, session: Session, ours: Matches, reports: Reports
    ) -> tuple[dict[int, OrderRow], list[tuple[int, OrderReport]]]:
        """Lock the orders of which there may be news; return them, and the reports by order.

        A book of hundreds of ended orders must not keep their legs from the exits: only news locks.
        """
        told = [(ours.get((i, r.broker_order_id)), r) for i, of in reports.items() for r in of]
        news = [(order.id, r) for order, r in told if order is not None and is_news(order, r)]
        return lock_orders(session, {order_id for order_id, _ in news}), news

    def _take_news(
        self,
        session: Session,
        rows: Mapping[int, OrderRow],
        news: Iterable[tuple[int, OrderReport]],
        source: str,
    ) -> list[OrderRow]:
        by_version = sorted(news, key=lambda told: told[1].version)
        return [
            rows[order_id]
            for order_id, report in by_version
            if self._on_report(session, rows[order_id], report, source)
        ]

    def _note_ledger_behind(self, account_id: AccountId, lost: Mapping[ClientOrderId, OrderReport]) -> None:
        # In a transaction of its own: an account is locked before its orders and legs, never after them.
        with self._database.begin() as session:
            note_ledger_behind(session, account_id, lost, now=self._clock.now())

    def mark_unknown(self, order_id: int) -> None:
        """Admit that a claimed order was never answered: its sender died or was cut off."""
        with self._database.begin() as session:
            row = lock_orders(session, [order_id])[order_id]
            if row.is_unknown or row.broker_order_id is not None or row.status != _S.SUBMITTED:
                return
            row.is_unknown = row.was_unknown = True
            self._move(session, row, _K.OUTCOME_UNKNOWN, source="resolver", details={"answer": "none"})
        self._publish([row])

    def settle_not_placed(self, order_id: int, *, evidence: str) -> None:
        """End an UNKNOWN order that clean reads have proven absent (I3)."""
        with self._database.begin() as session:
            row = lock_orders(session, [order_id])[order_id]
            if row.broker_order_id is not None or not row.is_unknown:
                return
            row.reject_reason = f"{NOT_PLACED}: proven by clean reads"
            self._move(session, row, _K.NOT_SENT, source="resolver", details={"evidence": evidence})
        log.info("unknown_resolved", order_id=order_id, found=False)
        self._publish([row])

    def _apply(self, outcomes: dict[int, WriteResult], source: str, act: Any) -> Collection[int]:  # noqa: ANN401  bound method
        """Apply a batch; where one outcome is impossible or must wait, apply each alone (I8).

        Returns: the orders that somebody else is writing.
        """
        try:
            self._apply_together(outcomes, source, act)
        except InvariantError as e:
            if len(outcomes) == 1:
                # Journaled for a person; the books go on telling the truth about this order.
                log.exception("outcome_refused", order_ids=list(outcomes), error=str(e))
                return ()
        except OperationalError as e:
            if not is_held(e):
                raise
            if len(outcomes) == 1:
                return tuple(outcomes)
        else:
            return ()
        return [i for one in outcomes.items() for i in self._apply(dict([one]), source, act)]

    def _apply_together(self, outcomes: dict[int, WriteResult], source: str, act: Any) -> None:  # noqa: ANN401  bound method
        if not outcomes:
            return
        with self._database.begin() as session:
            wait_briefly(session)
            rows = lock_orders(session, outcomes)
            lock_legs_of(session, rows.values())
            for order_id, result in outcomes.items():
                act(session, rows[order_id], result, source)
        denied = {
            rows[i].account_id: r.message for i, r in outcomes.items() if r.fault is FaultClass.IP_DENIED
        }
        self._note_denied_addresses(denied)
        self._publish(rows.values())

    def _note_denied_addresses(self, denied: Mapping[int, str]) -> None:
        # In a transaction of its own: an account is locked before its orders and legs, never after them.
        for account_id, why in denied.items():
            with self._database.begin() as session:
                stop_denied_address(session, AccountId(account_id), why=why, now=self._clock.now())

    def _on_submit_outcome(self, session: Session, row: OrderRow, result: WriteResult, source: str) -> None:
        if row.answered_wall is not None:
            return  # told again: its commit was not heard
        row.answered_wall = self._clock.wall()
        details = _facts(result)
        if row.broker_order_id is not None and result.outcome is not Outcome.ACCEPTED:
            return  # the stream has already proven that the order exists
        match result.outcome:
            case Outcome.ACCEPTED:
                self._bind(row, str(result.broker_order_id))
                self._move(session, row, _K.ACCEPTED, source=source, details=details)
            case Outcome.REJECTED:
                row.reject_reason = result.message
                self._move(session, row, _K.REJECTED, source=source, details=details)
            case Outcome.NOT_SENT:
                row.reject_reason = f"not sent: {result.message}"
                self._move(session, row, _K.NOT_SENT, source=source, details=details)
            case Outcome.UNKNOWN:
                row.is_unknown = row.was_unknown = True
                self._move(session, row, _K.OUTCOME_UNKNOWN, source=source, details=details)
                log.warning("order_outcome_unknown", order_id=row.id, account_id=row.account_id)

    def _on_change_outcome(self, session: Session, row: OrderRow, result: WriteResult, source: str) -> None:
        kind = {Outcome.ACCEPTED: _K.UPDATED, Outcome.UNKNOWN: None}.get(result.outcome, _K.REQUEST_REFUSED)
        if kind is not None and row.status == _S.PENDING_UPDATE:
            self._move(session, row, kind, source=source, details=_facts(result))
            if kind is _K.REQUEST_REFUSED:
                take_back_move(session, row)

    def _on_cancel_outcome(self, session: Session, row: OrderRow, result: WriteResult, source: str) -> None:
        refused = result.outcome is Outcome.REJECTED or result.fault is FaultClass.ALREADY_DONE
        if refused and row.status == _S.PENDING_CANCEL:
            self._move(session, row, _K.REQUEST_REFUSED, source=source, details=_facts(result))

    def _on_report(self, session: Session, row: OrderRow, report: OrderReport, source: str) -> bool:
        is_news = self._bind_report(session, row, report, source)
        is_whole = report.status is _S.FILLED and 0 < report.quantity == report.filled
        if is_whole and row.filled_qty <= report.quantity < row.quantity:
            # All of it is filled and it is smaller than what we asked for: MT5 closes one position an order.
            row.quantity, is_news = report.quantity, True
        if report.avg_px is not None and report.filled > row.filled_qty:
            now, wall = self._clock.now(), self._clock.wall()
            is_news |= book_fill(
                session, row, filled=report.filled, avg_px=report.avg_px, source=source, now=now, wall=wall
            )
        if report.version < row.venue_version:
            return is_news
        row.venue_version = report.version
        is_news |= self._take_terms(row, report)
        kind = _NEWS_OF_STATUS.get(report.status)
        if self._is_change_overdue(row):
            self._move(session, row, _K.UPDATED, source=source, details={"found": "unchanged reply lost"})
        if kind is not None and self._is_new_status(row, report.status):
            if report.status is _S.REJECTED:
                row.reject_reason = report.reject_reason
            self._move(session, row, kind, source=source, details={"reason": report.reject_reason})
            is_news = True
        if row.role != OrderRole.ENTRY:
            self._note_protection(session, row)
        return is_news

    def _bind_report(self, session: Session, row: OrderRow, report: OrderReport, source: str) -> bool:
        if row.broker_order_id is not None:
            return False
        self._bind(row, report.broker_order_id)
        was_unknown = row.is_unknown
        row.is_unknown = False
        if row.status == _S.INITIALIZED:
            # A ledger from before the order left: it was sent all the same.
            row.submitted_wall = self._clock.wall()
            self._move(session, row, _K.SUBMITTED, source=source, details={"found": report.broker_order_id})
        if row.status == _S.SUBMITTED or was_unknown or row.status == _S.REJECTED:
            # REJECTED here means "proven not placed" and the venue says otherwise: believe the venue.
            self._move(session, row, _K.ACCEPTED, source=source, details={"found": report.broker_order_id})
        if was_unknown:
            self._evidence.note_found(session, row, report.broker_order_id, source=source)
            log.info("unknown_resolved", order_id=row.id, found=True, source=source)
        return True

    @staticmethod
    def _bind(row: OrderRow, broker_order_id: str) -> None:
        if row.broker_order_id not in (None, broker_order_id):
            raise InvariantError(
                f"order {row.client_order_id}: expected one order at the broker, "
                f"{row.broker_order_id}, got a second one, {broker_order_id}"
            )
        row.broker_order_id = broker_order_id

    def _is_change_overdue(self, row: OrderRow) -> bool:
        """Whether a change was asked for so long ago that the venue's terms are its outcome."""
        if row.status != _S.PENDING_UPDATE or row.changed_wall is None:
            return False
        return (self._clock.wall() - row.changed_wall).total_seconds() > _CHANGE_OVERDUE_S

    @staticmethod
    def _take_terms(row: OrderRow, report: OrderReport) -> bool:
        """Believe the venue's terms, unless a change of ours is in flight."""
        if row.status == _S.PENDING_UPDATE or report.status.is_terminal or row.status in TERMINAL:
            return False
        before = (row.price, row.trigger_price, row.quantity)
        row.price = report.price if report.price is not None else row.price
        row.trigger_price = report.trigger_price
        if report.quantity >= row.filled_qty and report.quantity > 0:
            row.quantity = report.quantity
        return before != (row.price, row.trigger_price, row.quantity)

    @staticmethod
    def _is_new_status(row: OrderRow, reported: OrderStatus) -> bool:
        current = OrderStatus(row.status)
        if current == reported or current in (_S.FILLED, _S.DENIED):
            return False
        # An order that was canceled or rejected does not come back to work.
        return reported.is_terminal or not current.is_terminal

    def _note_protection(self, session: Session, row: OrderRow) -> None:
        """Stop the clock of the unprotected time once live exits cover the whole position (I5)."""
        if row.status not in (_S.ACCEPTED, _S.TRIGGERED, _S.PARTIALLY_FILLED):
            return
        leg = session.get(LegRow, (row.deployment_id, row.day, row.instrument_id), with_for_update=True)
        if leg is None:
            return
        if resting_exit_qty(session, leg) >= abs(held_at_broker(leg.net_qty, missing_qty=leg.missing_qty)):
            note_protected(leg, self._clock.wall())

    def _move(
        self, session: Session, row: OrderRow, kind: OrderEventKind, *, source: str, details: dict[str, Any]
    ) -> None:
        now, wall = self._clock.now(), self._clock.wall()
        move_order(session, row, kind, source=source, now=now, wall=wall, details=details)
        if kind is _K.ACCEPTED and row.role != OrderRole.ENTRY:
            self._note_protection(session, row)

    def _publish(self, rows: Iterable[OrderRow]) -> None:
        for row in rows:
            self._news.tell_user(row.user_id, "order", order_news(row))


def _are_plain(ours: Matches, account_id: AccountId, reports: Sequence[OrderReport]) -> bool:
    """Whether an account's reports are all about orders that we sent."""
    orders = [ours.get((account_id, report.broker_order_id)) for report in reports]
    return all(order is not None and order.submitted_wall is not None for order in orders)


def _facts(result: WriteResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "fault": result.fault,
        "code": result.code,
        "message": result.message,
        "broker_order_id": result.broker_order_id,
    }
