"""Hold the market's current picture: the quotes of the last tick, and the bars up to now."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from brokers.simulators.binance.draw import fractions
from brokers.simulators.binance.minutes import MINUTE, Bar, PricePath
from brokers.simulators.binance.symbols import Symbol

INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "1d": 1440}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_LEVELS = 20

Key = tuple[str, str]  # market and symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best prices of a symbol at one instant, and the trade that printed then."""

    bid: Decimal
    ask: Decimal
    bid_qty: Decimal
    ask_qty: Decimal
    last: Decimal
    last_qty: Decimal

    def levels(self, side: str, tick: Decimal) -> list[tuple[Decimal, Decimal]]:
        """Return what an incoming order of that side meets: (price, quantity), best first."""
        if side == "BUY":
            return [(self.ask + n * tick, self.ask_qty) for n in range(_MOST_LEVELS)]
        return [(self.bid - n * tick, self.bid_qty) for n in range(_MOST_LEVELS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar of any interval, as far as it has gone."""

    start: datetime
    end: datetime
    bar: Bar
    closed: bool


def to_step(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Return the number on a grid."""
    return (number / step).to_integral_value(rounding=rounding) * step


class Tape:
    """Advance the market tick by tick and answer what it shows now."""

    def __init__(self, path: PricePath, symbols: dict[Key, Symbol], seed: int) -> None:
        self._path = path
        self._seed = seed
        self.symbols = symbols
        self.instant: datetime | None = None
        self.previous: datetime | None = None
        self.seq = 0
        self.quotes: dict[Key, Quote] = {}
        self._seen: list[Decimal] = []  # last prices of the running minute

    def advance(self, instant: datetime) -> None:
        """Move to the next grid instant."""
        before = self.previous = self.instant
        self.instant = instant
        self.seq += 1
        price = self._path.price(instant)
        if before is None or self._minute(before) != self._minute(instant):
            self._seen = []
        self._seen.append(price)
        for key, symbol in self.symbols.items():
            self.quotes[key] = self._quote(symbol, price, instant)

    def _minute(self, instant: datetime) -> int:
        return (instant - self._path.opens) // MINUTE

    def _quote(self, symbol: Symbol, price: Decimal, instant: datetime) -> Quote:
        below, above, bids, asks, traded = fractions(5, self._seed, symbol.market, int(instant.timestamp()))
        last = to_step(price, symbol.tick, ROUND_HALF_UP)
        bid = last - int(below * 3) * symbol.tick
        ask = max(last, bid + symbol.tick) + int(above * 3) * symbol.tick
        return Quote(
            bid=bid,
            ask=ask,
            bid_qty=self._size(symbol, 1 + 4 * bids),
            ask_qty=self._size(symbol, 1 + 4 * asks),
            last=last,
            last_qty=self._size(symbol, 0.002 + traded),
        )

    def _size(self, symbol: Symbol, size: float) -> Decimal:
        return max(to_step(Decimal(str(size)), symbol.step, ROUND_FLOOR), symbol.step)

    def candle(self, key: Key, interval: str, instant: datetime) -> Candle:
        """Return the bar of an interval that holds an instant, its running minute as seen so far."""
        symbol = self.symbols[key]
        length = INTERVALS[interval] * MINUTE
        start = _EPOCH + (instant - _EPOCH) // length * length
        bars = []
        minute = max(start, self._path.opens)
        now = self.instant or self._path.opens
        while minute < start + length and minute <= now:
            running = self._minute(minute) == self._minute(now)
            bars.append(self._running(minute) if running else self._path.bar(minute))
            minute += MINUTE
        closed = start + length <= now
        return Candle(start=start, end=start + length, bar=_joined(bars, symbol.tick), closed=closed)

    def _running(self, minute: datetime) -> Bar:
        seen = self._seen or [self._path.price(minute)]
        whole = self._path.bar(minute)
        share = Decimal(min(len(self._seen), 4)) / 4
        return Bar(
            open=seen[0],
            high=max(seen),
            low=min(seen),
            close=seen[-1],
            volume=to_step(whole.volume * share, Decimal("0.00001"), ROUND_CEILING),
            quote_volume=to_step(whole.quote_volume * share, Decimal("0.0000001"), ROUND_CEILING),
            trades=int(whole.trades * share),
        )

    def candles(self, key: Key, interval: str, *, limit: int, until: datetime) -> list[Candle]:
        """Return up to `limit` bars that start no later than an instant, oldest first."""
        if self.instant is None:
            return []
        length = INTERVALS[interval] * MINUTE
        newest = min(until, self.instant)
        first = max(newest - (limit - 1) * length, self._path.opens)
        found: list[Candle] = []
        at = first
        while at - length < newest:
            candle = self.candle(key, interval, min(at, newest))
            if not found or found[-1].start != candle.start:
                found.append(candle)
            at += length
        return found[-limit:]


def _joined(bars: list[Bar], tick: Decimal) -> Bar:
    return Bar(
        open=to_step(bars[0].open, tick, ROUND_HALF_UP),
        high=to_step(max(bar.high for bar in bars), tick, ROUND_HALF_UP),
        low=to_step(min(bar.low for bar in bars), tick, ROUND_HALF_UP),
        close=to_step(bars[-1].close, tick, ROUND_HALF_UP),
        volume=sum((bar.volume for bar in bars), Decimal(0)),
        quote_volume=sum((bar.quote_volume for bar in bars), Decimal(0)),
        trades=sum(bar.trades for bar in bars),
    )
