"""Keep bars and the indicator values computed from them; writing twice changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import BarRow, IndicatorRow
from app.domain.ids import InstrumentId
from app.domain.market_data import Bar, BarSpec


def save_bars(session: Session, bars: Iterable[Bar]) -> None:
    """Store closed bars; the first writing of a bar stands, because others have acted on it."""
    rows = [
        {
            "instrument_id": bar.instrument_id,
            "minutes": bar.spec.minutes,
            "start": bar.start,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
        }
        for bar in bars
    ]
    if rows:
        session.execute(insert(BarRow).on_conflict_do_nothing(), rows)


def load_bars(
    session: Session, instrument_id: InstrumentId, spec: BarSpec, *, first: datetime, last: datetime
) -> list[Bar]:
    """Return the bars that start between two moments, both included, oldest first."""
    rows = session.scalars(
        select(BarRow)
        .where(
            BarRow.instrument_id == instrument_id,
            BarRow.minutes == spec.minutes,
            BarRow.start.between(first, last),
        )
        .order_by(BarRow.start)
    )
    return [
        Bar(
            instrument_id=instrument_id,
            spec=spec,
            start=row.start,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
        )
        for row in rows
    ]


def save_indicators(session: Session, bar: Bar, values: Mapping[str, Decimal | None]) -> None:
    """Store the values at the close of a bar; None is kept as warm-up."""
    rows = [
        {
            "instrument_id": bar.instrument_id,
            "minutes": bar.spec.minutes,
            "start": bar.start,
            "name": name,
            "value": value,
        }
        for name, value in values.items()
    ]
    if rows:
        session.execute(insert(IndicatorRow).on_conflict_do_nothing(), rows)


def load_indicators(session: Session, bar: Bar) -> dict[str, Decimal | None]:
    """Return the values that stand at the close of a bar."""
    rows = session.execute(
        select(IndicatorRow.name, IndicatorRow.value).where(
            IndicatorRow.instrument_id == bar.instrument_id,
            IndicatorRow.minutes == bar.spec.minutes,
            IndicatorRow.start == bar.start,
        )
    )
    return {row.name: row.value for row in rows}


def bars_with_indicators(
    session: Session, bars: Sequence[Bar]
) -> frozenset[tuple[InstrumentId, int, datetime]]:
    """Return which of these bars have indicator values."""
    if not bars:
        return frozenset()
    rows = session.execute(
        select(IndicatorRow.instrument_id, IndicatorRow.minutes, IndicatorRow.start)
        .where(IndicatorRow.start.in_({bar.start for bar in bars}))
        .distinct()
    )
    return frozenset((InstrumentId(row.instrument_id), row.minutes, row.start) for row in rows)


def newest_value(
    session: Session, instrument_id: InstrumentId, spec: BarSpec, *, name: str, since: datetime
) -> Decimal | None:
    """Return an indicator's value at the close of the newest bar that has one, of those from `since` on."""
    statement = (
        select(IndicatorRow.value)
        .where(
            IndicatorRow.instrument_id == instrument_id,
            IndicatorRow.minutes == spec.minutes,
            IndicatorRow.name == name,
            IndicatorRow.start >= since,
            IndicatorRow.value.is_not(None),
        )
        .order_by(IndicatorRow.start.desc())
        .limit(1)
    )
    return session.scalar(statement)
