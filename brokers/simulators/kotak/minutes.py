"""Read the real NIFTY minutes and lay a deterministic path through every one of them."""

import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from brokers.simulators.kotak.clock import IST
from brokers.simulators.kotak.draw import fraction

TICK = 5  # paise
_OPEN_MS = (9 * 60 + 15) * 60_000
_CLOSE_MS = (15 * 60 + 30) * 60_000
_LAST_QUIET_S = 57  # the last instant of the fine grid in a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One minute of the index, labelled by its start; prices in paise."""

    open: int
    high: int
    low: int
    close: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """The minutes of one session: bars by minutes since 09:15, and the pre-open print in paise."""

    day: date
    preopen: int
    bars: dict[int, Bar]


def _paise(text: str) -> int:
    return int(Decimal(text) * 100)


def load_minutes(folder: Path, day: date) -> Minutes:
    """Read one day's zip; drop the pre-open print and the rows after the close from the session.

    Raises: FileNotFoundError when the folder holds no such day; ValueError when a minute is missing.
    """
    path = folder / f"{day:%Y%m%d}_trade.zip"
    if not path.is_file():
        days = ", ".join(sorted(p.name[:8] for p in folder.glob("*_trade.zip"))) or "none"
        raise FileNotFoundError(f"no NIFTY minutes of {day} in {folder}; days there: {days}")
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    preopen, bars = 0, {}
    for line in filter(None, map(str.strip, text.splitlines())):
        at, opens, high, low, close, _volume = line.split(",")
        if int(at) < _OPEN_MS:
            preopen = _paise(close)
        elif int(at) < _CLOSE_MS:
            index = (int(at) - _OPEN_MS) // 60_000
            bars[index] = Bar(open=_paise(opens), high=_paise(high), low=_paise(low), close=_paise(close))
    missing = sorted(set(range((_CLOSE_MS - _OPEN_MS) // 60_000)) - bars.keys())
    if missing:
        raise ValueError(f"{path.name}: expected 375 minutes, missing {missing[:5]}")
    return Minutes(day=day, preopen=preopen or bars[0].open, bars=bars)


class IndexPath:
    """Give the index at any instant of the session as a pure function of seed, day and time.

    Inside a minute the path stands at O at :00, at one extreme at :15, at the other at :30 and at C at :45
    and :57, so that both the 15 s and the 3 s grid see exactly O, H, L and C. A rising minute goes to its low
    first, a falling one to its high. In between it wanders, never outside [L, H].
    """

    def __init__(self, minutes: Minutes, seed: int) -> None:
        self._minutes = minutes
        self._seed = seed
        day = minutes.day
        self.opens = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST).astimezone(UTC)

    def price(self, instant: datetime) -> int:
        """Return the index in paise; before the open the pre-open print, after the close the last price."""
        offset = (instant - self.opens) // timedelta(seconds=1)
        if offset < 0:
            return self._minutes.preopen
        index, second = divmod(offset, 60)
        bars = self._minutes.bars
        if index >= len(bars):
            return bars[len(bars) - 1].close
        return self._inside(bars[index], index, second)

    def _inside(self, bar: Bar, index: int, second: int) -> int:
        turns = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        knots = ((0, bar.open), (15, turns[0]), (30, turns[1]), (45, bar.close), (_LAST_QUIET_S, bar.close))
        for (left, start), (right, end) in pairwise(knots):
            if second == left:
                return start
            if second < right:
                share = (second - left) / (right - left)
                noise = (fraction(self._seed, "index", self._minutes.day, index, second) - 0.5) * 0.3
                value = start + (end - start) * share + noise * (bar.high - bar.low)
                return min(max(round(value / TICK) * TICK, bar.low), bar.high)
        return bar.close
