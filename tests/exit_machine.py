"""Run one leg through the real exit rules and the real exit steps, against a venue that only keeps orders."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from app.domain.exit_terms import ExitTerms
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.numbers import ZERO
from app.domain.orders import OrderStatus, OrderType, Side
from app.domain.positions import Leg
from app.domain.pricing import stop_terms
from app.domain.risk.exit_rules import ExitState, Holding, advance, stop_in_force
from app.domain.risk.exits import (
    ANY_MEANS,
    CancelExit,
    ChangeExit,
    ExitMeans,
    ExitStep,
    LiveExit,
    PlaceExit,
    WantedStop,
    next_exit_step,
)
from tests.builders import CALL, NOW

_QTY = Decimal(65)


@dataclass(kw_only=True)
class ExitMachine:
    """Hold one position from its fill until it is left; `left` says at which second, and why.

    `see` is one pass of the lane: first the venue triggers what rests there, then the rules and the step
    run on the same price. `rested_share` below 1 makes the venue's orders look younger than they are, so
    that moves come late.
    """

    entry: Decimal
    side: Side
    terms: ExitTerms
    stop_fraction: Decimal
    instrument: Instrument = CALL
    means: ExitMeans = ANY_MEANS
    rested_share: float = 1.0
    state: ExitState = field(default_factory=lambda: ExitState(opened_at=NOW))
    live: LiveExit | None = None
    left: tuple[int, str] | None = None
    levels: list[Decimal] = field(default_factory=list)
    moves: list[tuple[int, Decimal]] = field(default_factory=list)
    _changed_at: int = 0

    @cached_property
    def leg(self) -> Leg:
        """The position."""
        return Leg(
            net_qty=self.side.sign * _QTY,
            entry_qty=_QTY,
            entry_value=_QTY * self.entry,
            cash=-self.side.sign * _QTY * self.entry,
        )

    @cached_property
    def holding(self) -> Holding:
        """The position as the rules see it."""
        first, _ = stop_terms(
            self.entry, self.side.opposite, stop_fraction=self.stop_fraction, instrument=self.instrument
        )
        return Holding(
            side=self.side, entry_px=self.entry, tick_size=self.instrument.tick_size, first_stop=first
        )

    def see(
        self,
        second: int,
        price: Decimal,
        *,
        is_sibling_stopped: bool = False,
        true_range: Decimal | None = None,
    ) -> None:
        """Pass over the leg at a second after its fill, with the last price."""
        if self.left is not None:
            return
        if self._triggers(price):
            self.left = (second, "stop")
            return
        state, cause = advance(
            self.state,
            self.terms,
            self.holding,
            price=price,
            now=NOW + timedelta(seconds=second),
            is_sibling_stopped=is_sibling_stopped,
            true_range=true_range,
        )
        if state != self.state:
            self.state = ExitState.from_mapping(state.to_mapping())  # the next pass may be of a new process
        level = stop_in_force(self.state, self.holding)
        assert level is not None
        self.levels.append(level)
        step = self._next_step(second, price, wants_flat=cause is not None)
        self._carry_out(step, second, cause or "stop")

    def _triggers(self, price: Decimal) -> bool:
        trigger = None if self.live is None else self.live.trigger_price
        return trigger is not None and self.side.sign * (price - trigger) <= 0

    def _next_step(self, second: int, price: Decimal, *, wants_flat: bool) -> ExitStep | None:
        live = self.live
        if live is not None:
            live = replace(live, age_s=(second - self._changed_at) * self.rested_share)
        return next_exit_step(
            self.leg,
            live,
            instrument=self.instrument,
            tick=_tick(self.instrument, price),
            stop=WantedStop(
                fraction=self.stop_fraction,
                moved_to=self.state.stop_px,
                due_s=None if self.state.due_at is None else 0.0,
            ),
            wants_flat=wants_flat,
            means=self.means,
        )

    def _carry_out(self, step: ExitStep | None, second: int, why: str) -> None:
        if isinstance(step, CancelExit):
            assert self.live is not None
            self.live = None
            if why != "stop" or self.state.due_at is not None:
                self.left = (second, why)  # the way out is sent on the next pass, whatever the price
        elif isinstance(step, PlaceExit | ChangeExit):
            assert (self.live is None) == isinstance(step, PlaceExit), "two live exits"
            self._rest(step, second, why)

    def _rest(self, step: PlaceExit | ChangeExit, second: int, why: str) -> None:
        if step.order_type is not OrderType.STOP_LIMIT:
            self.left = (second, why)
            return
        assert step.trigger_price is not None
        assert step.price is not None
        self.moves.append((second, step.trigger_price))
        self._changed_at = second
        self.live = LiveExit(
            status=OrderStatus.ACCEPTED,
            side=self.side.opposite,
            order_type=step.order_type,
            quantity=step.quantity,
            filled=ZERO,
            price=step.price,
            trigger_price=step.trigger_price,
            chase_step=0,
            age_s=0,
        )


def _tick(instrument: Instrument, price: Decimal) -> Tick:
    at: datetime = NOW
    return Tick(
        instrument_id=instrument.instrument_id,
        last=price,
        bid=None,
        ask=None,
        ts_event=at,
        ts_init=at,
        sequence=1,
    )
