"""Accept what people order: recorded and audited first, then carried out here or by a worker."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy.orm import Session

from app.db.audit import record_act
from app.db.commands import add_command, finish_command
from app.db.controls import owner_of_account
from app.db.scope import DataScope
from app.domain.commands import CommandKind, CommandStatus
from app.domain.deployments import DeploymentState
from app.domain.errors import ForbiddenError, NotFoundError, UnavailableError
from app.domain.ids import AccountId, DeploymentId, OrderId, UserId
from app.domain.phases import Phase
from app.domain.risk.scopes import LimitScope, ScopeKey, scope_key
from app.domain.unknown_orders import Settlement
from app.domain.users import Actor, Role
from app.infra.names import TaskName
from app.services.loss_locks import unlock
from app.services.risk_control import Moment, set_deployment, square_off_deployment
from app.services.unknown_orders import settle_unknown

log = structlog.get_logger()


class TaskSender(Protocol):
    """Send a task by name; raises UnavailableError when the queue cannot be reached."""

    def send(self, task: TaskName, *, expires_s: float | None = None, **kwargs: Any) -> None:  # noqa: ANN401  JSON
        """Enqueue one task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Identify who orders, with which rights and from where, for scope and audit."""

    user_id: UserId
    name: str
    role: Role
    origin: str

    @property
    def is_staff(self) -> bool:
        """Whether the caller may see and stop everything."""
        return self.role in (Role.ADMIN, Role.OPS)

    @property
    def scope(self) -> DataScope:
        """Whose data the caller may see and touch."""
        return DataScope(user_id=None if self.is_staff else self.user_id)

    @property
    def actor(self) -> Actor:
        """The caller as use cases and the audit log know it."""
        return Actor(name=self.name, role=self.role, origin=self.origin, user_id=self.user_id)

    def require_staff(self, what: str) -> None:
        """Raise ForbiddenError unless the caller is staff."""
        if not self.is_staff:
            raise ForbiddenError(f"only operators and administrators may {what}")


def order_square_off(
    session: Session, caller: Caller, deployment_id: DeploymentId, *, reason: str, moment: Moment
) -> int:
    """Flatten one deployment and pause it, in this transaction; return the command's id."""
    flat = square_off_deployment(
        session, caller.scope, deployment_id, reason=f"square-off: {reason}", moment=moment
    )
    return _record_done(
        session, caller, CommandKind.SQUARE_OFF, deployment_id, reason=reason, result=asdict(flat)
    )


def order_deployment_state(
    session: Session,
    caller: Caller,
    deployment_id: DeploymentId,
    *,
    state: DeploymentState,
    reason: str,
    moment: Moment,
) -> int:
    """Pause or resume a deployment in this transaction; return the command's id. Resuming unlocks it.

    Raises:
        NotFoundError: no such deployment in the caller's scope.
        ConflictError: a loss lock that cannot be ended yet, see `unlock`.
    """
    set_deployment(session, caller.scope, deployment_id, state=state, reason=reason)
    is_resume = state is DeploymentState.ACTIVE
    result: dict[str, Any] = {"state": state.value}
    if is_resume:
        key = scope_key(LimitScope.DEPLOYMENT, str(deployment_id))
        result["unlocked"] = _unlock(session, caller, key, reason=reason, moment=moment)
    kind = CommandKind.RESUME_DEPLOYMENT if is_resume else CommandKind.PAUSE_DEPLOYMENT
    return _record_done(session, caller, kind, deployment_id, reason=reason, result=result)


def order_phase(session: Session, caller: Caller, phase: Phase, *, reason: str, moment: Moment) -> int:
    """Ask a worker to run a phase of today now; a phase that ran stays run (I10)."""
    caller.require_staff("trigger a phase of the day")
    payload = {"phase": phase.value, "day": moment.day.isoformat()}
    return _record(
        session, caller, CommandKind.TRIGGER_PHASE, subject=f"phase:{phase}", payload=payload, reason=reason
    )


def order_login(
    session: Session, caller: Caller, account_id: AccountId, *, reason: str, moment: Moment
) -> int:
    """Ask a worker to log an account in again.

    Raises:
        NotFoundError: no such account in the caller's scope.
    """
    if owner_of_account(session, caller.scope, account_id) is None:
        raise NotFoundError(f"expected an account of yours, there is no account:{account_id}")
    payload = {"account_id": account_id, "day": moment.day.isoformat()}
    return _record(
        session,
        caller,
        CommandKind.RETRY_LOGIN,
        subject=f"account:{account_id}",
        payload=payload,
        reason=reason,
    )


def order_settlement(
    session: Session, caller: Caller, order_id: OrderId, settlement: Settlement, *, moment: Moment
) -> int:
    """Settle an order with unknown outcome in this transaction, audited; return the command's id."""
    settled = settle_unknown(session, caller.actor, order_id, settlement, moment=moment)
    command_id = add_command(
        session,
        CommandKind.RESOLVE_UNKNOWN,
        user_id=caller.user_id,
        actor=caller.name,
        payload={
            "order_id": order_id,
            "fate": settlement.fate,
            "broker_order_id": settlement.broker_order_id,
        },
        reason=settlement.reason,
    )
    result = {"order_status": settled.status, "changed": settled.is_news}
    finish_command(session, command_id, status=CommandStatus.DONE, result=result)
    return command_id


def dispatch(queue: TaskSender, command_id: int) -> bool:
    """Send a committed command to the workers; False when the queue is down and the sweep will send it."""
    try:
        queue.send(TaskName.RUN_COMMAND, command_id=command_id)
    except UnavailableError as e:
        log.warning("command_not_sent", command_id=command_id, error=str(e))
        return False
    return True


def _unlock(session: Session, caller: Caller, key: ScopeKey, *, reason: str, moment: Moment) -> list[int]:
    return unlock(session, key, by=caller.name, origin=caller.origin, reason=reason, now=moment.now)


def record_command(
    session: Session, actor: Actor, kind: CommandKind, *, subject: str, payload: dict[str, Any], reason: str
) -> int:
    """Record what somebody orders, also in the audit log; return the command's id."""
    command_id = add_command(
        session, kind, user_id=actor.user_id, actor=actor.name, payload=payload, reason=reason
    )
    record_act(
        session,
        actor=actor.name,
        origin=actor.origin,
        action=kind.value.lower(),
        subject=subject,
        reason=reason,
        details=payload | {"command_id": command_id},
    )
    return command_id


def _record(
    session: Session, caller: Caller, kind: CommandKind, *, subject: str, payload: dict[str, Any], reason: str
) -> int:
    return record_command(session, caller.actor, kind, subject=subject, payload=payload, reason=reason)


def _record_done(
    session: Session,
    caller: Caller,
    kind: CommandKind,
    deployment_id: DeploymentId,
    *,
    reason: str,
    result: dict[str, Any],
) -> int:
    payload = {"deployment_id": deployment_id}
    subject = f"deployment:{deployment_id}"
    command_id = _record(session, caller, kind, subject=subject, payload=payload, reason=reason)
    finish_command(session, command_id, status=CommandStatus.DONE, result=result)
    return command_id
