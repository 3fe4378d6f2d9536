"""Read how a day ended, for reports and for comparison with a broker's own books."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcome:
    """Show one order with the names around it."""

    order_id: int
    client_order_id: str
    account_id: int
    user: str
    deployment: str
    signal_key: str | None
    leg: int
    part: int
    attempt: int
    instrument_id: str
    symbol: str | None
    side: str
    role: str
    order_type: str
    quantity: Decimal
    price: Decimal | None
    reason: str
    status: str
    denial_code: str | None
    broker_order_id: str | None
    filled_qty: Decimal
    avg_px: Decimal | None
    is_unknown: bool
    was_unknown: bool
    was_sent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegOutcome:
    """Show one instrument of a deployment at the end."""

    account_id: int
    deployment: str
    instrument_id: str
    symbol: str | None
    net_qty: Decimal
    cash: Decimal
    is_stopped: bool
    exit_reason: str | None
    unprotected_max_ms: int
    is_exposed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOutcomeRow:
    """Show how an account's login of the day ended."""

    account_id: int
    account: str
    user: str
    status: str
    reason: str
    detail: str
    attempts: int
    took_ms: int | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseOutcome:
    """Show when a phase was due and when it ran, in the platform's time."""

    phase: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalOutcome:
    """Show one wish."""

    user: str
    deployment: str
    key: str
    kind: str
    reason: str
    payload: Mapping[str, Any]
    ts_event: datetime
    is_expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Show who was stopped and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOutcome:
    """Show what a rule on profit and loss closed; `what` names it as people do, `flat_s` is real time."""

    what: str
    rule: str
    limit: Decimal
    value: Decimal
    currency: str
    formula: str
    breached_at: datetime
    flat_at: datetime | None
    flat_s: Decimal | None
    flat_value: Decimal | None
    entries_after: int
    """Entries of the scope that were approved after it."""
    unlocked_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmOutcome:
    """Show one alarm, open or cleared."""

    code: str
    subject: str
    message: str
    raised_at: datetime


_ORDERS = text("""
SELECT o.id AS order_id, o.client_order_id, o.account_id, u.name AS "user", d.name AS deployment,
       s.key AS signal_key, o.leg, o.part, o.attempt, o.instrument_id, i.broker_symbol AS symbol, o.side,
       o.role, o.order_type, o.quantity, o.price, o.reason, o.status, o.denial_code, o.broker_order_id,
       o.filled_qty, o.avg_px, o.is_unknown, o.was_unknown, o.submitted_wall IS NOT NULL AS was_sent
  FROM orders o
  JOIN users u ON u.id = o.user_id
  JOIN deployments d ON d.id = o.deployment_id
  LEFT JOIN signals s ON s.id = o.signal_id
  LEFT JOIN instruments i ON i.as_of = o.day AND i.instrument_id = o.instrument_id
 WHERE o.day = :day
 ORDER BY o.id
""")
_LEGS = text("""
SELECT l.account_id, d.name AS deployment, l.instrument_id, i.broker_symbol AS symbol, l.net_qty, l.cash,
       l.is_stopped, l.exit_reason, l.unprotected_max_ms,
       l.exposed_since IS NOT NULL AND l.net_qty <> 0 AS is_exposed
  FROM legs l JOIN deployments d ON d.id = l.deployment_id
  LEFT JOIN instruments i ON i.as_of = l.day AND i.instrument_id = l.instrument_id
 WHERE l.day = :day
""")
_LOGINS = text("""
SELECT l.account_id, a.name AS account, u.name AS "user", l.status, l.reason, l.detail, l.attempts,
       l.took_ms, l.finished_at
  FROM logins l JOIN accounts a ON a.id = l.account_id JOIN users u ON u.id = a.user_id
 WHERE l.day = :day
 ORDER BY l.account_id
""")
_PHASES = text("""
SELECT phase, due_at, started_at, finished_at, summary FROM phase_runs WHERE day = :day ORDER BY due_at, phase
""")
_SIGNALS = text("""
SELECT u.name AS "user", d.name AS deployment, s.key, s.kind, s.reason, s.payload, s.ts_event, s.is_expired
  FROM signals s JOIN users u ON u.id = s.user_id JOIN deployments d ON d.id = s.deployment_id
 WHERE s.day = :day
 ORDER BY u.name, d.name, s.key
""")
_HALTS = text("""
SELECT 'deployment ' || u.name || '/' || d.name AS what, d.state_reason AS reason
  FROM deployments d JOIN users u ON u.id = d.user_id WHERE d.state = 'HALTED'
UNION ALL
SELECT 'account ' || a.name, a.trading_state || ' ' || a.state_reason
  FROM accounts a WHERE a.trading_state <> 'ACTIVE'
UNION ALL
SELECT 'user ' || u.name, u.trading_state FROM users u WHERE u.trading_state <> 'ACTIVE'
""")
_LOCKS = text("""
SELECT CASE k.scope WHEN 'TENANT' THEN 'everybody' WHEN 'BROKER' THEN 'broker ' || k.target
            WHEN 'USER' THEN 'user ' || u.name WHEN 'ACCOUNT' THEN 'account ' || a.name
            ELSE 'deployment ' || o.name || '/' || d.name END AS what,
       k.rule, k."limit", k.value, k.currency, k.formula, k.breached_at, k.flat_at,
       round(extract(epoch FROM k.flat_wall - k.breached_wall), 3) AS flat_s, k.flat_value, k.unlocked_by,
       (SELECT count(*) FROM orders e
         WHERE e.day = k.day AND e.role = 'ENTRY' AND e.status <> 'DENIED' AND e.created_at > k.breached_wall
           AND CASE k.scope WHEN 'USER' THEN e.user_id = u.id WHEN 'ACCOUNT' THEN e.account_id = a.id
                            WHEN 'DEPLOYMENT' THEN e.deployment_id = d.id ELSE true END) AS entries_after
  FROM loss_locks k
  LEFT JOIN users u ON k.scope = 'USER' AND CAST(u.id AS text) = k.target
  LEFT JOIN accounts a ON k.scope = 'ACCOUNT' AND CAST(a.id AS text) = k.target
  LEFT JOIN deployments d ON k.scope = 'DEPLOYMENT' AND CAST(d.id AS text) = k.target
  LEFT JOIN users o ON o.id = d.user_id
 WHERE k.day = :day
 ORDER BY k.id
""")
_ALARMS = text("SELECT code, subject, message, raised_at FROM alarms ORDER BY id")
_TRADED = text("""
SELECT f.account_id, i.broker_symbol AS symbol,
       sum(CASE WHEN f.side = 'BUY' THEN f.quantity ELSE 0 END) AS bought,
       sum(CASE WHEN f.side = 'SELL' THEN f.quantity ELSE 0 END) AS sold
  FROM fills f
  JOIN orders o ON o.id = f.order_id
  LEFT JOIN instruments i ON i.as_of = o.day AND i.instrument_id = f.instrument_id
 WHERE o.day = :day
 GROUP BY f.account_id, i.broker_symbol
""")
_CLAIMED = text("""
SELECT account_id, broker_symbol AS symbol,
       sum(CASE WHEN side = 'BUY' THEN quantity ELSE 0 END) AS bought,
       sum(CASE WHEN side = 'SELL' THEN quantity ELSE 0 END) AS sold
  FROM external_fills WHERE day = :day AND deployment_id IS NOT NULL
 GROUP BY account_id, broker_symbol
""")


