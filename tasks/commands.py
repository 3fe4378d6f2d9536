"""Carry out what people ordered through the API and what a worker must do."""

from datetime import date
from typing import Any

from app.db.commands import claim_command, finish_command
from app.db.day import retry_login_now
from app.domain.commands import CommandKind, CommandStatus
from app.domain.errors import InvariantError
from app.domain.ids import AccountId
from app.infra.names import TaskName
from tasks.celery import celery_app
from tasks.container import container
from tasks.market_day import run_phase


@celery_app.task(name=TaskName.RUN_COMMAND, soft_time_limit=300, time_limit=330)
def run_command(command_id: int) -> None:
    """Carry out one recorded command; a second delivery finds it taken."""
    database = container().database
    with database.begin() as session:
        claimed = claim_command(session, command_id)
    if claimed is None:
        return
    kind, payload, _actor = claimed
    status, result = CommandStatus.FAILED, {"error": "the worker could not carry it out; see its log"}
    try:
        status, result = CommandStatus.DONE, _carry_out(kind, payload)
    finally:
        with database.begin() as session:
            finish_command(session, command_id, status=status, result=result)


def _carry_out(kind: CommandKind, payload: dict[str, Any]) -> dict[str, Any]:
    if kind is CommandKind.TRIGGER_PHASE:
        run_phase(payload["day"], payload["phase"])
        return {"phase": payload["phase"]}
    if kind is CommandKind.RETRY_LOGIN:
        return _retry_login(AccountId(payload["account_id"]), date.fromisoformat(payload["day"]))
    raise InvariantError(f"expected a command that a worker carries out, got {kind}")


def _retry_login(account_id: AccountId, day: date) -> dict[str, Any]:
    with container().database.begin() as session:
        retry_login_now(session, account_id, day)
    counts = container().logins.log_in(day, [account_id])
    for market_day in container().market_days.values():
        market_day.after_logins(market_day.today())
    return dict(counts)
