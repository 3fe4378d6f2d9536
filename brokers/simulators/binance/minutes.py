"""Read the real BTCUSDT minutes and lay a deterministic path through every one of them."""

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from brokers.simulators.binance.draw import fraction

TICK = Decimal("0.01")
MINUTE = timedelta(minutes=1)
_LAST_QUIET_S = 57  # the last instant of the fine grid in a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One minute: prices in USDT, volume in BTC."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int


def load_minutes(folder: Path, day: date) -> list[Bar]:
    """Read the bars from midnight UTC of a day on, to the end of the files.

    Raises: FileNotFoundError when the folder holds no such day; ValueError when a minute is missing.
    """
    bars: list[Bar] = []
    due = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for path in sorted(folder.glob("BTCUSDT_1m_*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                # Bars are labelled by their close, x:59.999, with an offset.
                start = (
                    datetime.fromisoformat(row["close_datetime"])
                    .astimezone(UTC)
                    .replace(second=0, microsecond=0)
                )
                if start < due:
                    continue
                if start != due:
                    raise ValueError(f"{path.name}: expected the minute of {due}, got {start}")
                bars.append(_bar(row))
                due += MINUTE
    if not bars:
        raise FileNotFoundError(f"no BTCUSDT minutes of {day} in {folder}")
    return bars


def _bar(row: dict[str, str]) -> Bar:
    return Bar(
        open=Decimal(row["open"]),
        high=Decimal(row["high"]),
        low=Decimal(row["low"]),
        close=Decimal(row["close"]),
        volume=Decimal(row["volume"]),
        quote_volume=Decimal(row["quote_volume"]),
        trades=int(row["trades"]),
    )


class PricePath:
    """Give the last price at any instant as a pure function of seed and time; the data repeat at their end.

    Inside a minute the path stands at O at :00, at one extreme at :15, at the other at :30 and at C at :45
    and :57, so that both the 15 s and the 3 s grid see exactly O, H, L and C. A rising minute goes to its low
    first, a falling one to its high. In between it wanders, never outside [L, H].
    """

    def __init__(self, bars: list[Bar], opens: datetime, seed: int) -> None:
        self._bars = bars
        self._seed = seed
        self.opens = opens

    def bar(self, instant: datetime) -> Bar:
        """Return the minute that holds an instant."""
        return self._bars[(instant - self.opens) // MINUTE % len(self._bars)]

    def price(self, instant: datetime) -> Decimal:
        """Return the last price, USDT."""
        index, inside = divmod(instant - self.opens, MINUTE)
        second = inside // timedelta(seconds=1)
        bar = self._bars[index % len(self._bars)]
        turns = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        knots = ((0, bar.open), (15, turns[0]), (30, turns[1]), (45, bar.close), (_LAST_QUIET_S, bar.close))
        for (left, start), (right, end) in pairwise(knots):
            if second == left:
                return start
            if second < right:
                share = Decimal(second - left) / (right - left)
                noise = Decimal(str(fraction(self._seed, "path", index, second) - 0.5)) * Decimal("0.3")
                value = start + (end - start) * share + noise * (bar.high - bar.low)
                return min(max(value.quantize(TICK), bar.low), bar.high)
        return bar.close
