"""Run one day under a plan of faults: for `make chaos` and, shorter, for the tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

from app.demo.options import DemoOptions
from app.demo.population import invent_people
from app.demo.setup import trading_session
from app.domain.accounts import BrokerCode
from app.domain.calendar_rules import TradingSession
from app.domain.instruments import Venue
from tests.chaos.bare import bare_spans, watch_bare_legs
from tests.chaos.crowd import trade_all_day
from tests.chaos.driver import Struck, play
from tests.chaos.late import late_entries
from tests.chaos.plan import EVERYTHING, Choice, Fault, Kind, Planner
from tests.chaos.stale import stale_writes, watch_stale_writes
from tests.chaos.verdict import Noted, bare_too_long, exits_overtaken, record, too_late
from tests.e2e.days import ROOT, RunningDay
from tests.strategies import busy_trader

_PREPARES_AT_MINUTE, _OPENS_AT_MINUTE, _WHOLE_DAY = 8 * 60 + 30, 9 * 60 + 15, 375
_FAULT_HAS_MINUTES = 0.8
_FAULT_TAKES_S = 8.5
# While orders are under way the day's clock keeps real time: the crowd's trades are pace enough.
_SHORT_SPEED = 3000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Say how large a run is. In a short one brief faults follow each other without waiting for recovery.

    `is_strict`: a leg without a stop for longer than I5 allows fails the day. `is_prompt`: an entry that left
    late does, too; only where no fault leaves a broker that keeps an account waiting.
    """

    accounts: int
    faults: int
    venues: tuple[Venue, ...] = (Venue.NSE,)
    is_short: bool = False
    is_strict: bool = True
    is_prompt: bool = False
    choice: Choice = EVERYTHING

    @property
    def closes(self) -> time:
        """When the session ends: each timed fault has its minutes, as far as the day goes."""
        minutes = 30 if self.is_short else min(_WHOLE_DAY, max(60, round(self.faults * _FAULT_HAS_MINUTES)))
        hours, minute = divmod(_OPENS_AT_MINUTE + minutes, 60)
        return time(hours, minute)

    @property
    def speed(self) -> float:
        """Virtual seconds a real second, at most, so that timed faults are over before the close."""
        if self.is_short:
            return _SHORT_SPEED
        minutes = self.closes.hour * 60 + self.closes.minute - _PREPARES_AT_MINUTE
        return max(1.0, round(minutes * 60 / (self.faults * _FAULT_TAKES_S), 1))


SHORT = Shape(accounts=6, faults=len(Kind), is_short=True, is_strict=False)
LONG = Shape(accounts=22, faults=210, venues=(Venue.NSE, Venue.BINANCE, Venue.MT5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run left: the record for the page, and each fault's fate."""

    record: dict[str, Any]
    struck: list[Struck]

    @property
    def reasons(self) -> list[str]:
        """Why the run failed; empty when it held."""
        return list(self.record["reasons"])


def run_chaos(
    shape: Shape, *, seed: int, folder: Path, say: Callable[[str], object], mutant: str = ""
) -> Run:
    """Start a day in a folder, break it by the seed's plan, and judge how it ended.

    Args: mutant: the safeguard that its workers do without (`tests.chaos.hops.mutants`), none by default.
    """
    hops = folder / "hops"
    hops.mkdir()
    day = _start(shape, seed=seed, folder=folder, hops=hops, mutant=mutant)
    try:
        session, plan = plan_of(shape, seed=seed)
        trade_all_day(day, session, accounts=shape.accounts)
        with day.ledger() as ledger:
            watch_bare_legs(ledger)
            watch_stale_writes(ledger)
        struck = play(day, plan, hops, is_timed=not shape.is_short, say=say)
        ended = day.end()
        with day.ledger() as ledger:
            noted = Noted(
                overtaken=exits_overtaken(ledger, struck),
                late=late_entries(ledger, struck),
                stale=stale_writes(ledger),
                bare=bare_spans(ledger),
            )
    finally:
        day.stop()
    found = record(ended, struck, noted, seed=seed)
    if shape.is_strict:
        found["reasons"] += bare_too_long(struck, noted)
    if shape.is_prompt:
        found["reasons"] += too_late(noted)
    (folder / "chaos.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return Run(record=found, struck=struck)


def plan_of(shape: Shape, *, seed: int) -> tuple[TradingSession, tuple[Fault, ...]]:
    """Return the session of a run and its faults."""
    options = DemoOptions(accounts=shape.accounts, venues=shape.venues, closes=shape.closes)
    session = trading_session(options)
    agents = [f"mt5-agent-{p.client}" for p in invent_people(options, ()) if p.broker is BrokerCode.MT5]
    planner = Planner(seed, venues=shape.venues, agents=agents, is_short=shape.is_short, choice=shape.choice)
    return session, planner.plan(session, shape.faults)


def _start(shape: Shape, *, seed: int, folder: Path, hops: Path, mutant: str) -> RunningDay:
    path = ":".join(map(str, (Path(__file__).with_name("hops"), ROOT)))
    return RunningDay(
        folder,
        *("--accounts", str(shape.accounts), "--seed", str(seed)),
        *("--speed", str(shape.speed), "--close", f"{shape.closes:%H:%M}"),
        *("--venues", ",".join(shape.venues), "--strategy-module", busy_trader.__name__),
        env={"PYTHONPATH": path, "CHAOS_FOLDER": str(hops), "CHAOS_MUTANT": mutant},
    )
