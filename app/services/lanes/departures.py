"""Let positions leave by the clock, and call a person for those that do not. Rules: app/domain/time_bounds.

Part of an exits lane, level-triggered: each look asks again what must be out by now, so that it does not
matter which process looks or what was missed. It only ever asks for exits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from redis import Redis
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.alarms import align_alarms
from app.db.audit import record_act
from app.db.departures import LegKey, OpenLeg, last_refusals, let_leave, open_legs, waited_s
from app.db.leases import LeaseLostError, check_fence
from app.db.models import LegRow
from app.db.session import Database
from app.db.shards import in_shard
from app.domain.calendar import CalendarExpiredError
from app.domain.charges import NoRatesError, RateBook, exercise_charges, product_of
from app.domain.errors import NotFoundError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, venue_of
from app.domain.markets import Currency, Market, market_at
from app.domain.ports import Clock
from app.domain.risk.urgency import Urgency, urgency_of
from app.domain.time_bounds import FREE, LastDay, LeaveCause, TimeBounds, TimeRules
from app.infra.marks import read_marks
from app.services.lanes.protection import shard_prefix
from app.services.lanes.requests import ContractBook
from app.services.runs import Lease
from app.services.time_book import TimeBook

log = structlog.get_logger()

OVERDUE, BROKER_CLOSES, EXERCISE = "square_off_overdue", "broker_square_off", "exercise_ahead"
_LOOK_EVERY_S = 1.0
_PRICE_KNOWN_FOR = timedelta(seconds=60)
_RECENT = timedelta(days=2)
_ACTOR = "exits lane"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """Pair a leg with what the clock asks of it."""

    leg: OpenLeg
    instrument: Instrument | None
    bounds: TimeBounds
    underlying_px: Decimal | None
    cause: LeaveCause | None


class Departures:
    """Look at the legs of one shard once a second. One owner."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        contracts: ContractBook,
        times: TimeBook,
        rates: RateBook,
        valkey: Redis,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contracts = contracts
        self._times = times
        self._rates = rates
        self._valkey = valkey
        self._looked = float("-inf")
        self._due: frozenset[LegKey] = frozenset()

    def look(self, lease: Lease) -> None:
        """Take one look if it is due, in a transaction of its own."""
        at = self._clock.monotonic()
        if at - self._looked < _LOOK_EVERY_S:
            return
        self._looked = at
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                self._look(session, lease.spec)
        except LeaseLostError:
            log.warning("departures_refused", run=lease.name, fence=lease.fence)
        except OperationalError as e:
            # Nothing was committed; the next look sees the same legs.
            log.warning("departures_postponed", run=lease.name, error=type(e.orig).__name__)

    def is_overdue(self, leg: LegRow) -> bool:
        """Say whether a leg should have been out for a while, so that its exit is pressed harder."""
        return self._urgency(leg) is not Urgency.USUAL

    def _look(self, session: Session, spec: Mapping[str, Any]) -> None:
        since = (self._clock.now() - _RECENT).date()
        legs = open_legs(session, in_shard(LegRow.account_id, spec), since=since)
        bound = self._bind(session, legs)
        self._due = frozenset(one.leg.key for one in bound if one.cause is not None)
        self._let_due_leave(session, bound)
        held = [one for one in bound if one.leg.leg.net_qty != 0]
        self._alarm_late(session, spec, held)
        self._alarm_exercise(session, spec, held)

    def _bind(self, session: Session, legs: Sequence[OpenLeg]) -> list[_Bound]:
        rules: dict[tuple[Market, date], TimeRules | None] = {}
        found: list[tuple[OpenLeg, Instrument | None, TimeBounds]] = []
        for leg in legs:
            instrument = self._contract(leg.leg)
            day = (market_at(venue_of(InstrumentId(leg.leg.instrument_id))), leg.leg.day)
            if day not in rules:
                rules[day] = self._rules(session, *day)
            of_day = rules[day]
            bounds = (
                FREE if of_day is None or instrument is None else of_day.bounds_of(instrument, leg.broker)
            )
            found.append((leg, instrument, bounds))
        prices = self._underlyings(bounds for _, _, bounds in found)
        return [self._bound(leg, i, bounds, prices) for leg, i, bounds in found]

    def _bound(
        self,
        leg: OpenLeg,
        instrument: Instrument | None,
        bounds: TimeBounds,
        prices: Mapping[InstrumentId, Decimal],
    ) -> _Bound:
        last = bounds.last_day
        px = None if last is None else prices.get(last.option.underlying)
        cause = bounds.leave_cause(net_qty=leg.leg.net_qty, underlying_px=px, now=self._clock.now())
        return _Bound(leg=leg, instrument=instrument, bounds=bounds, underlying_px=px, cause=cause)

    def _rules(self, session: Session, market: Market, day: date) -> TimeRules | None:
        try:
            return self._times.of_day(session, market, day)
        except CalendarExpiredError as e:
            # No session is known, so no phase runs either; the exits that were asked for go on.
            log.warning("day_without_calendar", venue=market.venue, day=day.isoformat(), error=str(e))
            return None

    def _contract(self, leg: LegRow) -> Instrument | None:
        try:
            return self._contracts.get(leg.day, InstrumentId(leg.instrument_id))
        except NotFoundError:
            return None  # the lane says so, and can send nothing of it

    def _underlyings(self, bounds: Iterable[TimeBounds]) -> dict[InstrumentId, Decimal]:
        """Return the prices that are news enough to tell what is in the money."""
        wanted = {one.last_day.option.underlying for one in bounds if one.last_day is not None}
        if not wanted:
            return {}
        since = self._clock.wall() - _PRICE_KNOWN_FOR
        return {i: t.last for i, t in read_marks(self._valkey, wanted).items() if t.ts_init >= since}

    def _let_due_leave(self, session: Session, bound: Sequence[_Bound]) -> None:
        now, wall = self._clock.now(), self._clock.wall()
        due: dict[LeaveCause, list[LegKey]] = {}
        for one in bound:
            if one.cause is not None and one.leg.leg.exit_reason is None:
                due.setdefault(one.cause, []).append(one.leg.key)
        for cause, keys in due.items():
            asked = let_leave(session, keys, reason=cause.value, now=now, wall=wall)
            for account_id, count in asked.items():
                _note(session, "square_off.leave", f"account {account_id}", cause, legs=count)
            log.info("legs_leave_by_the_clock", cause=cause, legs=sum(asked.values()))

    def _alarm_late(self, session: Session, spec: Mapping[str, Any], held: Sequence[_Bound]) -> None:
        late = {
            one.leg.key: (one, urgency)
            for one in held
            if (urgency := self._urgency(one.leg.leg, one.bounds.broker_at)).needs_person
        }
        words = last_refusals(session, late) if late else {}
        dangers: dict[str, dict[str, tuple[int, str]]] = {OVERDUE: {}, BROKER_CLOSES: {}}
        for key, (one, urgency) in late.items():
            says = f"the broker says: {words[key]}" if key in words else "the broker has given no reason"
            subject, owner = _subject(spec, one.leg), one.leg.leg.user_id
            dangers[OVERDUE][subject] = (owner, _overdue(one.leg, says))
            if urgency is Urgency.BROKER:
                dangers[BROKER_CLOSES][subject] = (owner, _left_to_broker(one.leg, one.bounds, says))
        self._align(session, spec, dangers)

    def _urgency(self, leg: LegRow, broker_at: datetime | None = None) -> Urgency:
        return urgency_of(
            leg.exit_reason,
            is_due=(leg.deployment_id, leg.day, leg.instrument_id) in self._due,
            waited_s=waited_s(leg, self._clock.wall()),
            now=self._clock.now(),
            broker_at=broker_at,
        )

    def _alarm_exercise(self, session: Session, spec: Mapping[str, Any], held: Sequence[_Bound]) -> None:
        now = self._clock.now()
        dangers = {}
        for one in held:
            last, px = one.bounds.last_day, one.underlying_px
            if last is None or one.leg.leg.net_qty < 0 or not last.is_exercise_near(px, now):
                continue
            message = self._exercise(one, last)
            dangers[_subject(spec, one.leg)] = (one.leg.leg.user_id, message)
        self._align(session, spec, {EXERCISE: dangers})

    def _align(
        self, session: Session, spec: Mapping[str, Any], dangers: Mapping[str, Mapping[str, tuple[int, str]]]
    ) -> None:
        for code, found in dangers.items():
            new = align_alarms(session, code, found, prefix=shard_prefix(spec), now=self._clock.now())
            for subject in new:
                log.error(code, subject=subject, what=found[subject][1])
                _note(session, "square_off.escalate", subject, code, message=found[subject][1])

    def _exercise(self, one: _Bound, last: LastDay) -> str:
        leg, intrinsic = one.leg.leg, last.intrinsic(one.underlying_px)
        whole = f"{_name(one.leg)} is still held on its last day"
        close = f"at {last.close_at:%H:%M}Z"
        if intrinsic is None:
            return f"{whole}: {close} it is exercised if in the money; nobody knows its underlying's price"
        settled = "settled in cash"
        if not last.settles_in_cash:
            settled = f"settled by delivery of {abs(leg.net_qty):f} shares, whose whole price is due"
        cost = self._stt(one, intrinsic)
        return (
            f"{whole}, {intrinsic:f} in the money: {close} it is exercised, {settled}, with an STT of {cost}"
        )

    def _stt(self, one: _Bound, intrinsic: Decimal) -> str:
        assert one.instrument is not None  # noqa: S101  who has a last day is in the contract master
        currency = Currency(one.instrument.currency)
        try:
            rates = self._rates.in_force(
                one.instrument.venue, product_of(one.instrument.kind), one.leg.leg.day
            )
        except NoRatesError:
            return f"unknown {currency}"
        lines = exercise_charges(intrinsic, abs(one.leg.leg.net_qty), rates, currency=currency)
        return f"{sum((line.amount for line in lines), Decimal(0)):f} {currency}"


