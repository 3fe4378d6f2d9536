"""Hold the market's current picture: the quotes of the last tick and the day's statistics."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from brokers.simulators.kotak.contracts import Contract
from brokers.simulators.kotak.minutes import IndexPath
from brokers.simulators.kotak.pricing import ChainPricer, Quote


@dataclass(slots=True, kw_only=True)
class DayStats:
    """Open, high, low and last of the day in paise, volume in units."""

    open: int
    high: int
    low: int
    last: int
    volume: int = 0

    def add(self, price: int, volume: int = 0) -> None:
        """Fold one price into the day."""
        self.high, self.low, self.last = max(self.high, price), min(self.low, price), price
        self.volume += volume


class Tape:
    """Advance the market tick by tick and answer what it shows now."""

    def __init__(self, path: IndexPath, pricer: ChainPricer, contracts: tuple[Contract, ...]) -> None:
        self._path = path
        self._pricer = pricer
        self.contracts = contracts
        self.by_token = {contract.token: contract for contract in contracts}
        self.by_symbol = {contract.symbol: contract for contract in contracts}
        self.instant: datetime | None = None
        self.seq = 0
        self.quotes: dict[int, Quote] = {}
        self.stats: dict[int, DayStats] = {}
        self.index_stats: DayStats | None = None
        before = path.opens - timedelta(seconds=1)
        self.previous_close = path.price(before)  # the pre-open print stands for yesterday's close
        self.closes = {contract.token: pricer.quote(contract, before).ltp for contract in contracts}

    @property
    def index(self) -> int:
        """Return the index in paise; before the first tick the pre-open print."""
        return self.index_stats.last if self.index_stats else self.previous_close

    def advance(self, instant: datetime, *, closing: bool = False) -> None:
        """Move to the next grid instant; at the close only the sequence and the instant move."""
        self.instant = instant
        self.seq += 1
        if closing:
            return
        price = self._path.price(instant)
        if self.index_stats is None:
            self.index_stats = DayStats(open=price, high=price, low=price, last=price)
        self.index_stats.add(price)
        for contract in self.contracts:
            quote = self._pricer.quote(contract, instant)
            self.quotes[contract.token] = quote
            stats = self.stats.get(contract.token)
            if stats is None:
                last = quote.ltp
                stats = self.stats[contract.token] = DayStats(open=last, high=last, low=last, last=last)
            stats.add(quote.ltp, quote.last_qty)
