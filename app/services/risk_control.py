"""Stop trading at once: states and exit requests go straight into the tables that the lanes poll.

Nothing here needs the task queue, so a kill switch works while Valkey and the queue are down: the lanes read
these tables. Everything happens in the caller's transaction.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.db.alarms import raise_alarm
from app.db.books import reduce_account
from app.db.controls import (
    Reach,
    await_decisions,
    cancel_unsent_entries,
    exists_deployment,
    exists_user,
    owner_of_account,
    request_exits,
    set_account_state,
    set_accounts_at_broker,
    set_deployment_state,
    set_family_state,
    set_users_state,
)
from app.db.families import exists_family
from app.db.scope import DataScope
from app.domain.accounts import BrokerCode, TradingState
from app.domain.commands import ControlAction, ControlScope
from app.domain.deployments import DeploymentState
from app.domain.errors import ForbiddenError, InvalidInputError, NotFoundError
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.ports import Clock
from app.services.timeline import trading_day

STATE_AFTER = {
    ControlAction.HALT: TradingState.HALTED,
    ControlAction.REDUCE: TradingState.REDUCING,
    ControlAction.RESUME: TradingState.ACTIVE,
}
_DEPLOYMENT_STATE = {
    TradingState.HALTED: DeploymentState.HALTED,
    TradingState.REDUCING: DeploymentState.PAUSED,
    TradingState.ACTIVE: DeploymentState.ACTIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTarget:
    """Say whom an act concerns: `target` is None for the whole tenant, a broker's code, else an id."""

    scope: ControlScope
    target: int | BrokerCode | None

    def __post_init__(self) -> None:
        """Refuse a target that would silently widen or narrow the act."""
        by_name: dict[ControlScope, type] = {ControlScope.TENANT: type(None), ControlScope.BROKER: BrokerCode}
        wanted = by_name.get(self.scope, int)
        if not isinstance(self.target, wanted):
            raise InvalidInputError(
                f"expected no target for scope tenant, a broker's code for broker and an id for the others, "
                f"got scope {self.scope} with target {self.target}"
            )

    @property
    def number(self) -> int:
        """The id that the target is; raises InvalidInputError for a broker and for the tenant."""
        if not isinstance(self.target, int):
            raise InvalidInputError(f"expected a target with an id, got {self}")
        return self.target

    @property
    def reach(self) -> Reach:
        """Whose orders and legs the act concerns."""
        match self.scope:
            case ControlScope.TENANT:
                return Reach()
            case ControlScope.BROKER:
                return Reach(brokers=(BrokerCode(str(self.target)),))
            case ControlScope.FAMILY | ControlScope.USER | ControlScope.ACCOUNT | ControlScope.DEPLOYMENT:
                return Reach(where={f"{self.scope}_id": self.number})

    def __str__(self) -> str:
        return self.scope if self.target is None else f"{self.scope}:{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Carry the platform's time, the machine's, and the trading date of one act."""

    day: date
    now: datetime
    wall: datetime


def moment_of(clock: Clock) -> Moment:
    """Return this moment."""
    now = clock.now()
    return Moment(day=trading_day(now), now=now, wall=clock.wall())


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenResult:
    """Tell what a flatten asked for."""

    exits_requested: int
    entries_canceled: int


def stop_denied_address(session: Session, account_id: AccountId, *, why: str, now: datetime) -> None:
    """Stop the entries of an account whose source address the broker refuses, and call a person.

    Nothing that it sends is taken, and only a person can register an address; its exits are still tried.
    """
    reduce_account(session, account_id, reason="the broker refuses its source address")
    raise_alarm(
        session,
        "address_denied",
        subject=f"account:{account_id}",
        message=f"register this account's source address with the broker, or correct it: {why}",
        user_id=owner_of_account(session, DataScope(user_id=None), account_id),
        now=now,
    )


