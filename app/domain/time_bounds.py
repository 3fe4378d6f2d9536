"""Bring together what the clock asks of one position: square-off, last day, blackouts. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout, Spell
from app.domain.calendar_rules import TradingSession
from app.domain.charges import intrinsic_value
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, OptionTerms, venue_of
from app.domain.markets import Market
from app.domain.phases import ScheduledPhase, phase_schedule
from app.domain.square_off import (
    SETTLEMENT_WINDOW,
    SquareOff,
    SquareOffGroup,
    SquareOffSetting,
    expiring_square_off_of,
    last_square_off,
    square_off_of,
)

EXERCISE_ALARM_AFTER = timedelta(minutes=2)
"""How long a bought option that expires may be on its way out before a person hears what it would cost."""


class LeaveCause(StrEnum):
    """Name why the clock lets a position leave; the reason of its exit."""

    SQUARE_OFF = "square_off"
    EXPIRY = "expiry_square_off"
    SHORT_IN_THE_MONEY = "short_in_the_money"
    BLACKOUT = "blackout"


BY_THE_CLOCK = frozenset({*(cause.value for cause in LeaveCause), "close"})
"""Reasons of exits that are late when they are not filled soon; "close" is the close of the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay:
    """Show the last day of an option: when it leaves, until when it trades, and how it settles."""

    option: OptionTerms
    times: SquareOff
    close_at: datetime
    settles_in_cash: bool

    @property
    def settles_from(self) -> datetime:
        """From when on the underlying's price counts for the settlement."""
        return self.close_at - SETTLEMENT_WINDOW

    def intrinsic(self, underlying_px: Decimal | None) -> Decimal | None:
        """Return what the option would settle at, None while nobody knows the underlying's price."""
        return None if underlying_px is None else intrinsic_value(self.option, underlying_px)

    def may_be_in_the_money(self, underlying_px: Decimal | None) -> bool:
        """Say whether the option is worth something at its settlement; what nobody knows counts as yes."""
        intrinsic = self.intrinsic(underlying_px)
        return intrinsic is None or intrinsic > 0

    def is_exercise_near(self, underlying_px: Decimal | None, now: datetime) -> bool:
        """Say whether a bought option that is still held would soon be exercised."""
        alarm_at = max(self.times.leave_at, self.settles_from) + EXERCISE_ALARM_AFTER
        return now >= alarm_at and self.may_be_in_the_money(underlying_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBounds:
    """Answer when a position must be out and when entries of it stop.

    `faults` tell what was set and cannot be read: while there is any, nothing may be entered.
    """

    square_off: SquareOff | None = None
    last_day: LastDay | None = None
    blackouts: tuple[Blackout, ...] = ()
    faults: tuple[str, ...] = ()

    def spell_without_entries(self, now: datetime) -> Spell | None:
        """Return a window in which nothing may be entered at a moment."""
        return next((spell for spell in self._spells(now) if spell.forbids_entries(now)), None)

    def leave_cause(
        self, *, net_qty: Decimal, underlying_px: Decimal | None, now: datetime
    ) -> LeaveCause | None:
        """Return why a position (signed) must leave now, None while it may stay."""
        if self.square_off is not None and now >= self.square_off.leave_at:
            return LeaveCause.SQUARE_OFF
        last = self.last_day
        if last is not None and now >= last.times.leave_at:
            return LeaveCause.EXPIRY
        is_settling = (
            last is not None and now >= last.settles_from and last.may_be_in_the_money(underlying_px)
        )
        if is_settling and net_qty < 0:
            return LeaveCause.SHORT_IN_THE_MONEY
        if any(spell.wants_flat(now) for spell in self._spells(now)):
            return LeaveCause.BLACKOUT
        return None

    def must_leave_by(self, now: datetime) -> datetime | None:
        """Return when a position leaves at the latest, as far as is known now; a time that passed stays."""
        ends = [] if self.square_off is None else [self.square_off.leave_at]
        if self.last_day is not None:
            ends.append(self.last_day.times.leave_at)
        ends += [s.leave_at for s in self._spells(now) if s.leave_at is not None and now < s.ends_at]
        return min(ends, default=None)

    @property
    def broker_at(self) -> datetime | None:
        """From when the broker closes the position by itself, None where it does not."""
        return None if self.square_off is None else self.square_off.broker_at

    def _spells(self, now: datetime) -> Iterable[Spell]:
        return (spell for blackout in self.blackouts for spell in blackout.spells(now))


FREE = TimeBounds()
"""Nothing that the clock asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """Hold all that decides by the clock on one trading date of a market.

    `index_closes` says until when index options trade that expire on the date, by their underlying; whatever
    is not named there is on a share and settles by delivery.
    """

    market: Market
    session: TradingSession
    settings: tuple[SquareOffSetting, ...] = ()
    blackouts: tuple[Blackout, ...] = ()
    index_closes: Mapping[InstrumentId, datetime] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def bounds_of(self, instrument: Instrument, broker: BrokerCode) -> TimeBounds:
        """Return what binds a position in an instrument at a broker."""
        group = SquareOffGroup(venue=instrument.venue, broker=broker, product=instrument.kind)
        return TimeBounds(
            square_off=square_off_of(self.session, self.market.times, self.settings, group),
            last_day=self._last_day(instrument, group),
            blackouts=tuple(one for one in self.blackouts if one.is_about(instrument)),
            faults=self.faults,
        )

    def schedule(self) -> tuple[ScheduledPhase, ...]:
        """Return the phases of the day; its square-off runs when the last group of positions must leave."""
        last = last_square_off(self.session, self.market.times, self.settings, self.groups)
        return phase_schedule(self.session, self.market.times, square_off=last)

    @property
    def groups(self) -> tuple[SquareOffGroup, ...]:
        """Every group of positions that the market may hold."""
        return tuple(
            SquareOffGroup(venue=venue, broker=broker, product=product)
            for venue in sorted(self.market.venues)
            for broker in sorted(self.market.brokers)
            for product in self.market.products
        )

    def expiring_times(self, group: SquareOffGroup) -> SquareOff | None:
        """Return when options on an index leave on their last day; None for what does not expire."""
        if group.product is not InstrumentKind.OPTION:
            return None
        closes = [at for name, at in self.index_closes.items() if venue_of(name) is group.venue]
        close_at = min([*closes, self.session.close_at])
        return expiring_square_off_of(
            self.session, self.market.times, self.settings, group, contract_close=close_at
        )

    def _last_day(self, instrument: Instrument, group: SquareOffGroup) -> LastDay | None:
        option = instrument.option
        if option is None or option.expiry > self.session.date:
            return None
        close_at = min(self.index_closes.get(option.underlying, self.session.close_at), self.session.close_at)
        times = expiring_square_off_of(
            self.session, self.market.times, self.settings, group, contract_close=close_at
        )
        is_index = option.underlying in self.index_closes
        return LastDay(option=option, times=times, close_at=close_at, settles_in_cash=is_index)
