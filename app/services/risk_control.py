"""Stop trading at once: states and exit requests go straight into the tables that the lanes poll.

Nothing here needs the task queue, so a kill switch works while Valkey and all workers are down; the
lanes obey when they are back. Everything happens in the caller's transaction.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.db.alarms import raise_alarm
from app.db.books import reduce_account
from app.db.controls import (
    Brokers,
    cancel_unsent_entries,
    exists_user,
    owner_of_account,
    request_exits,
    set_account_state,
    set_deployment_state,
    set_users_state,
)
from app.db.scope import DataScope
from app.domain.accounts import BrokerCode, TradingState
from app.domain.commands import ControlAction, ControlScope
from app.domain.deployments import DeploymentState
from app.domain.errors import ForbiddenError, InvalidInputError, NotFoundError
from app.domain.ids import AccountId, DeploymentId, UserId

STATE_AFTER = {
    ControlAction.HALT: TradingState.HALTED,
    ControlAction.REDUCE: TradingState.REDUCING,
    ControlAction.RESUME: TradingState.ACTIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTarget:
    """Say whom an act concerns; `target` is a user or account id, None for the whole tenant."""

    scope: ControlScope
    target: int | None

    def __post_init__(self) -> None:
        """Refuse a target that would silently widen or narrow the act."""
        if (self.scope is ControlScope.TENANT) != (self.target is None):
            raise InvalidInputError(
                f"expected a target id for scope user or account and none for tenant, "
                f"got scope {self.scope} with target {self.target}"
            )

    def __str__(self) -> str:
        return self.scope if self.target is None else f"{self.scope}:{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Carry the platform's time, the machine's, and the trading date of one act."""

    day: date
    now: datetime
    wall: datetime


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
        ForbiddenError: only staff may act on the whole tenant.
        NotFoundError: no such user or account for this caller.
    """
    match target.scope:
        case ControlScope.TENANT:
            if data.user_id is not None:
                raise ForbiddenError("only staff may stop or resume everybody")
            return
        case ControlScope.USER:
            user_id = UserId(target.target or 0)
            is_there = data.user_id in (None, user_id) and exists_user(session, user_id)
        case ControlScope.ACCOUNT:
            is_there = owner_of_account(session, data, AccountId(target.target or 0)) is not None
    if not is_there:
        raise NotFoundError(f"expected a {target.scope} of yours, there is no {target}")


def set_trading_state(session: Session, target: ControlTarget, state: TradingState, *, reason: str) -> int:
    """Set what may leave for everybody, a user or an account; return how many rows were set.

    The tenant's state is written to every user, because the lanes take the strictest of user and
    account; resuming the tenant leaves accounts stopped that were stopped one by one.
    """
    match target.scope:
        case ControlScope.TENANT:
            return set_users_state(session, state, user_id=None)
        case ControlScope.USER:
            return set_users_state(session, state, user_id=UserId(target.target or 0))
        case ControlScope.ACCOUNT:
            return set_account_state(session, AccountId(target.target or 0), state, reason=reason)


def request_flatten(session: Session, target: ControlTarget, *, reason: str, moment: Moment) -> FlattenResult:
    """Ask for flat positions and cancel entries that have not left. Idempotent."""
    column = {ControlScope.USER: "user_id", ControlScope.ACCOUNT: "account_id"}.get(target.scope)
    where = {} if column is None or target.target is None else {column: target.target}
    return flatten(session, where, reason=reason, moment=moment)


def square_off_deployment(
    session: Session, data: DataScope, deployment_id: DeploymentId, *, reason: str, moment: Moment
) -> FlattenResult:
    """Pause a deployment, so that it cannot enter again, and flatten what it holds.

    Raises:
        NotFoundError: no such deployment in the scope.
    """
    set_deployment(session, data, deployment_id, state=DeploymentState.PAUSED, reason=reason)
    return flatten(session, {"deployment_id": deployment_id}, reason=reason, moment=moment)


def set_deployment(
    session: Session, data: DataScope, deployment_id: DeploymentId, *, state: DeploymentState, reason: str
) -> None:
    """Pause or resume a deployment; exits work in every state.

    Raises:
        NotFoundError: no such deployment in the scope.
    """
    if set_deployment_state(session, data, deployment_id, state=state, reason=reason) == 0:
        raise NotFoundError(f"expected a deployment of yours, there is no deployment:{deployment_id}")


def flatten(
    session: Session,
    where: dict[str, int],
    *,
    reason: str,
    moment: Moment,
    brokers: Brokers = tuple(BrokerCode),
) -> FlattenResult:
    """Cancel the entries that have not left and ask for flat legs, of the rows with these values. Idempotent.

    Args:
        session: the transaction.
        where: columns of orders and legs and their value, for example {"account_id": 7}; empty means all.
        reason: why.
        moment: when.
        brokers: whose accounts.
    """
    canceled = cancel_unsent_entries(session, where=where, reason=reason, at=moment.now, brokers=brokers)
    asked = request_exits(
        session, where=where, day=moment.day, reason=reason, wall=moment.wall, brokers=brokers
    )
    return FlattenResult(exits_requested=asked, entries_canceled=canceled)
