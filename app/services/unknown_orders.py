"""Show orders whose outcome is unknown with their evidence, and let staff settle them (I3)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.alarms import clear_alarm
from app.db.books import NOT_PLACED
from app.db.external_fills import fills_of
from app.db.models import OrderRow
from app.db.order_evidence import add_look
from app.db.orders import lock_orders, move_order
from app.db.scope import DataScope
from app.db.views import AnyRow
from app.db.views.unknown_orders import read_evidence, read_once_unknown_order, read_unknown_orders
from app.domain.errors import ConflictError, EvidenceAgainstError, ForbiddenError, NotFoundError
from app.domain.ids import AccountId, InstrumentId, OrderId
from app.domain.markets import Currency, currency_of
from app.domain.orders import OrderEventKind, OrderStatus
from app.domain.unknown_orders import (
    EvidenceSource,
    Fate,
    Look,
    Settlement,
    Standing,
    next_step,
    objection_to,
    standing_of,
)
from app.domain.users import Actor
from app.services.acts import record
from app.services.risk_control import Moment

_EVERYBODY = DataScope(user_id=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCase:
    """Show one order that is or was UNKNOWN: what is known, how far the proof is, what comes next."""

    order: AnyRow
    evidence: Sequence[AnyRow]
    standing: Standing
    next_step: str
    age_s: int | None
    """Real seconds since it was sent; None when it never was."""
    provable_in_s: int | None
    """Real seconds until absence can be proven; zero once it can, None before the first look."""
    at_stake: Decimal | None
    """What the whole order is worth at its own price, in `currency`; None without a price."""
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Tell how an order stands after a settlement; `is_news` is False when it was so already."""

    status: OrderStatus
    is_news: bool


def list_unknown(session: Session, scope: DataScope, *, wall: datetime) -> list[UnknownCase]:
    """Return the orders in the scope whose outcome is unknown, oldest first."""
    return _cases(session, scope, read_unknown_orders(session, scope), wall=wall)


def get_once_unknown(session: Session, scope: DataScope, order_id: OrderId, *, wall: datetime) -> UnknownCase:
    """Return one order that is or was UNKNOWN.

    Raises:
        NotFoundError: no such order in the scope.
    """
    row = read_once_unknown_order(session, scope, order_id)
    if row is None:
        raise NotFoundError(
            f"expected an order of yours that is or was unknown, there is no order:{order_id}"
        )
    return _cases(session, scope, [row], wall=wall)[0]


def settle_unknown(
    session: Session, actor: Actor, order_id: OrderId, settlement: Settlement, *, moment: Moment
) -> Settled:
    """Believe a person about an order with unknown outcome; saying the same again changes nothing.

    A placed order is bound to the broker's number, and the books go on from there. One that was "not
    placed" and appears all the same is withdrawn like any that was proven absent.

    Raises:
        ForbiddenError: the actor is not staff.
        NotFoundError: there is no such order.
        ConflictError: the order is not UNKNOWN any more, or the number belongs to another order of ours.
        EvidenceAgainstError: the evidence says otherwise, and the settlement is not confirmed.
    """
    if not actor.is_staff:
        raise ForbiddenError("only operators and administrators may settle an order with unknown outcome")
    order = lock_orders(session, [order_id]).get(order_id)
    if order is None:
        raise NotFoundError(f"expected an existing order, there is no order:{order_id}")
    is_news = not _is_already(order, settlement)
    objection = None
    if is_news:
        objection = _require_room(session, order, settlement, wall=moment.wall)
        _apply(session, actor, order, settlement, moment=moment)
    record(
        session,
        actor,
        "resolve_unknown",
        subject=f"order:{order_id}",
        reason=settlement.reason,
        fate=settlement.fate,
        broker_order_id=settlement.broker_order_id,
        overruled=objection,
        is_news=is_news,
    )
    return Settled(status=OrderStatus(order.status), is_news=is_news)


def _is_already(order: OrderRow, settlement: Settlement) -> bool:
    if settlement.broker_order_id is not None:
        return order.broker_order_id == settlement.broker_order_id
    return order.status == OrderStatus.REJECTED and order.reject_reason.startswith(NOT_PLACED)


