"""Write and read the locks after a loss. A lock acts by being there: whoever judges an entry asks for it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Date, Text, and_, case, cast, exists, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.models import AccountRow, DeploymentRow, LossLockRow, OrderRow, UserRow
from app.db.scope import DataScope
from app.domain.ids import AccountId, DeploymentId
from app.domain.instruments import Venue
from app.domain.markets import MARKETS, Currency, Market
from app.domain.risk.breaches import Breach
from app.domain.risk.scopes import LimitScope, ScopeKey

Day = date | ColumnElement[date] | InstrumentedAttribute[date]


def account_is_locked(day: Day) -> ColumnElement[bool]:
    """Return the condition on accounts that a lock of that trading date covers them."""
    covers = or_(
        LossLockRow.scope == LimitScope.TENANT,
        _names(LimitScope.BROKER, AccountRow.broker),
        _names_family(AccountRow.user_id),
        _names(LimitScope.USER, AccountRow.user_id),
        _names(LimitScope.ACCOUNT, AccountRow.id),
    )
    return exists().where(*_in_force(day), covers)


def deployment_is_locked(day: Day) -> ColumnElement[bool]:
    """Return the condition on deployments, beside their accounts, that a lock of their own covers them."""
    return exists().where(*_in_force(day), _names(LimitScope.DEPLOYMENT, DeploymentRow.id))


def today_of_account(now: datetime) -> ColumnElement[date]:
    """Return the trading date of an account's market at a moment, as a column."""
    days = [
        (AccountRow.broker.in_(sorted(market.brokers)), literal(market.day_of(now), Date))
        for market in MARKETS.values()
    ]
    return case(*days)


def _in_force(day: Day) -> tuple[ColumnElement[bool], ...]:
    in_market = or_(
        *(
            and_(LossLockRow.venue == market.venue, AccountRow.broker.in_(sorted(market.brokers)))
            for market in MARKETS.values()
        )
    )
    return LossLockRow.day == day, LossLockRow.unlocked_at.is_(None), in_market


def _on_its_day(days: Mapping[Venue, date]) -> ColumnElement[bool]:
    return or_(*(and_(LossLockRow.venue == venue, LossLockRow.day == day) for venue, day in days.items()))


