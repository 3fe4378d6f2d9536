"""Find the legs that the clock may let leave, and those that should be out. Callers hold the transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.db.legs import lock_legs, same_leg
from app.db.models import AccountRow, LegRow, OrderEventRow, OrderRow
from app.domain.accounts import BrokerCode
from app.domain.ids import AccountId
from app.domain.orders import TERMINAL, OrderEventKind, OrderRole, OrderStatus

LegKey = tuple[int, date, str]
"""Deployment, trading date, instrument."""
_REFUSALS = (OrderEventKind.REJECTED, OrderEventKind.REQUEST_REFUSED, OrderEventKind.NOT_SENT)
_LEG = (LegRow.deployment_id, LegRow.day, LegRow.instrument_id)


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """Show a leg that holds something or may come to, with where its account is."""

    leg: LegRow
    account: str
    broker: BrokerCode

    @property
    def key(self) -> LegKey:
        """Name it."""
        return self.leg.deployment_id, self.leg.day, self.leg.instrument_id


def waited_s(leg: LegRow, wall: datetime) -> float:
    """Return for how many real seconds a leg should have been flat, zero while it may stay."""
    asked = leg.exit_requested_wall
    return 0.0 if asked is None else (wall - asked).total_seconds()


def open_legs(session: Session, *which: ColumnElement[bool], since: date) -> Sequence[OpenLeg]:
    """Return the legs that hold a position, or have had an entry under way since a day.

    Args: which: conditions on legs: a lane's shard, or whose data it is.
    """
    has_entry = exists().where(same_leg(), OrderRow.role == OrderRole.ENTRY, OrderRow.status.not_in(TERMINAL))
    statement = (
        select(LegRow, AccountRow.name, AccountRow.broker)
        .join(AccountRow, AccountRow.id == LegRow.account_id)
        .where(
            *which,
            or_(LegRow.net_qty != 0, and_(LegRow.day >= since, has_entry)),
        )
        .order_by(LegRow.account_id, LegRow.deployment_id, LegRow.instrument_id)
    )
    return [OpenLeg(leg, name, BrokerCode(broker)) for leg, name, broker in session.execute(statement)]


def let_leave(
    session: Session, keys: Collection[LegKey], *, reason: str, now: datetime, wall: datetime
) -> dict[AccountId, int]:
    """Ask for flat legs and cancel their entries that have not left; return how many by account.

    A leg that leaves already keeps its reason.
    """
    _cancel_unsent(session, keys, reason=reason, at=now)
    asked: dict[AccountId, int] = {}
    for leg in lock_legs(session, LegRow.exit_reason.is_(None), tuple_(*_LEG).in_(sorted(keys))):
        leg.exit_reason, leg.exit_requested_wall = reason, wall
        asked[AccountId(leg.account_id)] = asked.get(AccountId(leg.account_id), 0) + 1
    return asked


def _cancel_unsent(session: Session, keys: Collection[LegKey], *, reason: str, at: datetime) -> None:
    # Before the legs are locked: writers that start at the order lock it before its leg.
    of_order = tuple_(OrderRow.deployment_id, OrderRow.day, OrderRow.instrument_id)
    canceled = session.scalars(
        update(OrderRow)
        .where(
            OrderRow.status == OrderStatus.INITIALIZED,
            OrderRow.role == OrderRole.ENTRY,
            of_order.in_(sorted(keys)),
        )
        .values(status=OrderStatus.CANCELED, ended_wall=func.clock_timestamp())
        .returning(OrderRow.id)
    ).all()
    if canceled:
        event = {"kind": OrderEventKind.CANCELED, "source": "square_off", "ts_init": at}
        rows = [event | {"order_id": order_id, "details": {"reason": reason}} for order_id in canceled]
        session.execute(insert(OrderEventRow), rows)


def last_refusals(session: Session, keys: Collection[LegKey]) -> dict[LegKey, str]:
    """Return what the broker said when it last refused an exit of each leg, where it did."""
    of_order = (OrderRow.deployment_id, OrderRow.day, OrderRow.instrument_id)
    statement = (
        select(*of_order, OrderEventRow.details)
        .join(OrderEventRow, OrderEventRow.order_id == OrderRow.id)
        .where(
            tuple_(*of_order).in_(sorted(keys)),
            OrderRow.role != OrderRole.ENTRY,
            OrderEventRow.kind.in_(_REFUSALS),
        )
        .order_by(OrderEventRow.id)
    )
    found: dict[LegKey, str] = {}
    for deployment_id, day, instrument_id, details in session.execute(statement):
        found[deployment_id, day, instrument_id] = str(details.get("message") or details.get("reason") or "")
    return {key: words for key, words in found.items() if words}
