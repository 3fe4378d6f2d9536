"""Keep the book in SQLite: what is committed survives the death of the process and of the machine."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO

from app.domain.errors import ConfigError
from app.domain.instruments import InstrumentKind
from brokers.paper.exchange.orders import Fill, Order
from brokers.paper.exchange.positions import Position
from brokers.paper.exchange.records import dump_order, load_order

_VERSION = 1
_SCHEMA = """
CREATE TABLE accounts (
  name TEXT PRIMARY KEY, currency TEXT NOT NULL, cash TEXT NOT NULL, sequence INTEGER NOT NULL DEFAULT 0);
CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts, source TEXT NOT NULL,
  expires_at TEXT NOT NULL);
CREATE TABLE orders (
  number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL REFERENCES accounts,
  client_order_id TEXT NOT NULL, instrument_id TEXT NOT NULL, is_working INTEGER NOT NULL,
  updated_at TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (account, client_order_id));
CREATE INDEX orders_working ON orders (instrument_id, number) WHERE is_working;
CREATE INDEX orders_of_account ON orders (account, updated_at);
CREATE TABLE fills (
  number INTEGER PRIMARY KEY AUTOINCREMENT, order_number INTEGER NOT NULL REFERENCES orders,
  quantity TEXT NOT NULL, price TEXT NOT NULL, fee TEXT NOT NULL, time TEXT NOT NULL);
CREATE INDEX fills_of_order ON fills (order_number);
CREATE TABLE positions (
  account TEXT NOT NULL REFERENCES accounts, instrument_id TEXT NOT NULL, symbol TEXT NOT NULL,
  kind TEXT NOT NULL, net TEXT NOT NULL, cost TEXT NOT NULL, updated_at TEXT NOT NULL,
  PRIMARY KEY (account, instrument_id));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """Hold an account: its currency, its exact cash, and the number of its last change."""

    name: str
    currency: str
    cash: Decimal
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """Hold a stored fill with the order it belongs to."""

    number: int
    order: Order
    fill: Fill
    fee: Decimal
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """Hold a broker session; the token itself is not stored."""

    account: str
    source: str
    expires_at: datetime


