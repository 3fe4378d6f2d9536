"""Set the stage for loops: people with deployments, a published market, a host in a thread."""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from redis import Redis
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.db.models import AccountRow, DeploymentRow, SignalRow, UserRow
from app.db.session import Database
from app.domain.errors import InvariantError
from app.domain.ids import DeploymentId, InstrumentId
from app.domain.market_data import ONE_MINUTE, Bar, IndicatorBar
from app.domain.numbers import ZERO
from app.domain.strategy import MarketView
from app.infra.clock import SystemClock
from app.infra.market_codec import TickRound, encode_bar, encode_mark, encode_round
from app.infra.names import BARS_STREAM, LOOP_CURSOR_KEY, MARKS_KEY, TICKS_STREAM, WAKE_STREAM
from app.services.loops.halts import DeploymentHalter
from app.services.loops.hub import Hub
from app.services.loops.market import Contracts
from app.services.loops.ports import Lease, RecordResult, Wish
from app.services.loops.shard import LoopServices, ShardHost
from app.services.news import News
from strategies.registry import load_registry
from tests.nifty_day import DAY, NIFTY, chain, session_of, tick, weekly_expiries
from tests.waiting import eventually

SESSION = session_of(DAY)
RUN = "loops:nse:0"
INSTRUMENTS = chain(weekly_expiries(DAY), range(10800, 10951, 50))
BUDGET_S = 0.3
_numbers = itertools.count(1)


@dataclass
class HeldLease:
    """Be a lease that a test can take away."""

    name: str = RUN
    fence: int = 1
    is_held: bool = True
    spec: dict[str, Any] = field(default_factory=lambda: {"venue": "NSE"})

    def is_valid(self) -> bool:
        return self.is_held


@dataclass
class TableRecorder:
    """Write signals to their table, as the real one does first, and count the transactions."""

    database: Database
    batches: list[list[Wish]] = field(default_factory=list)
    refuses: bool = False

    def record(self, wishes: Sequence[Wish], *, market: MarketView, lease: Lease) -> RecordResult:  # noqa: ARG002  the port
        self.batches.append(list(wishes))
        if self.refuses:
            return RecordResult(recorded=frozenset())
        rows = [
            {
                "user_id": wish.deployment.user_id,
                "deployment_id": wish.deployment.deployment_id,
                "day": DAY,
                "key": wish.signal.key,
                "kind": wish.signal.kind,
                "reason": wish.signal.reason,
                "payload": {},
                "ts_event": wish.ts_event,
                "ts_init": wish.ts_event,
            }
            for wish in wishes
        ]
        with self.database.begin() as session:
            session.execute(insert(SignalRow).on_conflict_do_nothing(), rows)
        return RecordResult(recorded=frozenset((w.deployment.deployment_id, w.signal.key) for w in wishes))


class Stage:
    """Publish the market and keep hosts, all of them ended at the end."""

    def __init__(self, database: Database, valkey: Redis) -> None:
        self.database = database
        self.valkey = valkey
        self.clock = SystemClock()
        self.recorder = TableRecorder(database)
        self.lease = HeldLease()
        self.summary: dict[str, object] = {}
        self.reports: list[object] = []
        self._rounds = itertools.count(1)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def deploy(self, strategy: str, *, is_armed: bool = True, count: int = 1) -> list[DeploymentId]:
        """Give new users one deployment each."""
        with self.database.begin() as session:
            users = [UserRow(name=f"loop{next(_numbers)}", role="TRADER") for _ in range(count)]
            session.add_all(users)
            session.flush()
            accounts = [AccountRow(user_id=user.id, name="main", broker="kotak_neo") for user in users]
            session.add_all(accounts)
            session.flush()
            rows = [
                DeploymentRow(
                    user_id=account.user_id,
                    account_id=account.id,
                    name=strategy,
                    strategy=strategy,
                    params={},
                    limits={},
                    armed_on=DAY if is_armed else None,
                )
                for account in accounts
            ]
            session.add_all(rows)
            session.flush()
            return [DeploymentId(row.id) for row in rows]

    def start(self) -> None:
        """Start a hub and a host for everybody."""
        services = LoopServices(
            database=self.database,
            valkey=self.valkey,
            recorder=self.recorder,
            halter=DeploymentHalter(self.database, News(self.valkey), self.clock),
            build=load_registry(("tests.strategies.misbehaving",)).build,
            clock=self.clock,
            budget_s=BUDGET_S,
        )
        hub = Hub(self.valkey, session=SESSION, contracts=Contracts(INSTRUMENTS), clock=self.clock)
        host = ShardHost(services, hub, session=SESSION, shard=0, of=1)
        self._stop = threading.Event()

        def run() -> None:
            hub.start()
            try:
                self.summary = host.run(self.lease, self._stop, self.reports.append)
            except InvariantError as e:
                self.summary = {"reason": str(e)}
            finally:
                hub.stop()

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> dict[str, object]:
        """End the host as its task would; return its summary."""
        self._stop.set()
        return self.join()

    def join(self, timeout_s: float = 60) -> dict[str, object]:
        """Wait until the host has ended by itself; return its summary."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            assert not self._thread.is_alive()
            self._thread = None
        return self.summary

    def restart(self) -> None:
        """Hand over to a successor."""
        self.stop()
        self.start()

    def round(self, after: timedelta, *, spot: str = "10868.70") -> datetime:
        """Publish a round of ticks at a distance from the open; return its instant."""
        at = SESSION.open_at + after
        ticks = tuple(tick(instrument, Decimal(spot), at) for instrument in INSTRUMENTS)
        wall = self.clock.wall()
        fields = encode_round(TickRound(ts_event=at, number=next(self._rounds), wall=wall, ticks=ticks))
        marks = {t.instrument_id: encode_mark(t, wall) for t in ticks}
        self.valkey.hset(MARKS_KEY.format(venue="NSE"), mapping=marks)
        self.valkey.xadd(TICKS_STREAM.format(venue="NSE"), cast("Any", fields))
        return at

    def bar(self, number: int) -> None:
        """Publish the index's one-minute bar of that number."""
        price = Decimal(10860)
        bar = Bar(
            instrument_id=NIFTY,
            spec=ONE_MINUTE,
            start=SESSION.open_at + timedelta(minutes=number),
            open=price,
            high=price,
            low=price,
            close=price,
            volume=ZERO,
        )
        fields = encode_bar(IndicatorBar(bar=bar, values=()))
        self.valkey.xadd(BARS_STREAM.format(venue="NSE"), cast("Any", fields))

    def wake(self) -> None:
        """Tell the host that the tables changed."""
        self.valkey.xadd(WAKE_STREAM.format(run=RUN), {"w": "1"})

    def await_cursor(self, at: datetime) -> None:
        """Wait until everybody has decided on an instant and it is recorded."""
        key = LOOP_CURSOR_KEY.format(run=RUN)
        eventually(lambda: self.valkey.hget(key, "ts") == at.isoformat())

    def keys(self, deployment_id: DeploymentId) -> list[str]:
        """Return the recorded signal keys in their order."""
        with self.database.begin() as session:
            statement = select(SignalRow.key).where(SignalRow.deployment_id == deployment_id)
            return list(session.scalars(statement.order_by(SignalRow.id)))

    def state(self, deployment_id: DeploymentId) -> tuple[str, str]:
        """Return a deployment's state and its reason."""
        with self.database.begin() as session:
            row = session.get_one(DeploymentRow, deployment_id)
            return row.state, row.state_reason


__all__ = ["BUDGET_S", "RUN", "SESSION", "InstrumentId", "Stage"]
