"""What goes over the wire: numbers as plain text, and money with its currency."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter

from api.schemas.base import DecimalStr
from api.schemas.day import PnlInfo
from app.services.pnl import add_up

_NUMBER = TypeAdapter(DecimalStr)


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("97476.2000000000", "97476.2"),
        ("-0.0125000000", "-0.0125"),
        ("100.0000000000", "100"),
        ("100", "100"),
        ("1E+5", "100000"),
        ("1.00E-8", "0.00000001"),
        ("0E-10", "0"),
        ("0E+3", "0"),
        ("-0.00", "0"),
        ("12345678901234567890.1234567890", "12345678901234567890.123456789"),
    ],
)
def test_numbers_are_written_without_exponent_or_trailing_zeros(stored: str, written: str) -> None:
    assert _NUMBER.dump_python(Decimal(stored), mode="json") == written
    assert Decimal(written) == Decimal(stored)


def test_a_sum_carries_its_currency() -> None:
    [nothing] = [PnlInfo.model_validate(pnl) for pnl in add_up([])]

    assert nothing.model_dump(mode="json") == {
        "currency": "INR",
        "total": "0",
        "realized": "0",
        "unrealized": "0",
        "unmarked": 0,
        "charges": "0",
        "net": "0",
        "lines": {},
        "basis": "NONE",
        "unconfirmed": [],
        "uncharged": 0,
        "mark_source": "LAST_PRICE",
    }
