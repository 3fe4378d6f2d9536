"""Share how values look on the wire: Decimals as strings, pages with a cursor, problems as RFC 9457."""

from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

T = TypeVar("T")


def plain(value: Decimal) -> str:
    """Write a Decimal without exponent, trailing zeros or negative zero; every digit that counts stays."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if value.is_zero() else text


DecimalStr = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "format": "decimal"}),
]
Reason = Annotated[str, Field(min_length=3, max_length=500)]


class Shown(BaseModel):
    """Build from any row or value by its attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Asked(BaseModel):
    """Accept exactly the declared fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Shown, Generic[T]):
    """Hold one page; ask for the next with `cursor=next_cursor` until it is null."""

    items: list[T]
    next_cursor: int | None


class Problem(BaseModel):
    """Say what went wrong (RFC 9457); `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    correlation_id: str
