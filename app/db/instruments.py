"""Keep the day's contract master."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import InstrumentRow
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, OptionRight, OptionTerms, Venue


def save_instruments(session: Session, day: date, instruments: Sequence[Instrument]) -> None:
    """Store the contracts of a day; a repeated download changes nothing."""
    rows = [_to_row(day, instrument) for instrument in instruments]
    if rows:
        session.execute(insert(InstrumentRow).on_conflict_do_nothing(), rows)


def load_instruments(
    session: Session,
    day: date,
    venues: Collection[Venue],
    *,
    only: Collection[InstrumentId] | None = None,
) -> dict[InstrumentId, Instrument]:
    """Return the contracts of these venues, or only the named, by id; empty before the download."""
    statement = select(InstrumentRow).where(InstrumentRow.as_of == day, InstrumentRow.venue.in_(venues))
    if only is not None:
        statement = statement.where(InstrumentRow.instrument_id.in_(sorted(only)))
    rows = session.scalars(statement)
    return {InstrumentId(row.instrument_id): _to_instrument(row) for row in rows}


def count_instruments(session: Session, day: date, venues: Collection[Venue]) -> int:
    """Return how many contracts of these venues the day's master has; none before the download."""
    statement = select(func.count()).where(InstrumentRow.as_of == day, InstrumentRow.venue.in_(venues))
    return session.scalar(statement) or 0


def find_instrument(session: Session, day: date, instrument_id: InstrumentId) -> Instrument | None:
    """Return one of the day's contracts, or None."""
    statement = select(InstrumentRow).where(
        InstrumentRow.as_of == day, InstrumentRow.instrument_id == instrument_id
    )
    row = session.scalars(statement).one_or_none()
    return None if row is None else _to_instrument(row)


def _to_row(day: date, instrument: Instrument) -> dict[str, Any]:
    row = asdict(instrument)
    terms = row.pop("option") or {}
    return {
        **row,
        "as_of": day,
        "underlying": terms.get("underlying"),
        "expiry": terms.get("expiry"),
        "strike": terms.get("strike"),
        "option_right": terms.get("right"),
    }


def _to_instrument(row: InstrumentRow) -> Instrument:
    return Instrument(
        instrument_id=InstrumentId(row.instrument_id),
        venue=Venue(row.venue),
        kind=InstrumentKind(row.kind),
        segment=row.segment,
        broker_symbol=row.broker_symbol,
        broker_token=row.broker_token,
        tick_size=row.tick_size,
        lot_size=row.lot_size,
        freeze_qty=row.freeze_qty,
        min_notional=row.min_notional,
        contract_size=row.contract_size,
        currency=row.currency,
        option=option_terms(row),
    )


def option_terms(row: InstrumentRow) -> OptionTerms | None:
    """Return what an option is on, None for anything else."""
    if row.underlying is None or row.expiry is None or row.strike is None or row.option_right is None:
        return None
    return OptionTerms(
        underlying=InstrumentId(row.underlying),
        expiry=row.expiry,
        strike=row.strike,
        right=OptionRight(row.option_right),
    )