def _subject(spec: Mapping[str, Any], leg: OpenLeg) -> str:
    return f"{shard_prefix(spec)}{leg.leg.deployment_id}:{leg.leg.instrument_id}"


def _name(leg: OpenLeg) -> str:
    row = leg.leg
    return f"account {row.account_id} ({leg.account} at {leg.broker}): {row.net_qty:f} {row.instrument_id}"


def _overdue(leg: OpenLeg, says: str) -> str:
    asked = leg.leg.exit_requested_wall
    since = "" if asked is None else f" since {asked:%H:%M:%S}Z"
    return (
        f"{_name(leg)} shall be flat{since} ({leg.leg.exit_reason}) and is not; {says}. "
        "Its exit is tried on; close it in the broker's own app if that works"
    )


def _left_to_broker(leg: OpenLeg, bounds: TimeBounds, says: str) -> str:
    at = "now" if bounds.broker_at is None else f"from {bounds.broker_at:%H:%M}Z on"
    return (
        f"{_name(leg)}: the broker closes it by itself {at}, for its fee; {says}. "
        "Send nothing yourself now; compare the account with the broker's book afterwards"
    )


def _note(session: Session, action: str, subject: str, reason: str, **details: object) -> None:
    record_act(
        session,
        actor=_ACTOR,
        origin="job",
        action=action,
        subject=subject,
        reason=reason,
        details=dict(details),
    )
