"""Find the entries that may go on, with what decides whether they do. Callers hold the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    Subquery,
    and_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from app.db.baskets import leg_time_is_over, load_baskets
from app.db.loss_locks import orders_of_locked
from app.db.models import AccountRow, OrderRow, SignalRow, UserRow
from app.db.orders import OPEN_STATUSES
from app.db.shards import Shard, is_in, shard_of
from app.db.views import AnyRow
from app.domain.accounts import TradingState, strictest
from app.domain.baskets import Basket
from app.domain.ids import AccountId
from app.domain.orders import OrderRole, OrderStatus, OrderType
from app.domain.signals import CHASE_AFTER_S, CHASE_STEPS, WhenUnfilled

_CLAIM_LIMIT = 500
# How many waiting orders of one account are looked at: about what it may send in a second.
_LOOK_PER_ACCOUNT = 8


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """Pair a locked entry, unsent or resting, with its account, strictest state, basket and policy."""

    order: OrderRow
    account: AccountRow
    state: TradingState
    basket: Basket | None
    when_unfilled: WhenUnfilled

    @property
    def why_held(self) -> str | None:
        """Return why the other legs of its signal do not let it go on now, or None."""
        return None if self.basket is None else self.basket.why_held(self.order.leg)


def waiting_entries(
    session: Session,
    spec: Mapping[str, Any],
    *,
    now: datetime,
    wall: datetime,
    passing_over: Sequence[AccountId],
) -> list[WaitingEntry]:
    """Lock and return waiting entries, the first few of each account, so that a flood hides nobody.

    Accounts passed over cannot send now; only what is over is returned of theirs. The same goes for legs
    whose hedges still work: they would take the look of others.
    """
    asked = {"now": now, "passing_over": passing_over}
    return _with_baskets(session, session.execute(_waiting(shard_of(spec)), asked).all(), wall)


@cache
def _waiting(shard: Shard) -> Select[OrderRow, AccountRow, str, str]:
    waiting = _first_of_each_account(shard)
    return (
        select(OrderRow, AccountRow, UserRow.trading_state, SignalRow.when_unfilled)
        .join(AccountRow, AccountRow.id == OrderRow.account_id)
        .join(UserRow, UserRow.id == OrderRow.user_id)
        .outerjoin(SignalRow, SignalRow.id == OrderRow.signal_id)
        .join(waiting, waiting.c.id == OrderRow.id)
        .where(OrderRow.status == OrderStatus.INITIALIZED, waiting.c.place <= _LOOK_PER_ACCOUNT)
        .order_by(OrderRow.id)
        .limit(_CLAIM_LIMIT)
        .with_for_update(of=OrderRow)
    )


def entries_to_chase(
    session: Session, spec: Mapping[str, Any], *, now: datetime, wall: datetime
) -> list[WaitingEntry]:
    """Lock and return the entries that rest at the broker and may follow the market now."""
    asked = {"now": now, "wall": wall, "resting_since": wall - timedelta(seconds=CHASE_AFTER_S)}
    return _with_baskets(session, session.execute(_to_chase(shard_of(spec)), asked).all(), wall)


@cache
def _to_chase(shard: Shard) -> Select[OrderRow, AccountRow, str, str]:
    resting_since = func.coalesce(OrderRow.changed_wall, OrderRow.submitted_wall)
    return (
        select(OrderRow, AccountRow, UserRow.trading_state, SignalRow.when_unfilled)
        .join(AccountRow, AccountRow.id == OrderRow.account_id)
        .join(UserRow, UserRow.id == OrderRow.user_id)
        .join(SignalRow, SignalRow.id == OrderRow.signal_id)
        .where(
            is_in(shard, OrderRow.account_id),
            or_(
                and_(SignalRow.when_unfilled == WhenUnfilled.CHASE, OrderRow.chase_step < CHASE_STEPS),
                and_(SignalRow.when_unfilled == WhenUnfilled.CONVERT, OrderRow.chase_step == 0),
            ),
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.order_type == OrderType.LIMIT,
            OrderRow.status.in_((OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)),
            OrderRow.broker_order_id.is_not(None),
            OrderRow.valid_until >= bindparam("now"),
            resting_since < bindparam("resting_since"),
            ~leg_time_is_over(bindparam("wall", type_=DateTime(timezone=True))),
        )
        .order_by(OrderRow.id)
        .limit(_CLAIM_LIMIT)
        .with_for_update(of=OrderRow, skip_locked=True)
    )


def _with_baskets(session: Session, rows: Sequence[AnyRow], wall: datetime) -> list[WaitingEntry]:
    if not rows:
        return []
    # Read after the locks: what was decided about the legs before is seen, what comes later waits for us.
    signal_ids = {order.signal_id for order, *_ in rows if order.signal_id is not None}
    baskets = load_baskets(session, signal_ids, wall=wall)
    locked = orders_of_locked(session, [order.id for order, *_ in rows])
    return [
        WaitingEntry(
            order,
            account,
            strictest(
                TradingState(account.trading_state),
                TradingState(user_state),
                TradingState.REDUCING if order.id in locked else TradingState.ACTIVE,
            ),
            baskets.get(order.signal_id or 0),
            WhenUnfilled(when_unfilled or WhenUnfilled.CANCEL),
        )
        for order, account, user_state, when_unfilled in rows
    ]


def _first_of_each_account(shard: Shard) -> Subquery:
    is_over = func.coalesce(OrderRow.valid_until < bindparam("now"), false())
    passing_over = bindparam("passing_over", expanding=True, type_=BigInteger)
    may_leave = and_(OrderRow.account_id.not_in(passing_over), ~_waits_for_hedge())
    place = func.row_number().over(partition_by=(OrderRow.account_id, is_over), order_by=OrderRow.id)
    return (
        select(OrderRow.id, place.label("place"))
        .where(
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.status == OrderStatus.INITIALIZED,
            is_in(shard, OrderRow.account_id),
            or_(is_over, may_leave),
        )
        .subquery()
    )


def _waits_for_hedge() -> ColumnElement[bool]:
    hedge = aliased(OrderRow)
    works = exists().where(
        hedge.signal_id == OrderRow.signal_id, hedge.is_hedge, hedge.status.in_(OPEN_STATUSES)
    )
    return and_(~OrderRow.is_hedge, works)
