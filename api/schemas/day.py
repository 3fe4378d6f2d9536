"""Describe the trading day: its phases, runs, alarms, health and the commands of people."""

from datetime import date, datetime
from typing import Any

from api.schemas.base import Asked, DecimalStr, Reason, Shown
from app.domain.accounts import BrokerCode
from app.domain.breaker import BreakerState, EndpointClass
from app.domain.calendar import SessionKind
from app.domain.charges import Charge
from app.domain.commands import CommandKind, CommandStatus, ControlAction, ControlScope
from app.domain.markets import Currency
from app.domain.phases import Phase
from app.infra.names import RunKind
from app.services.overview import Severity
from app.services.pnl import ChargeBasis, MarkSource
from app.services.timeline import PhaseState


class PhaseInfo(Shown):
    """Show one phase of the day; times are the platform's."""

    phase: Phase
    state: PhaseState
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    late_s: int
    summary: dict[str, Any]


class SessionInfo(Shown):
    """Show when the market trades."""

    open_at: datetime
    close_at: datetime
    kind: SessionKind
    notes: str


class Run(Shown):
    """Show one leased run; `expires_at` is machine time."""

    name: str
    kind: RunKind
    queue: str
    holder: str
    fence: int
    is_wanted: bool
    is_alive: bool
    expires_at: datetime
    progress: dict[str, Any]


class Alarm(Shown):
    """Show something that a person must look at."""

    id: int
    code: str
    subject: str
    message: str
    user_id: int | None
    raised_at: datetime
    seen: int
    cleared_at: datetime | None


class AuditEntry(Shown):
    """Show one recorded act."""

    id: int
    at: datetime
    actor: str
    origin: str
    action: str
    subject: str
    reason: str
    details: dict[str, Any]


class Process(Shown):
    """Show a worker's last sign of life."""

    name: str
    age_s: float


class QueueLength(Shown):
    """Show how many tasks wait in a queue."""

    name: str
    length: int


class BreakerInfo(Shown):
    """Show what is held back at a broker that fails for several accounts.

    `since` is machine time; null for a breaker that has never opened.
    """

    broker: BrokerCode
    endpoints: EndpointClass
    state: BreakerState
    since: datetime | None


class Health(Shown):
    """Show the state of the machinery; ages in real seconds, null when never heard."""

    is_database_up: bool
    is_valkey_up: bool
    feed_age_s: float | None
    feed_status: str
    beat_age_s: float | None
    workers: list[Process]
    queues: list[QueueLength]
    breakers: list[BreakerInfo]
    flower_url: str


class FindingInfo(Shown):
    """Show one thing that needs a person."""

    severity: Severity
    code: str
    message: str


class AccountCounts(Shown):
    """Count the accounts by login."""

    total: int
    ready: int
    failed: int
    waiting: int
    halted: int
    reducing: int


class LoopCounts(Shown):
    """Count what runs: leased runs (staff) and armed deployments."""

    runs_wanted: int
    runs_alive: int
    deployments_active: int
    deployments_armed: int


class OrderCounts(Shown):
    """Count the day's orders."""

    total: int
    working: int
    filled: int
    rejected: int
    denied: int
    unknown: int


class PnlInfo(Shown):
    """Sum up profit and loss in one currency: `total` before charges, `net` after them.

    Open positions are valued at `mark_source`; `unmarked` ones have no price and are missing from the sum.
    `lines` are the charges by name; `basis` says whether they were reckoned from dated rates or told by the
    broker.
    `unconfirmed` lines rest on rates of no primary source, `uncharged` executed orders have no rates at all.
    """

    currency: Currency
    total: DecimalStr
    realized: DecimalStr
    unrealized: DecimalStr
    unmarked: int
    charges: DecimalStr
    net: DecimalStr
    lines: dict[Charge, DecimalStr]
    basis: ChargeBasis
    unconfirmed: list[Charge]
    uncharged: int
    mark_source: MarkSource = MarkSource.LAST_PRICE


class Summary(Shown):
    """Show the day in one look; what the page Today needs first."""

    day: date
    now: datetime
    time_zone: str
    session: SessionInfo | None
    is_open: bool
    verdict: Severity
    findings: list[FindingInfo]
    phases: list[PhaseInfo]
    accounts: AccountCounts
    loops: LoopCounts
    orders: OrderCounts
    open_positions: int
    unprotected_positions: int
    pnl: list[PnlInfo]
    """One sum per currency, rupees first."""
    open_alarms: int
    health: Health


class Command(Shown):
    """Follow what was ordered until it is DONE or FAILED."""

    id: int
    kind: CommandKind
    actor: str
    payload: dict[str, Any]
    reason: str
    status: CommandStatus
    result: dict[str, Any]
    created_at: datetime
    finished_at: datetime | None


class KillSwitch(Asked):
    """Stop trading. HALT: no entries and flatten; REDUCE: exits only; RESUME: trade again (staff)."""

    scope: ControlScope
    target: int | BrokerCode | None = None
    """None for the tenant, the broker's code for a broker, else the id of the user, account or deployment."""
    action: ControlAction
    reason: Reason


class KilledAccountInfo(Shown):
    """Show what a kill switch did to an account that had something to close; times are the machine's.

    `why_not_flat` is null once it is flat; else the broker's own reason, where it gave one.
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


class LastOrderTimesInfo(Shown):
    """Sum up the real time from the press to each account's last exit order; null where none was sent."""

    accounts: int
    p50_ms: int | None
    p99_ms: int | None


class KillProgress(Shown):
    """Show a pressed kill switch and how far it is."""

    command_id: int
    scope: ControlScope
    target: int | BrokerCode | None
    action: ControlAction
    actor: str
    reason: str
    pressed_at: datetime
    exits_requested: int
    entries_canceled: int
    is_flat: bool
    are_exits_running: bool
    accounts: list[KilledAccountInfo]
    press_to_last_order: LastOrderTimesInfo


class Why(Asked):
    """Give the reason that goes into the audit log."""

    reason: Reason
