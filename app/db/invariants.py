"""Ask the tables whether the invariants of the design hold, independently of the code that upholds them.

Each check is one SQL query that returns (subject, message) for every breach; nothing of the services or of
the domain is reused, so that an error there cannot hide itself here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

_LIVE = (
    "('INITIALIZED','SUBMITTED','ACCEPTED','TRIGGERED','PENDING_UPDATE','PENDING_CANCEL','PARTIALLY_FILLED')"
)

# What was sent when, by which holder of which run; `held` is the run's newest fence.
_SENT = """SELECT o.client_order_id, o.fence, e.wall AS at, l.name AS run, l.fence AS held
             FROM orders o JOIN order_events e ON e.order_id = o.id AND e.kind = 'SUBMITTED'
             JOIN accounts a ON a.id = o.account_id
             JOIN leases l ON l.kind = CASE WHEN o.role = 'ENTRY' THEN 'entries' ELSE 'exits' END
                          AND jsonb_exists(l.spec -> 'brokers', a.broker)
                          AND o.account_id % CAST(l.spec ->> 'of' AS int) = CAST(l.spec ->> 'shard' AS int)
            WHERE o.day = :day"""


# The legs of the day that a lock covers which nobody has ended.
_LOCKED_LEGS = """SELECT k.scope, k.target, k.rule, k.breached_wall, l.deployment_id, l.day, l.instrument_id
             FROM loss_locks k JOIN legs l ON l.day = k.day JOIN accounts a ON a.id = l.account_id
             JOIN users u ON u.id = l.user_id
            WHERE k.day = :day AND k.unlocked_at IS NULL
              AND k.venue = CASE WHEN a.broker IN ('kotak_neo', 'paper') THEN 'NSE'
                                 WHEN a.broker = 'mt5' THEN 'MT5' ELSE 'BINANCE' END
              AND k.target = CASE k.scope WHEN 'TENANT' THEN '' WHEN 'BROKER' THEN a.broker
                                          WHEN 'FAMILY' THEN CAST(u.family_id AS text)
                                          WHEN 'USER' THEN CAST(l.user_id AS text)
                                          WHEN 'ACCOUNT' THEN CAST(l.account_id AS text)
                                          ELSE CAST(l.deployment_id AS text) END"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Say which invariant is broken, for whom and how."""

    invariant: str
    subject: str
    message: str


