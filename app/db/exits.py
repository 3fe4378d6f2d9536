"""Find the legs that need an exit step, with each part's live exit order. Callers hold the transaction."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import groupby, takewhile
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from app.db.baskets import leg_time_is_over
from app.db.books import NOT_PLACED
from app.db.exit_rules import STOPPED
from app.db.legs import same_leg
from app.db.models import AccountRow, BrokerSessionRow, LegRow, OrderEventRow, OrderRow, SignalRow
from app.db.orders import OPEN_STATUSES, leg_of
from app.db.shards import Shard, is_in, shard_of
from app.domain.ids import AccountId, ClientOrderId, DeploymentId, InstrumentId, SignalKey, client_order_id
from app.domain.numbers import ZERO
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from app.domain.positions import Leg
from app.domain.reconciliation import held_at_broker
from app.domain.reports import FaultClass
from app.domain.risk.exits import LiveExit, PlaceExit, exit_shares

MostOf = Callable[[LegRow], Decimal | None]

_BOOKS_PATIENCE = timedelta(seconds=3)
"""How long a leg without an exit waits for the book that may show one; as long as it may be bare (I5)."""
_BACK_OFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)
_UNREACHED_S = 2.0
"""Most time until a broker that takes no connection is tried again: what it missed must soon be there."""
_NEWS_LASTS = timedelta(seconds=3)
"""How long a connection that was not taken says that none is; longer than until the next try."""
# A change or a cancel without an answer is no reason to let an entry stand.
_CANCELABLE = (
    OrderStatus.ACCEPTED,
    OrderStatus.TRIGGERED,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.PENDING_UPDATE,
    OrderStatus.PENDING_CANCEL,
)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Say how many exits of a leg were refused since one was filled, and when the last of them ended.

    `is_unreached`: that one was refused by nobody, the broker could not be reached.
    """

    count: int = 0
    last: datetime | None = None
    is_unreached: bool = False


NO_REFUSALS = Refusals()


@dataclass(frozen=True, slots=True)
class LegWork:
    """Pair a part of a locked leg with its live exit order, if any.

    `held` is what the part shall close, as far as the broker's book holds it.
    """

    leg: LegRow
    part: int
    held: Leg
    live: OrderRow | None
    refusals: Refusals
    unproven_since: datetime | None = None

    @property
    def instrument_id(self) -> InstrumentId:
        """The leg's instrument."""
        return InstrumentId(self.leg.instrument_id)

    def is_backing_off(self, wall: datetime) -> bool:
        """Whether a new exit should wait: the last one was just refused, or the books may show one."""
        if self.unproven_since is not None and wall - self.unproven_since < _BOOKS_PATIENCE:
            return True
        if self.refusals.last is None:
            return False
        wait_s = _BACK_OFF_S[self.refusals.count - 1]
        if self.refusals.is_unreached:
            wait_s = min(wait_s, _UNREACHED_S)
        return (wall - self.refusals.last).total_seconds() < wait_s

    def is_out_of_reach(self, wall: datetime) -> bool:
        """Whether the broker, as far as the last try knows, takes no connection for an exit.

        After some tries in vain the leg counts as bare all the same: a person must hear of an outage that
        lasts, be it of one account's terminal only.
        """
        if self.live is not None or self.refusals.last is None or self.refusals.count == len(_BACK_OFF_S):
            return False
        return self.refusals.is_unreached and wall - self.refusals.last < _NEWS_LASTS


def accounts_with_session(session: Session, spec: dict[str, Any]) -> list[AccountId]:
    """Return the shard's accounts that somebody logged in."""
    return [AccountId(i) for i in session.scalars(_with_session(shard_of(spec)))]


@cache
def _with_session(shard: Shard) -> Select[int]:
    return (
        select(AccountRow.id)
        .join(BrokerSessionRow, BrokerSessionRow.account_id == AccountRow.id)
        .where(AccountRow.is_enabled, is_in(shard, AccountRow.id))
        .order_by(AccountRow.id)
    )


def legs_to_mind(
    session: Session, spec: dict[str, Any], *, most_of: MostOf, wall: datetime
) -> Sequence[LegWork]:
    """Lock the shard's legs that hold a position or still have a live exit order; return their parts.

    A leg that somebody writes is left to the next look: the others' exits do not wait for it (I8).
    `most_of` gives the largest order that the venue takes, None without a limit.
    """
    rows = session.execute(_to_mind(shard_of(spec))).all()
    # Lock the orders too. Account, order, position is the lock order of writers that start at the order, so
    # this one never waits for them.
    locked = _lock_free_orders(session, [order.id for _, order, _ in rows if order is not None])
    work: list[LegWork] = []
    for _, of_leg in groupby(rows, key=lambda row: (row[0].deployment_id, row[0].day, row[0].instrument_id)):
        together = list(of_leg)
        leg, _, unproven_since = together[0]
        orders = [order for _, order, _ in together if order is not None]
        if locked.issuperset(order.id for order in orders):
            parts = _parts(session, leg, orders, most=most_of(leg), wall=wall)
            work += (replace(part, unproven_since=unproven_since) for part in parts)
    return work


