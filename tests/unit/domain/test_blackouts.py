"""Check the windows without entries, or before which positions must be out."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.blackouts import Blackout, BlackoutRule, Spell
from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument
from tests.builders import CALL, FOREX, PERPETUAL

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 11, 30, 13, 30, tzinfo=UTC)
END = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def window(**changes: object) -> Blackout:
    """Half an hour without entries in the dollar."""
    fields: dict[str, object] = {
        "number": 4,
        "name": "payrolls",
        "covers": frozenset({"USD"}),
        "starts_at": START,
        "ends_at": END,
        "rule": BlackoutRule.NO_ENTRIES,
        "lead": timedelta(0),
    }
    return Blackout(**{**fields, **changes})  # type: ignore[arg-type]  # a test builder


def weekend(**changes: object) -> Blackout:
    """The weekend of forex as it is shipped."""
    fields: dict[str, object] = {
        "name": "forex weekend",
        "covers": frozenset({"MT5"}),
        "starts_at": datetime(2025, 1, 3, 16, 30, tzinfo=NEW_YORK),
        "ends_at": datetime(2025, 1, 5, 17, 0, tzinfo=NEW_YORK),
        "rule": BlackoutRule.FLAT_BEFORE,
        "lead": timedelta(minutes=30),
        "weekly_in": NEW_YORK,
    }
    return window(**{**fields, **changes})


def spell_at(blackout: Blackout, now: datetime) -> Spell | None:
    return next((spell for spell in blackout.spells(now) if spell.forbids_entries(now)), None)


def ny(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("covers", "instrument", "expected"),
    [
        ("USD", FOREX, True),
        ("EUR", FOREX, True),
        ("EURUSD", FOREX, True),
        ("EURUSD.MT5", FOREX, True),
        ("MT5", FOREX, True),
        ("GBP", FOREX, False),
        ("USD", PERPETUAL, False),
        ("USDT", PERPETUAL, True),
        ("BTCUSDT", PERPETUAL, True),
        ("BTC", PERPETUAL, False),
        ("INR", CALL, True),
        ("NIFTY", CALL, True),
        ("NIFTY.NSE", CALL, True),
        (str(CALL.instrument_id), CALL, True),
        ("NSE", CALL, True),
        ("BSE", CALL, False),
        ("NIF", CALL, False),
    ],
)
def test_a_window_names_currencies_underlyings_instruments_or_venues(
    covers: str, instrument: Instrument, *, expected: bool
) -> None:
    assert window(covers=frozenset({covers, "XYZ"})).is_about(instrument) is expected


@pytest.mark.parametrize(
    ("lead_s", "now", "forbids"),
    [
        (0, START - MOMENT, False),
        (0, START, True),
        (0, END - MOMENT, True),
        (0, END, False),
        (600, START - timedelta(minutes=10) - MOMENT, False),
        (600, START - timedelta(minutes=10), True),
    ],
)
def test_entries_end_with_the_lead_and_begin_again_at_the_end(
    lead_s: int, now: datetime, *, forbids: bool
) -> None:
    blackout = window(lead=timedelta(seconds=lead_s))

    assert (spell_at(blackout, now) is not None) is forbids
    assert not any(spell.wants_flat(now) for spell in blackout.spells(now))


@pytest.mark.parametrize(
    ("now", "wants_flat"),
    [
        (START - timedelta(minutes=5) - MOMENT, False),
        (START - timedelta(minutes=5), True),
        (END - MOMENT, True),
        (END, False),
    ],
)
def test_positions_leave_five_minutes_before_a_window_that_they_must_not_see(
    now: datetime, *, wants_flat: bool
) -> None:
    blackout = window(rule=BlackoutRule.FLAT_BEFORE, lead=timedelta(minutes=5))

    assert any(spell.wants_flat(now) for spell in blackout.spells(now)) is wants_flat


@pytest.mark.parametrize(
    ("now", "entries", "flat"),
    [
        (ny(27, 15, 59), False, False),
        (ny(27, 16, 0), True, False),
        (ny(27, 16, 24), True, False),
        (ny(27, 16, 25), True, True),
        (ny(28, 12, 0), True, True),
        (ny(29, 16, 59), True, True),
        (ny(29, 17, 0), False, False),
        (ny(25, 12, 0), False, False),
        # The week in which the clocks go back: 16:00 in New York is an hour later in UTC.
        (ny(30, 15, 59, month=10), False, False),
        (ny(30, 16, 0, month=10), True, False),
        (ny(1, 16, 59), True, True),
        (ny(1, 17, 0), False, False),
    ],
)
def test_the_weekend_of_forex_by_the_clock_of_new_york(now: datetime, *, entries: bool, flat: bool) -> None:
    at = now.astimezone(UTC)

    assert (spell_at(weekend(), at) is not None) is entries
    assert any(spell.wants_flat(at) for spell in weekend().spells(at)) is flat


def test_a_weekly_window_holds_before_the_week_that_it_was_written_for() -> None:
    before = datetime(2019, 1, 4, 16, 0, tzinfo=NEW_YORK).astimezone(UTC)

    spell = spell_at(weekend(), before)

    assert spell is not None
    assert spell.starts_at == datetime(2019, 1, 4, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": " "}, "name"),
        ({"covers": frozenset()}, "covers"),
        ({"ends_at": START}, "end after the start"),
        ({"starts_at": START.replace(tzinfo=None)}, "time zone"),
        ({"ends_at": END.replace(tzinfo=None)}, "time zone"),
        ({"lead": timedelta(seconds=-1)}, "lead"),
        ({"starts_at": START.replace(year=1999)}, "years"),
        ({"ends_at": END.replace(year=2101)}, "years"),
        ({"rule": BlackoutRule.FLAT_BEFORE, "lead": timedelta(seconds=299)}, "lead"),
        ({"weekly_in": NEW_YORK, "ends_at": START + timedelta(days=7)}, "week"),
        ({"weekly_in": NEW_YORK, "ends_at": START + timedelta(days=6), "lead": timedelta(days=1)}, "week"),
    ],
)
def test_impossible_windows_are_refused(changes: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidInputError, match=what):
        window(**changes)
