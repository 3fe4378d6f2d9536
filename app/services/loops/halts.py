"""Halt deployments whose strategies misbehave, and tell people why."""

from app.db.alarms import raise_alarm
from app.db.audit import record_act
from app.db.loops import halt_deployment
from app.db.session import Database
from app.domain.deployments import Deployment
from app.domain.ports import Clock
from app.services.news import News


class DeploymentHalter:
    """Store halts: state, alarm and audit record in one transaction, then the news. Thread-safe.

    Legs are not touched: their stops and the square-off are the business of the exits lane.
    """

    def __init__(self, database: Database, news: News, clock: Clock) -> None:
        self._database = database
        self._news = news
        self._clock = clock

    def halt(self, deployment: Deployment, reason: str) -> None:
        """Halt an active deployment; one that somebody paused or halted keeps its state and reason."""
        subject = f"deployment:{deployment.deployment_id}"
        with self._database.begin() as session:
            is_halted = halt_deployment(
                session, deployment.deployment_id, user_id=deployment.user_id, reason=reason
            )
            if not is_halted:
                return
            raise_alarm(
                session,
                "strategy_halted",
                subject=subject,
                message=f"{deployment.name} ({deployment.strategy}) was halted: {reason}",
                user_id=deployment.user_id,
                now=self._clock.now(),
            )
            record_act(
                session,
                actor="system",
                origin="loops",
                action="deployment.halt",
                subject=subject,
                reason=reason,
                details={"strategy": deployment.strategy},
            )
        data = {
            "deployment_id": deployment.deployment_id,
            "user_id": deployment.user_id,
            "name": deployment.name,
            "reason": reason,
        }
        self._news.tell_ops("deployment_halted", data)
        self._news.tell_user(deployment.user_id, "deployment_halted", data)