def require_target(session: Session, data: DataScope, target: ControlTarget) -> None:
    """Refuse a target outside the caller's scope.

    Raises:
        ForbiddenError: only staff may act on the whole tenant, a broker or a family.
        NotFoundError: no such family, user, account or deployment for this caller.
    """
    match target.scope:
        case ControlScope.TENANT | ControlScope.BROKER:
            if data.user_id is not None:
                raise ForbiddenError("only staff may stop or resume everybody, or a whole broker")
            return
        case ControlScope.FAMILY:
            if data.user_id is not None:
                raise ForbiddenError("only staff may stop or resume a family")
            is_there = exists_family(session, FamilyId(target.number))
        case ControlScope.USER:
            user_id = UserId(target.number)
            is_there = data.user_id in (None, user_id) and exists_user(session, user_id)
        case ControlScope.ACCOUNT:
            is_there = owner_of_account(session, data, AccountId(target.number)) is not None
        case ControlScope.DEPLOYMENT:
            is_there = exists_deployment(session, data, DeploymentId(target.number))
    if not is_there:
        raise NotFoundError(f"expected a {target.scope} of yours, there is no {target}")


def set_trading_state(session: Session, target: ControlTarget, state: TradingState, *, reason: str) -> int:
    """Set what may leave for a target; return how many rows had another state.

    The tenant's state is written to every user, a family's to each of its users and a broker's to every
    account there, because the lanes take the strictest of user and account; resuming one leaves those stopped
    that were stopped one by one at the other level. What is added later is not stopped.
    """
    match target.scope:
        case ControlScope.TENANT:
            return set_users_state(session, state, user_id=None)
        case ControlScope.BROKER:
            broker = BrokerCode(str(target.target))
            return set_accounts_at_broker(session, broker, state, reason=reason)
        case ControlScope.FAMILY:
            return set_family_state(session, FamilyId(target.number), state)
        case ControlScope.USER:
            return set_users_state(session, state, user_id=UserId(target.number))
        case ControlScope.ACCOUNT:
            return set_account_state(session, AccountId(target.number), state, reason=reason)
        case ControlScope.DEPLOYMENT:
            return set_deployment_state(
                session,
                DataScope(user_id=None),
                DeploymentId(target.number),
                state=_DEPLOYMENT_STATE[state],
                reason=reason,
            )


def request_flatten(session: Session, target: ControlTarget, *, reason: str, moment: Moment) -> FlattenResult:
    """Ask for flat positions and cancel entries that have not left. Idempotent.

    Set the state that stops new entries before, in the same transaction.
    """
    reach = target.reach
    await_decisions(session, reach)
    canceled = cancel_unsent_entries(
        session, where=reach.where, brokers=reach.brokers, reason=reason, at=moment.now
    )
    asked = request_exits(
        session, where=reach.where, brokers=reach.brokers, day=None, reason=reason, wall=moment.wall
    )
    return FlattenResult(exits_requested=asked, entries_canceled=canceled)


def square_off_deployment(
    session: Session, data: DataScope, deployment_id: DeploymentId, *, reason: str, moment: Moment
) -> FlattenResult:
    """Pause a deployment, so that it cannot enter again, and flatten what it holds.

    Raises:
        NotFoundError: no such deployment in the scope.
    """
    set_deployment(session, data, deployment_id, state=DeploymentState.PAUSED, reason=reason)
    target = ControlTarget(scope=ControlScope.DEPLOYMENT, target=deployment_id)
    return request_flatten(session, target, reason=reason, moment=moment)


def set_deployment(
    session: Session, data: DataScope, deployment_id: DeploymentId, *, state: DeploymentState, reason: str
) -> None:
    """Pause or resume a deployment; exits work in every state.

    Raises:
        NotFoundError: no such deployment in the scope.
    """
    require_target(session, data, ControlTarget(scope=ControlScope.DEPLOYMENT, target=deployment_id))
    set_deployment_state(session, data, deployment_id, state=state, reason=reason)
