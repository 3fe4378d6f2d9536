"""Read and settle the entries of signals together. Callers hold the transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    DateTime,
    Float,
    Select,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from app.db.legs import lock_legs, same_leg
from app.db.models import OPEN_BASKET, LegRow, OrderRow, SignalRow
from app.db.orders import move_order
from app.db.shards import Shard, is_in, shard_of
from app.db.views import AnyRow
from app.domain.baskets import Basket, BasketLeg, BasketResult, Part, Settlement, settle
from app.domain.numbers import ZERO
from app.domain.orders import TERMINAL, OrderEventKind, OrderRole, OrderStatus
from app.domain.reconciliation import held_at_broker
from app.domain.risk.rules import DenialCode
from app.domain.signals import LEG_TIMEOUT_S

_MOST_AT_ONCE = 200
_WHY_WITHHELD: Mapping[DenialCode | None, str] = {
    DenialCode.HEDGE_NOT_FILLED: "a hedge leg of its signal was not filled",
    DenialCode.LEG_NOT_FILLED: "another leg of its signal was not filled",
    None: "its position was asked to be flat before it was sent",
}
INCOMPLETE_BASKET = "incomplete_basket"
"""The reason of exits that undo a signal of which not every leg filled."""

LegKey = tuple[int, date, str]
_COLUMNS = (
    OrderRow.id,
    OrderRow.signal_id,
    OrderRow.leg,
    OrderRow.is_hedge,
    OrderRow.status,
    OrderRow.quantity,
    OrderRow.filled_qty,
    OrderRow.submitted_wall,
    OrderRow.deployment_id,
    OrderRow.day,
    OrderRow.instrument_id,
    LegRow.net_qty,
    LegRow.missing_qty,
    LegRow.exit_reason,
    SignalRow.leg_timeout_s,
    SignalRow.result,
)


@dataclass(frozen=True, slots=True)
class Settled:
    """Tell what settling did: orders withheld, legs newly asked to close."""

    withheld: Sequence[OrderRow]
    legs: int


def leg_time_is_over(wall: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Return the condition that an order was sent longer ago than its signal, if any, lets a leg take."""
    timeout_s = func.coalesce(SignalRow.leg_timeout_s, LEG_TIMEOUT_S)
    timeout = func.make_interval(0, 0, 0, 0, 0, 0, cast(timeout_s, Float))
    return OrderRow.submitted_wall < wall - timeout


def load_baskets(session: Session, signal_ids: Collection[int], *, wall: datetime) -> dict[int, Basket]:
    """Return the baskets of these signals, each as one snapshot of its orders and positions."""
    return {signal_id: basket for signal_id, basket, _ in _load(session, signal_ids, wall)}


def settle_baskets(session: Session, spec: Mapping[str, Any], *, now: datetime, wall: datetime) -> Settled:
    """Undo what a shard's failed signals have opened, and record how the others ended.

    An unsent order that a lane claims at this moment is left to the next look: its row lock decides.
    """
    results: dict[BasketResult, list[int]] = {}
    settlements: list[Settlement] = []
    flatten: set[LegKey] = set()
    for signal_id, basket, keys in _load(session, _open_signals(session, spec, wall), wall):
        settlement = settle(basket)
        settlements.append(settlement)
        flatten |= {keys[index] for index in settlement.flatten}
        is_news = settlement.result is not BasketResult.UNWINDING or not basket.is_unwinding
        if settlement.result is not None and is_news:
            results.setdefault(settlement.result, []).append(signal_id)
    withheld = _withhold(session, settlements, now=now, wall=wall)
    asked = _ask_for_flat(session, flatten, wall)
    for result, signal_ids in results.items():
        session.execute(update(SignalRow).where(SignalRow.id.in_(signal_ids)).values(result=result))
    return Settled(withheld, asked)


def _open_signals(session: Session, spec: Mapping[str, Any], wall: datetime) -> Sequence[int]:
    """Return the open signals about which there may be something to decide, latest first."""
    found = session.scalars(_to_decide(shard_of(spec)), {"wall": wall})
    return [signal_id for signal_id in found if signal_id is not None]


