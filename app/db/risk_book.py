"""Read what a market's profit and loss is watched by, and keep its course. Callers hold the transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app.db.limits import current_limits
from app.db.loss_locks import locks_of_day
from app.db.models import (
    AccountRow,
    DeploymentRow,
    EquityPointRow,
    InstrumentRow,
    LegRow,
    LossLockRow,
    OrderRow,
)
from app.db.views import AnyRow
from app.domain.accounts import BrokerCode
from app.domain.ids import AccountId, DeploymentId, UserId
from app.domain.markets import Market
from app.domain.numbers import ZERO
from app.domain.orders import TERMINAL, OrderRole
from app.domain.risk.combined import COMBINED_NAMES
from app.domain.risk.scopes import LimitScope, ScopeKey, covering


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLeg:
    """Show a leg of the trading date, by whom it is covered and what it may still hold.

    `currency` is what the contract master lists, None without one. `is_open` says that the broker's book
    holds something of it; `has_live_entry` that more may come.
    """

    covered_by: tuple[ScopeKey, ...]
    instrument_id: str
    currency: str | None
    net_qty: Decimal
    entry_px: Decimal
    cash: Decimal
    is_open: bool
    has_live_entry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskBook:
    """Hold what one look at the tables showed of a market's trading date."""

    legs: Sequence[WatchedLeg]
    limits: Mapping[ScopeKey, Mapping[str, object]]
    """Each scope's own limits, as stored."""
    combined: Mapping[ScopeKey, Mapping[str, object]]
    """Settings of the deployments that have combined rules."""
    locks: Sequence[LossLockRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """Show a scope's profit and loss in one minute; `peak` is the highest confirmed of the day so far."""

    key: ScopeKey
    minute: datetime
    realized: Decimal
    unrealized: Decimal
    peak: Decimal

    @property
    def pnl(self) -> Decimal:
        """Profit and loss, before charges."""
        return self.realized + self.unrealized


def read_risk_book(session: Session, market: Market, day: date) -> RiskBook:
    """Return the legs of a market's trading date with everything that they are judged by."""
    return RiskBook(
        legs=_legs(session, market, day),
        limits=current_limits(session),
        combined=_combined(session, market),
        locks=locks_of_day(session, market, day),
    )


def _legs(session: Session, market: Market, day: date) -> list[WatchedLeg]:
    live_entry = exists().where(
        OrderRow.account_id == LegRow.account_id,
        OrderRow.deployment_id == LegRow.deployment_id,
        OrderRow.day == LegRow.day,
        OrderRow.instrument_id == LegRow.instrument_id,
        OrderRow.role == OrderRole.ENTRY,
        OrderRow.status.not_in(TERMINAL),
    )
    statement = (
        select(
            LegRow.account_id,
            LegRow.user_id,
            LegRow.deployment_id,
            AccountRow.broker,
            LegRow.instrument_id,
            LegRow.net_qty,
            LegRow.missing_qty,
            LegRow.entry_qty,
            LegRow.entry_value,
            LegRow.cash,
            InstrumentRow.currency,
            live_entry.label("has_live_entry"),
        )
        .join(AccountRow, AccountRow.id == LegRow.account_id)
        .outerjoin(
            InstrumentRow,
            and_(InstrumentRow.as_of == LegRow.day, InstrumentRow.instrument_id == LegRow.instrument_id),
        )
        .where(LegRow.day == day, AccountRow.broker.in_(sorted(market.brokers)))
    )
    return [_leg(row) for row in session.execute(statement)]


def _leg(row: AnyRow) -> WatchedLeg:
    return WatchedLeg(
        covered_by=covering(
            broker=BrokerCode(row.broker),
            user_id=UserId(row.user_id),
            account_id=AccountId(row.account_id),
            deployment_id=DeploymentId(row.deployment_id),
        ),
        instrument_id=row.instrument_id,
        currency=row.currency,
        net_qty=row.net_qty,
        entry_px=row.entry_value / row.entry_qty if row.entry_qty else ZERO,
        cash=row.cash,
        is_open=abs(row.net_qty) > row.missing_qty,
        has_live_entry=row.has_live_entry,
    )


def _combined(session: Session, market: Market) -> dict[ScopeKey, Mapping[str, object]]:
    names: ColumnElement[bool] = or_(*(DeploymentRow.limits.has_key(name) for name in sorted(COMBINED_NAMES)))
    statement = (
        select(DeploymentRow.id, DeploymentRow.limits)
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .where(AccountRow.broker.in_(sorted(market.brokers)), names)
    )
    return {(LimitScope.DEPLOYMENT, str(i)): limits for i, limits in session.execute(statement)}


def last_points(session: Session, market: Market, day: date) -> dict[ScopeKey, EquityPoint]:
    """Return the newest point of each scope on a market's trading date."""
    statement = (
        select(EquityPointRow)
        .ext(distinct_on(EquityPointRow.scope, EquityPointRow.target))
        .where(EquityPointRow.venue == market.venue, EquityPointRow.day == day)
        .order_by(EquityPointRow.scope, EquityPointRow.target, EquityPointRow.minute.desc())
    )
    points = [_point(row) for row in session.scalars(statement)]
    return {point.key: point for point in points}


def read_curve(session: Session, market: Market, day: date, key: ScopeKey) -> list[EquityPoint]:
    """Return a scope's course of profit and loss on a market's trading date, oldest first."""
    scope, target = key
    statement = select(EquityPointRow).where(
        and_(EquityPointRow.venue == market.venue, EquityPointRow.day == day),
        and_(EquityPointRow.scope == scope, EquityPointRow.target == target),
    )
    return [_point(row) for row in session.scalars(statement.order_by(EquityPointRow.minute))]


def save_points(session: Session, market: Market, day: date, points: Iterable[EquityPoint]) -> None:
    """Write points; one of a minute that has one takes its place."""
    rows = [
        {
            "venue": market.venue,
            "day": day,
            "scope": point.key[0],
            "target": point.key[1],
            "minute": point.minute,
            "realized": point.realized,
            "unrealized": point.unrealized,
            "peak": point.peak,
        }
        for point in points
    ]
    if not rows:
        return
    statement = insert(EquityPointRow)
    values = {name: statement.excluded[name] for name in ("realized", "unrealized", "peak")}
    keys = ["venue", "day", "scope", "target", "minute"]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def _point(row: EquityPointRow) -> EquityPoint:
    return EquityPoint(
        key=(LimitScope(row.scope), row.target),
        minute=row.minute,
        realized=row.realized,
        unrealized=row.unrealized,
        peak=row.peak,
    )