def order_outcomes(session: Session, day: date) -> list[OrderOutcome]:
    """Return all orders of a day, oldest first."""
    return [OrderOutcome(**_fields(row)) for row in session.execute(_ORDERS, {"day": day})]


def leg_outcomes(session: Session, day: date) -> list[LegOutcome]:
    """Return all legs of a day."""
    return [LegOutcome(**_fields(row)) for row in session.execute(_LEGS, {"day": day})]


def login_outcomes(session: Session, day: date) -> list[LoginOutcomeRow]:
    """Return the readiness table of a day."""
    return [LoginOutcomeRow(**_fields(row)) for row in session.execute(_LOGINS, {"day": day})]


def phase_outcomes(session: Session, day: date) -> list[PhaseOutcome]:
    """Return the phases that ran, in order."""
    return [PhaseOutcome(**_fields(row)) for row in session.execute(_PHASES, {"day": day})]


def signal_outcomes(session: Session, day: date) -> list[SignalOutcome]:
    """Return the wishes of a day by user, deployment and key."""
    return [SignalOutcome(**_fields(row)) for row in session.execute(_SIGNALS, {"day": day})]


def halts(session: Session) -> list[Halt]:
    """Return who is stopped."""
    return [Halt(**_fields(row)) for row in session.execute(_HALTS)]


def lock_outcomes(session: Session, day: date) -> list[LockOutcome]:
    """Return what rules on profit and loss closed and locked on a day, oldest first."""
    return [LockOutcome(**_fields(row)) for row in session.execute(_LOCKS, {"day": day})]


def alarms_raised(session: Session) -> list[AlarmOutcome]:
    """Return every alarm, open and cleared, oldest first."""
    return [AlarmOutcome(**_fields(row)) for row in session.execute(_ALARMS)]


def traded(session: Session, day: date) -> dict[tuple[int, str], tuple[Decimal, Decimal]]:
    """Return the quantities (bought, sold) of our orders of a day by account and broker symbol."""
    rows = session.execute(_TRADED, {"day": day})
    return {(row.account_id, row.symbol): (row.bought, row.sold) for row in rows}


def claimed(session: Session, day: date) -> dict[tuple[int, str], tuple[Decimal, Decimal]]:
    """Return what strangers traded of our legs on a day, as `traded` does."""
    rows = session.execute(_CLAIMED, {"day": day})
    return {(row.account_id, row.symbol): (row.bought, row.sold) for row in rows}


def _fields(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001  SQLAlchemy's documented accessor


_COUNTS = text("""
SELECT
  (SELECT phase FROM phase_runs WHERE day = :day ORDER BY due_at DESC, started_wall DESC LIMIT 1) AS phase,
  (SELECT count(*) FROM logins WHERE day = :day AND status = 'READY') AS ready,
  (SELECT count(*) FROM leases
    WHERE kind = 'loops' AND is_wanted AND expires_at > clock_timestamp()) AS loops,
  (SELECT count(*) FROM orders WHERE day = :day) AS orders,
  (SELECT count(*) FROM orders WHERE day = :day AND status = 'FILLED') AS filled,
  (SELECT count(*) FROM legs WHERE day = :day AND net_qty <> 0) AS open_legs,
  (SELECT coalesce(json_agg(json_build_array(instrument_id, cash::text)), '[]'::json)
     FROM (SELECT instrument_id, sum(cash) AS cash FROM legs WHERE day = :day GROUP BY instrument_id) AS sums
  ) AS cash,
  (SELECT count(*) FROM alarms WHERE cleared_at IS NULL) AS alarms
""")


def day_counts(session: Session, day: date) -> dict[str, Any]:
    """Return the numbers that an operator looks at first; `cash` as pairs of instrument id and amount."""
    return _fields(session.execute(_COUNTS, {"day": day}).one())