@cache
def _to_mind(shard: Shard) -> Select[LegRow, OrderRow, datetime | None]:
    live_exit = and_(
        OrderRow.deployment_id == LegRow.deployment_id,
        OrderRow.day == LegRow.day,
        OrderRow.instrument_id == LegRow.instrument_id,
        OrderRow.role != OrderRole.ENTRY,
        OrderRow.status.in_(OPEN_STATUSES),
    )
    return (
        select(LegRow, OrderRow, AccountRow.unproven_since)
        .join(AccountRow, AccountRow.id == LegRow.account_id)
        .outerjoin(OrderRow, live_exit)
        .where(
            is_in(shard, LegRow.account_id),
            or_(LegRow.net_qty != 0, OrderRow.id.is_not(None)),
        )
        .order_by(LegRow.account_id, LegRow.deployment_id, LegRow.instrument_id, LegRow.day)
        .with_for_update(of=LegRow, skip_locked=True)
    )


def _parts(
    session: Session, leg: LegRow, orders: Sequence[OrderRow], *, most: Decimal | None, wall: datetime
) -> Iterator[LegWork]:
    whole, live = leg_of(leg), {order.part: order for order in orders}
    held = held_at_broker(leg.net_qty, missing_qty=leg.missing_qty)
    exits = {part: live_exit_of(order, wall) for part, order in live.items()}
    shares = exit_shares(held, exits, most=most)
    refusals = _refusals(session, leg) if shares.keys() - live.keys() else NO_REFUSALS
    for part, share in shares.items():
        yield LegWork(leg, part, replace(whole, net_qty=share), live.get(part), refusals)


