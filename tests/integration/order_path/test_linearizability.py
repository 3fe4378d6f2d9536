"""Eight writers at once on one lane look like one after the other, for whoever watches (I1, I2, I6, I11).

Leases are torn from their holders all the while, who notice it only at their next renewal and go on writing.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from random import Random
from typing import TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.leases import LeaseLostError, want_run
from app.db.models import LeaseRow, OrderRow, SignalRow
from app.db.risk_state import EntryWindow
from app.domain.accounts import TradingState
from app.domain.commands import ControlScope
from app.domain.instruments import OptionRight
from app.domain.markets import NSE
from app.domain.orders import TERMINAL, OrderRole, OrderStatus
from app.domain.signals import Signal
from app.domain.strategy import MarketView
from app.infra.names import RunKind, queue_of, run_name
from app.services.execution import Execution
from app.services.lanes.wakes import Wakes
from app.services.loops.ports import Wish
from app.services.risk_control import ControlTarget, Moment, request_flatten, set_trading_state
from app.services.runs import Lease, held_lease, stop_on
from app.services.trading import Trading
from tests.integration.order_path.desk import QUEUES, SPEC, START, TODAY, Desk
from tests.integration.order_path.recording import Recorded, RecordedDatabase, history_of, orders_of
from tests.linearizability.lane import Account, LaneModel
from tests.linearizability.search import linearize

pytestmark = pytest.mark.integration

T = TypeVar("T")

_ROUNDS = 6
_CONTESTED = (RunKind.LOOPS, RunKind.ENTRIES, RunKind.EXITS)
_SEED = 20261128
_WRITERS = ("loops-1", "loops-2", "entries-1", "entries-2", "exits-1", "exits-2", "books", "operator")


class Crowd:
    """Eight writers and a reader on one desk, each in a thread of its own, all noted in one history."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stop = threading.Event()
        self._account_ids = [int(d.account_id) for d in desk.deployments]
        self._told: tuple[Signal, MarketView] | None = None
        self._futures: list[Future[None]] = []
        self._databases: list[RecordedDatabase] = []
        self.history: list[Recorded] = []
        self._operator = self._database("operator")
        with desk.database.begin() as session:
            for kind in (*_CONTESTED, RunKind.BOOKS):
                queue = queue_of(QUEUES[kind], NSE)
                want_run(session, name=run_name(kind, NSE), kind=kind, queue=queue, spec=SPEC)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let all work until the block ends; what any of them raised is raised."""
        writers: list[Callable[[], None]] = [self._watch]
        for number in (1, 2):
            writers += [partial(self._decide, f"loops-{number}")]
            writers += [partial(self._host, k, f"{k}-{number}") for k in (RunKind.ENTRIES, RunKind.EXITS)]
        writers += [partial(self._host, RunKind.BOOKS, "books")]
        with ThreadPoolExecutor(len(writers)) as pool:
            self._futures = [pool.submit(self._supervise, writer) for writer in writers]
            try:
                yield
            finally:
                self._stop.set()
        for database in self._databases:
            database.close()
        self._raise_failures()

    def _supervise(self, writer: Callable[[], None]) -> None:
        """Start a writer again whose run has failed, as it may when others hold a lock for too long."""
        while not self._stop.is_set():
            with suppress(OperationalError):
                writer()

    def _operate(self, act: Callable[[Session], T]) -> T:
        """Let the operator do something once; nothing was done where a lock was held for too long."""
        while True:
            with suppress(OperationalError), self._operator.begin() as session:
                return act(session)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the ledger says so, or a writer has failed."""
        self._desk.wait_for(lambda: any(f.done() for f in self._futures) or condition())
        self._raise_failures()

    def _raise_failures(self) -> None:
        for future in self._futures:
            if future.done():
                future.result()

    def wish(self, signal: Signal, market: MarketView) -> None:
        """Let both loops record this wish again and again."""
        self._told = signal, market

    def steal(self, kind: RunKind) -> None:
        """Take a lease from its holder, who does not hear of it, and wait until another one has it."""
        name = run_name(kind, NSE)

        def take(session: Session) -> int:
            lease = session.get_one(LeaseRow, name, with_for_update=True)
            # A number of its own: the holder's next renewal would give it the lease back.
            lease.fence += 1
            lease.expires_at = func.clock_timestamp()
            return lease.fence

        fence = self._operate(take)
        self.wait_for(lambda: self._fence_of(name) > fence)

    def _fence_of(self, name: str) -> int:
        with self._desk.database.begin() as session:
            return session.get_one(LeaseRow, name).fence

    def stop_trading(self) -> None:
        """Press the kill switch of both accounts."""
        moment = Moment(day=TODAY, now=self._desk.clock.now(), wall=self._desk.clock.wall())
        for account_id in self._account_ids:
            target = ControlTarget(scope=ControlScope.ACCOUNT, target=account_id)
            self._operate(partial(_flatten, target=target, moment=moment))

    def resume(self) -> None:
        """Let both accounts trade again."""
        for account_id in self._account_ids:
            target = ControlTarget(scope=ControlScope.ACCOUNT, target=account_id)
            self._operate(partial(set_trading_state, target=target, state=TradingState.ACTIVE, reason=""))

    def _database(self, writer: str) -> RecordedDatabase:
        database = RecordedDatabase(self._desk.database.url, self.history, writer)
        self._databases.append(database)
        return database

    def _host(self, kind: RunKind, writer: str) -> None:
        outcomes = self._database(f"{writer} outcomes")
        execution = Execution(outcomes, self._desk.clock, self._desk.parts.news)
        for database, lease in self._leases(kind, writer):
            wakes = Wakes()
            with wakes.listening(self._desk.parts.valkey, lease):
                self._desk.run_lane(kind, lease, wakes, database=database, execution=execution)

    def _decide(self, writer: str) -> None:
        for database, lease in self._leases(RunKind.LOOPS, writer):
            trading = Trading(
                database=database,
                clock=self._desk.clock,
                news=self._desk.parts.news,
                costs=self._desk.parts.costs,
                windows=lambda *_: EntryWindow(opens_at=START, closes_at=START + timedelta(hours=1)),
            )
            while lease.is_valid():
                self._record(trading, lease)
                self._stop.wait(0.02)

    def _record(self, trading: Trading, lease: Lease) -> None:
        if self._told is None:
            return
        signal, market = self._told
        now = self._desk.clock.now()
        wishes = [Wish(deployment=d, signal=signal, ts_event=now) for d in self._desk.deployments]
        with suppress(LeaseLostError):
            trading.record(wishes, market=market, lease=lease)

    def _leases(self, kind: RunKind, writer: str) -> Iterator[tuple[RecordedDatabase, Lease]]:
        """Yield every lease of the kind that this writer gets hold of."""
        database, clock = self._database(writer), self._desk.clock
        ttl = self._desk.parts.settings.lease_ttl
        while not self._stop.is_set():
            with held_lease(
                database, clock, name=run_name(kind, NSE), holder=writer, ttl=ttl, length_s=60
            ) as lease:
                if lease is None:
                    self._stop.wait(0.02)
                    continue
                stop_on(self._stop, lease)
                database.fence = lease.fence
                yield database, lease

    def _watch(self) -> None:
        database = self._database("reader")
        while not self._stop.wait(0.03):
            database.look(self._account_ids)


