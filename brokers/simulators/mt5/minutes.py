"""Read one real week of EURUSD minutes, bid and ask, and hold it by the minute of the trading week."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from brokers.simulators.mt5.hours import WEEK_MINUTES, week_minute

POINTS_PER_UNIT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open, high, low and close of one side of the market in points of 0.00001."""

    open: int
    high: int
    low: int
    close: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute of the market, labelled by its start."""

    bid: Bar
    ask: Bar


def _bar(texts: list[str]) -> Bar:
    opens, high, low, close = (int(Decimal(text) * POINTS_PER_UNIT) for text in texts)
    return Bar(open=opens, high=high, low=low, close=close)


def _rows(path: Path) -> Iterator[tuple[datetime, Minute]]:
    day = datetime.strptime(path.name[:8], "%Y%m%d").replace(tzinfo=UTC)
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    for line in filter(None, map(str.strip, text.splitlines())):
        cells = line.split(",")
        minute = Minute(bid=_bar(cells[1:5]), ask=_bar(cells[6:10]))
        yield day + timedelta(milliseconds=int(cells[0])), minute


def _flat(minute: Minute) -> Minute:
    bid, ask = minute.bid.close, minute.ask.close
    return Minute(
        bid=Bar(open=bid, high=bid, low=bid, close=bid),
        ask=Bar(open=ask, high=ask, low=ask, close=ask),
    )


def load_week(folder: Path) -> tuple[Minute, ...]:
    """Return the minutes from Sunday 17:00 to Friday 17:00 New York; one without quotes repeats the last.

    Raises: FileNotFoundError when the folder holds no minutes; ValueError when the week's first one is
    missing.
    """
    files = sorted(folder.glob("*_quote.zip"))
    if not files:
        raise FileNotFoundError(f"no EURUSD minutes in {folder}")
    found = {week_minute(at): minute for path in files for at, minute in _rows(path)}
    if 0 not in found:
        raise ValueError(f"{folder}: expected a week that begins on Sunday 17:00 New York")
    week = [found[0]]
    for index in range(1, WEEK_MINUTES):
        week.append(found[index] if index in found else _flat(week[-1]))
    return tuple(week)
