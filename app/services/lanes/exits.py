"""Run the exits lane of a shard: protect every position, close what shall be flat.

The lane is level-triggered: each pass compares what the legs need with their live exit orders and
takes one step per leg. So a crash at any point loses nothing, and no message is needed for a
position to be protected (I5, I6, I7).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.exits import (
    LegWork,
    accounts_with_session,
    entries_to_cancel,
    legs_to_mind,
    live_exit_of,
)
from app.db.leases import LeaseLostError, check_fence
from app.db.legs import note_exposed, note_protected
from app.db.models import LegRow
from app.db.session import Database, is_held
from app.domain.breaker import EndpointClass, Witness
from app.domain.errors import InvariantError, NotFoundError
from app.domain.ids import AccountId, InstrumentId
from app.domain.instruments import Instrument, Venue
from app.domain.market_data import Tick
from app.domain.markets import market_at
from app.domain.orders import OrderEventKind
from app.domain.ports import Clock
from app.domain.reports import Gap, OrderReport, WriteResult
from app.domain.risk.exits import (
    AwaitExit,
    ExitStep,
    PlaceExit,
    WatchExit,
    is_short_of_stop,
    next_exit_step,
)
from app.domain.risk.urgency import next_overdue_step
from app.infra.marks import FeedPulse
from app.infra.rate_limit import OrderBudget
from app.services.breakers import Breakers
from app.services.execution import Execution
from app.services.gateways import Gateways
from app.services.lanes.answers import LAST_TRIES, Answers
from app.services.lanes.baskets import Baskets
from app.services.lanes.bulkhead import Bounds, Bulkhead, Seats
from app.services.lanes.calls import ask_once, means_of
from app.services.lanes.catch_ups import CatchUps
from app.services.lanes.closing import Closing
from app.services.lanes.departures import Departures
from app.services.lanes.exit_steps import ExitCall, ExitSteps
from app.services.lanes.prices import ExitPrices, Prices
from app.services.lanes.protection import alarm_dangers
from app.services.lanes.requests import ContractBook
from app.services.lanes.streams import AccountStreams
from app.services.lanes.trails import Trails, is_mere_move, wanted_stop
from app.services.lanes.wakes import Wakes
from app.services.lanes.warmth import Warmth
from app.services.reconciliation import Reconciliation
from app.services.runs import Lease

log = structlog.get_logger()

_POLL_S = 0.2
_CALLS_PER_BROKER = 48
# Not more than an adapter has connections for orders; an account that hangs leaves the others theirs.
_CALLS_PER_ACCOUNT = 8
_REPEAT_CANCEL_AFTER = timedelta(seconds=5)
_ACCOUNTS_AT_ONCE = 8
"""Accounts whose news are one transaction: the rows of all of them are ours until it ends."""


@dataclass(frozen=True, slots=True)
class _Answer:
    call: ExitCall
    result: WriteResult
    witness: Witness | None


class ExitLane:
    """Protect and close the positions of the accounts in one shard; hear their order streams."""

    def __init__(  # noqa: PLR0913  a composition root hands over the parts
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        execution: Execution,
        gateways: Gateways,
        budget: OrderBudget,
        breakers: Breakers,
        contracts: ContractBook,
        departures: Departures,
        valkey: Any,  # noqa: ANN401  redis-py's generics differ between sync and async
    ) -> None:
        self._database = database
        self._clock = clock
        self._execution = execution
        self._gateways = gateways
        self._budget = budget
        self._breakers = breakers
        self._contracts = contracts
        self._valkey = valkey
        self._max_age = timedelta(seconds=settings.tick_max_age_s)
        self._pulse = FeedPulse(valkey, max_age=self._max_age)
        self._answers = Answers[_Answer]()
        self._seats: Seats
        self._prices: ExitPrices
        self._baskets = Baskets(database, clock)
        self._closing = Closing(contracts, clock)
        self._departures = departures
        self._exit_steps = ExitSteps(clock, contracts, timeout_s=settings.order_timeout_s)
        self._trails = Trails(clock=clock, contracts=contracts, is_watching=self._is_watching)
        self._steps = 0

    def run(self, lease: Lease, wakes: Wakes) -> dict[str, Any]:
        """Work until the lease ends; calls in flight are finished and recorded."""
        reconciliation = Reconciliation(self._database, self._clock, self._execution)
        bounds = Bounds(
            broker_of=self._gateways.broker_of,
            per_broker=_CALLS_PER_BROKER,
            per_account=_CALLS_PER_ACCOUNT,
        )
        try:
            with (
                Warmth(self._gateways, self._clock) as warmth,
                CatchUps(self._gateways, reconciliation, self._clock) as catch_ups,
                Bulkhead("exit", bounds) as bulkhead,
                self._new_prices(wakes) as self._prices,
                AccountStreams(self._gateways, wakes) as streams,
                lease.working(),
            ):
                while lease.is_valid():
                    self._pass(lease, wakes, streams=streams, catch_ups=catch_ups, bulkhead=bulkhead)
                    if warmth.is_due():
                        # After the first steps: what a dead predecessor left bare waits for no connections.
                        warmth.keep(self._look_around(lease, streams))
                    lease.progress = {"steps": self._steps}
                    wakes.wait(_POLL_S)
        finally:
            self._record_answers(tries=LAST_TRIES)  # also where PostgreSQL has torn us out
        return {"steps": self._steps}

    def _pass(
        self, lease: Lease, wakes: Wakes, *, streams: AccountStreams, catch_ups: CatchUps, bulkhead: Bulkhead
    ) -> None:
        # All answers are one transaction, and leave their streams little news to bring.
        self._record_answers()
        self._apply_news(streams, catch_ups)
        # Before anything else that a successor has to read: a leg may have been bare since its predecessor.
        for call in self._take_steps(lease, bulkhead.seats()):
            bulkhead.start(call.account_id, partial(self._make, call, wakes))
        catch_ups.start()
        self._baskets.settle(lease)
        self._departures.look(lease)

    def _new_prices(self, wakes: Wakes) -> ExitPrices:
        parts = (self._valkey, self._gateways, self._contracts, self._clock)
        return ExitPrices(*parts, max_age=self._max_age, wakes=wakes)

    def _look_around(self, lease: Lease, streams: AccountStreams) -> Sequence[AccountId]:
        """Look for late accounts and bare legs; return all accounts, none where that must wait."""
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                account_ids = accounts_with_session(session, lease.spec)
                alarm_dangers(session, lease.spec, now=self._clock.now(), wall=self._clock.wall())
        except LeaseLostError:
            log.warning("look_refused", run=lease.name, fence=lease.fence)
            return ()
        except OperationalError as e:
            # The exits go on meanwhile; the next look sees the same.
            log.warning("look_postponed", run=lease.name, error=type(e.orig).__name__)
            return ()
        streams.follow(account_ids)
        return account_ids

    def _apply_news(self, streams: AccountStreams, catch_ups: CatchUps) -> None:
        reports = _take_reports(streams, catch_ups)
        waiting = deque(reports)
        while waiting:
            together = [waiting.popleft() for _ in range(min(len(waiting), _ACCOUNTS_AT_ONCE))]
            try:
                alone = self._execution.apply_news({i: reports[i] for i in together}, source="stream")
            except OperationalError as e:
                # The others are not tried either: each would wait as long, and the exits behind them all.
                log.warning("news_kept", account_ids=together, error=type(e.orig).__name__)
                _put_back(streams, {i: reports[i] for i in (*waiting, *together)})
                return
            for account_id in alone:
                self._apply_alone(account_id, reports[account_id], streams, catch_ups)

    def _apply_alone(
        self,
        account_id: AccountId,
        reports: Sequence[OrderReport],
        streams: AccountStreams,
        catch_ups: CatchUps,
    ) -> None:
        try:
            if self._execution.apply_reports(account_id, reports, source="stream", is_brief=True):
                catch_ups.need(account_id)  # a stranger's order may have closed what we would close
        except InvariantError as e:
            # One account's impossible news must not end the exits of the others (I8); its books go on.
            log.exception("news_refused", account_id=account_id, error=str(e))
        except OperationalError as e:
            if not is_held(e):
                log.warning("news_kept", account_ids=[account_id], error=type(e.orig).__name__)
            _put_back(streams, {account_id: reports})

    def _take_steps(self, lease: Lease, seats: Seats) -> list[ExitCall]:
        """Commit one step for each leg that needs one and has a seat; return the calls to make."""
        self._seats = seats
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                work = legs_to_mind(session, lease.spec, most_of=self._largest_order, wall=self._clock.wall())
                marks = self._prices.read(work)
                self._trails.advance(session, work, marks)
                self._closing.look(session, work)
                calls = [call for w in work if (call := self._step(session, w, marks, lease)) is not None]
                wall = self._clock.wall()
                asked = wall - _REPEAT_CANCEL_AFTER
                entries = entries_to_cancel(session, lease.spec, wall=wall, asked_before=asked)
                calls += [
                    self._exit_steps.cancel(session, row)
                    for row in entries
                    if seats.takes(AccountId(row.account_id))
                ]
        except LeaseLostError:
            log.warning("step_refused", run=lease.name, fence=lease.fence)
            return []
        except OperationalError as e:
            # Nothing was committed, so nothing is sent; the next pass sees the same legs.
            log.warning("step_postponed", run=lease.name, error=type(e.orig).__name__)
            return []
        self._steps += len(calls)
        return calls

    def _largest_order(self, leg: LegRow) -> Decimal | None:
        try:
            return self._contracts.get(leg.day, InstrumentId(leg.instrument_id)).max_order_qty
        except NotFoundError:
            return None  # nothing of this leg can be sent anyway

    def _step(self, session: Session, work: LegWork, marks: Prices, lease: Lease) -> ExitCall | None:
        try:
            instrument = self._contracts.get(work.leg.day, work.instrument_id)
        except NotFoundError:
            log.warning("exit_without_contract", instrument_id=work.instrument_id)
            return None
        wall, tick = self._clock.wall(), marks.get(work.instrument_id)
        step = self._next_step(work, instrument, tick, wall)
        if isinstance(step, WatchExit) or self._can_only_watch(work, instrument, tick, wall):
            # Watching a price that does not move any more protects nobody.
            (note_protected if self._is_watching(instrument.venue, wall) else note_exposed)(work.leg, wall)
        elif isinstance(step, PlaceExit | AwaitExit):
            # Whatever ended the exit that was there, the exchange deleting it included, the leg is bare now.
            note_exposed(work.leg, wall)
        if isinstance(step, WatchExit):
            return None
        if step is None or isinstance(step, AwaitExit) or (work.live is None and work.is_backing_off(wall)):
            return None
        if not self._may_send(AccountId(work.leg.account_id), is_move=is_mere_move(step, work.live)):
            return None
        return self._exit_steps.take(session, work, step, fence=lease.fence)

    def _can_only_watch(
        self, work: LegWork, instrument: Instrument, tick: Tick | None, wall: datetime
    ) -> bool:
        """Whether the broker takes no connection, and the leg's stop would have nothing to do there yet."""
        return work.is_out_of_reach(wall) and is_short_of_stop(
            work.held,
            instrument=instrument,
            tick=tick,
            stop=wanted_stop(work.leg, self._clock.now()),
        )

    def _next_step(
        self, work: LegWork, instrument: Instrument, tick: Tick | None, wall: datetime
    ) -> ExitStep | None:
        waits = self._closing.waits(work)
        live = None if work.live is None else live_exit_of(work.live, wall)
        means = means_of(self._gateways, AccountId(work.leg.account_id))
        if not waits and self._departures.is_overdue(work.leg):
            return next_overdue_step(work.held, live, instrument=instrument, tick=tick, means=means)
        return next_exit_step(
            work.held,
            live,
            instrument=instrument,
            tick=tick,
            # A hedge that waits for what it covers needs no stop of its own in the meantime.
            stop=None if waits and work.live is None else wanted_stop(work.leg, self._clock.now()),
            wants_flat=work.leg.exit_reason is not None and not waits,
            means=means,
        )

    def _may_send(self, account_id: AccountId, *, is_move: bool) -> bool:
        """Take what a call needs to leave now: a seat, then one request of the account's budget."""
        take = self._budget.take_for_move if is_move else self._budget.take_for_exit
        has_both = self._seats.has(account_id) and take(account_id)
        return has_both and self._seats.takes(account_id)

    def _is_watching(self, venue: Venue, wall: datetime) -> bool:
        return self._pulse.is_fresh(market_at(venue).venue, wall)

    def _make(self, call: ExitCall, wakes: Wakes) -> Witness | None:
        """Make one committed call. Runs in a pool thread."""
        result, witness = ask_once(self._gateways, self._clock, call.account_id, call.make)
        self._answers.put(_Answer(call, result, witness))
        wakes.set()
        return witness

    def _record_answers(self, *, tries: int = 1) -> None:
        recorded = self._answers.record(self._write, tries=tries)
        self._breakers.hear(EndpointClass.ORDERS, [answer.witness for answer in recorded])

    def _write(self, answers: Sequence[_Answer]) -> Sequence[_Answer]:
        batches: dict[OrderEventKind, list[tuple[int, WriteResult]]] = {}
        for answer in answers:
            batches.setdefault(answer.call.kind, []).append((answer.call.order_id, answer.result))
        apply = {
            OrderEventKind.SUBMITTED: self._execution.apply_submit_outcomes,
            OrderEventKind.UPDATE_REQUESTED: self._execution.apply_change_outcomes,
            OrderEventKind.CANCEL_REQUESTED: self._execution.apply_cancel_outcomes,
        }
        held = {kind: apply[kind](batch, source="exit_lane") for kind, batch in batches.items()}
        return [a for a in answers if a.call.order_id in held[a.call.kind]]


def _take_reports(streams: AccountStreams, catch_ups: CatchUps) -> dict[AccountId, list[OrderReport]]:
    reports: dict[AccountId, list[OrderReport]] = {}
    while not streams.news.empty():
        account_id, event = streams.news.get()
        if isinstance(event, OrderReport):
            reports.setdefault(account_id, []).append(event)
        elif isinstance(event, Gap):
            catch_ups.need(account_id)
    return reports


def _put_back(streams: AccountStreams, reports: Mapping[AccountId, Sequence[OrderReport]]) -> None:
    for account_id, of_account in reports.items():
        for report in of_account:
            streams.news.put((account_id, report))
