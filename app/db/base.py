"""Share the declarative base and the column types of every table."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, Numeric, Text, TypeDecorator, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.domain.numbers import plain

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Amount(TypeDecorator[Decimal]):
    """Store an exact amount with ten decimals; read it without the zeros that nobody wrote."""

    impl = Numeric(28, 10)
    cache_ok = True

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  the port
        return None if value is None else plain(value)


class Base(DeclarativeBase):
    """Collect the tables; every enum is text with a check, every time aware, every amount exact."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it as a class attribute
        datetime: DateTime(timezone=True),
        Decimal: Amount(),
        dict[str, Any]: JSONB,
        str: Text,
    }


class Stamped:
    """Add when a row was written and last changed, in the machine's time."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )


def one_of(column: str, kinds: type[StrEnum]) -> CheckConstraint:
    """Return the check that keeps a text column inside a closed set."""
    values = ", ".join(f"'{kind.value}'" for kind in kinds)
    return CheckConstraint(f"{column} IN ({values})", name=column)


BigId = Annotated[int, mapped_column(primary_key=True)]