# Parameters: :day, :wall (the machine's time).
CHECKS: Mapping[str, tuple[str, ...]] = {
    "I1": (
        """SELECT 'order ' || client_order_id, 'it was sent although it is ' || status
             FROM orders WHERE day = :day AND status IN ('DENIED', 'INITIALIZED')
              AND (submitted_wall IS NOT NULL OR broker_order_id IS NOT NULL)""",
        """SELECT 'order ' || client_order_id, 'an entry was sent without a recorded signal'
             FROM orders WHERE day = :day AND role = 'ENTRY' AND signal_id IS NULL
              AND submitted_wall IS NOT NULL""",
        """SELECT 'order ' || client_order_id, 'it was sent by nobody who held a lane'
             FROM orders WHERE day = :day AND submitted_wall IS NOT NULL AND fence IS NULL""",
    ),
    "I2": (
        """SELECT 'order ' || o.client_order_id, 'it was sent ' || count(*) || ' times'
             FROM orders o JOIN order_events e ON e.order_id = o.id AND e.kind = 'SUBMITTED'
            WHERE o.day = :day GROUP BY o.client_order_id HAVING count(*) > 1""",
        """SELECT 'signal ' || signal_id, 'leg ' || leg || ' part ' || part || ': ' || count(*) || ' orders'
             FROM orders WHERE day = :day AND role = 'ENTRY' AND attempt = 0
            GROUP BY signal_id, leg, part HAVING count(*) > 1""",
    ),
    "I3": (
        """SELECT 'order ' || client_order_id, 'its outcome has been unknown since ' || submitted_wall
             FROM orders WHERE day = :day AND is_unknown
              AND submitted_wall < CAST(:wall AS timestamptz) - interval '5 minutes'""",
        """SELECT 'order ' || n.client_order_id,
                  'an entry left while ' || u.client_order_id || ' of the same instrument was unknown'
             FROM orders u
             JOIN order_events e ON e.order_id = u.id AND e.kind = 'OUTCOME_UNKNOWN'
             JOIN orders n ON n.account_id = u.account_id AND n.instrument_id = u.instrument_id
                          AND n.role = 'ENTRY' AND n.id <> u.id
            WHERE u.day = :day AND n.day = :day AND n.submitted_wall > e.wall
              AND n.submitted_wall < coalesce((SELECT min(later.wall) FROM order_events later
                     WHERE later.order_id = u.id AND later.id > e.id AND later.kind <> 'OUTCOME_UNKNOWN'),
                     'infinity')""",
        """SELECT 'order ' || o.client_order_id, 'it was given up after '
                  || coalesce((SELECT sum(l.looks) FROM order_evidence l
                                WHERE l.order_id = o.id AND l.source = 'TAG' AND l.is_proof), 0)
                  || ' clean read(s) without it, not 2'
             FROM orders o JOIN order_events e
               ON e.order_id = o.id AND e.kind = 'NOT_SENT' AND e.source = 'resolver'
            WHERE o.day = :day
              AND coalesce((SELECT sum(l.looks) FROM order_evidence l
                             WHERE l.order_id = o.id AND l.source = 'TAG' AND l.is_proof), 0) < 2""",
    ),
    "I4": (
        """SELECT 'order ' || o.client_order_id,
                  'it says ' || o.filled_qty || ' filled, its fills ' || coalesce(sum(f.quantity), 0)
             FROM orders o LEFT JOIN fills f ON f.order_id = o.id
            WHERE o.day = :day GROUP BY o.id HAVING o.filled_qty <> coalesce(sum(f.quantity), 0)""",
        """SELECT 'leg ' || l.deployment_id || ' ' || l.instrument_id,
                  'it holds ' || l.net_qty || ', its fills add up to ' || coalesce(f.net, 0)
             FROM legs l LEFT JOIN (
                  SELECT f.deployment_id, f.instrument_id,
                         sum(CASE WHEN f.side = 'BUY' THEN f.quantity ELSE -f.quantity END) AS net
                    FROM (SELECT f.deployment_id, f.instrument_id, f.side, f.quantity
                            FROM fills f JOIN orders o ON o.id = f.order_id WHERE o.day = :day
                           UNION ALL
                          SELECT deployment_id, instrument_id, side, quantity
                            FROM external_fills WHERE day = :day AND deployment_id IS NOT NULL) f
                   GROUP BY f.deployment_id, f.instrument_id) f
               ON f.deployment_id = l.deployment_id AND f.instrument_id = l.instrument_id
            WHERE l.day = :day AND l.net_qty <> coalesce(f.net, 0)""",
        """SELECT 'order ' || o.client_order_id,
                  'the broker lists ' || sum(t.quantity) || ' traded, we hold ' || o.filled_qty
             FROM orders o JOIN broker_trades t
               ON t.account_id = o.account_id AND t.day = o.day AND t.broker_order_id = o.broker_order_id
            WHERE o.day = :day AND o.status IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')
              AND o.ended_wall < CAST(:wall AS timestamptz) - interval '15 seconds'
            GROUP BY o.id HAVING sum(t.quantity) > o.filled_qty""",
    ),
    "I5": (
        """SELECT 'leg ' || deployment_id || ' ' || instrument_id,
                  'its position of ' || net_qty || ' has had no stop since ' || exposed_since
             FROM legs WHERE day = :day AND abs(net_qty) > missing_qty
              AND exposed_since < CAST(:wall AS timestamptz) - interval '3 seconds'""",
    ),
    "I6": (
        f"""SELECT 'leg ' || deployment_id || ' ' || instrument_id, 'it has ' || count(*) || ' live exits'
             FROM orders WHERE day = :day AND role <> 'ENTRY' AND status IN {_LIVE}
            GROUP BY deployment_id, instrument_id, part HAVING count(*) > 1""",  # noqa: S608  a constant
    ),
    "I7": (
        f"""SELECT 'leg ' || l.deployment_id || ' ' || l.instrument_id,
                  'it shall be flat (' || l.exit_reason || ') and no exit has been live for 15 s'
             FROM legs l WHERE l.day = :day AND abs(l.net_qty) > l.missing_qty AND l.exit_reason IS NOT NULL
              AND l.exit_requested_wall < CAST(:wall AS timestamptz) - interval '15 seconds'
              AND NOT EXISTS (SELECT 1 FROM orders o
                   WHERE o.deployment_id = l.deployment_id AND o.instrument_id = l.instrument_id
                     AND o.day = l.day AND o.role <> 'ENTRY'
                     AND (o.status IN {_LIVE}
                          OR o.ended_wall > CAST(:wall AS timestamptz) - interval '15 seconds'))""",  # noqa: S608
    ),
    "LOCK": (
        f"""SELECT lower(k.scope) || ':' || k.target, 'it is locked after ' || k.rule || ' since '
                  || k.breached_wall || ' and ' || l.instrument_id || ' of account ' || l.account_id
                  || ' neither left nor is leaving'
             FROM ({_LOCKED_LEGS}) AS k JOIN legs l USING (deployment_id, day, instrument_id)
            WHERE abs(l.net_qty) > l.missing_qty AND l.exit_reason IS NULL
              AND k.breached_wall < CAST(:wall AS timestamptz) - interval '15 seconds'""",  # noqa: S608  a constant
        f"""SELECT 'order ' || o.client_order_id, 'an entry left after ' || lower(k.scope) || ':' || k.target
                  || ' was locked'
             FROM ({_LOCKED_LEGS}) AS k JOIN orders o USING (deployment_id, day, instrument_id)
            WHERE o.role = 'ENTRY' AND o.submitted_wall > k.breached_wall + interval '5 seconds'""",  # noqa: S608  a constant
    ),
    "I9": (
        """SELECT 'account ' || account_id, 'its login has been claimed and silent since ' || claimed_until
             FROM logins WHERE day = :day AND status = 'LOGGING_IN'
              AND claimed_until < CAST(:wall AS timestamptz) - interval '1 minute'""",
    ),
    "I10": (
        """SELECT 'phase ' || phase, 'it began at ' || started_wall || ' and has not ended'
             FROM phase_runs WHERE day = :day AND finished_at IS NULL
              AND started_wall < CAST(:wall AS timestamptz) - interval '6 minutes'""",
    ),
    "I11": (
        f"""SELECT 'run ' || run, 'an order carries fence ' || max(fence) || ', the lease ' || held
             FROM ({_SENT}) AS sent GROUP BY run, held HAVING max(fence) > held""",  # noqa: S608  a constant
        f"""SELECT 'order ' || client_order_id, 'fence ' || fence || ' sent it after fence ' || newest
             FROM (SELECT *, max(fence) OVER (PARTITION BY run ORDER BY at) AS newest
                     FROM ({_SENT}) AS sent) AS in_turn WHERE fence < newest""",  # noqa: S608  a constant
    ),
    "I12": (
        """SELECT 'order ' || o.client_order_id, 'it was sent after its signal expired at ' || o.valid_until
             FROM orders o JOIN order_events e ON e.order_id = o.id AND e.kind = 'SUBMITTED'
            WHERE o.day = :day AND o.role = 'ENTRY' AND e.ts_init > o.valid_until""",
    ),
    "I13": (
        """SELECT 'order ' || o.client_order_id, 'its user, account and deployment belong to different people'
             FROM orders o JOIN accounts a ON a.id = o.account_id JOIN deployments d ON d.id = o.deployment_id
            WHERE o.day = :day AND (o.user_id <> a.user_id OR o.user_id <> d.user_id
                                    OR d.account_id <> o.account_id)""",
        """SELECT 'leg ' || l.deployment_id || ' ' || l.instrument_id, 'it belongs to another user'
             FROM legs l JOIN deployments d ON d.id = l.deployment_id
            WHERE l.day = :day AND (l.user_id <> d.user_id OR l.account_id <> d.account_id)""",
        """SELECT 'signal ' || s.id, 'it belongs to another user'
             FROM signals s JOIN deployments d ON d.id = s.deployment_id
            WHERE s.day = :day AND s.user_id <> d.user_id""",
        """SELECT 'account ' || account_id, 'its credentials are not encrypted'
             FROM credentials WHERE position('gAAAA'::bytea IN ciphertext) <> 1""",
        """SELECT 'account ' || account_id, 'its broker session is not encrypted'
             FROM broker_sessions WHERE position('gAAAA'::bytea IN ciphertext) <> 1""",
    ),
    "I14": (
        """SELECT 'account ' || a.id, 'nobody is recorded as having opened it'
             FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM audit_log g
                  WHERE g.subject = 'account ' || a.id AND g.action = 'account.added')""",
        """SELECT 'deployment ' || d.id, 'nobody is recorded as having added it'
             FROM deployments d WHERE NOT EXISTS (SELECT 1 FROM audit_log g
                  WHERE g.subject = 'deployment ' || d.id AND g.action = 'deployment.added')""",
        """SELECT 'limits ' || rtrim(lower(v.scope) || ':' || v.target, ':') || ' version ' || v.version,
                  'nobody is recorded as having set it'
             FROM limit_versions v WHERE NOT EXISTS (SELECT 1 FROM audit_log g
                  WHERE g.subject = rtrim(lower(v.scope) || ':' || v.target, ':') AND g.action = 'limits.set'
                    AND g.actor = v.actor AND g.reason = v.reason
                    AND g.details -> 'version' = to_jsonb(v.version)
                    AND g.details -> 'after' = v."values")""",
        """SELECT 'user ' || u.id, 'nobody is recorded as having let it into family ' || u.family_id
             FROM users u WHERE u.family_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM audit_log g
                  WHERE g.subject = 'family:' || u.family_id AND g.action = 'family.joined'
                    AND g.details -> 'user_id' = to_jsonb(u.id))""",
        """SELECT 'order ' || o.client_order_id, 'nobody is recorded as having settled it'
             FROM orders o JOIN order_events e ON e.order_id = o.id AND e.source = 'operator'
            WHERE o.day = :day AND NOT EXISTS (SELECT 1 FROM audit_log g
                  WHERE g.subject = 'order:' || o.id AND g.action = 'resolve_unknown')""",
    ),
    "I15": (
        """SELECT 'account ' || a.id, 'it is live and nobody is recorded as having switched it'
             FROM accounts a WHERE a.mode = 'LIVE' AND NOT EXISTS (SELECT 1 FROM audit_log g
                  WHERE g.subject = 'account ' || a.id AND g.action = 'account.mode_set'
                    AND g.details ->> 'mode' = 'LIVE')""",
        """SELECT 'account ' || a.id, 'a paper broker has order ' || o.broker_order_id || ' of a live one'
             FROM orders o JOIN accounts a ON a.id = o.account_id
            WHERE o.day = :day AND a.broker = 'paper' AND o.broker_order_id !~ '^0[0-9]{14}$'""",
    ),
}

