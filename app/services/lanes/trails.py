"""Advance the exit rules of an exits lane's legs: move their stops, or ask them to leave.

Part of the lane's pass, inside its transaction and on legs that it has locked. What a rule decides stands in
the leg's row, so whoever runs the next pass goes on from there.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

import structlog
from sqlalchemy.orm import Session

from app.db.bars import newest_value
from app.db.exit_rules import stopped_legs
from app.db.exits import LegWork
from app.db.models import LegRow, OrderRow
from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.exit_terms import ExitTerms, TrueRange
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, Venue
from app.domain.market_data import BarSpec, Tick
from app.domain.orders import Side
from app.domain.ports import Clock
from app.domain.pricing import stop_terms
from app.domain.risk.exit_rules import ExitState, Holding, advance
from app.domain.risk.exits import ChangeExit, ExitStep, WantedStop
from app.services.lanes.requests import ContractBook

log = structlog.get_logger()

_RANGE_MAX_AGE = timedelta(days=1)
IsWatching = Callable[[Venue, datetime], bool]
Stopped = set[tuple[int, InstrumentId]]
NewestRange = Callable[[InstrumentId, TrueRange], Decimal | None]


def wanted_stop(leg: LegRow, now: datetime) -> WantedStop | None:
    """Return where the stop of a leg shall be, None where none was asked for."""
    if leg.stop_fraction is None:
        return None
    if leg.exit_state is None:
        return WantedStop(fraction=leg.stop_fraction)
    state = ExitState.from_mapping(leg.exit_state)
    due_s = None if state.due_at is None else (now - state.due_at) / timedelta(seconds=1)
    return WantedStop(fraction=leg.stop_fraction, moved_to=state.stop_px, due_s=due_s)


def is_mere_move(step: ExitStep, live: OrderRow | None) -> bool:
    """Whether a step only brings a resting stop closer: it may wait, as the level itself is watched."""
    if live is None or not isinstance(step, ChangeExit):
        return False
    return step.trigger_price is not None and step.quantity == live.quantity


class Trails:
    """Advance the legs of one shard. Keeps nothing; legs without exit rules cost nothing."""

    def __init__(self, *, clock: Clock, contracts: ContractBook, is_watching: IsWatching) -> None:
        """Args: is_watching: whether the venue's feed is fresh, so that a mark is the price of now."""
        self._clock = clock
        self._contracts = contracts
        self._is_watching = is_watching

    def advance(self, session: Session, work: Iterable[LegWork], marks: Mapping[InstrumentId, Tick]) -> None:
        """Advance each locked leg that has rules and stays, writing those rows of which something changed."""
        legs = {id(w.leg): w.leg for w in work if _is_ruled(w.leg)}
        if not legs:
            return
        stopped = stopped_legs(session, {i for leg in legs.values() if (i := _awaited_signal(leg))})
        since = self._clock.now() - _RANGE_MAX_AGE

        @cache  # for this pass: many legs ask for the range of one instrument
        def newest(instrument_id: InstrumentId, wanted: TrueRange) -> Decimal | None:
            spec = BarSpec(minutes=wanted.minutes)
            return newest_value(session, instrument_id, spec, name=wanted.name, since=since)

        wall = self._clock.wall()
        is_fresh: dict[Venue, bool] = {}
        for leg in legs.values():
            try:
                instrument = self._contracts.get(leg.day, InstrumentId(leg.instrument_id))
            except NotFoundError:
                continue  # the lane says so, and can send nothing of it
            venue = instrument.venue
            if venue not in is_fresh:
                is_fresh[venue] = self._is_watching(venue, wall)
            mark = marks.get(instrument.instrument_id) if is_fresh[venue] else None
            try:
                self._advance(leg, instrument, mark=mark, stopped=stopped, newest=newest)
            except InvalidInputError as e:
                # One leg's impossible price must not end the exits of the others (I8); its stop stands.
                log.exception("exit_rule_refused", instrument_id=leg.instrument_id, error=str(e))

    def _advance(
        self,
        leg: LegRow,
        instrument: Instrument,
        *,
        mark: Tick | None,
        stopped: Stopped,
        newest: NewestRange,
    ) -> None:
        assert leg.exit_state is not None  # noqa: S101  a ruled leg has one
        assert leg.exit_terms is not None  # noqa: S101  the same
        before, terms = ExitState.from_mapping(leg.exit_state), ExitTerms.from_mapping(leg.exit_terms)
        wanted = None if terms.trail is None else terms.trail.true_range
        is_of_position = mark is not None and mark.ts_event >= before.opened_at
        after, cause = advance(
            before,
            terms,
            _holding(leg, before, instrument),
            price=mark.last if mark is not None and is_of_position else None,
            now=self._clock.now(),
            is_sibling_stopped=any(
                signal == before.signal_id and name != leg.instrument_id for signal, name in stopped
            ),
            true_range=None if wanted is None else newest(instrument.instrument_id, wanted),
        )
        if after != before:
            leg.exit_state = after.to_mapping()
        if cause is not None:
            leg.exit_reason, leg.exit_requested_wall = cause.value, self._clock.wall()
        if cause is not None or (after.stop_px, after.due_at) != (before.stop_px, before.due_at):
            log.info(
                "exit_rule_applied",
                deployment_id=leg.deployment_id,
                account_id=leg.account_id,
                instrument_id=leg.instrument_id,
                rule=cause or after.stop_rule,
                price=None if mark is None else str(mark.last),
                stop_px=str(after.stop_px),
                is_due=after.due_at is not None,
            )


def _is_ruled(leg: LegRow) -> bool:
    has_rules = leg.exit_terms is not None and leg.exit_state is not None
    return has_rules and leg.exit_reason is None and leg.net_qty != 0 and leg.entry_qty > 0


def _awaited_signal(leg: LegRow) -> int | None:
    """Return the signal of which another leg's stop would move this one's, once."""
    assert leg.exit_state is not None  # noqa: S101  a ruled leg has one
    assert leg.exit_terms is not None  # noqa: S101  the same
    if not leg.exit_terms.get("follows_siblings") or leg.exit_state["followed_sibling"]:
        return None
    return ExitState.from_mapping(leg.exit_state).signal_id


def _holding(leg: LegRow, state: ExitState, instrument: Instrument) -> Holding:
    side = Side.BUY if leg.net_qty > 0 else Side.SELL
    first_stop = None
    if leg.stop_fraction is not None:
        whole = leg.entry_value / leg.entry_qty
        first_stop, _ = stop_terms(
            whole, side.opposite, stop_fraction=leg.stop_fraction, instrument=instrument
        )
    return Holding(
        side=side,
        entry_px=(leg.entry_value - state.earlier_value) / (leg.entry_qty - state.earlier_qty),
        tick_size=instrument.tick_size,
        first_stop=first_stop,
    )