def test_eight_writers_on_a_lane_are_as_if_one_came_after_the_other(desk: Desk) -> None:
    random = Random(_SEED)
    crowd = Crowd(desk)
    with crowd.at_work():
        for number in range(_ROUNDS):
            wish = desk.straddle(f"entry-{number}")
            market = desk.price([desk.option(right) for right in OptionRight])
            crowd.steal(RunKind.LOOPS)
            crowd.wish(wish, market)
            crowd.steal(random.choice((RunKind.ENTRIES, RunKind.EXITS)))
            if number % 2:
                crowd.wait_for(partial(_has_come_to_something, desk, wish))
            else:
                threading.Event().wait(random.uniform(0, 0.3))
            for kind in random.sample(_CONTESTED, 2):
                crowd.steal(kind)
            crowd.stop_trading()
            crowd.wait_for(lambda: _is_flat(desk))
            crowd.resume()

    assert _is_flat(desk)
    tags = [order["tag"] for order in desk.broker.get("orders")]
    sent = {order.client_order_id for order in desk.orders() if order.submitted_wall is not None}
    assert len(tags) == len(set(tags))
    assert set(tags) <= sent
    assert all(position["net"] == 0 for position in desk.broker.get("positions"))
    for deployment in desk.deployments:
        _assert_linearizable(desk, crowd.history, int(deployment.account_id))


def _assert_linearizable(desk: Desk, history: list[Recorded], account_id: int) -> None:
    with desk.database.begin() as session:
        orders = orders_of(session, account_id)
    operations = history_of(history, account_id)
    verdict = linearize(operations, LaneModel(orders), Account())
    assert verdict.is_linearizable, "\n".join(verdict.objections)
    assert {o.writer.partition(" ")[0] for o in operations} == {*_WRITERS, "reader"}, "all have written"


def _flatten(session: Session, target: ControlTarget, moment: Moment) -> None:
    set_trading_state(session, target, TradingState.REDUCING, reason="stop")
    request_flatten(session, target, reason="stop", moment=moment)


def _has_come_to_something(desk: Desk, wish: Signal) -> bool:
    """Whether stops guard it, or it ended in nothing: lanes whose leases are torn away may be too late."""
    if desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) > 1:
        return True
    with desk.database.begin() as session:
        statement = select(OrderRow.status).join(SignalRow, SignalRow.id == OrderRow.signal_id)
        statuses = session.scalars(statement.where(SignalRow.key == wish.key)).all()
    return len(statuses) > 0 and {OrderStatus(s) for s in statuses} <= TERMINAL and _is_flat(desk)


def _is_flat(desk: Desk) -> bool:
    is_held = any(leg.net_qty for leg in desk.legs())
    return not is_held and not any(order.status not in TERMINAL for order in desk.orders())
