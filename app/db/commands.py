"""Write commands: durable before anything is sent, so that a dead queue loses nothing."""

from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from app.db.models import CommandRow
from app.domain.commands import CommandKind, CommandStatus
from app.domain.ids import UserId


def add_command(
    session: Session,
    kind: CommandKind,
    *,
    user_id: UserId | None,
    actor: str,
    payload: dict[str, Any],
    reason: str,
) -> int:
    """Record what a person ordered and return the id to follow; the machine's operator is no user."""
    statement = insert(CommandRow).values(
        kind=kind, user_id=user_id, actor=actor, payload=payload, reason=reason
    )
    return session.execute(statement.returning(CommandRow.id)).scalar_one()


def claim_command(session: Session, command_id: int) -> tuple[CommandKind, dict[str, Any], str] | None:
    """Take a PENDING command for carrying out; return kind, payload, actor; None when somebody has it."""
    statement = (
        update(CommandRow)
        .where(CommandRow.id == command_id, CommandRow.status == CommandStatus.PENDING)
        .values(status=CommandStatus.RUNNING)
        .returning(CommandRow.kind, CommandRow.payload, CommandRow.actor)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (CommandKind(row.kind), row.payload, row.actor)


def finish_command(
    session: Session, command_id: int, *, status: CommandStatus, result: dict[str, Any]
) -> None:
    """Record how a command ended."""
    session.execute(
        update(CommandRow)
        .where(CommandRow.id == command_id)
        .values(status=status, result=result, finished_at=func.clock_timestamp())
    )


def waiting_commands(session: Session, *, older_than_s: float) -> list[int]:
    """Return commands that were accepted while the queue was away and still wait for a worker."""
    age = func.make_interval(0, 0, 0, 0, 0, 0, older_than_s)
    statement = (
        select(CommandRow.id)
        .where(
            CommandRow.status == CommandStatus.PENDING,
            CommandRow.created_at < func.clock_timestamp() - age,
        )
        .order_by(CommandRow.id)
    )
    return list(session.scalars(statement))
