"""Press a kill switch, straight in the tables, and follow it until every account is flat or says why not.

Pressing needs PostgreSQL and nothing else. What it asks for stands in the tables that the lanes read, so the
lanes carry it out without the queue and without Valkey (docs/risk.md). Flat is proven from the ledger and the
brokers' books, never from what was asked.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.commands import finish_command
from app.db.scope import DataScope, scope_of
from app.db.session import Database
from app.db.views import AnyRow
from app.db.views.kills import (
    are_runs_alive,
    read_entries_left,
    read_exits_of,
    read_halts,
    read_kill,
    read_killed_accounts,
    read_killed_legs,
    read_requests,
)
from app.domain.accounts import BrokerCode
from app.domain.commands import CommandKind, CommandStatus, ControlAction, ControlScope
from app.domain.errors import ForbiddenError, NotFoundError
from app.domain.orders import OrderEventKind, OrderStatus
from app.domain.reconciliation import held_at_broker
from app.domain.risk.scopes import LimitScope, scope_key
from app.domain.users import Actor
from app.infra.names import RunKind
from app.services.commands import record_command
from app.services.loss_locks import unlock
from app.services.risk_control import (
    STATE_AFTER,
    ControlTarget,
    Moment,
    request_flatten,
    require_target,
    set_trading_state,
)

log = structlog.get_logger()

_RECENT, _RECENT_SHOWN = timedelta(hours=24), 3
_ATTEMPTS = 4
_SENT = (OrderEventKind.SUBMITTED, OrderEventKind.UPDATE_REQUESTED)
_LegKey = tuple[int, Any, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledAccount:
    """Show what a kill switch did to one account that had something to close. Times are the machine's.

    `last_order_at` is when its last exit so far was sent or changed; `flat_at` is None until nothing is open;
    `why_not_flat` is then the broker's own reason, where it gave one.
    """

    account_id: int
    user_name: str
    account_name: str
    broker: BrokerCode
    open_legs: int
    live_entries: int
    last_order_at: datetime | None
    press_to_last_order_ms: int | None
    flat_at: datetime | None
    why_not_flat: str | None

    @property
    def is_flat(self) -> bool:
        """Whether nothing of the account is open any more."""
        return self.why_not_flat is None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastOrderTimes:
    """Sum up the time from the press to an account's last exit order; of `accounts` that sent one."""

    accounts: int
    p50_ms: int | None
    p99_ms: int | None

    def __str__(self) -> str:
        return f"p50 {self.p50_ms} ms, p99 {self.p99_ms} ms ({self.accounts} accounts)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Show a pressed kill switch and how far it is."""

    command_id: int
    scope: ControlScope
    target: int | str | None
    action: ControlAction
    actor: str
    reason: str
    pressed_at: datetime
    exits_requested: int
    entries_canceled: int
    is_flat: bool
    are_exits_running: bool
    accounts: tuple[KilledAccount, ...]
    press_to_last_order: LastOrderTimes

    @property
    def progress(self) -> str:
        """How far it is, in a sentence."""
        flat = sum(account.is_flat for account in self.accounts)
        lanes = "" if self.are_exits_running else "; not every exits lane is alive"
        return f"{flat} of {len(self.accounts)} accounts that had something to close are flat{lanes}"