def _names(
    scope: LimitScope, column: InstrumentedAttribute[int] | InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    return and_(LossLockRow.scope == scope, LossLockRow.target == cast(column, Text))


def _names_family(user_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    # It stands in an EXISTS, whose own FROM hides the accounts unless they are named.
    family = select(cast(UserRow.family_id, Text)).where(UserRow.id == user_id).correlate(AccountRow)
    return and_(LossLockRow.scope == LimitScope.FAMILY, LossLockRow.target == family.scalar_subquery())


def locked_accounts(session: Session, account_ids: Collection[AccountId], day: date) -> frozenset[AccountId]:
    """Return which of these accounts are locked on their market's trading date."""
    statement = select(AccountRow.id).where(AccountRow.id.in_(account_ids), account_is_locked(day))
    return frozenset(AccountId(i) for i in session.scalars(statement))


def locked_deployments(
    session: Session, deployment_ids: Collection[DeploymentId], day: date
) -> frozenset[DeploymentId]:
    """Return which of these deployments are locked themselves, apart from their accounts."""
    statement = (
        select(DeploymentRow.id)
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .where(DeploymentRow.id.in_(deployment_ids), deployment_is_locked(day))
    )
    return frozenset(DeploymentId(i) for i in session.scalars(statement))


def orders_of_locked(session: Session, order_ids: Collection[int]) -> frozenset[int]:
    """Return which of these orders belong to a deployment or an account that is locked on their date."""
    statement = (
        select(OrderRow.id)
        .join(AccountRow, AccountRow.id == OrderRow.account_id)
        .join(DeploymentRow, DeploymentRow.id == OrderRow.deployment_id)
        .where(
            OrderRow.id.in_(order_ids),
            or_(account_is_locked(OrderRow.day), deployment_is_locked(OrderRow.day)),
        )
    )
    return frozenset(session.scalars(statement))


def add_lock(
    session: Session,
    key: ScopeKey,
    breach: Breach,
    *,
    currency: Currency,
    market: Market,
    day: date,
    now: datetime,
) -> int | None:
    """Lock a scope for a market's trading date, for what it lost in a currency; None when it is already."""
    scope, target = key
    row = insert(LossLockRow).values(
        venue=market.venue,
        day=day,
        scope=scope,
        target=target,
        rule=breach.rule,
        limit=breach.limit,
        value=breach.value,
        currency=currency,
        formula=breach.formula,
        breached_at=now,
    )
    once = row.on_conflict_do_nothing(
        index_elements=["day", "venue", "scope", "target"], index_where=LossLockRow.unlocked_at.is_(None)
    )
    return session.scalar(once.returning(LossLockRow.id))


def locks_of_day(session: Session, market: Market, day: date) -> Sequence[LossLockRow]:
    """Return the locks of a market's trading date, unlocked ones too, oldest first."""
    statement = select(LossLockRow).where(LossLockRow.venue == market.venue, LossLockRow.day == day)
    return session.scalars(statement.order_by(LossLockRow.id)).all()


def locks_in_force(session: Session, key: ScopeKey, days: Mapping[Venue, date]) -> Sequence[LossLockRow]:
    """Lock the rows of, and return, the locks of exactly this scope that hold on these trading dates."""
    scope, target = key
    statement = select(LossLockRow).where(
        LossLockRow.scope == scope,
        LossLockRow.target == target,
        LossLockRow.unlocked_at.is_(None),
        _on_its_day(days),
    )
    return session.scalars(statement.order_by(LossLockRow.id).with_for_update()).all()


def note_flat(session: Session, lock_id: int, *, at: datetime, wall: datetime, value: Decimal) -> bool:
    """Record when a locked scope was verified flat, once; False when it stands there already."""
    statement = (
        update(LossLockRow)
        .where(LossLockRow.id == lock_id, LossLockRow.flat_at.is_(None))
        .values(flat_at=at, flat_wall=wall, flat_value=value)
    )
    return session.scalar(statement.returning(LossLockRow.id)) is not None


def note_unlocked(session: Session, lock_ids: Iterable[int], *, by: str, reason: str, at: datetime) -> None:
    """Record who ended these locks and why."""
    session.execute(
        update(LossLockRow)
        .where(LossLockRow.id.in_(list(lock_ids)), LossLockRow.unlocked_at.is_(None))
        .values(unlocked_at=at, unlocked_by=by, unlock_reason=reason)
    )


def read_loss_locks(
    session: Session, scope: DataScope, *, days: Mapping[Venue, date]
) -> Sequence[LossLockRow]:
    """Return the locks that the caller may see of each market's trading date, newest first.

    To a trader those of the own user, accounts and deployments. What stops a family, everybody or all at one
    broker tells what others lost; it is shown by the trading state of the accounts.
    """
    statement = select(LossLockRow).where(_on_its_day(days)).order_by(LossLockRow.id.desc())
    if scope.user_id is not None:
        accounts = select(cast(AccountRow.id, Text)).where(scope.allows(AccountRow.user_id))
        deployments = select(cast(DeploymentRow.id, Text)).where(scope.allows(DeploymentRow.user_id))
        statement = statement.where(
            or_(
                and_(LossLockRow.scope == LimitScope.USER, LossLockRow.target == str(scope.user_id)),
                and_(LossLockRow.scope == LimitScope.ACCOUNT, LossLockRow.target.in_(accounts)),
                and_(LossLockRow.scope == LimitScope.DEPLOYMENT, LossLockRow.target.in_(deployments)),
            )
        )
    return session.scalars(statement).all()