_BOOK = """WITH book AS (
             SELECT tag, number, symbol, filled FROM jsonb_to_recordset(CAST(:orders AS jsonb))
                 AS b(tag text, number text, symbol text, filled numeric)),
           held AS (
             SELECT symbol, sum(net) AS net FROM jsonb_to_recordset(CAST(:positions AS jsonb))
                 AS p(symbol text, net numeric) GROUP BY symbol)"""
# Parameters beside: :account_id, and :orders and :positions, the account's book as its broker shows it.
BOOK_CHECKS: Mapping[str, tuple[str, ...]] = {
    "I2": (
        """SELECT 'intent ' || tag, 'it is ' || count(DISTINCT number) || ' orders at the broker'
             FROM book WHERE tag ~ '^ob[0-9a-f]{16}$' GROUP BY tag HAVING count(DISTINCT number) > 1""",
        """SELECT 'broker order ' || b.number, 'it bears our ' || b.tag || ', the ledger has no such'
             FROM book b WHERE b.tag ~ '^ob[0-9a-f]{16}$' AND NOT EXISTS (SELECT 1 FROM orders o
                  WHERE o.client_order_id = b.tag AND o.account_id = :account_id)""",
    ),
    "I4": (
        """SELECT 'order ' || o.client_order_id, 'the broker does not show its ' || o.broker_order_id
             FROM orders o WHERE o.day = :day AND o.account_id = :account_id AND o.broker_order_id IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM book b WHERE b.number = o.broker_order_id)""",
        """SELECT 'order ' || o.client_order_id,
                  'filled ' || trim_scale(b.filled) || ' there, ' || trim_scale(o.filled_qty) || ' here'
             FROM orders o JOIN book b ON b.number = o.broker_order_id
            WHERE o.day = :day AND o.account_id = :account_id AND o.filled_qty <> b.filled""",
        """SELECT 'position ' || CAST(:account_id AS text) || ' ' || coalesce(h.symbol, o.symbol),
                  'ours is off by ' || trim_scale(coalesce(o.net, 0) - coalesce(h.net, 0))
             FROM held h FULL JOIN (
                  SELECT symbol, sum(CASE WHEN side = 'BUY' THEN quantity ELSE -quantity END) AS net
                    FROM (SELECT i.broker_symbol AS symbol, f.side, f.quantity
                            FROM fills f JOIN orders s ON s.id = f.order_id
                            JOIN instruments i ON i.as_of = s.day AND i.instrument_id = f.instrument_id
                           WHERE s.day = :day AND f.account_id = :account_id
                           UNION ALL
                          SELECT broker_symbol, side, quantity
                            FROM external_fills WHERE day = :day AND account_id = :account_id) f
                   GROUP BY symbol) o
               ON o.symbol = h.symbol
            WHERE coalesce(o.net, 0) <> coalesce(h.net, 0)""",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Hold one account's book as its broker shows it; quantities in units, `net` negative when short."""

    orders: Sequence[tuple[str, str, str, Decimal]]
    """Our tag, or what stands in its place; the broker's number; symbol; filled."""
    positions: Sequence[tuple[str, Decimal]]
    """Symbol and net quantity."""


def find_book_breaches(session: Session, day: date, *, account_id: int, book: Book) -> Iterator[Breach]:
    """Yield where the ledger and an account's book at its broker differ at this moment.

    News may be under way to either, so only what a second and later look finds as well is a breach.
    """
    orders = [
        {"tag": tag, "number": number, "symbol": symbol, "filled": str(filled)}
        for tag, number, symbol, filled in book.orders
    ]
    positions = [{"symbol": symbol, "net": str(net)} for symbol, net in book.positions]
    parameters = {
        "day": day,
        "account_id": account_id,
        "orders": json.dumps(orders),
        "positions": json.dumps(positions),
    }
    yield from _ask(session, BOOK_CHECKS, parameters, tables=_BOOK)


def find_breaches(session: Session, day: date, *, wall: datetime) -> Iterator[Breach]:
    """Yield every breach of a day; `wall` is the machine's time, for what may last only so long."""
    yield from _ask(session, CHECKS, {"day": day, "wall": wall})


def _ask(
    session: Session,
    checks_of: Mapping[str, tuple[str, ...]],
    parameters: Mapping[str, object],
    *,
    tables: str = "",
) -> Iterator[Breach]:
    for invariant, checks in checks_of.items():
        for check in checks:
            for subject, message in session.execute(text(f"{tables} {check}"), parameters):
                yield Breach(invariant=invariant, subject=subject, message=message)