def press_kill_switch(
    database: Database,
    actor: Actor,
    target: ControlTarget,
    *,
    action: ControlAction,
    reason: str,
    moment: Callable[[], Moment],
) -> int:
    """Stop, reduce or resume trading in one transaction; return the command's id. Pressing again is safe.

    A writer that stands still holds its rows for a while: the press waits for them, a few times over.

    Raises:
        ForbiddenError, NotFoundError: not yours to press.
        OperationalError: PostgreSQL does not answer, or a row stays locked; nothing was changed.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with database.begin() as session:
                return order_kill_switch(
                    session, actor, target, action=action, reason=reason, moment=moment()
                )
        except OperationalError as e:
            log.warning("kill_switch_not_pressed", target=str(target), attempt=attempt, error=str(e.orig))
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def order_kill_switch(
    session: Session,
    actor: Actor,
    target: ControlTarget,
    *,
    action: ControlAction,
    reason: str,
    moment: Moment,
) -> int:
    """Stop, reduce or resume trading in this transaction, without the queue; return the command's id.

    Resuming ends the loss locks of exactly this scope, not those of wider or narrower ones.

    Raises:
        ForbiddenError, NotFoundError: not yours to press.
        ConflictError: a loss lock that cannot be ended yet, see `unlock`.
    """
    if action is ControlAction.RESUME and not actor.is_staff:
        raise ForbiddenError("only operators and administrators may let trading resume")
    require_target(session, scope_of(actor), target)
    payload = {
        "scope": target.scope.value,
        "target": target.target,
        "action": action.value,
        "pressed_at": moment.wall.isoformat(),
    }
    command_id = record_command(
        session, actor, CommandKind.KILL_SWITCH, subject=str(target), payload=payload, reason=reason
    )
    rows = set_trading_state(session, target, STATE_AFTER[action], reason=reason)
    result: dict[str, Any] = {"rows": rows, "trading_state": STATE_AFTER[action].value}
    if action is ControlAction.RESUME:
        key = scope_key(LimitScope[target.scope.name], "" if target.target is None else str(target.target))
        unlocked = unlock(session, key, by=actor.name, origin=actor.origin, reason=reason, now=moment.now)
        result["unlocked"] = unlocked
    if action is ControlAction.HALT:
        flat = request_flatten(session, target, reason=f"kill switch: {reason}", moment=moment)
        result |= asdict(flat)
    finish_command(session, command_id, status=CommandStatus.DONE, result=result)
    return command_id


def follow_kill(session: Session, actor: Actor, command_id: int) -> Kill:
    """Return how far a pressed kill switch is, from the ledger as it stands.

    Raises:
        NotFoundError: no such kill switch in the actor's scope.
    """
    data = scope_of(actor)
    row = read_kill(session, data, command_id)
    if row is None:
        raise NotFoundError(f"expected a kill switch of yours, there is no command:{command_id}")
    target = _target_of(row.payload)
    told = row.payload.get("pressed_at")
    pressed_at = row.created_at if told is None else datetime.fromisoformat(told)
    is_halt = row.payload["action"] == ControlAction.HALT
    accounts = _Evidence(session, data, target, pressed_at).accounts() if is_halt else ()
    return Kill(
        command_id=row.id,
        scope=target.scope,
        target=target.target,
        action=ControlAction(row.payload["action"]),
        actor=row.actor,
        reason=row.reason,
        pressed_at=pressed_at,
        exits_requested=row.result.get("exits_requested", 0),
        entries_canceled=row.result.get("entries_canceled", 0),
        is_flat=all(account.is_flat for account in accounts),
        are_exits_running=are_runs_alive(session, RunKind.EXITS),
        accounts=accounts,
        press_to_last_order=last_order_times(accounts),
    )


def follow_kills(session: Session, actor: Actor) -> list[Kill]:
    """Return every halt that the actor may see, oldest first."""
    return [follow_kill(session, actor, i) for i in read_halts(session, scope_of(actor))]


def follow_recent_kills(session: Session, actor: Actor, *, wall: datetime) -> list[Kill]:
    """Return the last halts that the actor may see: up to three of the machine's 24 hours, newest first."""
    halts = read_halts(session, scope_of(actor), since=wall - _RECENT)
    return [follow_kill(session, actor, i) for i in reversed(halts[-_RECENT_SHOWN:])]


def last_order_times(accounts: Iterable[KilledAccount]) -> LastOrderTimes:
    """Return the median and the 99th percentile (nearest rank) over the accounts that sent an exit."""
    took = sorted(a.press_to_last_order_ms for a in accounts if a.press_to_last_order_ms is not None)

    def at(share: float) -> int | None:
        return took[ceil(len(took) * share) - 1] if took else None

    return LastOrderTimes(accounts=len(took), p50_ms=at(0.5), p99_ms=at(0.99))