@cache
def _to_decide(shard: Shard) -> Select[int | None]:
    return (
        select(OrderRow.signal_id)
        .join(SignalRow, SignalRow.id == OrderRow.signal_id)
        .outerjoin(LegRow, same_leg())
        .where(
            text(f"({OPEN_BASKET})"),
            is_in(shard, OrderRow.account_id),
            or_(
                OrderRow.status.in_([s.value for s in TERMINAL]),
                leg_time_is_over(bindparam("wall", type_=DateTime(timezone=True))),
                LegRow.exit_reason.is_not(None),
            ),
        )
        .group_by(OrderRow.signal_id)
        .order_by(OrderRow.signal_id.desc())
        .limit(_MOST_AT_ONCE)
    )


def _load(
    session: Session, signal_ids: Collection[int], wall: datetime
) -> Iterable[tuple[int, Basket, dict[int, LegKey]]]:
    """Return each basket with the keys of its legs by index. One statement, so one snapshot."""
    if not signal_ids:
        return
    statement = (
        select(*_COLUMNS)
        .join(SignalRow, SignalRow.id == OrderRow.signal_id)
        .outerjoin(LegRow, same_leg())
        .where(OrderRow.signal_id.in_(signal_ids), OrderRow.role == OrderRole.ENTRY)
        .order_by(OrderRow.signal_id, OrderRow.leg, OrderRow.part)
    )
    rows = session.execute(statement).all()
    for signal_id, of_signal in groupby(rows, key=lambda row: row.signal_id):
        together = list(of_signal)
        by_leg = {leg: list(parts) for leg, parts in groupby(together, key=lambda row: row.leg)}
        first = together[0]
        basket = Basket(
            legs=tuple(_leg(parts, wall) for parts in by_leg.values()),
            timeout_s=float(first.leg_timeout_s),
            is_unwinding=first.result == BasketResult.UNWINDING,
        )
        yield signal_id, basket, {leg: _key(parts[0]) for leg, parts in by_leg.items()}


def _leg(rows: Sequence[AnyRow], wall: datetime) -> BasketLeg:
    first = rows[0]
    return BasketLeg(
        index=first.leg,
        is_hedge=first.is_hedge,
        parts=tuple(_part(row, wall) for row in rows),
        is_asked_flat=first.exit_reason is not None,
        holds=held_at_broker(first.net_qty or ZERO, missing_qty=first.missing_qty or ZERO) != 0,
    )


def _part(row: AnyRow, wall: datetime) -> Part:
    return Part(
        order_id=row.id,
        status=OrderStatus(row.status),
        quantity=row.quantity,
        filled=row.filled_qty,
        sent_ago_s=None if row.submitted_wall is None else (wall - row.submitted_wall) / timedelta(seconds=1),
    )


def _key(row: AnyRow) -> LegKey:
    return row.deployment_id, row.day, row.instrument_id


def _withhold(
    session: Session, settlements: Iterable[Settlement], *, now: datetime, wall: datetime
) -> Sequence[OrderRow]:
    denials = {order_id: each.denial for each in settlements for order_id in each.withheld}
    statement = (
        select(OrderRow)
        .where(OrderRow.id.in_(denials), OrderRow.status == OrderStatus.INITIALIZED)
        .order_by(OrderRow.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = session.scalars(statement).all() if denials else []
    for row in rows:
        denial = denials[row.id]
        row.denial_code, row.reject_reason = denial, _WHY_WITHHELD[denial]
        kind = OrderEventKind.CANCELED if denial is None else OrderEventKind.DENIED
        details = {"code": denial, "message": row.reject_reason}
        move_order(session, row, kind, source="exit_lane", now=now, wall=wall, details=details)
    return rows


def _ask_for_flat(session: Session, keys: set[LegKey], wall: datetime) -> int:
    if not keys:
        return 0
    columns = tuple_(LegRow.deployment_id, LegRow.day, LegRow.instrument_id)
    legs = lock_legs(session, LegRow.exit_reason.is_(None), columns.in_(sorted(keys)))
    for leg in legs:
        leg.exit_reason, leg.exit_requested_wall = INCOMPLETE_BASKET, wall
    return len(legs)
