"""Press everybody's kill switch in mid-day, as an operator would, and report what came of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.demo.options import DemoOptions
from app.demo.stage import Stage
from app.domain.calendar_rules import TradingSession
from app.domain.commands import ControlAction, ControlScope
from app.domain.users import Actor, Role
from app.services.kill_switch import Kill, follow_kills, press_kill_switch
from app.services.risk_control import ControlTarget, moment_of

_INDIA = ZoneInfo("Asia/Kolkata")
_OPERATOR = Actor(name="demo", role=Role.ADMIN, origin="demo")


def kill_instant(options: DemoOptions, session: TradingSession) -> datetime | None:
    """Return when the switch is pressed, None where it is not."""
    if options.kill_at is None:
        return None
    day = session.open_at.astimezone(_INDIA).date()
    return datetime.combine(day, options.kill_at, _INDIA).astimezone(session.open_at.tzinfo)


def kill_acts(stage: Stage) -> Mapping[datetime, Callable[[], None]]:
    """Return the press as an act of the governor."""
    instant = kill_instant(stage.options, stage.timeline.session)
    return {} if instant is None else {instant: lambda: _press(stage)}


def kills_of(stage: Stage) -> Sequence[Kill]:
    """Return what became of every switch that was pressed in the day."""
    with stage.database.begin() as session:
        return follow_kills(session, _OPERATOR)


def kill_row(kill: Kill) -> dict[str, Any]:
    """Return a pressed switch as the report shows it; times are real."""
    flat = [account.flat_at - kill.pressed_at for account in kill.accounts if account.flat_at is not None]
    return {
        "scope": kill.scope,
        "target": kill.target,
        "by": kill.actor,
        "pressed_at": kill.pressed_at.isoformat(),
        "accounts": len(kill.accounts),
        "flat": len(flat),
        "last_flat_ms": round(max(flat) / timedelta(milliseconds=1)) if flat else None,
        "not_flat": [
            {"account": f"{account.user_name}/{account.account_name}", "why": account.why_not_flat}
            for account in kill.accounts
            if not account.is_flat
        ],
        "press_to_last_order": {
            "accounts": kill.press_to_last_order.accounts,
            "p50_ms": kill.press_to_last_order.p50_ms,
            "p99_ms": kill.press_to_last_order.p99_ms,
        },
    }


def _press(stage: Stage) -> None:
    press_kill_switch(
        stage.database,
        _OPERATOR,
        ControlTarget(scope=ControlScope.TENANT, target=None),
        action=ControlAction.HALT,
        reason="the demo presses it",
        moment=lambda: moment_of(stage.house.clock),
    )
