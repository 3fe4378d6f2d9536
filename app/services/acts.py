"""Record what an actor did."""

from sqlalchemy.orm import Session

from app.db.audit import record_act
from app.domain.users import Actor


def record(
    session: Session, actor: Actor, action: str, *, subject: str, reason: str = "", **details: object
) -> None:
    """Append an act to the audit log in the transaction of the act; details are JSON values, no secrets."""
    record_act(
        session,
        actor=actor.name,
        origin=actor.origin,
        action=action,
        subject=subject,
        reason=reason,
        details=details,
    )
