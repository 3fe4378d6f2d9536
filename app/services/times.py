"""Show and set when positions leave, name windows without entries, take either back; acts are audited."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.db.models import BlackoutRow, SquareOffSettingRow
from app.db.times import AnyTimeTable, add_square_off_setting, put_blackout, withdraw
from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout
from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import Market, market_at
from app.domain.square_off import SquareOff, SquareOffGroup, SquareOffSetting, square_off_of
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
        rules = book.of_day(session, market, market.day_of(now))
        for group in () if rules is None else rules.groups:
            assert rules is not None  # noqa: S101  it has groups
            usual = square_off_of(rules.session, market.times, rules.settings, group)
            for times, is_expiring in ((usual, False), (rules.expiring_times(group), True)):
                if times is not None:
                    found.append(_group_times(rules.session.date, group, times, is_expiring=is_expiring))
    return found


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
