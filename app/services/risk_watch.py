"""Watch the profit and loss of a market's scopes by their limits; close and lock what reaches one.

Each look reads the tables anew, so a successor continues where its predecessor died. What only a run
remembers is which rule was broken one sample ago: a successor needs one sample more.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from app.config import Settings
from app.db.leases import LeaseLostError, check_fence
from app.db.loss_locks import note_flat
from app.db.models import LossLockRow
from app.db.risk_book import EquityPoint, RiskBook, last_points, read_risk_book, save_points
from app.db.session import Database
from app.domain.charges import ChargeSum
from app.domain.ids import InstrumentId
from app.domain.markets import Currency, Market
from app.domain.numbers import ZERO
from app.domain.ports import Clock
from app.domain.risk.breaches import Breach, LossRule
from app.domain.risk.losses import LossRules, Standing, judge
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.infra.marks import FeedInstant, read_feed_instant, read_marks
from app.infra.names import WATCH_CURSOR_KEY, RunKind, run_name
from app.services.costs import Costs, LegId, WatchedCosts
from app.services.loss_locks import close_scope, exit_reason, lock_scope, name_of
from app.services.loss_rules import read_rules
from app.services.news import News
from app.services.risk_control import Moment
from app.services.runs import Lease
from app.services.scope_values import ScopeValue, WatchKey, value_scopes
from app.services.watch_alarms import Causes, WatchAlarms

log = structlog.get_logger()

_LOOK_AT_LEAST_EACH_S = 1.0
_PRICES_WITHIN = timedelta(seconds=60)
_CURVES = frozenset({LimitScope.ACCOUNT, LimitScope.DEPLOYMENT})
"""Scopes whose course is kept whether or not a limit watches them."""

Values = Mapping[WatchKey, ScopeValue]
Rules = Mapping[WatchKey, LossRules]


class RiskWatch:
    """Sample every scope of one market, once per period; one thread, one holder of the run's lease."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        valkey: Redis,
        news: News,
        costs: Costs,
        market: Market,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._valkey = valkey
        self._news = news
        self._market = market
        self._alarms = WatchAlarms(database, clock, market)
        self._costs = WatchedCosts(costs, clock)
        self._charges: Mapping[LegId, ChargeSum] = {}
        self._day: date | None = None
        self._standings: dict[WatchKey, Standing] = {}
        self._points: dict[ScopeKey, EquityPoint] = {}
        self._judged: datetime | None = None
        self._looked = float("-inf")
        self._looks = 0

    def run(self, lease: Lease) -> dict[str, Any]:
        """Work until the lease ends."""
        while lease.is_valid():
            try:
                self._look_if_due(lease)
            except LeaseLostError:
                log.warning("lease_lost", run=lease.name, fence=lease.fence)
                break
            except OperationalError as e:
                # Nothing is half done: each write is one transaction, and the next look repeats it.
                log.warning("risk_look_failed", run=lease.name, error=type(e.orig).__name__)
            lease.progress = {"looks": self._looks, "scopes": len(self._standings)}
            lease.ended.wait(self._settings.risk_watch_period_s)
        return {"looks": self._looks}

    def _look_if_due(self, lease: Lease) -> None:
        feed = read_feed_instant(self._valkey, self._market.venue)
        is_news = feed is not None and feed.last_ts != self._judged
        if not is_news and self._clock.monotonic() - self._looked < _LOOK_AT_LEAST_EACH_S:
            return
        self.look(lease, feed)
        self._looked = self._clock.monotonic()
        self._looks += 1
        if feed is not None:
            self._judged = feed.last_ts
            self._tell_judged(lease, feed)

    def look(self, lease: Lease, feed: FeedInstant | None) -> None:
        """Take one sample of every scope and act on it.

        Raises:
            LeaseLostError: another holder took over; nothing more was written.
            OperationalError: the database does not answer.
        """
        now = self._clock.now()
        moment = Moment(day=self._market.day_of(now), now=now, wall=self._clock.wall())
        book = self._read(moment.day)
        values = self._value(book, feed, moment)
        rules, unreadable = read_rules(book, self._market.currency)
        breaches = self._judge(values, rules, feed=feed, now=now)
        self._keep_course(lease, values, rules, moment)
        in_force = {_key(lock): lock for lock in book.locks if lock.unlocked_at is None}
        for (key, currency), breach in breaches.items():
            if key not in in_force:
                self._lock(lease, key, breach, currency=currency, moment=moment)
        for key, lock in in_force.items():
            value = values.get((key, Currency(lock.currency)), ScopeValue())
            self._follow(lease, lock, value, moment)
        stuck = [lock for lock in in_force.values() if lock.flat_at is None]
        causes = Causes(
            blind=_blind(values, rules),
            unlimited=_unlimited(values, rules, self._market.currency),
            unreadable=unreadable,
            stuck=stuck,
        )
        self._alarms.align(causes, moment)

    def _read(self, day: date) -> RiskBook:
        with self._database.begin() as session:
            book = read_risk_book(session, self._market, day)
            self._charges = self._costs.of_legs(session, book.legs, day)
            if day != self._day:
                self._points = last_points(session, self._market, day)
                own = self._market.currency
                self._standings = {(key, own): Standing(peak=p.peak) for key, p in self._points.items()}
                self._day = day
        for lock in book.locks:
            self._count_anew(lock)
        return book

    def _count_anew(self, lock: LossLockRow) -> None:
        """Let the peak of an unlocked scope begin at what was left; one kept since then stays."""
        key, at = (_key(lock), Currency(lock.currency)), lock.unlocked_at
        known = self._standings.get(key, Standing())
        if at is None or (known.since is not None and known.since >= at):
            return
        is_own = lock.currency == self._market.currency
        base, point = lock.flat_value or ZERO, self._points.get(key[0]) if is_own else None
        is_newer = known.last is None and point is not None and point.minute >= at
        peak = known.peak if is_newer else base
        self._standings[key] = Standing(peak=peak, base=base, since=at)

    def _value(self, book: RiskBook, feed: FeedInstant | None, moment: Moment) -> Values:
        """Value the scopes with the latest marks of the trading date, with none while the feed is silent."""
        held = {InstrumentId(leg.instrument_id) for leg in book.legs if leg.net_qty != 0}
        patience = timedelta(seconds=self._settings.tick_max_age_s)
        is_fresh = feed is not None and moment.wall - feed.last_wall <= patience
        marks = read_marks(self._valkey, sorted(held)) if held and is_fresh else {}
        todays = {str(i): t.last for i, t in marks.items() if self._market.day_of(t.ts_event) == moment.day}
        return value_scopes(book.legs, todays, self._charges, self._market.currency)

    def _judge(
        self, values: Values, rules: Rules, *, feed: FeedInstant | None, now: datetime
    ) -> dict[WatchKey, Breach]:
        breaches = {}
        for key, value in values.items():
            sample = value.sample(published=None if feed is None else feed.last_ts, now=now)
            if sample is None:
                continue
            before = self._standings.get(key, Standing())
            self._standings[key], breach = judge(before, sample, rules.get(key, LossRules()))
            if breach is not None:
                breaches[key] = breach
        # The widest scope first: what it closes has no need of being closed for itself.
        widest = list(LimitScope)
        return dict(sorted(breaches.items(), key=lambda found: widest.index(found[0][0][0])))

    def _keep_course(self, lease: Lease, values: Values, rules: Rules, moment: Moment) -> None:
        """Write a point of each scope per minute where it changed, and a risen peak of a watched one now."""
        minute = moment.now.replace(second=0, microsecond=0)
        due = []
        own = self._market.currency
        for (key, currency), value in values.items():
            is_watched = (key, own) in rules
            if currency != own or value.unpriced or not (key[0] in _CURVES or is_watched):
                continue
            point = EquityPoint(
                key=key,
                minute=minute,
                realized=value.pnl.realized,
                unrealized=value.pnl.unrealized,
                charges=value.pnl.charges,
                is_estimated=value.pnl.is_estimated,
                peak=self._standings[key, own].peak,
            )
            if _is_due(point, self._points.get(key), is_watched=is_watched):
                due.append(point)
        if not due:
            return
        with self._database.begin() as session:
            check_fence(session, lease.name, fence=lease.fence)
            save_points(session, self._market, moment.day, due)
        self._points |= {point.key: point for point in due}

    def _lock(
        self, lease: Lease, key: ScopeKey, breach: Breach, *, currency: Currency, moment: Moment
    ) -> None:
        with self._database.begin() as session:
            check_fence(session, lease.name, fence=lease.fence)
            done = lock_scope(session, key, breach, currency=currency, market=self._market, moment=moment)
        if done is None:
            return
        log.error("loss_lock", scope=name_of(key), rule=breach.rule, formula=breach.formula)
        self._news.wake(run_name(RunKind.EXITS, self._market))
        data = {"scope": name_of(key), "rule": breach.rule, "formula": breach.formula, "day": moment.day}
        self._news.tell_ops("loss_lock", data)

    def _follow(self, lease: Lease, lock: LossLockRow, value: ScopeValue, moment: Moment) -> None:
        """Close again what a locked scope still or again holds; record when it was first found flat."""
        # What was left is told whole if prices come in time: flat does not depend on them.
        awaits_price = bool(value.unpriced) and moment.wall - lock.breached_wall < _PRICES_WITHIN
        if value.is_flat and (lock.flat_at is not None or awaits_price):
            return
        key, reason = _key(lock), exit_reason(LossRule(lock.rule))
        with self._database.begin() as session:
            check_fence(session, lease.name, fence=lease.fence)
            if value.is_flat:
                note_flat(session, lock.id, at=moment.now, wall=moment.wall, value=value.pnl.net)
            else:
                close_scope(session, key, reason=reason, market=self._market, moment=moment)
        if value.is_flat:
            log.info("loss_lock_flat", scope=name_of(key), rule=lock.rule)

    def _tell_judged(self, lease: Lease, feed: FeedInstant) -> None:
        try:
            self._valkey.set(WATCH_CURSOR_KEY.format(run=lease.name), feed.last_ts.isoformat())
        except RedisError as e:
            log.warning("cursor_not_written", run=lease.name, error=type(e).__name__)


def _key(lock: LossLockRow) -> ScopeKey:
    return LimitScope(lock.scope), lock.target


def _blind(values: Values, rules: Rules) -> dict[ScopeKey, set[str]]:
    """Return what has no price of the scopes with a limit on it."""
    blind: dict[ScopeKey, set[str]] = {}
    for watched in rules.keys() & values.keys():
        if values[watched].unpriced:
            blind.setdefault(watched[0], set()).update(values[watched].unpriced)
    return blind


def _unlimited(values: Values, rules: Rules, own: Currency) -> dict[ScopeKey, set[Currency]]:
    """Return in which currencies scopes with a limit hold something that none of their limits names."""
    unlimited: dict[ScopeKey, set[Currency]] = {}
    for (key, currency), value in values.items():
        if value.holds and (key, own) in rules and (key, currency) not in rules:
            unlimited.setdefault(key, set()).add(currency)
    return unlimited


def _is_due(point: EquityPoint, last: EquityPoint | None, *, is_watched: bool) -> bool:
    if last is None:
        return True
    if is_watched and point.peak > last.peak:
        return True
    return point.minute != last.minute and replace(point, minute=last.minute) != last
