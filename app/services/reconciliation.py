"""Bring an account's ledger and the broker's books together; a difference stops its entries (I4).

An order that is not ours is a fact like any other: what it filled is claimed by the leg that it closed,
or quarantined. A position that no order explains is no fact: it limits exits as long as it is read.
"""

import threading
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import structlog
from sqlalchemy.orm import Session

from app.db.alarms import clear_alarm, raise_alarm
from app.db.audit import record_act
from app.db.books import last_fills, net_positions, note_missing, reduce_account
from app.db.external_fills import (
    ExternalStep,
    book_shares,
    closed_since,
    fills_of,
    holdings_of,
    instrument_of,
    lock_account,
    lock_holders,
    may_be_ours,
    quarantined_positions,
)
from app.db.models import AccountRow, ExternalFillRow
from app.db.order_evidence import known_numbers
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.ids import AccountId, UserId, is_client_order_id
from app.domain.markets import market_of
from app.domain.numbers import ZERO
from app.domain.ports import Clock
from app.domain.positions import amount
from app.domain.reconciliation import (
    Comparison,
    Patience,
    attribute,
    compare_positions,
    weigh_differences,
)
from app.domain.reports import OrderReport, PositionReport, Read
from app.services.book_memory import BookMemory
from app.services.execution import Execution

log = structlog.get_logger()

EXTERNAL_ORDER = "external_order"
"""Code of the alarm for an order that Openbell did not send."""
EXTERNAL_POSITION = "external_position"
"""Code of the alarm for a position that nobody of ours holds; it lasts as long as the position."""
POSITIONS_DIFFER = "positions_differ"
_Reads = Read[Sequence[OrderReport]]
_APPLIED_AT_ONCE = 2
"""Books that are brought into the ledger side by side. All that are read wait for one interpreter, and while
one of them does it keeps rows that an exits lane wants."""


