"""Append to the audit log; the database refuses everything else (I14)."""

from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db.models import AuditRow


def record_act(
    session: Session,
    *,
    actor: str,
    origin: str,
    action: str,
    subject: str,
    reason: str,
    details: dict[str, Any],
) -> None:
    """Record who did what to whom, from where and why; `details` holds JSON values and no secrets."""
    session.execute(
        insert(AuditRow).values(
            actor=actor, origin=origin, action=action, subject=subject, reason=reason, details=details
        )
    )