class Store:
    """Own the database of one home folder. One thread at a time.

    Raises: ConfigError when another exchange has the folder or its database is of another version.
    """

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(home / "exchange.lock")
        self._db = sqlite3.connect(home / "book.sqlite3", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise ConfigError(f"{home}: expected a paper book of version {_VERSION}, got {version}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Frame a transaction: committed and on disk at its end, undone when anything is raised."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    @contextmanager
    def step(self) -> Iterator[None]:
        """Frame one part of a transaction, which is undone alone when anything is raised."""
        self._db.execute("SAVEPOINT step")
        is_done = False
        try:
            yield
            is_done = True
        finally:
            if not is_done:
                self._db.execute("ROLLBACK TO step")
            self._db.execute("RELEASE step")

    def durability(self) -> tuple[str, int]:
        """Return the journal mode and the level of synchronous writes in force."""
        (mode,) = self._db.execute("PRAGMA journal_mode").fetchone()
        (level,) = self._db.execute("PRAGMA synchronous").fetchone()
        return str(mode), int(level)

    def close(self) -> None:
        """Close the database and let go of the folder."""
        self._db.close()
        self._lock.close()

    def account(self, name: str) -> AccountRow | None:
        """Return an account."""
        row = self._db.execute(
            "SELECT name, currency, cash, sequence FROM accounts WHERE name = ?", (name,)
        ).fetchone()
        return (
            None
            if row is None
            else AccountRow(name=row[0], currency=row[1], cash=Decimal(row[2]), sequence=row[3])
        )

    def add_account(self, name: str, currency: str, cash: Decimal) -> None:
        """Open an account."""
        self._db.execute(
            "INSERT INTO accounts (name, currency, cash) VALUES (?, ?, ?)", (name, currency, str(cash))
        )

    def add_cash(self, name: str, amount: Decimal) -> None:
        """Change an account's cash by an exact amount."""
        (cash,) = self._db.execute("SELECT cash FROM accounts WHERE name = ?", (name,)).fetchone()
        self._db.execute("UPDATE accounts SET cash = ? WHERE name = ?", (str(Decimal(cash) + amount), name))

    def next_sequence(self, name: str) -> int:
        """Count a change of the account and return its number."""
        (sequence,) = self._db.execute(
            "UPDATE accounts SET sequence = sequence + 1 WHERE name = ? RETURNING sequence", (name,)
        ).fetchone()
        return int(sequence)

    def add_session(self, token_hash: str, session: SessionRow) -> None:
        """Note a session."""
        self._db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?)",
            (token_hash, session.account, session.source, session.expires_at.isoformat()),
        )

    def session(self, token_hash: str) -> SessionRow | None:
        """Return a session by the hash of its token."""
        row = self._db.execute(
            "SELECT account, source, expires_at FROM sessions WHERE token_hash = ?", (token_hash,)
        ).fetchone()
        if row is None:
            return None
        return SessionRow(account=row[0], source=row[1], expires_at=datetime.fromisoformat(row[2]))

    def remove_sessions(self, *, account: str | None = None, ended_by: datetime | None = None) -> None:
        """Forget the sessions of an account, or those that have ended."""
        if account is not None:
            self._db.execute("DELETE FROM sessions WHERE account = ?", (account,))
        if ended_by is not None:
            self._db.execute("DELETE FROM sessions WHERE expires_at <= ?", (ended_by.isoformat(),))

    def add_order(self, order: Order) -> int:
        """Reserve the number of a new order and return it; `put_order` then holds its state."""
        instrument_id, at = order.contract.instrument_id, order.updated_at.isoformat()
        cursor = self._db.execute(
            "INSERT INTO orders (account, client_order_id, instrument_id, is_working, updated_at, body)"
            " VALUES (?, ?, ?, 0, ?, '')",
            (order.account, order.client_order_id, instrument_id, at),
        )
        return int(cursor.lastrowid or 0)

    def put_order(self, order: Order) -> None:
        """Hold an order's new state."""
        self._db.execute(
            "UPDATE orders SET is_working = ?, updated_at = ?, body = ? WHERE number = ?",
            (
                not order.status.is_terminal,
                order.updated_at.isoformat(),
                dump_order(order),
                order.number,
            ),
        )

    def order(self, account: str, number: int) -> Order | None:
        """Return one order of an account."""
        return self._one("account = ? AND number = ?", account, number)

    def order_by_client_id(self, account: str, client_order_id: str) -> Order | None:
        """Return the order that an account sent under this id."""
        return self._one("account = ? AND client_order_id = ?", account, client_order_id)

    def order_of_anyone(self, number: int) -> Order | None:
        """Return one order, whoever sent it."""
        return self._one("number = ?", number)

    def working(self, *, instrument_id: str | None = None) -> list[Order]:
        """Return working orders of all accounts, oldest first, of one instrument or of all."""
        if instrument_id is None:
            return self._many("is_working ORDER BY number")
        return self._many("is_working AND instrument_id = ? ORDER BY number", instrument_id)

    def working_of(self, account: str) -> list[Order]:
        """Return an account's working orders, oldest first."""
        return self._many("is_working AND account = ? ORDER BY number", account)

    def orders_since(self, account: str, since: datetime) -> list[Order]:
        """Return an account's orders that work, or have changed since then, oldest first."""
        return self._many(
            "account = ? AND (is_working OR updated_at >= ?) ORDER BY number", account, since.isoformat()
        )

    def add_fill(self, order: Order, fill: Fill, fee: Decimal) -> None:
        """Note a fill."""
        self._db.execute(
            "INSERT INTO fills (order_number, quantity, price, fee, time) VALUES (?, ?, ?, ?, ?)",
            (order.number, str(fill.quantity), str(fill.price), str(fee), order.updated_at.isoformat()),
        )

    def fills_since(self, account: str, since: datetime) -> list[FillRow]:
        """Return the fills of the orders that `orders_since` returns, oldest first."""
        rows = self._db.execute(
            "SELECT f.number, o.body, f.quantity, f.price, f.fee, f.time FROM fills f"
            " JOIN orders o ON o.number = f.order_number"
            " WHERE o.account = ? AND (o.is_working OR o.updated_at >= ?) ORDER BY f.number",
            (account, since.isoformat()),
        )
        return [
            FillRow(
                number=row[0],
                order=load_order(row[1]),
                fill=Fill(quantity=Decimal(row[2]), price=Decimal(row[3])),
                fee=Decimal(row[4]),
                time=datetime.fromisoformat(row[5]),
            )
            for row in rows
        ]

    def position(self, account: str, instrument_id: str) -> Position | None:
        """Return an account's position in an instrument."""
        found = [p for p in self.positions(account) if p.instrument_id == instrument_id]
        return found[0] if found else None

    def positions(self, account: str, *, since: datetime | None = None) -> list[Position]:
        """Return an account's positions; with `since`, flat ones only if they have changed since then."""
        rows = self._db.execute(
            "SELECT instrument_id, symbol, kind, net, cost FROM positions"
            " WHERE account = ? AND (net <> '0' OR updated_at >= ?) ORDER BY instrument_id",
            (account, "" if since is None else since.isoformat()),
        )
        return [
            Position(
                instrument_id=row[0],
                symbol=row[1],
                kind=InstrumentKind(row[2]),
                net=Decimal(row[3]),
                cost=Decimal(row[4]),
            )
            for row in rows
        ]

    def put_position(self, account: str, position: Position, at: datetime) -> None:
        """Hold a position's new state."""
        self._db.execute(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                position.instrument_id,
                position.symbol,
                position.kind.value,
                "0" if position.net == 0 else str(position.net),
                str(position.cost),
                at.isoformat(),
            ),
        )

    def _one(self, where: str, *values: object) -> Order | None:
        found = self._many(where, *values)
        return found[0] if found else None

    def _many(self, where: str, *values: object) -> list[Order]:
        # `where` is one of the constants above, never what a client sent.
        rows = self._db.execute(f"SELECT body FROM orders WHERE {where}", values)  # noqa: S608
        return [load_order(row[0]) for row in rows]


def _locked(path: Path) -> IO[str]:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.close()
        raise ConfigError(f"another paper exchange holds {path.parent}") from e
    return file
