"""Change what may trade and ask for flat positions, by set-based statements on the scoped rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from app.db.legs import lock_legs
from app.db.locks import lock_accounts
from app.db.models import AccountRow, DeploymentRow, LegRow, OrderEventRow, OrderRow, UserRow
from app.db.scope import DataScope
from app.db.shards import at_brokers
from app.domain.accounts import BrokerCode, TradingState
from app.domain.deployments import DeploymentState
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.orders import TERMINAL, OrderEventKind, OrderRole, OrderStatus

Brokers = Collection[BrokerCode]
ALL_BROKERS = tuple(BrokerCode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Say whose orders and legs an act concerns: all of these brokers, less what `where` leaves out.

    `where` names columns of orders and legs and their value, for example {"account_id": 7}; "family_id"
    names the family of their user.
    """

    where: Mapping[str, int] = field(default_factory=dict)
    brokers: Brokers = ALL_BROKERS

    def covers(self, table: type[OrderRow | LegRow]) -> ColumnElement[bool]:
        """Return the condition on rows of a table."""
        chosen = (
            table.user_id.in_(_members(value)) if column == "family_id" else getattr(table, column) == value
            for column, value in self.where.items()
        )
        return and_(at_brokers(table.account_id, self.brokers), *chosen)


def set_users_state(session: Session, state: TradingState, *, user_id: UserId | None) -> int:
    """Set the trading state of one user, or of all (None); return how many had another one."""
    statement = update(UserRow).where(UserRow.trading_state != state).values(trading_state=state)
    if user_id is not None:
        statement = statement.where(UserRow.id == user_id)
    return _count(session, statement)


def set_family_state(session: Session, family_id: FamilyId, state: TradingState) -> int:
    """Set the trading state of the users of a family; return how many had another one."""
    statement = update(UserRow).where(UserRow.family_id == family_id, UserRow.trading_state != state)
    return _count(session, statement.values(trading_state=state))


def set_account_state(session: Session, account_id: AccountId, state: TradingState, *, reason: str) -> int:
    """Set the trading state of one account; 0 when it has this one already."""
    return _set_accounts(session, AccountRow.id == account_id, state, reason=reason)


def set_accounts_at_broker(session: Session, broker: BrokerCode, state: TradingState, *, reason: str) -> int:
    """Set the trading state of all accounts at a broker; return how many had another one."""
    return _set_accounts(session, AccountRow.broker == broker, state, reason=reason)


def _set_accounts(session: Session, which: ColumnElement[bool], state: TradingState, *, reason: str) -> int:
    # Locked in id order first: two people who press at once must not wait for each other in a circle.
    lock_accounts(session, which)
    statement = update(AccountRow).where(which, AccountRow.trading_state != state)
    return _count(session, statement.values(trading_state=state, state_reason=reason))


def await_decisions(session: Session, reach: Reach) -> None:
    """Wait for decisions under way about these accounts, and let later ones wait for this transaction.

    Else an order that was judged by the state of before could be recorded after it, and call back the exit
    of the leg that it adds to.
    """
    by_column = {
        "user_id": AccountRow.user_id,
        "account_id": AccountRow.id,
    }
    conditions: list[ColumnElement[bool]] = [AccountRow.broker.in_(sorted(reach.brokers))]
    for column, value in reach.where.items():
        if column == "deployment_id":
            owner = select(DeploymentRow.account_id).where(DeploymentRow.id == value)
            conditions.append(AccountRow.id.in_(owner))
        elif column == "family_id":
            conditions.append(AccountRow.user_id.in_(_members(value)))
        else:
            conditions.append(by_column[column] == value)
    lock_accounts(session, *conditions)


