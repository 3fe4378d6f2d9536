"""Run the phases of the trading day, each once, late rather than never (I10)."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.alarms import raise_alarm
from app.db.controls import cancel_unsent_entries, request_exits
from app.db.day import (
    accounts_to_log_in,
    arm_deployments,
    begin_phase,
    disarm_deployments,
    enroll_accounts,
    finish_phase,
    finished_phases,
    login_counts,
    note_phase,
    ready_accounts,
)
from app.db.instruments import count_instruments, save_instruments
from app.db.leases import unwant_runs, want_run
from app.db.models import AccountRow, DeploymentRow, LegRow, UserRow
from app.db.session import Database
from app.db.shards import at_brokers
from app.domain.accounts import LoginStatus
from app.domain.calendar_rules import ONE_DAY, TradingSession
from app.domain.errors import BrokerError
from app.domain.ids import AccountId
from app.domain.markets import Market
from app.domain.phases import Phase, ScheduledPhase
from app.domain.ports import Clock
from app.domain.time_bounds import TimeRules
from app.infra.names import QueueName, RunKind, queue_of, run_name
from app.services.gateways import Adapters, Gateways
from app.services.logins import Logins
from app.services.news import News
from app.services.paper import Paper
from app.services.time_book import TimeBook

log = structlog.get_logger()

_BATCH = 25
_FLAT_WITHIN_S = 90.0
_JOINS_EACH_S = 5.0
_FLAT_POLL_S = 0.25
_ZERO = timedelta(0)
_LACK = (
    "only paper accounts are logged in: the contract master and the prices come from a venue's account, "
    "so log one in too"
)


class MarketDay:
    """Know one market's schedule and carry out the phases of its day."""

    def __init__(  # noqa: PLR0913  a composition root hands over the parts
        self,
        market: Market,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        times: TimeBook,
        logins: Logins,
        paper: Paper,
        gateways: Gateways,
        adapters: Adapters,
        news: News,
        sleep: Callable[[float], None],
    ) -> None:
        self.market = market
        self.venue = market.venue
        self._settings = settings
        self._database = database
        self._clock = clock
        self._times = times
        self._logins = logins
        self._paper = paper
        self._told_lack: date | None = None
        self._joined_at = float("-inf")
        self._gateways = gateways
        self._adapters = adapters
        self._news = news
        self._sleep = sleep

    def session_of(self, day: date) -> TradingSession | None:
        """Return the session of a day, an injected one first; raises CalendarExpiredError."""
        rules = self.rules_of(day)
        return None if rules is None else rules.session

    def rules_of(self, day: date) -> TimeRules | None:
        """Return what decides by the clock on a day, None when the market is closed."""
        with self._database.begin() as session:
            return self._times.of_day(session, self.market, day)

    def today(self) -> date:
        """Return the market's trading date now."""
        return self.market.day_of(self._clock.now())

    def schedule(self, day: date) -> Sequence[ScheduledPhase]:
        """Return the day's phases in order; none when the market is closed."""
        rules = self.rules_of(day)
        return () if rules is None else rules.schedule()

    def next_due(self) -> tuple[date, ScheduledPhase] | None:
        """Return the first phase that is due, has not ended and still makes sense, with its day.

        A yesterday that began comes first: where sessions follow each other, its close is due when today has
        begun.
        """
        today, now = self.today(), self._clock.now()
        with self._database.begin() as session:
            for day in (today - ONE_DAY, today):
                done = finished_phases(session, venue=self.venue, day=day)
                rules = self._times.of_day(session, self.market, day) if done or day == today else None
                for planned in () if rules is None else rules.schedule():
                    if planned.phase not in done and planned.is_due(now):
                        return day, planned
        return None

    def begin(self, day: date, phase: Phase) -> bool:
        """Claim a phase for this caller; False when it ran, runs, or does not belong to the day."""
        planned = next((p for p in self.schedule(day) if p.phase is phase), None)
        if planned is None or not planned.is_due(self._clock.now()):
            log.warning("phase_refused", phase=phase, day=day.isoformat())
            return False
        with self._database.begin() as session:
            begun = begin_phase(
                session,
                venue=self.venue,
                day=day,
                phase=phase,
                due_at=planned.due_at,
                now=self._clock.now(),
            )
        if begun:
            self._news.tell_ops("phase", {"phase": phase, "day": day, "state": "running"})
        return begun

    def finish(self, day: date, phase: Phase, summary: dict[str, Any]) -> None:
        """Record the end of a phase and tell everybody."""
        with self._database.begin() as session:
            finish_phase(
                session, venue=self.venue, day=day, phase=phase, now=self._clock.now(), summary=summary
            )
        log.info("phase_finished", phase=phase, day=day.isoformat(), **summary)
        self._news.tell_ops("phase", {"phase": phase, "day": day, "state": "done", "summary": summary})

    def run(self, day: date, phase: Phase) -> dict[str, Any]:
        """Carry out a phase that was begun; LOGIN is a chord and is composed by its task."""
        steps: dict[Phase, Callable[[date], dict[str, Any]]] = {
            Phase.PREPARE: self._prepare,
            Phase.VERIFY: self._verify,
            Phase.ARM: self._arm,
            Phase.BELL: self._ring,
            Phase.SQUARE_OFF: self._square_off,
            Phase.CLOSE: self._close,
        }
        return steps[phase](day)

    def is_login_time(self, day: date) -> bool:
        """Whether accounts may still log in: the login phase has started and the square-off has not."""
        with self._database.begin() as session:
            done = finished_phases(session, venue=self.venue, day=day)
        return Phase.LOGIN in done and Phase.SQUARE_OFF not in done

    def login_batches(self, day: date) -> list[list[AccountId]]:
        """Return the accounts that should log in now, in batches for the chord's header."""
        with self._database.begin() as session:
            enroll_accounts(session, day, self.market.brokers)
            ids = list(accounts_to_log_in(session, day, self.market.brokers, now=self._clock.now()))
        return [ids[i : i + _BATCH] for i in range(0, len(ids), _BATCH)]

    def after_logins(self, day: date) -> dict[str, Any]:
        """Do what needs an open session: contracts, runs; and let late accounts join. Idempotent."""
        contracts = self._ensure_instruments(day)
        with self._database.begin() as session:
            done = finished_phases(session, venue=self.venue, day=day)
            counts = login_counts(session, day, self.market.brokers)
            sources = ready_accounts(session, day, self.market.venue_brokers)
            if Phase.CLOSE not in done and counts.get("READY"):
                self._want_lanes(session)
            if contracts and Phase.ARM in done and Phase.CLOSE not in done:
                if self._arm_ready(session, day):
                    log.info("late_accounts_armed", day=day.isoformat())
                self._want_loops(session)
        lack = {} if contracts or sources or not counts.get(LoginStatus.READY) else self._tell_lack(day)
        return {"contracts": contracts, **{f"accounts_{k.lower()}": v for k, v in counts.items()}, **lack}

    def let_join(self, day: date, *, has_news: bool) -> None:
        """Let in who came late: at once where somebody has just logged in, else every few seconds."""
        if has_news or self._clock.monotonic() - self._joined_at >= _JOINS_EACH_S:
            self._joined_at = self._clock.monotonic()
            self.after_logins(day)

    def _tell_lack(self, day: date) -> dict[str, str]:
        """Say, once a day in the log, that paper accounts alone have neither contracts nor prices."""
        if self._told_lack != day:
            self._told_lack = day
            log.warning("venue_account_needed", venue=self.venue, day=day.isoformat(), lack=_LACK)
        return {"lack": _LACK}

    def report_logins(self, day: date) -> dict[str, Any]:
        """Close the login chord: report, never a gate."""
        summary = self.after_logins(day)
        with self._database.begin() as session:
            note_phase(session, venue=self.venue, day=day, phase=Phase.LOGIN, summary=summary)
        self._news.tell_ops("phase", {"phase": Phase.LOGIN, "day": day, "state": "done", "summary": summary})
        return summary

    def _prepare(self, day: date) -> dict[str, Any]:
        with self._database.begin() as session:
            enroll_accounts(session, day, self.market.brokers)
            accounts = self._enrolled(session, day)
            deployments = session.scalar(select(func.count(DeploymentRow.id))) or 0
            users = session.scalar(select(func.count(UserRow.id))) or 0
        return {"accounts": accounts, "deployments": deployments, "users": users}

    def _verify(self, day: date) -> dict[str, Any]:
        return self.after_logins(day)

    def _arm(self, day: date) -> dict[str, Any]:
        contracts = self._ensure_instruments(day)
        with self._database.begin() as session:
            armed = self._arm_ready(session, day)
            self._want_lanes(session)
            # Loops without contracts see no price, and would not look again before their run ends.
            if contracts:
                self._want_loops(session)
        return {"armed": armed}

    def _ring(self, day: date) -> dict[str, Any]:
        """Confirm that everybody who is ready is live; its absence raises the alarm."""
        if self.market.times.login_before_open == _ZERO:
            self._wait_for_logins(day)  # they began with the session, a moment ago
        with self._database.begin() as session:
            ready = len(ready_accounts(session, day, self.market.brokers))
            enrolled = self._enrolled(session, day)
            if ready < enrolled:
                raise_alarm(
                    session,
                    "accounts_not_ready",
                    subject=f"day:{self.venue}:{day}",
                    message=f"{ready} of {enrolled} accounts are ready at the bell; the others join late",
                    user_id=None,
                    now=self._clock.now(),
                )
        return {"ready": ready, "enrolled": enrolled}

    def _wait_for_logins(self, day: date) -> None:
        deadline = self._clock.monotonic() + self._settings.login_timeout_s
        while self._clock.monotonic() < deadline:
            with self._database.begin() as session:
                counts = login_counts(session, day, self.market.brokers)
            if not counts.get(LoginStatus.PENDING, 0) + counts.get(LoginStatus.LOGGING_IN, 0):
                return
            self._sleep(_FLAT_POLL_S)

    def _square_off(self, day: date) -> dict[str, Any]:
        with self._database.begin() as session:
            disarm_deployments(session, day, self.market.brokers)
            legs = self._flatten(session, day, "square_off")
        return {"legs": legs}

    def _flatten(self, session: Session, day: date, reason: str) -> int:
        brokers, wall = self.market.brokers, self._clock.wall()
        cancel_unsent_entries(session, where={}, reason=reason, at=self._clock.now(), brokers=brokers)
        return request_exits(session, where={}, day=day, reason=reason, wall=wall, brokers=brokers)

    def _close(self, day: date) -> dict[str, Any]:
        with self._database.begin() as session:
            self._flatten(session, day, "close")
        open_legs = self._wait_until_flat(day)
        accounts = self._accounts_of(day)
        not_flat = self._not_flat_at_broker(accounts)
        self._close_paper(day)
        with self._database.begin() as session:
            if open_legs or not_flat:
                raise_alarm(
                    session,
                    "not_flat_at_close",
                    subject=f"day:{self.venue}:{day}",
                    message=f"{open_legs} legs open in the ledger; not flat at the broker: {not_flat}",
                    user_id=None,
                    now=self._clock.now(),
                )
            else:
                unwant_runs(session, self.venue)
        if not open_legs and not not_flat:
            self._logins.end_sessions(accounts)
        return {"accounts": len(accounts), "open_legs": open_legs, "not_flat": not_flat}

    def _close_paper(self, day: date) -> None:
        """End the orders for the day on paper, as the venue ends those of its own accounts."""
        with self._database.begin() as session:
            on_paper = ready_accounts(session, day, self.market.paper_brokers)
        if on_paper:
            for venue in sorted(self.market.venues):
                self._paper.close_session(venue)

    def _wait_until_flat(self, day: date) -> int:
        deadline = self._clock.monotonic() + _FLAT_WITHIN_S
        while True:
            with self._database.begin() as session:
                statement = select(func.count()).where(
                    LegRow.day == day, LegRow.net_qty != 0, at_brokers(LegRow.account_id, self.market.brokers)
                )
                open_legs = session.scalar(statement) or 0
            if open_legs == 0 or self._clock.monotonic() > deadline:
                return open_legs
            self._sleep(_FLAT_POLL_S)

    def _accounts_of(self, day: date) -> list[AccountId]:
        with self._database.begin() as session:
            return list(ready_accounts(session, day, self.market.brokers))

    def _not_flat_at_broker(self, accounts: Sequence[AccountId]) -> list[int]:
        """Read every account's positions at the broker: flat is proven there, not in our tables."""
        not_flat = []
        for account_id in accounts:
            try:
                positions = self._gateways.get(account_id).request_positions().data
            except BrokerError as e:
                log.warning("flat_not_verified", account_id=account_id, error=str(e))
                not_flat.append(int(account_id))
                continue
            if any(position.net_qty != 0 for position in positions):
                not_flat.append(int(account_id))
        return not_flat

    def _ensure_instruments(self, day: date) -> int:
        """Download the day's contracts with a venue's first open session; they are the same for everybody."""
        with self._database.begin() as session:
            known = count_instruments(session, day, self.market.venues)
            account_ids = ready_accounts(session, day, self.market.venue_brokers)
        if known or not account_ids:
            return known
        return self._download_instruments(day, account_ids)

    def _download_instruments(self, day: date, account_ids: Sequence[AccountId]) -> int:
        for account_id in account_ids:
            try:
                stored = self._gateways.stored_session(account_id)
                instruments = self._adapters(stored.broker).request_instruments(stored, day)
            except BrokerError as e:
                log.warning("contracts_not_downloaded", account_id=account_id, error=str(e))
                continue
            with self._database.begin() as session:
                save_instruments(session, day, instruments)
            return len(instruments)
        return 0

    def _enrolled(self, session: Session, day: date) -> int:
        return sum(login_counts(session, day, self.market.brokers).values())

    def _arm_ready(self, session: Session, day: date) -> int:
        return arm_deployments(session, day, self.market.brokers)

    def _spec(self, **shard: int) -> dict[str, Any]:
        return {**shard, "venue": self.venue, "brokers": sorted(self.market.brokers)}

    def _want_lanes(self, session: Session) -> None:
        shards = (
            (RunKind.ENTRIES, QueueName.ORDERS),
            (RunKind.EXITS, QueueName.EXITS),
            (RunKind.BOOKS, QueueName.BOOKS),
            (RunKind.RISK, QueueName.RISK),
        )
        for kind, queue in shards:
            want_run(
                session,
                name=run_name(kind, self.market),
                kind=kind,
                queue=queue_of(queue, self.market),
                spec=self._spec(shard=0, of=1),
            )

    def _want_loops(self, session: Session) -> None:
        users = session.scalar(
            select(func.count(func.distinct(AccountRow.user_id))).where(
                AccountRow.is_enabled, AccountRow.broker.in_(self.market.brokers)
            )
        )
        shards = max(1, -(-int(users or 0) // self._settings.users_per_shard))
        for shard in range(shards):
            want_run(
                session,
                name=run_name(RunKind.LOOPS, self.market, shard),
                kind=RunKind.LOOPS,
                queue=queue_of(QueueName.LOOPS, self.market),
                spec=self._spec(shard=shard, of=shards),
            )
