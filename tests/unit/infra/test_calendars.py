"""Check that a bad calendar file is refused with the file, the row, what was expected and what came."""

from datetime import date
from pathlib import Path

import pytest

from app.domain.errors import ConfigError
from app.domain.instruments import Venue
from app.infra.calendars import load_calendar

HEAD = """
timezone = "Asia/Kolkata"
valid_from = 2026-01-01
valid_until = 2026-12-31
markets = ["NSE.FO", "NSE.CM"]
"""
HOURS = """
[[hours]]
since = 2026-01-01
opens = 09:15:00
closes = 15:30:00
source = "test"
"""
CLOSED = """
[[closed]]
date = 2026-01-26
reason = "Republic Day"
source = "test"
"""
SPECIAL = """
[[special]]
date = 2026-02-01
opens = 09:15:00
closes = 15:30:00
notes = "Sunday"
source = "test"
"""
EXPIRY = """
[[expiry]]
underlying = "NIFTY"
market = "NSE.FO"
since = 2026-01-01
day = "tue"
weeklies = true
source = "test"
"""
FULL = HEAD + HOURS + CLOSED + SPECIAL + EXPIRY


def _write(folder: Path, text: str, name: str = "india.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_directory_of_the_operator_replaces_the_shipped_files(tmp_path: Path) -> None:
    calendar = load_calendar(_write(tmp_path, FULL))
    assert set(calendar.markets) == {(Venue.NSE, "FO"), (Venue.NSE, "CM")}
    assert calendar.session(Venue.NSE, "FO", date(2026, 1, 26)) is None
    assert calendar.session(Venue.NSE, "FO", date(2026, 2, 1)) is not None


def test_row_with_markets_binds_only_these(tmp_path: Path) -> None:
    only_cash = CLOSED.replace("reason", 'markets = ["NSE.CM"]\nreason')
    calendar = load_calendar(_write(tmp_path, HEAD + HOURS + only_cash))
    assert calendar.session(Venue.NSE, "FO", date(2026, 1, 26)) is not None
    assert calendar.session(Venue.NSE, "CM", date(2026, 1, 26)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("markets = [", r"india\.toml: expected valid TOML, got: "),
        (HEAD, r"india\.toml: hours: Field required"),
        (FULL.replace("opens = 09:15:00", 'opens = "soon"'), r"hours row 1 opens: .*valid time, got 'soon'"),
        (FULL.replace("2026-01-26", '"Monday"'), r"closed row 1 date: .*valid date, got 'Monday'"),
        (FULL.replace('reason = "Republic Day"', 'reason = " "'), r"closed row 1 reason: .*at least 1 char"),
        (FULL + 'color = "red"', r"expiry row 1 color: Extra inputs are not permitted, got 'red'"),
        (FULL.replace('day = "tue"', 'day = "Tuesday"'), r"expiry row 1 day: .*'tue'.*got 'Tuesday'"),
        (FULL.replace("Asia/Kolkata", "Asia/Bombay"), r"expected a time zone .*, got Asia/Bombay"),
        (FULL.replace("Asia/Kolkata", "../etc"), r"expected a time zone .*, got \.\./etc"),
        (FULL.replace("NSE", "MCX"), r"expected a venue among NSE, BSE, BINANCE, MT5, got MCX"),
        (FULL.replace("valid_until = 2026", "valid_until = 2025"), r"valid_until after 2026-01-01, got 2025"),
        (FULL.replace('"NSE.FO", "NSE.CM"', '"NSE.CM"'), r"expected a market of the calendar .*NSE\.FO"),
        (
            FULL.replace("reason", 'markets = ["BSE.FO"]\nreason'),
            r"expected markets among NSE\.FO, NSE\.CM, got BSE\.FO",
        ),
        (FULL.replace("closes = 15:30", "closes = 09:15", 1), r"after 09:15:00, got 09:15:00"),
        (FULL + HOURS, r"hours since 2026-01-01: expected one row per weekday, got two"),
        (FULL.replace("since = 2026-01-01", "since = 2026-01-02", 1), r"since 2026-01-01, got 2026-01-02"),
        (
            FULL.replace("opens = 09:15:00", 'markets = ["NSE.FO"]\nopens = 09:15:00', 1),
            r"NSE\.CM.* got none",
        ),
        (FULL.replace("2026-01-26", "2026-01-25"), r"closed 2026-01-25: expected a day .*got a Sunday"),
        (FULL + CLOSED, r"expected each date once, got 2026-01-26 twice"),
        (FULL.replace("2026-02-01", "2027-02-01"), r"from 2026-01-01 to 2026-12-31, got 2027-02-01"),
        (
            HEAD + HOURS + SPECIAL.replace("15:30", "09:00"),
            r"special 2026-02-01: expected the close after 09:15:00, got 09:00:00",
        ),
    ],
)
def test_bad_file_is_refused_with_what_was_expected_and_what_came(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_calendar(_write(tmp_path, text))


def test_every_bad_row_is_named_at_once(tmp_path: Path) -> None:
    text = FULL.replace("2026-01-26", '"x"').replace('day = "tue"', 'day = "y"')
    with pytest.raises(ConfigError, match=r"closed row 1 date.*\n.*expiry row 1 day"):
        load_calendar(_write(tmp_path, text))


def test_market_in_two_files_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, FULL)
    with pytest.raises(ConfigError, match=r"second\.toml: expected each market in one file, got NSE\.FO"):
        load_calendar(_write(tmp_path, FULL, "second.toml"))


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a directory of calendar files"):
        load_calendar(tmp_path / "nowhere")


def test_directory_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found none"):
        load_calendar(tmp_path)
