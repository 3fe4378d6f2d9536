"""A sound day of one user in real tables, which tests then break, and a desk with real lanes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.db.session import Database
from tests.desk_fixture import desk

_SOUND_DAY = """
INSERT INTO users (name, role) VALUES ('u1', 'TRADER'), ('u2', 'TRADER');
INSERT INTO accounts (user_id, name, broker) VALUES (1, 'a1', 'kotak_neo'), (2, 'a2', 'kotak_neo');
INSERT INTO deployments (user_id, account_id, name, strategy, params, limits)
  VALUES (1, 1, 'd1', 'short_straddle', '{}', '{}'), (2, 2, 'd2', 'short_straddle', '{}', '{}');
INSERT INTO audit_log (actor, origin, action, subject, reason, details)
  VALUES ('t', 'test', 'account.added', 'account 1', '', '{}'),
         ('t', 'test', 'account.added', 'account 2', '', '{}'),
         ('t', 'test', 'deployment.added', 'deployment 1', '', '{}'),
         ('t', 'test', 'deployment.added', 'deployment 2', '', '{}');
INSERT INTO credentials (account_id, ciphertext) VALUES (1, 'gAAAAA==');
INSERT INTO leases (name, kind, queue, spec, fence, is_wanted)
  VALUES ('entries:kotak_neo:0', 'entries', 'q', '{"shard": 0, "of": 1, "brokers": ["kotak_neo"]}', 5, true),
         ('exits:kotak_neo:0', 'exits', 'q', '{"shard": 0, "of": 1, "brokers": ["kotak_neo"]}', 5, true),
         ('entries:binance:0', 'entries', 'q', '{"shard": 0, "of": 1, "brokers": ["binance_spot"]}', 1, true);
INSERT INTO logins (account_id, day, status) VALUES (1, '2019-01-02', 'READY');
INSERT INTO phase_runs (venue, day, phase, due_at, started_at, finished_at)
  VALUES ('NSE', '2019-01-02', 'BELL', now(), now(), now());
INSERT INTO signals (user_id, deployment_id, day, key, kind, reason, payload, ts_event, ts_init)
  VALUES (1, 1, '2019-01-02', 'entry', 'ENTER', '', '{}', now(), now());
INSERT INTO orders (client_order_id, user_id, account_id, deployment_id, signal_id, day, leg, attempt, part,
    instrument_id, side, role, order_type, time_in_force, quantity, price, reason, status,
    broker_order_id, filled_qty, avg_px, fence, ts_init, valid_until, submitted_wall, ended_wall)
  VALUES ('ob1', 1, 1, 1, 1, '2019-01-02', 0, 0, 0, 'CE', 'SELL', 'ENTRY', 'LIMIT', 'DAY', 65, 10, '',
          'FILLED', 'B1', 65, 10, 5, now(), now() + interval '20 s', now(), now()),
         ('ob2', 1, 1, 1, NULL, '2019-01-02', 0, 0, 0, 'CE', 'BUY', 'STOP', 'STOP_LIMIT', 'DAY', 65, 13,
          'stop', 'ACCEPTED', 'B2', 0, NULL, 5, now(), NULL, now(), NULL);
INSERT INTO order_events (order_id, kind, source, details, ts_init)
  VALUES (1, 'SUBMITTED', 'lane', '{}', now()), (1, 'FILLED', 'stream', '{}', now()),
         (2, 'SUBMITTED', 'lane', '{}', now());
INSERT INTO fills (order_id, user_id, account_id, deployment_id, instrument_id, side, quantity, price,
    cumulative_qty, ts_init) VALUES (1, 1, 1, 1, 'CE', 'SELL', 65, 10, 65, now());
INSERT INTO broker_trades (account_id, day, trade_id, broker_order_id, broker_symbol, side, quantity, price,
    ts_event) VALUES (1, '2019-01-02', 'T1', 'B1', 'CE', 'SELL', 65, 10, now());
INSERT INTO legs (deployment_id, day, instrument_id, user_id, account_id, net_qty, entry_qty, entry_value,
    cash)
  VALUES (1, '2019-01-02', 'CE', 1, 1, -65, 65, 650, 650);
"""


@pytest.fixture
def sound_day(fresh_database_url: str) -> Iterator[Database]:
    """The records of a day on which every invariant holds: an entry, its fill, its stop."""
    database = Database(fresh_database_url)
    with database.begin() as session:
        for statement in filter(str.strip, _SOUND_DAY.split(";\n")):
            session.execute(text(statement.replace(":", r"\:")))
    yield database
    database.close()


__all__ = ["desk"]