def _lock_free_orders(session: Session, order_ids: list[int]) -> set[int]:
    if not order_ids:
        return set()
    statement = (
        select(OrderRow)
        .where(OrderRow.id.in_(order_ids))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return {row.id for row in session.scalars(statement)}


def _refusals(session: Session, leg: LegRow) -> Refusals:
    """Look at a leg's last exits. One that never arrived was refused by nobody: the next need not wait."""
    if leg.exit_attempts == 0:
        return NO_REFUSALS
    statement = (
        select(OrderRow.status, OrderRow.ended_wall, _was_unreached().label("is_unreached"))
        .where(
            OrderRow.deployment_id == leg.deployment_id,
            OrderRow.day == leg.day,
            OrderRow.instrument_id == leg.instrument_id,
            OrderRow.role != OrderRole.ENTRY,
            OrderRow.status.in_((OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.FILLED)),
            ~OrderRow.reject_reason.startswith(NOT_PLACED),
            ~_was_withdrawn(),
        )
        .order_by(OrderRow.id.desc())
        .limit(len(_BACK_OFF_S))
    )
    ended = list(takewhile(lambda row: row.status != OrderStatus.FILLED, session.execute(statement)))
    return Refusals(len(ended), ended[0].ended_wall, ended[0].is_unreached) if ended else NO_REFUSALS


def _was_unreached() -> ColumnElement[bool]:
    return exists().where(
        OrderEventRow.order_id == OrderRow.id,
        OrderEventRow.kind == OrderEventKind.NOT_SENT,
        OrderEventRow.details["fault"].astext == FaultClass.BROKER_DOWN,
    )


def _was_withdrawn() -> ColumnElement[bool]:
    """Whether we canceled the order ourselves, to send another in its place: that is no refusal."""
    return exists().where(
        OrderEventRow.order_id == OrderRow.id, OrderEventRow.kind == OrderEventKind.CANCEL_REQUESTED
    )


def resting_exit_qty(session: Session, leg: LegRow) -> Decimal:
    """Return how much the leg's exits that work at the venue can still close together."""
    statement = select(func.sum(OrderRow.quantity - OrderRow.filled_qty)).where(
        OrderRow.deployment_id == leg.deployment_id,
        OrderRow.day == leg.day,
        OrderRow.instrument_id == leg.instrument_id,
        OrderRow.role != OrderRole.ENTRY,
        OrderRow.status.in_((OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED)),
    )
    return session.scalar(statement) or ZERO


def exposed_legs(session: Session, spec: Mapping[str, Any], *, since_before: datetime) -> Sequence[LegRow]:
    """Return the shard's open legs that have been without protection since before a moment."""
    return session.scalars(_exposed(shard_of(spec)), {"since_before": since_before}).all()


@cache
def _exposed(shard: Shard) -> Select[LegRow]:
    is_long = LegRow.exposed_since < bindparam("since_before", type_=DateTime(timezone=True))
    return select(LegRow).where(is_in(shard, LegRow.account_id), LegRow.net_qty != 0, is_long)


def open_entries(
    session: Session, spec: Mapping[str, Any], *, answered_before: datetime
) -> Sequence[OrderRow]:
    """Return the shard's entries that the broker took before a moment and has not called filled or ended."""
    return session.scalars(_silent_entries(shard_of(spec)), {"answered_before": answered_before}).all()


@cache
def _silent_entries(shard: Shard) -> Select[OrderRow]:
    return select(OrderRow).where(
        is_in(shard, OrderRow.account_id),
        OrderRow.role == OrderRole.ENTRY,
        OrderRow.status.in_((OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PENDING_CANCEL)),
        OrderRow.filled_qty == 0,
        OrderRow.answered_wall < bindparam("answered_before", type_=DateTime(timezone=True)),
    )


def entries_to_cancel(
    session: Session, spec: dict[str, Any], *, wall: datetime, asked_before: datetime
) -> Sequence[OrderRow]:
    """Lock and return working entries that must not fill any more.

    Their leg shall be flat, or they did not fill in time: an entry is marketable when it is sent. A cancel
    that brought no end, because it was lost or because the order has ended and its books do not tell yet,
    is not asked for again if it was asked for after `asked_before`.
    """
    asked = {"wall": wall, "asked_before": asked_before}
    return session.scalars(_to_cancel(shard_of(spec)), asked).all()


@cache
def _to_cancel(shard: Shard) -> Select[OrderRow]:
    is_late = leg_time_is_over(bindparam("wall", type_=DateTime(timezone=True)))
    return (
        select(OrderRow)
        .join(LegRow, same_leg())
        .outerjoin(SignalRow, SignalRow.id == OrderRow.signal_id)
        .where(
            is_in(shard, OrderRow.account_id),
            or_(LegRow.exit_reason.is_not(None), is_late),
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.status.in_(_CANCELABLE),
            OrderRow.broker_order_id.is_not(None),
            or_(OrderRow.changed_wall.is_(None), OrderRow.changed_wall < bindparam("asked_before")),
        )
        .order_by(OrderRow.id)
        .with_for_update(of=OrderRow, skip_locked=True)
    )


def live_exit_of(row: OrderRow, wall: datetime) -> LiveExit:
    """Return the rules' view of a live exit order."""
    changed = row.changed_wall or row.submitted_wall or wall
    return LiveExit(
        status=OrderStatus(row.status),
        side=Side(row.side),
        order_type=OrderType(row.order_type),
        quantity=row.quantity,
        filled=row.filled_qty,
        price=row.price if row.price is not None else row.quantity * 0,
        trigger_price=row.trigger_price,
        chase_step=row.chase_step,
        age_s=(wall - changed).total_seconds(),
    )


def exit_order_row(
    leg: LegRow,
    step: PlaceExit,
    *,
    side: Side,
    part: int,
    attempt: int,
    time_in_force: TimeInForce,
    now: datetime,
) -> OrderRow:
    """Return the durable intent of an exit order of a part of a leg, not yet added to the session."""
    return OrderRow(
        client_order_id=exit_id(leg, attempt),
        user_id=leg.user_id,
        account_id=leg.account_id,
        deployment_id=leg.deployment_id,
        signal_id=None,
        day=leg.day,
        leg=0,
        attempt=attempt,
        part=part,
        instrument_id=leg.instrument_id,
        side=side,
        role=OrderRole.STOP if step.order_type is OrderType.STOP_LIMIT else OrderRole.EXIT,
        order_type=step.order_type,
        time_in_force=time_in_force,
        quantity=step.quantity,
        price=step.price,
        trigger_price=step.trigger_price,
        stop_fraction=None,
        is_hedge=False,
        valid_until=None,
        reason=leg.exit_reason or STOPPED,
        status=OrderStatus.INITIALIZED,
        filled_qty=step.quantity * 0,
        venue_version=0,
        chase_step=0,
        is_unknown=False,
        was_unknown=False,
        ts_init=now,
    )


def exit_id(leg: LegRow, attempt: int) -> ClientOrderId:
    """Return the client order id of a leg's exit order, which follows from the leg and the attempt."""
    key = SignalKey(f"{leg.day}:exit:{leg.instrument_id}")
    return client_order_id(DeploymentId(leg.deployment_id), key, leg=0, attempt=attempt)