class Reconciliation:
    """Apply what the books say. Thread-safe as long as one thread at a time reads an account."""

    def __init__(self, database: Database, clock: Clock, execution: Execution) -> None:
        self._database = database
        self._clock = clock
        self._execution = execution
        self._compared: dict[AccountId, Comparison] = {}
        self._settled = BookMemory[OrderReport](clock)
        self._applying = threading.BoundedSemaphore(_APPLIED_AT_ONCE)

    def doubt(self, account_id: AccountId) -> None:
        """Apply the account's next book as a whole: its ledger may lack what it once had."""
        self._settled.forget(account_id)

    def apply_book(self, account_id: AccountId, read: _Reads, *, source: str) -> Sequence[OrderReport]:
        """Apply a read of the orders, ours and others'; return the reports that are not ours."""
        news = self._settled.news(account_id, read.data)
        with self._applying:
            foreign = self._execution.apply_reports(account_id, news, source=source)
        strange = {report.broker_order_id for report in foreign}
        self._settled.note(
            account_id, (r for r in news if r.status.is_terminal and r.broker_order_id not in strange)
        )
        if foreign:
            with self._database.begin() as session:
                self._note_foreign(session, account_id, foreign, read)
        return foreign

    def is_unsure(self, account_id: AccountId) -> bool:
        """Whether one more read decides about what the last one showed."""
        last = self._compared.get(account_id)
        return last is not None and last.is_unsure

    def compare_positions(
        self,
        account_id: AccountId,
        day: date,
        read: Read[Sequence[PositionReport]],
        *,
        asked: datetime,
        patience: Patience,
    ) -> None:
        """Compare a read that was begun at `asked` (machine time), stop entries and limit exits (I4)."""
        if not read.clean:
            return
        with self._database.begin() as session:
            found = compare_positions(net_positions(session, account_id, day), read.data)
            compared = weigh_differences(
                found,
                before=self._compared.get(account_id),
                asked=asked,
                last_fills=last_fills(session, account_id, day) if found else {},
                patience=patience,
            )
            self._note_differences(session, account_id, compared)
            self._limit_exits(session, account_id, day, compared)
        self._compared[account_id] = compared

    def _note_differences(self, session: Session, account_id: AccountId, compared: Comparison) -> None:
        subject, now = f"account:{account_id}", self._clock.now()
        if not compared.differences:
            clear_alarm(session, POSITIONS_DIFFER, subject=subject, now=now)
        elif compared.is_real:
            text = ", ".join(
                f"{d.broker_symbol}: ours {d.ours}, broker's {d.theirs}" for d in compared.differences
            )
            if reduce_account(session, account_id, reason="positions differ from the broker's"):
                log.error("positions_differ", account_id=account_id, differences=text)
            raise_alarm(session, POSITIONS_DIFFER, subject=subject, message=text, user_id=None, now=now)

    def _limit_exits(self, session: Session, account_id: AccountId, day: date, compared: Comparison) -> None:
        proven = {d.broker_symbol: d.theirs - d.ours for d in compared.proven}
        doubtful = {d.broker_symbol for d in compared.differences} - proven.keys()
        for leg in note_missing(session, account_id, day, proven=proven, doubtful=doubtful):
            log.error("exits_limited", account_id=account_id, missing=leg.missing_qty)
            record_act(
                session,
                actor="reconciliation",
                origin="books",
                action="limit_exits",
                subject=f"account:{account_id}",
                reason="what of the leg the broker's positions do not show must not be closed",
                details={
                    "deployment_id": leg.deployment_id,
                    "instrument_id": leg.instrument_id,
                    "net_qty": str(leg.net_qty),
                    "missing_qty": str(leg.missing_qty),
                },
            )

    def _note_foreign(
        self, session: Session, account_id: AccountId, reports: Sequence[OrderReport], read: _Reads
    ) -> None:
        numbers = {report.broker_order_id for report in reports}
        booked = fills_of(session, account_id, numbers)
        news = [r for r in reports if read.clean and r.filled > _sum(booked.get(r.broker_order_id, ()))]
        account = lock_account(session, account_id) if news else session.get_one(AccountRow, account_id)
        for report in sorted(news, key=lambda r: (r.updated_at, r.broker_order_id, r.version)):
            self._book(session, account, report, read)
        booked = fills_of(session, account_id, numbers) if news else booked
        # An answer may have said since the match whose order it is.
        ours = known_numbers(session, account_id, numbers)
        for report in reports:
            if report.broker_order_id not in ours:
                self._alarm(session, account, report, booked.get(report.broker_order_id, ()))

    def _book(self, session: Session, account: AccountRow, report: OrderReport, read: _Reads) -> None:
        """Claim or quarantine what a report adds to an external order's fill. Idempotent.

        Legs are looked at as they stood when the stranger traded: who closed one first has closed it,
        whoever's news came first.
        """
        market, account_id = market_of(BrokerCode(account.broker)), AccountId(account.id)
        day = market.day_of(self._clock.now())
        fills = fills_of(session, account_id, [report.broker_order_id]).get(report.broker_order_id, ())
        booked = _sum(fills)
        if report.avg_px is None or report.filled <= booked or market.day_of(report.updated_at) != day:
            return
        instrument_id = instrument_of(session, day, report.broker_symbol)
        if may_be_ours(session, account_id, report, instrument_id):
            return
        legs = lock_holders(session, account_id, day, instrument_id)
        held = quarantined_positions(session, account_id, day).get(report.broker_symbol, ZERO)
        quantity = report.filled - booked
        updated_at = {r.broker_order_id: r.updated_at for r in read.data}
        closed = closed_since(session, legs, since=report.updated_at, updated_at=updated_at)
        holdings = holdings_of(legs, closed=closed)
        shares = attribute(report.side.sign * quantity, holdings, quarantined=held)
        step = ExternalStep(
            report=report,
            day=day,
            instrument_id=instrument_id,
            booked=booked,
            price=_price_of(report, fills, quantity),
            now=self._clock.now(),
            wall=self._clock.wall(),
        )
        book_shares(session, account, step, shares, legs=legs)
        self._stop_entries(session, account, step, quantity=quantity)

    def _stop_entries(
        self, session: Session, account: AccountRow, step: ExternalStep, *, quantity: Decimal
    ) -> None:
        account_id, report = AccountId(account.id), step.report
        reduce_account(session, account_id, reason="somebody trades this account outside Openbell")
        log.error("external_fill_booked", account_id=account_id, broker_order_id=report.broker_order_id)
        booked = fills_of(session, account_id, [report.broker_order_id])[report.broker_order_id]
        record_act(
            session,
            actor="reconciliation",
            origin="books",
            action="book_external_fill",
            subject=f"account:{account_id}",
            reason="the broker's book shows a trade that Openbell did not send",
            details={
                "broker_order_id": report.broker_order_id,
                "trade": f"{report.side} {quantity} {report.broker_symbol}",
                "became": _fate(booked),
            },
        )
        self._alarm_quarantine(session, account, step)

    def _alarm_quarantine(self, session: Session, account: AccountRow, step: ExternalStep) -> None:
        symbol, now = step.report.broker_symbol, self._clock.now()
        subject = f"account:{account.id}:{symbol}"
        held = quarantined_positions(session, AccountId(account.id), step.day).get(symbol, ZERO)
        if held == 0:
            clear_alarm(session, EXTERNAL_POSITION, subject=subject, now=now)
            return
        message = f"{held:f} {symbol} is held outside Openbell, which never trades it: close it at the broker"
        raise_alarm(
            session,
            EXTERNAL_POSITION,
            subject=subject,
            message=message,
            user_id=UserId(account.user_id),
            now=now,
        )

    def _alarm(
        self,
        session: Session,
        account: AccountRow,
        report: OrderReport,
        booked: Sequence[ExternalFillRow],
    ) -> None:
        message = f"{report.side} {report.quantity} {report.broker_symbol} was not sent by Openbell"
        if is_client_order_id(report.tag):
            # Its account was put in REDUCING when its tag was first seen, see services/lost_orders.py.
            message = f"{report.side} {report.quantity} {report.broker_symbol} bears our tag {report.tag}"
            message += " and is not in the ledger, or is there under another number"
        raise_alarm(
            session,
            EXTERNAL_ORDER,
            subject=f"account:{account.id}:{report.broker_order_id}",
            message=f"{message}: {_fate(booked)}" if booked else message,
            user_id=UserId(account.user_id),
            now=self._clock.now(),
        )


def _sum(fills: Sequence[ExternalFillRow]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)


def _price_of(report: OrderReport, fills: Sequence[ExternalFillRow], quantity: Decimal) -> Decimal:
    """Return the price of the newest step, so that all steps add up to the broker's average."""
    average = report.avg_px or ZERO
    value = amount(report.filled, average) - sum((amount(f.quantity, f.price) for f in fills), ZERO)
    return value / quantity if value > 0 else average


def _fate(fills: Sequence[ExternalFillRow]) -> str:
    sums: dict[int | None, Decimal] = {}
    for fill in fills:
        sums[fill.deployment_id] = sums.get(fill.deployment_id, ZERO) + fill.quantity
    return ", ".join(
        f"{quantity:f} quarantined"
        if deployment_id is None
        else f"{quantity:f} closed a leg of deployment {deployment_id}"
        for deployment_id, quantity in sums.items()
    )
