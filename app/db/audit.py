"""Append to the audit log; the database refuses everything else (I14)."""

from collections.abc import Mapping

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db.models import AuditRow
from app.domain.users import Actor


def record_act(
    session: Session,
    actor: Actor,
    *,
    action: str,
    subject: str,
    reason: str,
    details: Mapping[str, object] | None = None,
) -> None:
    """Record who did what to what and why, in the transaction of the act itself.

    Args:
        session: the transaction of the act.
        actor: who acts, and from where.
        action: noun and verb in the past, like "account.went_live".
        subject: what was acted on, like "account 12".
        reason: the words of the person, or of the rule.
        details: JSON values only, never secrets.
    """
    session.execute(
        insert(AuditRow).values(
            actor=actor.name,
            origin=actor.origin,
            action=action,
            subject=subject,
            reason=reason,
            details=dict(details or {}),
        )
    )
