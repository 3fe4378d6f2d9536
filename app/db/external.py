"""Keep what is handed in, and read what a wish is measured against. Callers hold the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AccountRow, DeploymentRow, ExternalSignalRow, LegRow, OrderRow
from app.db.orders import OPEN_STATUSES
from app.db.scope import DataScope
from app.domain.accounts import BrokerCode
from app.domain.external import Door
from app.domain.ids import AccountId, DeploymentId, InstrumentId
from app.domain.markets import Market, market_of
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole, OrderStatus, Side
from app.domain.targets import Holding, MoveKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSignal:
    """Show what was handed in and what it came to; `code` and `message` say why to nothing, or to less."""

    id: int
    user_id: int
    deployment_id: int
    day: date
    key: str
    door: Door
    actor: str
    wish: dict[str, Any]
    outcome: MoveKind
    code: str | None
    message: str
    instrument_id: str | None
    side: Side | None
    quantity: Decimal | None
    signal_id: int | None
    ts_init: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOrder:
    """Show one entry of a signal."""

    id: int
    client_order_id: str
    instrument_id: str
    side: Side
    quantity: Decimal
    price: Decimal | None
    filled_qty: Decimal
    avg_px: Decimal | None
    status: OrderStatus
    denial_code: str | None
    reject_reason: str
    ts_init: datetime


def place_of(session: Session, deployment_id: DeploymentId) -> tuple[Market, date | None]:
    """Return the market that a deployment trades and the day that it is armed for."""
    statement = (
        select(AccountRow.broker, DeploymentRow.armed_on)
        .join(DeploymentRow, DeploymentRow.account_id == AccountRow.id)
        .where(DeploymentRow.id == deployment_id)
    )
    broker, armed_on = session.execute(statement).one()
    return market_of(BrokerCode(broker)), armed_on


def account_of(session: Session, deployment_id: DeploymentId) -> AccountId:
    """Return the account of a deployment."""
    statement = select(DeploymentRow.account_id).where(DeploymentRow.id == deployment_id)
    return AccountId(session.scalars(statement).one())


def holding_of(
    session: Session, deployment_id: DeploymentId, instrument_id: InstrumentId | None, day: date
) -> Holding:
    """Return what a deployment has of an instrument; of all (None) it is only good to leave.

    What an earlier day left open counts; so does every live entry, proven or not.
    """
    legs = select(LegRow).where(
        LegRow.deployment_id == deployment_id, or_(LegRow.day == day, LegRow.net_qty != 0)
    )
    live = select(OrderRow).where(OrderRow.deployment_id == deployment_id, OrderRow.status.in_(OPEN_STATUSES))
    if instrument_id is not None:
        legs = legs.where(LegRow.instrument_id == instrument_id)
        live = live.where(OrderRow.instrument_id == instrument_id)
    rows = session.scalars(legs.execution_options(populate_existing=True)).all()
    orders = session.scalars(live.execution_options(populate_existing=True)).all()
    entries = [order for order in orders if order.role == OrderRole.ENTRY]
    entered = {order.day for order in entries}
    asked_flat = any(leg.exit_reason is not None and (leg.net_qty != 0 or leg.day in entered) for leg in rows)
    return Holding(
        held=sum((leg.net_qty for leg in rows), ZERO),
        buying=_leaves(entries, Side.BUY),
        selling=_leaves(entries, Side.SELL),
        is_leaving=asked_flat or any(order.role == OrderRole.EXIT for order in orders),
    )


def _leaves(entries: Sequence[OrderRow], side: Side) -> Decimal:
    return sum((o.quantity - o.filled_qty for o in entries if o.side == side), ZERO)


def find_external(session: Session, deployment_id: DeploymentId, key: str) -> ExternalSignal | None:
    """Return what was handed in under a key, or None."""
    statement = _all().where(ExternalSignalRow.deployment_id == deployment_id, ExternalSignalRow.key == key)
    return _one(session, statement)


def find_recent(
    session: Session, deployment_id: DeploymentId, prefix: str, *, since: datetime
) -> ExternalSignal | None:
    """Return the newest signal since a moment whose key begins so, or None."""
    statement = (
        _all()
        .where(
            ExternalSignalRow.deployment_id == deployment_id,
            ExternalSignalRow.key.startswith(prefix, autoescape=True),
            ExternalSignalRow.ts_init > since,
        )
        .order_by(ExternalSignalRow.id.desc())
        .limit(1)
    )
    return _one(session, statement)


def read_external(session: Session, scope: DataScope, external_id: int) -> ExternalSignal | None:
    """Return what was handed in by its id, or None when it is not in the scope."""
    statement = _all().where(ExternalSignalRow.id == external_id, scope.allows(ExternalSignalRow.user_id))
    return _one(session, statement)


def list_external(session: Session, deployment_id: DeploymentId, day: date) -> list[ExternalSignal]:
    """Return what was handed in to a deployment on a day, oldest first."""
    statement = _all().where(ExternalSignalRow.deployment_id == deployment_id, ExternalSignalRow.day == day)
    return [_shown(row) for row in session.scalars(statement.order_by(ExternalSignalRow.id))]


def add_external(session: Session, **values: object) -> ExternalSignal:
    """Insert what was handed in."""
    statement = insert(ExternalSignalRow).values(**values).returning(ExternalSignalRow)
    return _shown(session.scalars(statement).one())


def orders_of_signals(session: Session, signal_ids: Sequence[int]) -> dict[int, list[EntryOrder]]:
    """Return the entries of these signals, in the order in which they were made."""
    found: dict[int, list[EntryOrder]] = {}
    statement = select(OrderRow).where(OrderRow.signal_id.in_(signal_ids), OrderRow.role == OrderRole.ENTRY)
    for row in session.scalars(statement.order_by(OrderRow.id)):
        found.setdefault(row.signal_id or 0, []).append(
            EntryOrder(
                id=row.id,
                client_order_id=row.client_order_id,
                instrument_id=row.instrument_id,
                side=Side(row.side),
                quantity=row.quantity,
                price=row.price,
                filled_qty=row.filled_qty,
                avg_px=row.avg_px,
                status=OrderStatus(row.status),
                denial_code=row.denial_code,
                reject_reason=row.reject_reason,
                ts_init=row.ts_init,
            )
        )
    return found


def _all() -> Select[ExternalSignalRow]:
    return select(ExternalSignalRow)


def _one(session: Session, statement: Select[ExternalSignalRow]) -> ExternalSignal | None:
    row = session.scalars(statement).one_or_none()
    return None if row is None else _shown(row)


def _shown(row: ExternalSignalRow) -> ExternalSignal:
    return ExternalSignal(
        id=row.id,
        user_id=row.user_id,
        deployment_id=row.deployment_id,
        day=row.day,
        key=row.key,
        door=Door(row.door),
        actor=row.actor,
        wish=row.wish,
        outcome=MoveKind(row.outcome),
        code=row.code,
        message=row.message,
        instrument_id=row.instrument_id,
        side=None if row.side is None else Side(row.side),
        quantity=row.quantity,
        signal_id=row.signal_id,
        ts_init=row.ts_init,
    )
