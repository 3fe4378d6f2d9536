"""Read what became of a kill switch: the legs it asked to leave, their exits, and what still works."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ScalarSelect, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from app.db.controls import Reach
from app.db.legs import same_leg
from app.db.models import (
    AccountRow,
    AlarmRow,
    BrokerSessionRow,
    CommandRow,
    DeploymentRow,
    LeaseRow,
    LegRow,
    LoginRow,
    OrderEventRow,
    OrderRow,
    UserRow,
)
from app.db.orders import OPEN_STATUSES
from app.db.scope import DataScope
from app.db.views import AnyRow
from app.domain.accounts import TradingState
from app.domain.commands import CommandKind, ControlAction
from app.domain.deployments import DeploymentState
from app.domain.orders import OrderEventKind, OrderRole

_TOLD = (
    OrderEventKind.SUBMITTED,
    OrderEventKind.UPDATE_REQUESTED,
    OrderEventKind.REJECTED,
    OrderEventKind.REQUEST_REFUSED,
    OrderEventKind.NOT_SENT,
)


def read_kill(session: Session, data: DataScope, command_id: int) -> AnyRow | None:
    """Return one pressed kill switch, or None when it is not in the scope."""
    statement = select(
        CommandRow.id,
        CommandRow.actor,
        CommandRow.payload,
        CommandRow.reason,
        CommandRow.result,
        CommandRow.created_at,
    ).where(
        CommandRow.id == command_id,
        CommandRow.kind == CommandKind.KILL_SWITCH,
        data.allows(CommandRow.user_id),
    )
    return session.execute(statement).one_or_none()


def read_halts(session: Session, data: DataScope, *, since: datetime | None = None) -> Sequence[int]:
    """Return the ids of the kill switches that were pressed to halt, oldest first; `since` by the machine."""
    statement = select(CommandRow.id).where(
        CommandRow.kind == CommandKind.KILL_SWITCH,
        CommandRow.payload["action"].astext == ControlAction.HALT,
        data.allows(CommandRow.user_id),
    )
    if since is not None:
        statement = statement.where(CommandRow.created_at >= since)
    return session.scalars(statement.order_by(CommandRow.id)).all()


def read_killed_legs(
    session: Session, data: DataScope, reach: Reach, *, pressed: datetime
) -> Sequence[AnyRow]:
    """Return the legs that had to leave when the switch was pressed, and those open while it is down.

    A leg that was opened again after trading had resumed is none of them.
    """
    is_halted = or_(
        AccountRow.trading_state == TradingState.HALTED,
        UserRow.trading_state == TradingState.HALTED,
        DeploymentRow.state == DeploymentState.HALTED,
    )
    left_since = exists().where(same_leg(), OrderRow.role != OrderRole.ENTRY, OrderRow.ended_wall >= pressed)
    was_leaving = and_(LegRow.exit_requested_wall < pressed, or_(LegRow.net_qty != 0, left_since))
    statement = (
        select(
            LegRow.account_id,
            LegRow.deployment_id,
            LegRow.day,
            LegRow.instrument_id,
            LegRow.net_qty,
            LegRow.missing_qty,
            LegRow.exit_reason,
        )
        .join(AccountRow, AccountRow.id == LegRow.account_id)
        .join(UserRow, UserRow.id == LegRow.user_id)
        .join(DeploymentRow, DeploymentRow.id == LegRow.deployment_id)
        .where(
            data.allows(LegRow.user_id),
            reach.covers(LegRow),
            or_(
                and_(LegRow.exit_reason.is_not(None), LegRow.exit_requested_wall == pressed),
                and_(LegRow.exit_reason.is_not(None), was_leaving),
                and_(LegRow.net_qty != 0, is_halted),
            ),
        )
    )
    return session.execute(statement).all()


def read_exits_of(session: Session, data: DataScope, legs: Collection[AnyRow]) -> Sequence[AnyRow]:
    """Return the exit orders of these legs, oldest first."""
    statement = (
        select(
            OrderRow.id,
            OrderRow.account_id,
            OrderRow.deployment_id,
            OrderRow.day,
            OrderRow.instrument_id,
            OrderRow.status,
            OrderRow.is_unknown,
            OrderRow.chase_step,
            OrderRow.ended_wall,
        )
        .where(
            data.allows(OrderRow.user_id),
            OrderRow.role != OrderRole.ENTRY,
            tuple_(OrderRow.deployment_id, OrderRow.day, OrderRow.instrument_id).in_(
                sorted((leg.deployment_id, leg.day, leg.instrument_id) for leg in legs)
            ),
        )
        .order_by(OrderRow.id)
    )
    return session.execute(statement).all() if legs else []


def read_requests(session: Session, order_ids: Collection[int], *, since: datetime) -> Sequence[AnyRow]:
    """Return what was asked for these orders since a moment, and what was refused, oldest first."""
    statement = (
        select(OrderEventRow.order_id, OrderEventRow.kind, OrderEventRow.details, OrderEventRow.wall)
        .where(
            OrderEventRow.order_id.in_(order_ids), OrderEventRow.kind.in_(_TOLD), OrderEventRow.wall >= since
        )
        .order_by(OrderEventRow.id)
    )
    return session.execute(statement).all() if order_ids else []


def read_entries_left(
    session: Session, data: DataScope, reach: Reach, *, pressed: datetime
) -> Sequence[AnyRow]:
    """Return the entries that were there at the press: those that still live, and those ended since."""
    statement = select(OrderRow.account_id, OrderRow.status, OrderRow.is_unknown, OrderRow.ended_wall).where(
        data.allows(OrderRow.user_id),
        reach.covers(OrderRow),
        OrderRow.role == OrderRole.ENTRY,
        OrderRow.created_at <= pressed,
        or_(OrderRow.status.in_(OPEN_STATUSES), OrderRow.ended_wall >= pressed),
    )
    return session.execute(statement).all()


def read_killed_accounts(session: Session, data: DataScope, account_ids: Collection[int]) -> Sequence[AnyRow]:
    """Return these accounts with their newest login, whether a session is stored, and the book's alarm."""
    newest = (
        select(LoginRow.account_id, func.max(LoginRow.day).label("day")).group_by(LoginRow.account_id)
    ).subquery()
    statement = (
        select(
            AccountRow.id,
            AccountRow.name,
            AccountRow.broker,
            UserRow.name.label("user_name"),
            exists().where(BrokerSessionRow.account_id == AccountRow.id).label("has_session"),
            _book_alarm().label("book_alarm"),
            LoginRow.reason.label("login_reason"),
            LoginRow.detail.label("login_detail"),
        )
        .join(UserRow, UserRow.id == AccountRow.user_id)
        .outerjoin(newest, newest.c.account_id == AccountRow.id)
        .outerjoin(LoginRow, and_(LoginRow.account_id == AccountRow.id, LoginRow.day == newest.c.day))
        .where(data.allows(AccountRow.user_id), AccountRow.id.in_(account_ids))
        .order_by(UserRow.name, AccountRow.name)
    )
    return session.execute(statement).all()


def are_runs_alive(session: Session, kind: str) -> bool:
    """Whether every run of a kind that is wanted has a holder that is alive; no run at all is none."""
    wanted = select(func.count(), func.count().filter(LeaseRow.expires_at > func.clock_timestamp())).where(
        LeaseRow.kind == kind, LeaseRow.is_wanted
    )
    count, alive = session.execute(wanted).one()
    return bool(count) and count == alive


def _book_alarm() -> ScalarSelect[str]:
    """Return what the broker's book shows otherwise than the ledger, where that stands."""
    return (
        select(AlarmRow.message)
        .where(
            AlarmRow.code == "positions_differ",
            AlarmRow.subject == func.concat("account:", AccountRow.id),
            AlarmRow.cleared_at.is_(None),
        )
        .scalar_subquery()
    )
