"""Take back exits that a restored ledger has lost, before their legs look bare.

An exit's client order id follows from its leg and its attempt, so a lost one is told by trying. Without it
the lane would send the very same exit again (I2, I6).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.alarms import raise_alarm
from app.db.books import reduce_account
from app.db.controls import owner_of_account
from app.db.exits import exit_id, exit_order_row
from app.db.instruments import load_instruments
from app.db.legs import lock_legs
from app.db.lost_orders import note_lost
from app.db.models import LegRow, OrderRow
from app.db.orders import OPEN_STATUSES
from app.db.scope import DataScope
from app.domain.ids import AccountId, ClientOrderId, InstrumentId
from app.domain.instruments import venue_of
from app.domain.orders import OrderRole, OrderType
from app.domain.reports import OrderReport
from app.domain.risk.exits import PlaceExit
from app.domain.sizing import resting_time_in_force

LEDGER_BEHIND = "ledger_behind"
"""Code of the alarm for an account whose ledger lacks orders that it has sent."""
_ATTEMPTS_TRIED = 64
_EARLIER_DAYS = timedelta(days=1)
Lost = Mapping[ClientOrderId, OrderReport]


def lock_legs_of_lost(session: Session, account_id: AccountId, *, now: datetime) -> Sequence[LegRow]:
    """Lock the legs that an account's lost exits may belong to; `now` is the platform's time."""
    return lock_legs(session, LegRow.account_id == account_id, LegRow.day >= (now - _EARLIER_DAYS).date())


def take_back_exits(
    session: Session, legs: Sequence[LegRow], lost: Lost, *, now: datetime
) -> Iterator[tuple[OrderRow, OrderReport]]:
    """Yield each lost exit of these locked legs as a new order that was not reported yet, oldest first.

    The caller applies the report before it asks for the next one: a part of a leg has one live exit (I6).
    What is live beside exits that close the whole leg stays lost.
    """
    known = set(session.scalars(select(OrderRow.client_order_id).where(OrderRow.client_order_id.in_(lost))))
    for leg in legs:
        for attempt in range(leg.exit_attempts + _ATTEMPTS_TRIED):
            report = lost.get(exit_id(leg, attempt))
            if report is None or exit_id(leg, attempt) in known:
                continue
            part = _free_part(session, leg, report)
            if part is not None:
                yield _take_back(session, leg, report, part=part, attempt=attempt, now=now), report


def note_ledger_behind(session: Session, account_id: AccountId, lost: Lost, *, now: datetime) -> None:
    """Spend the ids of lost orders; for new ones stop the account's entries and call a person (I4)."""
    new = note_lost(session, account_id, lost) if lost else ()
    if not new:
        return
    reduce_account(session, account_id, reason="the broker holds orders of ours that the ledger lacks")
    raise_alarm(
        session,
        LEDGER_BEHIND,
        subject=f"account:{account_id}",
        message=f"the broker holds {len(new)} orders with our tag that the ledger lacked, like "
        f"{min(lost[tag].broker_order_id for tag in new)}: was a backup restored? compare before you resume",
        user_id=owner_of_account(session, DataScope(user_id=None), account_id),
        now=now,
    )


def _free_part(session: Session, leg: LegRow, report: OrderReport) -> int | None:
    """Return the part of the leg that the report's order closes, None when live exits close it all."""
    live = session.scalars(
        select(OrderRow).where(
            OrderRow.deployment_id == leg.deployment_id,
            OrderRow.day == leg.day,
            OrderRow.instrument_id == leg.instrument_id,
            OrderRow.role != OrderRole.ENTRY,
            OrderRow.status.in_(OPEN_STATUSES),
        )
    ).all()
    closed = sum((row.quantity - row.filled_qty for row in live), report.quantity - report.filled)
    if live and closed > abs(leg.net_qty):
        return None
    taken = {row.part for row in live}
    return min(set(range(len(taken) + 1)) - taken)


def _take_back(
    session: Session, leg: LegRow, report: OrderReport, *, part: int, attempt: int, now: datetime
) -> OrderRow:
    instrument_id = InstrumentId(leg.instrument_id)
    contracts = load_instruments(session, leg.day, [venue_of(instrument_id)])
    order_type = OrderType.LIMIT if report.price is not None else OrderType.MARKET
    if report.trigger_price is not None:
        order_type = OrderType.STOP_LIMIT
    step = PlaceExit(
        order_type=order_type,
        quantity=report.quantity,
        price=report.price,
        trigger_price=report.trigger_price,
    )
    row = exit_order_row(
        leg,
        step,
        side=report.side,
        part=part,
        attempt=attempt,
        time_in_force=resting_time_in_force(contracts[instrument_id]),
        now=now,
    )
    leg.exit_attempts = max(leg.exit_attempts, attempt + 1)
    if row.role == OrderRole.EXIT and leg.exit_reason is None:
        # The wish to be flat was lost with the order that carried it out.
        leg.exit_reason = row.reason = LEDGER_BEHIND
    session.add(row)
    session.flush()
    return row
