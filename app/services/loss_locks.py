"""Close and lock a scope after a loss, and let a person unlock it.

The row of a lock is what stops the entries (app/db/loss_locks.py): it is no state that something else could
set back, and the next trading date begins without it.
"""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.db.alarms import clear_alarm, raise_alarm
from app.db.audit import record_act
from app.db.controls import Reach, await_decisions, cancel_unsent_entries, owner_of_account, request_exits
from app.db.deployments import get_deployment_for_staff
from app.db.limits import current_limits
from app.db.loss_locks import add_lock, locks_in_force, note_unlocked
from app.db.models import LossLockRow
from app.db.scope import DataScope
from app.domain.accounts import BrokerCode
from app.domain.errors import ConflictError
from app.domain.ids import AccountId, DeploymentId, UserId
from app.domain.instruments import Venue
from app.domain.markets import MARKETS, Currency, Market
from app.domain.risk.breaches import Breach, LossRule
from app.domain.risk.limits import LimitSet
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.services.loss_rules import loss_limits, own_limits
from app.services.risk_control import FlattenResult, Moment

LOCKED = "loss_lock"
"""Code of the alarm for a scope that reached a limit."""
_COLUMNS = {
    LimitScope.FAMILY: "family_id",
    LimitScope.USER: "user_id",
    LimitScope.ACCOUNT: "account_id",
    LimitScope.DEPLOYMENT: "deployment_id",
}


def name_of(key: ScopeKey) -> str:
    """Return a scope as people and the audit log name it, like "account:7"."""
    scope, target = key
    return f"{scope.lower()}:{target}" if target else scope.lower()


def days_of(now: datetime, day: date | None = None) -> dict[Venue, date]:
    """Return the trading date of each market at a moment, or one date for all of them."""
    return {venue: day or market.day_of(now) for venue, market in MARKETS.items()}


def lock_scope(
    session: Session, key: ScopeKey, breach: Breach, *, currency: Currency, market: Market, moment: Moment
) -> FlattenResult | None:
    """Lock a scope for what it lost in a currency, cancel its unsent entries and ask for its exits.

    In the caller's transaction. Its accounts are held first: an entry is decided before the lock, and then
    canceled or closed here, or after it, and then denied. Returns None when the scope is locked already.
    """
    await_decisions(session, reach_of(key, market))
    lock_id = add_lock(session, key, breach, currency=currency, market=market, day=moment.day, now=moment.now)
    if lock_id is None:
        return None
    done = close_scope(session, key, reason=exit_reason(breach.rule), market=market, moment=moment)
    if breach.rule.is_limit:
        raise_alarm(
            session,
            LOCKED,
            subject=f"{name_of(key)} {market.venue}",
            message=f"{breach.rule} reached, closed and locked for {moment.day}: {breach.formula}",
            user_id=_owner(session, key),
            now=moment.now,
        )
    record_act(
        session,
        actor="system",
        origin="risk watch",
        action="loss.lock",
        subject=name_of(key),
        reason=f"{breach.rule}: {breach.formula}",
        details={
            "lock_id": lock_id,
            "venue": market.venue,
            "day": moment.day.isoformat(),
            "limit": str(breach.limit),
            "value": str(breach.value),
            "currency": currency,
            "entries_canceled": done.entries_canceled,
            "exits_requested": done.exits_requested,
        },
    )
    return done


def exit_reason(rule: LossRule) -> str:
    """Return why the legs of a locked scope leave."""
    return f"loss lock: {rule}"


def close_scope(
    session: Session, key: ScopeKey, *, reason: str, market: Market, moment: Moment
) -> FlattenResult:
    """Cancel a scope's unsent entries in a market and ask for its exits there. Idempotent."""
    reach = reach_of(key, market)
    canceled = cancel_unsent_entries(
        session, where=reach.where, brokers=reach.brokers, reason=reason, at=moment.now
    )
    asked = request_exits(
        session, where=reach.where, brokers=reach.brokers, day=moment.day, reason=reason, wall=moment.wall
    )
    return FlattenResult(exits_requested=asked, entries_canceled=canceled)


def reach_of(key: ScopeKey, market: Market) -> Reach:
    """Return whose orders and legs a scope's lock concerns in a market."""
    scope, target = key
    if scope is LimitScope.BROKER:
        return Reach(brokers=market.brokers & {BrokerCode(target)})
    where = {_COLUMNS[scope]: int(target)} if scope in _COLUMNS else {}
    return Reach(where=where, brokers=market.brokers)


def unlock(session: Session, key: ScopeKey, *, by: str, origin: str, reason: str, now: datetime) -> list[int]:
    """End the locks of exactly this scope, because a person says so; return their ids, none without a lock.

    Raises:
        ConflictError: the scope is not flat yet, or its loss is at its daily limit still, which an unlock
            does not lift: somebody must raise the limit first.
    """
    locks = locks_in_force(session, key, days_of(now))
    limits = own_limits(current_limits(session, [key]).get(key, {}), _initial(session, key))
    for lock in locks:
        _demand_room(lock, key, limits)
    ids = [lock.id for lock in locks]
    note_unlocked(session, ids, by=by, reason=reason, at=now)
    for lock in locks:
        clear_alarm(session, LOCKED, subject=f"{name_of(key)} {lock.venue}", now=now)
        record_act(
            session,
            actor=by,
            origin=origin,
            action="loss.unlock",
            subject=name_of(key),
            reason=reason,
            details={"lock_id": lock.id, "venue": lock.venue, "rule": lock.rule, "formula": lock.formula},
        )
    return ids


def _initial(session: Session, key: ScopeKey) -> Mapping[str, object]:
    scope, target = key
    if scope is not LimitScope.DEPLOYMENT:
        return {}
    return get_deployment_for_staff(session, DeploymentId(int(target))).limits


def _demand_room(lock: LossLockRow, key: ScopeKey, limits: LimitSet) -> None:
    if lock.flat_value is None:
        raise ConflictError(f"expected {name_of(key)} flat before it is unlocked, its exits are under way")
    limit = loss_limits(key, limits, MARKETS[Venue(lock.venue)].currency).get(Currency(lock.currency))
    if lock.rule == LossRule.MAX_DAILY_LOSS and limit is not None and lock.flat_value <= -limit:
        raise ConflictError(
            f"expected a max_daily_loss of {name_of(key)} above {-lock.flat_value:f} {lock.currency}, it is "
            f"{limit:f}: an unlock does not lift the limit, raise it first"
        )


def _owner(session: Session, key: ScopeKey) -> UserId | None:
    scope, target = key
    match scope:
        case LimitScope.TENANT | LimitScope.BROKER | LimitScope.FAMILY:
            return None
        case LimitScope.USER:
            return UserId(int(target))
        case LimitScope.ACCOUNT:
            return owner_of_account(session, DataScope(user_id=None), AccountId(int(target)))
        case LimitScope.DEPLOYMENT:
            return get_deployment_for_staff(session, DeploymentId(int(target))).user_id
