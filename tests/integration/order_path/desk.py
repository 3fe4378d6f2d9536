"""A trading desk for tests: one simulator, real engines, the lanes in threads of this process."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select, update

from app.config import Settings
from app.db.families import add_family, set_family_of_user
from app.db.leases import want_run
from app.db.models import (
    AccountRow,
    AlarmRow,
    DeploymentRow,
    InjectedSessionRow,
    LeaseRow,
    LegRow,
    OrderRow,
    UserRow,
)
from app.db.session import Database
from app.domain.deployments import Deployment, DeploymentState
from app.domain.ids import AccountId, DeploymentId, FamilyId, InstrumentId, SignalKey, UserId
from app.domain.instruments import Instrument, OptionRight
from app.domain.market_data import Tick
from app.domain.markets import NSE
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.infra.clock import VirtualClock
from app.infra.engines.engines import Engines
from app.infra.market_codec import encode_mark
from app.infra.names import MARKS_KEY, QueueName, RunKind, queue_of, run_name
from app.infra.vault import new_key
from app.services.lanes.books import BooksRun
from app.services.lanes.chases import Chases
from app.services.lanes.entries import EntryLane
from app.services.lanes.exits import ExitLane
from app.services.lanes.wakes import Wakes
from app.services.loops.market import Contracts, MarketSnapshot
from app.services.loops.ports import Wish
from app.services.market_day import MarketDay
from app.services.runs import Lease, held_lease, stop_on
from tasks.container import Container
from tests.contract.simulator_kotak.broker import DAY, SECRET, Broker, at
from tests.waiting import eventually

TODAY = date.fromisoformat(DAY)
START = datetime.fromisoformat(at("09:20:00")).astimezone(UTC)
QUEUES = {
    RunKind.LOOPS: QueueName.LOOPS,
    RunKind.ENTRIES: QueueName.ORDERS,
    RunKind.EXITS: QueueName.EXITS,
    RunKind.BOOKS: QueueName.BOOKS,
    RunKind.RISK: QueueName.RISK,
}
_RIGHTS = (OptionRight.CALL, OptionRight.PUT)
SPEC = {"shard": 0, "of": 1, "venue": NSE.venue, "brokers": sorted(NSE.brokers)}


@dataclass
class Desk:
    """Hold the parts; `accounts` and `deployments` are made by `enroll`."""

    parts: Container
    broker: Broker
    deployments: list[Deployment] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """PostgreSQL."""
        return self.parts.database

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock."""
        assert isinstance(self.parts.clock, VirtualClock)
        return self.parts.clock

    @property
    def market_day(self) -> MarketDay:
        """The day of NSE."""
        return self.parts.market_days[NSE.venue]

    def close(self) -> None:
        """Close every connection."""
        self.parts.close()

    def enroll(self, count: int) -> None:
        """Make users with an account and a deployment each, log them in and load the contracts."""
        for _ in range(count):
            self._add_user(len(self.deployments) + 1)
        self.market_day.login_batches(TODAY)
        self.parts.logins.log_in(TODAY, [d.account_id for d in self.deployments])
        self.market_day.after_logins(TODAY)

    def _add_user(self, number: int) -> None:
        vault = self.parts.vault
        fields = {
            "mobile_number": f"+9190000{number:05d}",
            "ucc": f"AA{number:03d}",
            "consumer_key": f"consumer-key-{number:03d}",
            "totp_secret": SECRET,
            "mpin": "123456",
        }
        from app.db.models import CredentialRow

        with self.database.begin() as session:
            user = UserRow(name=f"user-{number}", role="TRADER", password_hash=None)
            session.add(user)
            session.flush()
            account = AccountRow(user_id=user.id, name="main", broker="kotak_neo")
            session.add(account)
            session.flush()
            secret = vault.encrypt(f"credentials:{account.id}", fields)
            session.add(CredentialRow(account_id=account.id, ciphertext=secret))
            row = DeploymentRow(
                user_id=user.id,
                account_id=account.id,
                name="straddle",
                strategy="short_straddle",
                params={},
                limits={},
            )
            session.add(row)
            session.flush()
            self.deployments.append(_deployment(row))

    def deploy_beside(self, other: Deployment) -> Deployment:
        """Make a second deployment on the account of another one."""
        with self.database.begin() as session:
            row = DeploymentRow(
                user_id=other.user_id,
                account_id=other.account_id,
                name="beside",
                strategy=other.strategy,
                params={},
                limits={},
            )
            session.add(row)
            session.flush()
            return _deployment(row)

    def make_family(self, *members: Deployment) -> FamilyId:
        """Put the users of these deployments into a new family."""
        with self.database.begin() as session:
            family = add_family(session, "household")
            for member in members:
                set_family_of_user(session, member.user_id, family.family_id)
        return family.family_id

    def option(self, right: OptionRight) -> Instrument:
        """Return a contract near 40 rupees."""
        symbol = self.broker.at_the_money(right.value)["display_symbol"]
        return next(i for i in self.parts.contracts.of_day(TODAY).values() if i.broker_symbol == symbol)

    def price(self, instruments: Sequence[Instrument]) -> MarketSnapshot:
        """Read quotes at the broker and make them the market of loops and lanes."""
        ticks = {i.instrument_id: self._tick(i) for i in instruments}
        self.parts.valkey.hset(
            MARKS_KEY.format(venue="NSE"),
            mapping={i: encode_mark(t, self.clock.wall()) for i, t in ticks.items()},
        )
        contracts = Contracts(self.parts.contracts.of_day(TODAY).values())
        return MarketSnapshot(contracts=contracts, ticks=ticks, now=self.clock.now())

    def _tick(self, instrument: Instrument) -> Tick:
        headers = {"Authorization": "consumer-key-001"}
        path = f"/script-details/1.0/quotes/neosymbol/nse_fo|{instrument.broker_token}/all"
        quote = self.broker.http.get(path, headers=headers).json()[0]
        return Tick(
            instrument_id=instrument.instrument_id,
            last=Decimal(quote["ltp"]),
            bid=Decimal(quote["depth"]["buy"][0]["price"]),
            ask=Decimal(quote["depth"]["sell"][0]["price"]),
            ts_event=self.clock.now(),
            ts_init=self.clock.wall(),
            sequence=1,
        )

    def wing(self, right: OptionRight) -> Instrument:
        """Return a contract 200 points further out than `option`."""
        near = self.option(right).option
        assert near is not None
        points = 200 if right is OptionRight.CALL else -200
        wanted = replace(near, strike=near.strike + points)
        return next(i for i in self.parts.contracts.of_day(TODAY).values() if i.option == wanted)

    def straddle(self, key: str, *, stop: str = "0.25", lots: int = 1, valid_for_s: int = 60) -> Signal:
        """Return the wish to sell a call and a put near the money."""
        legs = tuple(self._leg(self.option(r), Side.SELL, lots=lots, stop=stop) for r in _RIGHTS)
        return self._enter(key, legs, valid_for_s=valid_for_s)

    def condor(self, key: str) -> Signal:
        """Return the same wish with wings bought first, named last."""
        wings = tuple(
            replace(self._leg(self.wing(r), Side.BUY), is_hedge=True, protection=None) for r in _RIGHTS
        )
        return self._enter(key, (*self.straddle(key).legs, *wings), valid_for_s=60)

    def _leg(self, option: Instrument, side: Side, *, lots: int = 1, stop: str = "0.25") -> SignalLeg:
        return SignalLeg(
            instrument_id=option.instrument_id,
            side=side,
            lots=lots,
            reference_price=self._tick(option).last,
            protection=ProtectionTerms(stop_fraction=Decimal(stop)),
        )

    @staticmethod
    def _enter(key: str, legs: tuple[SignalLeg, ...], *, valid_for_s: int) -> Signal:
        return Signal(
            key=SignalKey(key),
            kind=SignalKind.ENTER,
            reason="test",
            valid_for_s=Decimal(valid_for_s),
            legs=legs,
        )

    def record(self, signal: Signal, lease: Lease, deployments: Sequence[Deployment] = ()) -> None:
        """Record one wish of each deployment, as a loop would."""
        contracts = self.parts.contracts.of_day(TODAY)
        legs = [contracts[leg.instrument_id] for leg in signal.legs]
        options = legs or [self.option(right) for right in OptionRight]  # a wish to leave names none
        wishes = [
            Wish(deployment=d, signal=signal, ts_event=self.clock.now())
            for d in deployments or self.deployments
        ]
        self.parts.trading.record(wishes, market=self.price(options), lease=lease)

    @contextmanager
    def lease(self, kind: RunKind, *, ttl_s: float = 3.0) -> Iterator[Lease]:
        """Hold the lease of a run."""
        name, queue = run_name(kind, NSE), queue_of(QUEUES[kind], NSE)
        with self.database.begin() as session:
            want_run(session, name=name, kind=kind, queue=queue, spec=SPEC)
            # As if a predecessor had just handed over: nothing happened before that the ledger may lack.
            unheld = update(LeaseRow).where(LeaseRow.name == name, LeaseRow.fence == 0)
            session.execute(unheld.values(expires_at=func.clock_timestamp()))
        taken: list[Lease] = []
        with held_lease(
            self.database,
            self.clock,
            name=name,
            holder="test",
            ttl=timedelta(seconds=ttl_s),
            length_s=600,
        ) as lease:
            assert lease is not None, f"{name} is held by somebody else"
            taken.append(lease)
            yield lease

    @contextmanager
    def running(self, *kinds: RunKind, settings: Settings | None = None) -> Iterator[None]:
        """Run lanes in threads until the block ends, with other settings than the desk's if given."""
        stop = threading.Event()
        chosen = settings or self.parts.settings
        threads = [threading.Thread(target=self._host, args=(kind, stop, chosen)) for kind in kinds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)

    def _host(self, kind: RunKind, stop: threading.Event, settings: Settings) -> None:
        with self.lease(kind) as lease:
            stop_on(stop, lease)
            wakes = Wakes()
            with wakes.listening(self.parts.valkey, lease):
                self.run_lane(kind, lease, wakes, settings=settings)

    def run_lane(self, kind: RunKind, lease: Lease, wakes: Wakes, **changes: Any) -> None:
        """Run a lane until its lease ends; `changes` of the parts that it is given."""
        shared: dict[str, Any] = {
            "settings": self.parts.settings,
            "database": self.parts.lane_database,
            "clock": self.clock,
            "execution": self.parts.execution,
            "gateways": self.parts.gateways,
            "breakers": self.parts.breakers,
            **changes,
        }
        sending: dict[str, Any] = {**shared, "budget": self.parts.budget, "contracts": self.parts.contracts}
        if kind is RunKind.ENTRIES:
            EntryLane(**sending, chases=Chases(**sending, valkey=self.parts.impatient_valkey)).run(
                lease, wakes
            )
        elif kind is RunKind.EXITS:
            departures = self.parts.new_departures()
            ExitLane(**sending, departures=departures, valkey=self.parts.impatient_valkey).run(lease, wakes)
        else:
            BooksRun(**shared, news=self.parts.news).run(lease, wakes, day=TODAY)

    def orders(self, **where: object) -> Sequence[OrderRow]:
        """Return orders of the ledger by columns, oldest first."""
        with self.database.begin() as session:
            return session.scalars(select(OrderRow).filter_by(**where).order_by(OrderRow.id)).all()

    def legs(self, **where: object) -> Sequence[LegRow]:
        """Return legs of the ledger."""
        with self.database.begin() as session:
            return session.scalars(select(LegRow).filter_by(**where)).all()

    def count_orders(self, **where: object) -> int:
        """Count orders of the ledger."""
        with self.database.begin() as session:
            return session.scalar(select(func.count(OrderRow.id)).filter_by(**where)) or 0

    def open_alarms(self, code: str) -> dict[str, str]:
        """Return the messages of the open alarms of a kind by their subjects."""
        with self.database.begin() as session:
            rows = session.scalars(select(AlarmRow).filter_by(code=code, cleared_at=None))
            return {row.subject: row.message for row in rows}

    def fault(self, **rule: object) -> None:
        """Let the broker break every call that a rule of its fits; without a rule it is well again."""
        self.broker.post("faults", {"faults": [{"rate": 1.0, **rule}] if rule else []})

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Wait until the ledger says so."""
        eventually(condition, timeout_s)


def open_desk(addresses: Engines, broker: Broker, folder: Path, **changes: Any) -> Desk:
    """Wire a desk at 09:20 of the simulated day, the clock running at real speed; `changes` of settings."""
    VirtualClock.create(folder / "clock", at=START, rate=1.0)
    broker.post("clock", {"now": START.isoformat(), "rate": 1.0})
    settings = Settings(
        home=folder,
        secret_keys=SecretStr(new_key()),
        clock_file=folder / "clock",
        broker_urls={"kotak_neo": f"http://127.0.0.1:{broker.port}"},
        not_placed_after_s=3.0,
        reconcile_period_s=1.0,
        order_timeout_s=3.0,
        **changes,
    )
    parts = Container(settings=settings, addresses=addresses, stop=threading.Event(), holder="test")
    # The lanes share this process with the test's own threads, which may keep them from running for a while.
    parts.__dict__["lane_database"] = parts.database
    parts.valkey.flushdb()
    with parts.database.begin() as session:
        session.add(
            InjectedSessionRow(
                venue="NSE",
                segment="FO",
                day=TODAY,
                open_at=datetime.fromisoformat(at("09:15:00")),
                close_at=datetime.fromisoformat(at("15:30:00")),
                actor="test",
                reason="test",
            )
        )
    return Desk(parts=parts, broker=broker)


def _deployment(row: DeploymentRow) -> Deployment:
    return Deployment(
        deployment_id=DeploymentId(row.id),
        user_id=UserId(row.user_id),
        account_id=AccountId(row.account_id),
        name=row.name,
        strategy=row.strategy,
        params=row.params,
        limits=row.limits,
        state=DeploymentState.ACTIVE,
        state_reason="",
    )


def leg_ids(signal: Signal) -> list[InstrumentId]:
    """Return the instruments of a signal."""
    return [leg.instrument_id for leg in signal.legs]
