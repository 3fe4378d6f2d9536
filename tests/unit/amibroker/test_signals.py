"""Check what AFL posts: its bar, its key, its age and its faults."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from app.amibroker.signals import (
    Act,
    StaleSignalError,
    act_of,
    bar_start,
    parse_fields,
    read_signal,
)
from app.domain.errors import InvalidInputError
from app.domain.external import Amount, ExternalWish, Leave, Target, Unit
from app.domain.orders import Side

INDIA = ZoneInfo("Asia/Kolkata")
BASE = {
    "v": "1",
    "strat": "ema921",
    "sym": "NIFTY25NOV2526000CE-NFO",
    "act": "BUY",
    "qty": "2",
    "tf": "300",
    "bt": "20251121101500",
    "bs": "closed",
}
CLOSED = datetime.fromtimestamp(1763700600, UTC)  # 10:20 in India


def wish(**changes: str) -> ExternalWish:
    fields = {**BASE, **changes}
    return read_signal(fields, act_of(fields)).wish()


@pytest.mark.parametrize("stamp", ["20251121101500", "20251121101959", "20251121101700"])
def test_all_stamps_of_a_bar_are_one_bar(stamp: str) -> None:
    assert bar_start(stamp, 300, INDIA).timestamp() == 1763700300
    assert wish(bt=stamp).key == wish().key


def test_hours_are_counted_from_midnight_and_days_are_dates() -> None:
    assert bar_start("20251121101500", 3600, INDIA).timestamp() == 1763699400
    assert bar_start("20251121101500", 86_400, INDIA) == datetime(2025, 11, 21, tzinfo=INDIA)


@pytest.mark.parametrize(
    "changes",
    [
        {"bt": "20251121102000"},
        {"tf": "60"},
        {"strat": "other"},
        {"sym": "NIFTY25NOV2526000PE-NFO"},
        {"act": "SHORT"},
        {"seq": "1"},
        {"leg": "1"},
    ],
)
def test_what_differs_has_another_key(changes: dict[str, str]) -> None:
    assert wish(**changes).key != wish().key


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Target(amount=Amount(value=Decimal(2), unit=Unit.LOTS))),
        ({"qty": "2.0"}, Target(amount=Amount(value=Decimal(2), unit=Unit.LOTS))),
        ({"act": "SHORT"}, Target(amount=Amount(value=Decimal(-2), unit=Unit.LOTS))),
        ({"act": "TARGET", "tgt": "-3"}, Target(amount=Amount(value=Decimal(-3), unit=Unit.LOTS))),
        ({"act": "SELL"}, Leave(only=Side.BUY)),
        ({"act": "cover"}, Leave(only=Side.SELL)),
        ({"act": "FLAT"}, Leave()),
    ],
)
def test_the_four_arrays_are_positions(changes: dict[str, str], expected: Any) -> None:
    assert wish(**changes).ask == expected


@pytest.mark.parametrize(
    ("changes", "late_s", "is_taken"),
    [
        ({}, -6, False),
        ({}, -5, True),
        ({}, 45, True),
        ({}, 46, False),
        ({"act": "SELL"}, 225, True),
        ({"act": "SELL"}, 226, False),
        ({"act": "TARGET", "tgt": "0"}, 225, True),
        ({"act": "TARGET", "tgt": "1"}, 46, False),
        ({"tf": "60", "bt": "20251121101900"}, 10, True),
        ({"tf": "60", "bt": "20251121101900"}, 11, False),
        ({"tf": "1200", "bt": "20251121100000"}, 60, True),
        ({"tf": "1200", "bt": "20251121100000"}, 61, False),
    ],
)
def test_a_signal_is_taken_just_after_its_bar(
    changes: dict[str, str], late_s: int, *, is_taken: bool
) -> None:
    fields = {**BASE, **changes}
    signal = read_signal(fields, act_of(fields))
    now = CLOSED + timedelta(seconds=late_s)

    if is_taken:
        signal.require_in_time(now)
    else:
        with pytest.raises(StaleSignalError, match=f"age={late_s} max="):
            signal.require_in_time(now)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"v": "2"}, "v: expected 1"),
        ({"act": "HOLD"}, "act: expected one of"),
        ({"strat": "a b"}, "strat: expected"),
        ({"bs": "forming"}, "bs: expected closed"),
        ({"sym": "SBIN"}, "symbol: expected"),
        ({"tf": "5"}, "tf: expected 60 to 86400"),
        ({"tf": ""}, "tf: expected a decimal"),
        ({"bt": "2025112110150"}, "bt: expected YYYYMMDDHHMMSS"),
        ({"bt": "20251399000000"}, "bt: expected a time that exists"),
        ({"qty": "0"}, "qty: expected the lots"),
        ({"qty": "1.5"}, "qty: expected a whole number"),
        ({"qty": "1e9"}, "qty: expected a whole number"),
        ({"act": "TARGET"}, "tgt: expected a decimal"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, str], message: str) -> None:
    fields = {**BASE, **changes}
    with pytest.raises(InvalidInputError, match=message):
        read_signal(fields, act_of(fields))


def test_a_form_and_json_say_the_same() -> None:
    form = parse_fields(urlencode(BASE).encode())
    json = parse_fields(b'{"v":1,"act":"TARGET","tgt":-2,"px":26040.50}\n')

    assert form == BASE
    assert json == {"v": "1", "act": "TARGET", "tgt": "-2", "px": "26040.50"}
    assert act_of(json) is Act.TARGET


@pytest.mark.parametrize("raw", [b"x" * 4097, b"{", "v=\u20b9".encode()])
def test_what_is_no_small_form_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        parse_fields(raw)
