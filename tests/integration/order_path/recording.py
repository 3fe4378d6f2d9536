"""Record every transaction on an account's lane, with its start and end and what it really wrote."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.models import OrderRow, SignalRow
from app.db.session import Database
from app.domain.accounts import TradingState
from app.domain.orders import TERMINAL, OrderStatus, Side
from tests.linearizability.lane import Effect, Order, Phase, Transaction
from tests.linearizability.search import Operation

# What PostgreSQL itself says that this transaction wrote: rows carry the number of their writer.
_EFFECTS = text("""
SELECT o.account_id, o.id AS order_id, 'RECORDED' AS kind, o.status, o.quantity, NULL AS filled, 0 AS place
  FROM orders o
 WHERE o.status = 'INITIALIZED' AND o.xmin = pg_current_xact_id_if_assigned()::xid
UNION ALL
SELECT o.account_id, o.id, e.kind, o.status, o.quantity, e.details ->> 'cumulative', e.id
  FROM order_events e JOIN orders o ON o.id = e.order_id
 WHERE e.kind <> 'DENIED' AND e.xmin = pg_current_xact_id_if_assigned()::xid
 ORDER BY place, order_id
""")
_LEASES = text("SELECT kind, fence FROM leases WHERE xmin = pg_current_xact_id_if_assigned()::xid")
_ACCOUNTS = text("SELECT id, trading_state FROM accounts WHERE xmin = pg_current_xact_id_if_assigned()::xid")
_LOOK = text("SELECT account_id, id AS order_id, status FROM orders WHERE status <> 'DENIED'")
_ALL = 0
Recorded = Operation[dict[int, Transaction]]


class RecordedDatabase(Database):
    """Hand out transactions of one writer that note themselves in a history; `fence` is what it believes."""

    def __init__(self, url: str, history: list[Recorded], writer: str) -> None:
        super().__init__(url)
        self.fence: int | None = None
        self._history = history
        self._writer = writer

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open one transaction; it is noted when it has committed."""
        fence, start = self.fence, time.monotonic()
        with super().begin() as session:
            yield session
            session.flush()
            calls = _calls(session, fence)
        self._note(start, calls)

    def look(self, account_ids: list[int]) -> None:
        """Read all orders by one statement and note what was seen."""
        start = time.monotonic()
        with super().begin() as session:
            rows = session.execute(_LOOK).all()
        seen = {
            account_id: frozenset((r.order_id, _phase(r.status)) for r in rows if r.account_id == account_id)
            for account_id in account_ids
        }
        self._note(start, {account_id: Transaction(look=look) for account_id, look in seen.items()})

    def _note(self, start: float, calls: dict[int, Transaction]) -> None:
        if calls:
            self._history.append(
                Operation(writer=self._writer, start=start, end=time.monotonic(), call=calls)
            )


def history_of(history: list[Recorded], account_id: int) -> list[Operation[Transaction]]:
    """Return one account's part of a history; leases are everybody's."""
    return [
        Operation(writer=o.writer, start=o.start, end=o.end, call=call)
        for o in history
        if (call := o.call.get(account_id, o.call.get(_ALL))) is not None
    ]


def orders_of(session: Session, account_id: int) -> dict[int, Order]:
    """Return what never changes about an account's orders."""
    statement = (
        select(OrderRow, SignalRow.key)
        .outerjoin(SignalRow, SignalRow.id == OrderRow.signal_id)
        .where(OrderRow.account_id == account_id, OrderRow.status != OrderStatus.DENIED)
    )
    return {
        row.id: Order(
            order_id=row.id,
            intent=(row.deployment_id, key or f"exit {row.instrument_id} {row.attempt}", row.leg, row.part),
            leg=(row.deployment_id, row.instrument_id),
            is_exit=row.signal_id is None,
            sign=Side(row.side).sign,
        )
        for row, key in session.execute(statement)
    }


def _calls(session: Session, fence: int | None) -> dict[int, Transaction]:
    effects: dict[int, list[Effect]] = {}
    for row in session.execute(_EFFECTS):
        effects.setdefault(row.account_id, []).append(_effect(row))
    leases = tuple((kind, number) for kind, number in session.execute(_LEASES))
    states = {row.id: TradingState(row.trading_state) for row in session.execute(_ACCOUNTS)}
    calls = {
        account_id: Transaction(
            fence=fence,
            leases=leases,
            may_enter=states[account_id].allows_entries if account_id in states else None,
            effects=tuple(effects.get(account_id, ())),
        )
        for account_id in effects.keys() | states.keys()
    }
    return calls | ({_ALL: Transaction(leases=leases)} if leases else {})


def _effect(row: Any) -> Effect:
    return Effect(
        kind=row.kind,
        order_id=row.order_id,
        phase=_phase(row.status),
        quantity=row.quantity,
        filled=Decimal(row.filled or 0),
    )


def _phase(status: str) -> Phase:
    if status == OrderStatus.INITIALIZED:
        return Phase.WAITING
    return Phase.ENDED if OrderStatus(status) in TERMINAL else Phase.SENT
