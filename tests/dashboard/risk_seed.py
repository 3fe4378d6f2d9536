"""Add what the page Risk shows: locks, courses of profit and loss, limits, a signal to try them on."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.models import (
    DeploymentRow,
    EquityPointRow,
    InstrumentRow,
    LimitVersionRow,
    LossLockRow,
    OrderRow,
    SignalRow,
)
from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderRole
from app.domain.risk.breaches import LossRule
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.domain.users import Role
from tests.dashboard.seed import DAY, PREMIUMS, STRIKE, Person, at

_BELL, _LAST = at(9, 20), at(10, 11)


def seed_risk(session: Session, people: list[Person]) -> None:
    """Lock three scopes in three ways, draw the course of four accounts, and set limits for the first."""
    limited, falling, locked, unlocked = people[0], people[1], people[2], people[5]
    for person, end in ((limited, 1840), (falling, -5112), (locked, -1180), (unlocked, -2630)):
        for key in _watched(person):
            session.add_all(_course(key, end=Decimal(end), seed=person.account_id))
    session.add_all(_locks(falling, locked, unlocked))
    session.add_all(_limit_sets(limited))
    _complete_contracts(session)
    _add_signal(session, limited)


def _watched(person: Person) -> tuple[ScopeKey, ScopeKey]:
    return (LimitScope.ACCOUNT, str(person.account_id)), (LimitScope.DEPLOYMENT, str(person.deployment_id))


def _course(key: ScopeKey, *, end: Decimal, seed: int) -> list[EquityPointRow]:
    """Walk at random from nothing to where the scope stands at the end."""
    random, minutes = Random(seed), int((_LAST - _BELL).total_seconds() // 60)
    pnl, peak, points = Decimal(0), Decimal(0), []
    for minute in range(minutes + 1):
        pull = (end - pnl) / (minutes - minute + 1)
        noise = random.randint(-620, 640) if minute < minutes else 0
        pnl = (pnl + pull + noise).quantize(Decimal("0.25"))
        peak = max(peak, pnl)
        points.append(_point(key, _BELL + timedelta(minutes=minute), pnl, peak))
    return points


def _point(key: ScopeKey, minute: datetime, pnl: Decimal, peak: Decimal) -> EquityPointRow:
    booked = Decimal(-900) if minute > at(9, 48) else Decimal(0)
    scope, target = key
    whose = {"venue": "NSE", "day": DAY, "scope": scope, "target": target}
    return EquityPointRow(**whose, minute=minute, realized=booked, unrealized=pnl - booked, peak=peak)


def _locks(falling: Person, locked: Person, unlocked: Person) -> list[LossLockRow]:
    return [
        _lock(
            (LimitScope.USER, str(unlocked.user_id)),
            rule=LossRule.MAX_DAILY_LOSS,
            limit=2500,
            value=Decimal(-2630),
            formula="realized -900 + unrealized -1730 = -2630 <= -2500",
            breached_at=at(9, 41, 7),
            flat_at=at(9, 41, 9),
            flat_wall=at(9, 41, 9),
            flat_value=Decimal("-2655.50"),
            unlocked_at=at(10, 2, 40),
            unlocked_by="ops",
            unlock_reason="limit raised to 10,000 as agreed on the phone",
        ),
        _lock(
            (LimitScope.DEPLOYMENT, str(locked.deployment_id)),
            rule=LossRule.MAX_DRAWDOWN,
            limit=4000,
            value=Decimal("4050.75"),
            formula="peak 2870.75 - (realized -900 + unrealized -280) = 4050.75 >= 4000",
            breached_at=at(9, 52, 10),
            flat_at=at(9, 52, 13),
            flat_wall=at(9, 52, 13),
            flat_value=Decimal(-1180),
        ),
        _lock(
            (LimitScope.ACCOUNT, str(falling.account_id)),
            rule=LossRule.MAX_DAILY_LOSS,
            limit=5000,
            value=Decimal("-5112.50"),
            formula="realized -900 + unrealized -4212.5 = -5112.5 <= -5000",
            breached_at=at(10, 10, 31),
        ),
    ]


def _lock(key: ScopeKey, *, limit: int, **columns: Any) -> LossLockRow:
    scope, target = key
    whose = {"venue": "NSE", "day": DAY, "scope": scope, "target": target, "currency": "INR"}
    return LossLockRow(**whose, limit=Decimal(limit), **columns)


def _limit_sets(person: Person) -> list[LimitVersionRow]:
    account = (LimitScope.ACCOUNT, str(person.account_id))
    return [
        _version(
            (LimitScope.TENANT, ""),
            1,
            {"max_lots": "20", "max_orders_per_day": "200"},
            by=("admin", Role.ADMIN),
            reason="house rule",
            when=at(9, 0) - timedelta(days=8),
        ),
        _version(
            account,
            1,
            {"max_daily_loss": "6000", "max_lots": "4"},
            by=("ops", Role.OPS),
            reason="first week on live money",
            when=at(17, 20) - timedelta(days=3),
        ),
        _version(
            account,
            2,
            {
                "denied_symbols": ["BANKNIFTY"],
                "max_daily_loss": "5000",
                "max_drawdown": "4000",
                "max_lots": "3",
            },
            by=(person.name.lower(), Role.TRADER),
            reason="expiry day, smaller",
            when=at(8, 52),
        ),
    ]


def _version(
    key: ScopeKey,
    version: int,
    values: dict[str, Any],
    *,
    by: tuple[str, Role],
    reason: str,
    when: datetime,
) -> LimitVersionRow:
    scope, target = key
    actor, role = by
    return LimitVersionRow(
        scope=scope,
        target=target,
        version=version,
        values=values,
        actor=actor,
        role=role,
        reason=reason,
        ts_init=when,
    )


def _complete_contracts(session: Session) -> None:
    """Give the options their terms, which judging an entry again reads."""
    for row in session.scalars(select(InstrumentRow).where(InstrumentRow.kind == InstrumentKind.OPTION)):
        row.underlying, row.expiry, row.strike = "NIFTY.NSE", date(2026, 11, 24), Decimal(STRIKE)
        row.option_right = row.instrument_id.removesuffix(".NSE")[-2:]


def _add_signal(session: Session, person: Person) -> None:
    """Give a person's entries the signal that they came from; it holds the prices that a trial needs."""
    signal = SignalRow(
        user_id=person.user_id,
        deployment_id=person.deployment_id,
        day=DAY,
        key="open",
        kind="ENTER",
        reason="straddle",
        payload={"legs": [{"reference_price": str(price)} for price in PREMIUMS.values()]},
        ts_event=at(9, 20),
        ts_init=at(9, 20),
    )
    session.add(signal)
    session.flush()
    statement = select(OrderRow).where(
        OrderRow.deployment_id == person.deployment_id, OrderRow.role == OrderRole.ENTRY
    )
    for order in session.scalars(statement):
        order.signal_id, order.leg = signal.id, list(PREMIUMS).index(order.instrument_id)
        order.valid_until = order.ts_init + timedelta(seconds=5)
    session.get_one(DeploymentRow, person.deployment_id).limits = {"max_open_positions": "2"}