def set_deployment_state(
    session: Session, scope: DataScope, deployment_id: DeploymentId, *, state: DeploymentState, reason: str
) -> int:
    """Set the state of one deployment in the scope; 0 when it is not there or has this one already."""
    statement = update(DeploymentRow).where(
        DeploymentRow.id == deployment_id, scope.allows(DeploymentRow.user_id), DeploymentRow.state != state
    )
    return _count(session, statement.values(state=state, state_reason=reason))


def exists_deployment(session: Session, scope: DataScope, deployment_id: DeploymentId) -> bool:
    """Say whether a deployment exists in the scope."""
    found = exists().where(DeploymentRow.id == deployment_id, scope.allows(DeploymentRow.user_id))
    return session.scalar(select(found)) is True


def owner_of_account(session: Session, scope: DataScope, account_id: AccountId) -> UserId | None:
    """Return the user of an account, or None when it is not in the scope."""
    statement = select(AccountRow.user_id).where(AccountRow.id == account_id)
    user_id = session.scalar(statement.where(scope.allows(AccountRow.user_id)))
    return None if user_id is None else UserId(user_id)


def exists_user(session: Session, user_id: UserId) -> bool:
    """Say whether a user exists."""
    return session.scalar(select(exists().where(UserRow.id == user_id))) is True


def cancel_unsent_entries(
    session: Session,
    *,
    where: Mapping[str, int],
    reason: str,
    at: datetime,
    brokers: Brokers = ALL_BROKERS,
) -> int:
    """Cancel entries that no lane has claimed yet; the row lock decides against a lane that claims now.

    Args:
        session: the transaction.
        where: order columns and their value, for example {"account_id": 7}; empty means all.
        reason: for the order's event.
        at: platform time.
        brokers: whose accounts.
    """
    unsent = and_(OrderRow.status == OrderStatus.INITIALIZED, OrderRow.role == OrderRole.ENTRY)
    canceled = session.scalars(
        update(OrderRow)
        .where(unsent, Reach(where=where, brokers=brokers).covers(OrderRow))
        .values(status=OrderStatus.CANCELED, ended_wall=func.clock_timestamp())
        .returning(OrderRow.id)
    ).all()
    if canceled:
        event = {"kind": OrderEventKind.CANCELED, "source": "risk_control", "ts_init": at}
        rows = [event | {"order_id": order_id, "details": {"reason": reason}} for order_id in canceled]
        session.execute(insert(OrderEventRow), rows)
    return len(canceled)


def request_exits(
    session: Session,
    *,
    where: Mapping[str, int],
    day: date | None,
    reason: str,
    wall: datetime,
    brokers: Brokers = ALL_BROKERS,
) -> int:
    """Ask the exits lanes for flat legs of a day, or of all (None); those that leave keep their reason.

    A leg whose entry is still under way is marked as well, before its first fill: a fill that comes
    late is then flattened like the others. Returns how many legs with a position are asked to leave.
    """
    conditions = [Reach(where=where, brokers=brokers).covers(LegRow)]
    if day is not None:
        conditions.append(LegRow.day == day)
    has_entry_under_way = exists().where(
        OrderRow.deployment_id == LegRow.deployment_id,
        OrderRow.day == LegRow.day,
        OrderRow.instrument_id == LegRow.instrument_id,
        OrderRow.role == OrderRole.ENTRY,
        OrderRow.status.not_in(TERMINAL),
    )
    needs_exit = or_(LegRow.net_qty != 0, has_entry_under_way)
    legs = lock_legs(session, LegRow.exit_reason.is_(None), needs_exit, *conditions)
    for leg in legs:
        leg.exit_reason, leg.exit_requested_wall = reason, wall
    return sum(leg.net_qty != 0 for leg in legs)


def _members(family_id: int) -> Select[int]:
    return select(UserRow.id).where(UserRow.family_id == family_id)


def _count(session: Session, statement: Any) -> int:  # noqa: ANN401  UPDATE and INSERT share no typed base
    # The driver's row count is not passed on for every INSERT, so the rows are counted.
    return len(session.execute(statement.returning(literal(1))).all())
