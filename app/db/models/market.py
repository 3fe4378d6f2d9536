"""Hold bars and the indicator values that were computed once for everybody."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class BarRow(Base):
    """Hold one closed bar, labelled by its start."""

    __tablename__ = "bars"

    instrument_id: Mapped[str] = mapped_column(primary_key=True)
    minutes: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    open: Mapped[Decimal]
    high: Mapped[Decimal]
    low: Mapped[Decimal]
    close: Mapped[Decimal]
    volume: Mapped[Decimal]


class IndicatorRow(Base):
    """Hold one indicator value at the close of one bar; NULL means warm-up."""

    __tablename__ = "indicators"

    instrument_id: Mapped[str] = mapped_column(primary_key=True)
    minutes: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Decimal | None]
