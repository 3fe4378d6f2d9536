"""Show and set when positions leave, name windows without entries, take either back; acts are audited."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from app.db.departures import OpenLeg, open_legs, waited_s
from app.db.instruments import load_instruments
from app.db.models import BlackoutRow, LegRow, SquareOffSettingRow
from app.db.scope import DataScope
from app.db.times import AnyTimeTable, add_square_off_setting, put_blackout, withdraw
from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout
from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.ids import InstrumentId
from app.domain.instruments import InstrumentKind, Venue, venue_of
from app.domain.markets import Market, market_at
from app.domain.risk.urgency import Urgency, urgency_of
from app.domain.square_off import SquareOff, SquareOffGroup, SquareOffSetting, square_off_of
from app.domain.time_bounds import FREE, TimeBounds
from app.domain.users import Actor, require_admin
from app.services.acts import record
from app.services.time_book import TimeBook


def set_square_off(
    session: Session, actor: Actor, asked: SquareOffSetting, *, reason: str, now: datetime
) -> SquareOffSetting:
    """Set when a group leaves, and return it with its number; it binds the lanes and the gate at once.

    Raises:
        ForbiddenError: not an administrator.
        InvalidInputError: no reason, a day that is past, or a broker or product of another market.
    """
    require_admin(actor)
    _require_reason(reason)
    market = market_at(asked.venue)
    if asked.first_day < market.day_of(now):
        raise InvalidInputError(f"expected a first day from {market.day_of(now)} on, got {asked.first_day}")
    if asked.broker is not None and asked.broker not in market.brokers:
        raise InvalidInputError(f"expected a broker of {asked.venue}, got {asked.broker}")
    if asked.product is not None and asked.product not in market.products:
        known = ", ".join(market.products)
        raise InvalidInputError(f"expected a product of {asked.venue} ({known}), got {asked.product}")
    row = add_square_off_setting(session, asked, actor=actor.name, reason=reason)
    subject = f"square-off setting {row.number}"
    record(session, actor, "square_off.set", subject=subject, reason=reason, **_words(row))
    return row


def add_blackout(session: Session, actor: Actor, asked: Blackout, *, reason: str) -> Blackout:
    """Add a window, and return it with its number; it binds the lanes and the gate at once.

    Raises:
        ForbiddenError: not an administrator.
        InvalidInputError: no reason.
    """
    require_admin(actor)
    _require_reason(reason)
    row = put_blackout(session, asked, actor=actor.name, reason=reason)
    record(session, actor, "blackout.add", subject=f"blackout {row.number}", reason=reason, **_words(row))
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimes:
    """Show when a group leaves on a trading date; `is_expiring` is about options on their last day."""

    day: date
    venue: Venue
    broker: BrokerCode
    product: InstrumentKind
    is_expiring: bool
    times: SquareOff


def show_square_offs(
    session: Session, book: TimeBook, markets: Iterable[Market], *, now: datetime
) -> list[GroupTimes]:
    """Return when each group of positions leaves today; a market that is closed has none."""
    found: list[GroupTimes] = []
    for market in markets:
        rules = book.find_day(session, market, market.day_of(now))
        if rules is None:
            continue
        for group in rules.groups:
            usual = square_off_of(rules.session, market.times, rules.settings, group)
            for times, is_expiring in ((usual, False), (rules.expiring_times(group), True)):
                if times is not None:
                    found.append(_group_times(rules.session.date, group, times, is_expiring=is_expiring))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Show a leg that is held: when it leaves at the latest, and how hard it is pressed if it is late.

    `leave_by` and `broker_at` are None where nobody knows or nothing asks for it.
    """

    account_id: int
    deployment_id: int
    instrument_id: str
    net_qty: Decimal
    leave_by: datetime | None
    broker_at: datetime | None
    exit_reason: str | None
    urgency: Urgency


def show_departures(
    session: Session, data: DataScope, book: TimeBook, *, now: datetime, wall: datetime
) -> list[Departure]:
    """Return the held legs in the scope, with what the clock asks of each."""
    found: list[Departure] = []
    legs = [
        one for one in open_legs(session, data.allows(LegRow.user_id), since=now.date()) if one.leg.net_qty
    ]
    days = {(market_at(venue_of(InstrumentId(one.leg.instrument_id))), one.leg.day) for one in legs}
    for market, day in sorted(days, key=lambda pair: (pair[0].venue, pair[1])):
        rules = book.find_day(session, market, day)
        own = [
            one
            for one in legs
            if one.leg.day == day and venue_of(InstrumentId(one.leg.instrument_id)) in market.venues
        ]
        names = {InstrumentId(one.leg.instrument_id) for one in own}
        contracts = load_instruments(session, day, market.venues, only=names)
        for one in own:
            contract = contracts.get(InstrumentId(one.leg.instrument_id))
            bounds = FREE if rules is None or contract is None else rules.bounds_of(contract, one.broker)
            found.append(_departure(one, bounds, now=now, wall=wall))
    return found


def _departure(one: OpenLeg, bounds: TimeBounds, *, now: datetime, wall: datetime) -> Departure:
    leg = one.leg
    return Departure(
        account_id=leg.account_id,
        deployment_id=leg.deployment_id,
        instrument_id=leg.instrument_id,
        net_qty=leg.net_qty,
        leave_by=bounds.must_leave_by(now),
        broker_at=bounds.broker_at,
        exit_reason=leg.exit_reason,
        urgency=urgency_of(
            leg.exit_reason,
            is_due=bounds.leave_cause(net_qty=leg.net_qty, underlying_px=None, now=now) is not None,
            waited_s=waited_s(leg, wall),
            now=now,
            broker_at=bounds.broker_at,
        ),
    )


def _group_times(day: date, group: SquareOffGroup, times: SquareOff, *, is_expiring: bool) -> GroupTimes:
    return GroupTimes(
        day=day,
        venue=group.venue,
        broker=group.broker,
        product=group.product,
        is_expiring=is_expiring,
        times=times,
    )


def withdraw_square_off(session: Session, actor: Actor, number: int, *, reason: str, now: datetime) -> None:
    """Take a setting back, so that another one or the default holds.

    Raises: as `set_square_off`, and NotFoundError.
    """
    _withdraw(session, actor, SquareOffSettingRow, number, reason=reason, now=now)
    record(session, actor, "square_off.withdraw", subject=f"square-off setting {number}", reason=reason)


def withdraw_blackout(session: Session, actor: Actor, number: int, *, reason: str, now: datetime) -> None:
    """Take a window back. Raises: as `add_blackout`, and NotFoundError."""
    _withdraw(session, actor, BlackoutRow, number, reason=reason, now=now)
    record(session, actor, "blackout.withdraw", subject=f"blackout {number}", reason=reason)


def _withdraw(
    session: Session,
    actor: Actor,
    table: AnyTimeTable,
    number: int,
    *,
    reason: str,
    now: datetime,
) -> None:
    require_admin(actor)
    _require_reason(reason)
    if not withdraw(session, table, number, by=actor.name, reason=reason, at=now):
        raise NotFoundError(f"expected one that holds, there is no {number} in {table.__tablename__}")


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInputError("reason: expected why, got nothing")


def _words(value: SquareOffSetting | Blackout) -> dict[str, object]:
    """Return what was set as JSON values."""
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {
        name: sorted(v) if isinstance(v, frozenset) else str(v) for name, v in found.items() if v is not None
    }