def _require_room(session: Session, order: OrderRow, settlement: Settlement, *, wall: datetime) -> str | None:
    """Raise unless the settlement may stand; return the objection that its confirmation overrules."""
    if not order.is_unknown or order.broker_order_id is not None:
        raise ConflictError(f"expected an order with unknown outcome, order:{order.id} is {order.status}")
    if settlement.broker_order_id is not None:
        taken = select(OrderRow.id).where(
            OrderRow.account_id == order.account_id, OrderRow.broker_order_id == settlement.broker_order_id
        )
        if (other := session.scalar(taken)) is not None:
            raise ConflictError(f"broker order {settlement.broker_order_id} is order:{other} of ours already")
        if fills_of(session, AccountId(order.account_id), [settlement.broker_order_id]):
            # Bound as well, its fills would count twice.
            raise ConflictError(
                f"broker order {settlement.broker_order_id} is booked as a stranger's already"
            )
    entries = read_evidence(session, _EVERYBODY, [order.id])
    standing = standing_of(entries, clean_misses=order.clean_misses)
    objection = objection_to(settlement, standing, wall=wall)
    if objection is not None and not settlement.is_confirmed:
        raise EvidenceAgainstError(f"{objection}; confirm that you have asked the broker to overrule this")
    return objection


def _apply(
    session: Session, actor: Actor, order: OrderRow, settlement: Settlement, *, moment: Moment
) -> None:
    now, wall = moment.now, moment.wall
    number = settlement.broker_order_id
    word = "not placed" if number is None else f"placed as broker order {number}"
    look = Look(
        source=EvidenceSource.OPERATOR,
        is_clean=True,
        seen=f"{actor.name} says that it was {word}: {settlement.reason}",
        broker_order_ids=() if number is None else (number,),
    )
    add_look(session, order.id, look, now=now, wall=wall)
    kind = OrderEventKind.NOT_SENT
    if settlement.fate is Fate.PLACED:
        kind, order.broker_order_id, order.is_unknown = OrderEventKind.ACCEPTED, number, False
    else:
        order.reject_reason = f"{NOT_PLACED}: {actor.name} says so: {settlement.reason}"
    details = {"actor": actor.name, "reason": settlement.reason}
    move_order(session, order, kind, source="operator", now=now, wall=wall, details=details)
    try:
        session.flush()
    except IntegrityError as e:
        raise ConflictError(f"broker order {number} has just become another order of ours") from e
    clear_alarm(session, "invariant_broken", subject=f"I3 order {order.client_order_id}", now=now)
    clear_alarm(session, "external_order", subject=f"account:{order.account_id}:{number}", now=now)


def _cases(
    session: Session, scope: DataScope, orders: Sequence[AnyRow], *, wall: datetime
) -> list[UnknownCase]:
    by_order: dict[int, list[AnyRow]] = defaultdict(list)
    for entry in read_evidence(session, scope, [order.id for order in orders]):
        by_order[entry.order_id].append(entry)
    return [_case(order, by_order[order.id], wall=wall) for order in orders]


def _case(order: AnyRow, evidence: Sequence[AnyRow], *, wall: datetime) -> UnknownCase:
    standing = standing_of(evidence, clean_misses=order.clean_misses)
    price = order.trigger_price if order.price is None else order.price
    sent = order.submitted_wall
    return UnknownCase(
        order=order,
        evidence=evidence,
        standing=standing,
        next_step=next_step(standing, wall=wall) if order.is_unknown else "Nothing: its outcome is settled.",
        age_s=_seconds_until(wall, sent),
        provable_in_s=_seconds_until(standing.provable_from, wall),
        at_stake=None if price is None else order.quantity * price,
        currency=currency_of(InstrumentId(order.instrument_id), order.listed_currency),
    )


def _seconds_until(then: datetime | None, wall: datetime | None) -> int | None:
    return None if then is None or wall is None else max(0, int((then - wall).total_seconds()))
