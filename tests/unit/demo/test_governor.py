"""The governor never runs ahead of real work, and never waits for ever."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from app.demo.governor import Doors, Governor
from app.demo.quiescence import Blockers
from app.demo.timeline import LEAD, Timeline, lay_out, real_windows
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.instruments import Venue
from app.domain.phases import PhaseTimes, phase_schedule

DAY = datetime(2019, 1, 2, tzinfo=UTC)
OPEN = DAY.replace(hour=3, minute=45)
CLOSE = DAY.replace(hour=10)


class FakeClock:
    """Virtual time on top of a real time that only sleeping moves."""

    def __init__(self) -> None:
        self.real_s = 0.0
        self._at, self._since, self._rate = OPEN - timedelta(hours=1), 0.0, 0.0

    def set(self, at: datetime, *, rate: float) -> None:
        self._at, self._since, self._rate = at, self.real_s, rate

    def now(self) -> datetime:
        return self._at + timedelta(seconds=(self.real_s - self._since) * self._rate)

    def monotonic(self) -> float:
        return self.real_s

    def wall(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.real_s)

    def sleep(self, seconds: float) -> None:
        self.real_s += seconds


class World:
    """Everything that a governor touches, and what it did to it."""

    def __init__(self, blockers: Callable[[datetime], Blockers] = lambda _: {}) -> None:
        self.clock = FakeClock()
        self.jumps: list[datetime] = []
        self.blocked_jumps: list[datetime] = []
        self.blockers: Callable[[datetime, Collection[str]], Blockers] = lambda now, _: blockers(now)

    def governor(
        self, *, speed: float = 1e9, at: dict[datetime, Callable[[], None]] | None = None
    ) -> Governor:
        doors = Doors(
            clock=self.clock,
            set_market_clock=self.jumps.append,
            blockers=self.blockers,
            sleep=self.clock.sleep,
            watch=lambda _now, _found: None,
        )
        return Governor(timeline(), doors, speed=speed, at=at)


def timeline() -> Timeline:
    session = TradingSession(
        venue=Venue.NSE,
        segment="FO",
        date=DAY.date(),
        open_at=OPEN,
        close_at=CLOSE,
        kind=SessionKind.INJECTED,
        source="test",
        notes="test",
    )
    phases = phase_schedule(session, PhaseTimes())
    ticks = [OPEN + timedelta(seconds=15 * n) for n in range(1501)]
    return lay_out(session, phases, real_windows(session, phases, [timedelta(seconds=300)]), ticks=ticks)


def test_the_bell_the_timed_entries_and_the_square_off_run_at_real_speed() -> None:
    world = World()

    world.governor().run()

    inside = [at for at in world.jumps for start, end in timeline().windows if start < at <= end]
    assert inside == []
    assert [start + LEAD for start, _ in timeline().windows] == [
        OPEN,
        OPEN + timedelta(minutes=5),
        DAY.replace(hour=9, minute=42),
    ]
    assert world.clock.real_s >= 3 * 30 - 3


def test_every_tick_outside_the_windows_is_visited_in_order() -> None:
    world = World()

    world.governor().run()

    outside = [t for t in timeline().ticks if not any(a < t <= b for a, b in timeline().windows)]
    assert [at for at in world.jumps if at in set(timeline().ticks)] == outside
    assert world.jumps == sorted(world.jumps)


def test_time_runs_at_real_speed_while_something_is_under_way() -> None:
    moment = OPEN + timedelta(hours=1)
    seen: list[datetime] = []

    def order_in_flight(now: datetime) -> Blockers:
        if moment <= now and len(seen) < 100:
            seen.append(now)
            return {"order 1": "ENTRY SUBMITTED"}
        return {}

    world = World(order_in_flight)
    world.governor().run()

    assert seen[0] == moment
    assert seen[-1] - seen[0] < timedelta(seconds=3)  # 100 looks of a few milliseconds each


def test_what_never_ends_is_waited_for_once_and_reported() -> None:
    world = World(lambda now: {"leg 7": "leaving"} if now >= OPEN else {})

    record = world.governor().run()

    assert [(entry["what"], entry["why"]) for entry in record.gave_up] == [("leg 7", "leaving")]
    assert 20 <= record.waited_s["leg"] < 21


def test_a_hung_login_costs_its_patience_once_a_day() -> None:
    calls = 0

    def login_every_other_look(now: datetime) -> Blockers:
        nonlocal calls
        calls += 1
        return {"login 3": "LOGGING_IN"} if now < OPEN and calls % 5 else {}

    world = World(login_every_other_look)
    record = world.governor().run()

    assert record.waited_s["login"] < 16


def test_the_bell_is_noted_in_machine_time() -> None:
    world = World()
    before = world.clock.wall()

    record = world.governor(speed=300).run()

    assert record.rang_at is not None
    assert record.rang_at > before


def test_speed_limits_how_fast_the_quiet_hours_pass() -> None:
    fast, slow = World(), World()

    fast.governor(speed=3000).run()
    slow.governor(speed=300).run()

    quiet_s = 7 * 3600 - 90
    assert slow.clock.real_s >= quiet_s / 300
    assert fast.clock.real_s < slow.clock.real_s


def test_acts_are_done_once_when_their_instant_is_reached() -> None:
    world = World()
    done: list[datetime] = []

    world.governor(at={OPEN: lambda: done.append(world.clock.now())}).run()

    assert len(done) == 1
    assert OPEN <= done[0] < OPEN + timedelta(seconds=1)


def test_an_order_behind_prices_keeps_the_patience_that_it_has_spent() -> None:
    calls = 0

    def prices_then_leg(now: datetime) -> Blockers:
        nonlocal calls
        calls += 1
        if now < OPEN:
            return {}
        return {"feed NSE": "on its way"} if calls % 5 == 0 else {"leg 7": "leaving"}

    record = World(prices_then_leg).governor().run()

    assert "leg 7" in {entry["what"] for entry in record.gave_up}
    assert record.waited_s["leg"] < 25


def test_prices_that_were_given_up_hide_no_order() -> None:
    given: list[frozenset[str]] = []

    def blockers(now: datetime, given_up: Collection[str]) -> Blockers:
        given.append(frozenset(given_up))
        return {"feed MT5": "silent"} if now >= OPEN else {}

    world = World()
    world.blockers = blockers
    world.governor().run()

    assert given[-1] == {"feed MT5"}