class _Evidence:
    """Hold what the tables show of one press."""

    def __init__(
        self, session: Session, data: DataScope, target: ControlTarget, pressed_at: datetime
    ) -> None:
        self._pressed_at = pressed_at
        legs = read_killed_legs(session, data, target.reach, pressed=pressed_at)
        exits = read_exits_of(session, data, legs)
        self._legs = _by_account(legs)
        self._exits = _by_account(exits)
        self._entries = _by_account(read_entries_left(session, data, target.reach, pressed=pressed_at))
        self._requests: dict[int, list[AnyRow]] = defaultdict(list)
        for event in read_requests(session, [order.id for order in exits], since=pressed_at):
            self._requests[event.order_id].append(event)
        concerned = self._legs.keys() | self._entries.keys()
        self._rows = read_killed_accounts(session, data, concerned)

    def accounts(self) -> tuple[KilledAccount, ...]:
        """Return the accounts that had something to close, by name."""
        return tuple(self._account(row) for row in self._rows)

    def _account(self, row: AnyRow) -> KilledAccount:
        open_legs = [leg for leg in self._legs[row.id] if leg.net_qty != 0]
        entries = [e for e in self._entries[row.id] if not OrderStatus(e.status).is_terminal]
        exits = self._exits[row.id]
        live_exits = [e for e in exits if not OrderStatus(e.status).is_terminal]
        sent = [r.wall for order in exits for r in self._requests[order.id] if r.kind in _SENT]
        last = max(sent, default=None)
        why = self._why_not_flat(row, open_legs, entries, live_exits)
        ends = [o.ended_wall for o in (*exits, *self._entries[row.id]) if o.ended_wall is not None]
        return KilledAccount(
            account_id=row.id,
            user_name=row.user_name,
            account_name=row.name,
            broker=BrokerCode(row.broker),
            open_legs=len(open_legs),
            live_entries=len(entries),
            last_order_at=last,
            press_to_last_order_ms=None if last is None else _ms_between(self._pressed_at, last),
            flat_at=max(ends, default=self._pressed_at) if why is None else None,
            why_not_flat=why,
        )

    def _why_not_flat(
        self,
        row: AnyRow,
        open_legs: Sequence[AnyRow],
        entries: Sequence[AnyRow],
        live_exits: Sequence[AnyRow],
    ) -> str | None:
        if not open_legs and not entries and not live_exits:
            return None if row.book_alarm is None else f"the broker's book differs: {row.book_alarm}"
        login = f"{row.login_reason or 'never logged in'} {row.login_detail or ''}".strip()
        leaving = {_key(leg) for leg in open_legs}
        refusal = self._refusal([e for e in self._exits[row.id] if _key(e) in leaving])
        holds = [g for g in open_legs if held_at_broker(g.net_qty, missing_qty=g.missing_qty) != 0]
        reasons = (
            (not row.has_session, f"no broker session: {login}"),
            (refusal is not None, f"the broker refuses: {refusal}"),
            (bool(open_legs) and not holds, "the broker's book does not hold what the ledger says"),
            (any(o.is_unknown for o in (*live_exits, *entries)), "the broker has not answered for an order"),
            (bool(live_exits), "an exit works at the broker and is not filled yet"),
            (not open_legs, "an entry has not ended yet"),
        )
        return next((text for applies, text in reasons if applies), "no exit has been sent yet")

    def _refusal(self, exits: Sequence[AnyRow]) -> str | None:
        """Return the newest refusal since the press; the first one only until something is sent again."""
        told = sorted((r for order in exits for r in self._requests[order.id]), key=lambda r: r.wall)
        refused = [request for request in told if request.kind not in _SENT]
        if not refused or (told[-1].kind in _SENT and len(refused) == 1):
            return None
        why = refused[-1]
        return str(why.details.get("message") or why.details.get("reason") or why.kind)


def _target_of(payload: Mapping[str, Any]) -> ControlTarget:
    scope, told = ControlScope(payload["scope"]), payload["target"]
    return ControlTarget(scope=scope, target=BrokerCode(told) if scope is ControlScope.BROKER else told)


def _by_account(rows: Iterable[AnyRow]) -> dict[int, list[AnyRow]]:
    found: dict[int, list[AnyRow]] = defaultdict(list)
    for row in rows:
        found[row.account_id].append(row)
    return found


def _key(row: AnyRow) -> _LegKey:
    return row.deployment_id, row.day, row.instrument_id


def _ms_between(begin: datetime, end: datetime) -> int:
    return round((end.astimezone(UTC) - begin.astimezone(UTC)).total_seconds() * 1000)
