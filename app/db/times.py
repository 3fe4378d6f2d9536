"""Read and write when positions leave and when nothing is entered. Callers hold the transaction."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.db.models import BlackoutRow, SquareOffSettingRow
from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout, BlackoutRule
from app.domain.errors import InvalidInputError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.square_off import SquareOffSetting

Faults = tuple[str, ...]
"""Sentences about rows that a newer release may have written."""
_Row = TypeVar("_Row")
_Value = TypeVar("_Value")
AnyTimeTable = type[SquareOffSettingRow] | type[BlackoutRow]


def list_square_off_settings(session: Session) -> Sequence[SquareOffSettingRow]:
    """Return every setting, withdrawn ones too, newest first."""
    return session.scalars(select(SquareOffSettingRow).order_by(SquareOffSettingRow.id.desc())).all()


def list_blackouts(session: Session) -> Sequence[BlackoutRow]:
    """Return every window, withdrawn ones too, newest first."""
    return session.scalars(select(BlackoutRow).order_by(BlackoutRow.id.desc())).all()


def read_square_off_settings(
    session: Session, venues: Collection[Venue], day: date
) -> tuple[tuple[SquareOffSetting, ...], Faults]:
    """Return the settings of these venues that hold on a day, and what of them cannot be read."""
    statement = select(SquareOffSettingRow).where(
        SquareOffSettingRow.withdrawn_at.is_(None),
        SquareOffSettingRow.venue.in_(sorted(venues)),
        SquareOffSettingRow.first_day <= day,
        or_(SquareOffSettingRow.last_day.is_(None), SquareOffSettingRow.last_day >= day),
    )
    return _read(session.scalars(statement), setting_of)


def read_blackouts(session: Session, since: datetime) -> tuple[tuple[Blackout, ...], Faults]:
    """Return the windows that end after a moment or repeat, and what of them cannot be read."""
    statement = select(BlackoutRow).where(
        BlackoutRow.withdrawn_at.is_(None),
        or_(BlackoutRow.timezone.is_not(None), BlackoutRow.ends_at > since),
    )
    return _read(session.scalars(statement), blackout_of)


def add_square_off_setting(
    session: Session, asked: SquareOffSetting, *, actor: str, reason: str
) -> SquareOffSetting:
    """Store a setting, and return it with its number."""
    row = SquareOffSettingRow(
        venue=asked.venue,
        broker=asked.broker,
        product=asked.product,
        is_expiring=asked.is_expiring,
        first_day=asked.first_day,
        last_day=asked.last_day,
        leave_at=asked.leave_at,
        entries_end_at=asked.entries_end_at,
        broker_at=asked.broker_at,
        actor=actor,
        reason=reason,
    )
    session.add(row)
    session.flush()
    return replace(asked, number=row.id)


def put_blackout(session: Session, asked: Blackout, *, actor: str, reason: str) -> Blackout:
    """Store a window, and return it with its number."""
    row = BlackoutRow(
        name=asked.name,
        covers=sorted(asked.covers),
        starts_at=asked.starts_at,
        ends_at=asked.ends_at,
        rule=asked.rule,
        lead_s=int(asked.lead.total_seconds()),
        timezone=None if asked.weekly_in is None else asked.weekly_in.key,
        actor=actor,
        reason=reason,
    )
    session.add(row)
    session.flush()
    return replace(asked, number=row.id)


def withdraw(
    session: Session, table: AnyTimeTable, number: int, *, by: str, reason: str, at: datetime
) -> bool:
    """Let a row hold no longer; False when there is none that still does."""
    statement = (
        update(table)
        .where(table.id == number, table.withdrawn_at.is_(None))
        .values(withdrawn_at=at, withdrawn_by=by, withdrawal_reason=reason)
    )
    return session.scalar(statement.returning(table.id)) is not None


def _read(rows: Iterable[_Row], of: Callable[[_Row], _Value]) -> tuple[tuple[_Value, ...], Faults]:
    # One row that cannot be read must take neither the others nor the phases of the day with it.
    values: list[_Value] = []
    faults: list[str] = []
    for row in rows:
        try:
            values.append(of(row))
        except InvalidInputError as e:
            faults.append(str(e))
    return tuple(values), tuple(faults)


def setting_of(row: SquareOffSettingRow) -> SquareOffSetting:
    """Return what a row means. Raises InvalidInputError."""
    try:
        return SquareOffSetting(
            number=row.id,
            venue=Venue(row.venue),
            broker=None if row.broker is None else BrokerCode(row.broker),
            product=None if row.product is None else InstrumentKind(row.product),
            is_expiring=row.is_expiring,
            first_day=row.first_day,
            last_day=row.last_day,
            leave_at=row.leave_at,
            entries_end_at=row.entries_end_at,
            broker_at=row.broker_at,
        )
    except ValueError as e:
        raise InvalidInputError(f"square-off setting {row.id}: {e}") from e


def blackout_of(row: BlackoutRow) -> Blackout:
    """Return what a row means. Raises InvalidInputError."""
    try:
        zone = None if row.timezone is None else ZoneInfo(row.timezone)
        rule = BlackoutRule(row.rule)
    except (ValueError, ZoneInfoNotFoundError) as e:
        raise InvalidInputError(f"blackout {row.id}: {e}") from e
    return Blackout(
        number=row.id,
        name=row.name,
        covers=frozenset(row.covers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        rule=rule,
        lead=timedelta(seconds=row.lead_s),
        weekly_in=zone,
    )
