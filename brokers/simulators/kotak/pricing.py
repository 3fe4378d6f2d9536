"""Price the option chain: a seeded Black-76 with a smile, a bid and an ask."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from brokers.simulators.kotak.contracts import LOT_SIZE, Contract
from brokers.simulators.kotak.draw import fraction, fractions
from brokers.simulators.kotak.minutes import TICK, IndexPath

_YEAR_S = 365 * 86_400
_BASE_VOL = 0.15
_NODE_S = 300  # implied volatility wanders between nodes five minutes apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best prices of an instrument at one instant; paise and units."""

    ltp: int
    bid: int
    ask: int
    bid_qty: int
    ask_qty: int
    last_qty: int


def black76(forward: float, strike: float, years: float, vol: float) -> tuple[float, float]:
    """Return the undiscounted call and put.

    Source: F. Black, The pricing of commodity contracts (1976).
    """
    deviation = vol * math.sqrt(years)
    if deviation <= 0:
        return max(forward - strike, 0.0), max(strike - forward, 0.0)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    d2 = d1 - deviation
    call = forward * _cdf(d1) - strike * _cdf(d2)
    return call, call - forward + strike


def _cdf(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def spread_multiplier(since_open: timedelta) -> int:
    """Return how much wider the spread is: 5 in the first minute, 2 until 09:20, then 1."""
    if since_open < timedelta(minutes=1):
        return 5
    return 2 if since_open < timedelta(minutes=5) else 1


class ChainPricer:
    """Quote any contract at any instant as a pure function of seed, day, contract and time."""

    def __init__(self, path: IndexPath, seed: int) -> None:
        self._path = path
        self._seed = seed
        self._instant: datetime | None = None  # the forward and the volatility below belong to it
        self._forward = 0.0
        self._vol = 0.0
        self._spread = 1

    def quote(self, contract: Contract, instant: datetime) -> Quote:
        """Return bid, ask and last price on the tick, never below one tick."""
        fair = self._fair_paise(contract, instant)
        width = max(2 * TICK, 0.004 * fair) * self._spread
        bid = max(TICK, math.floor((fair - width / 2) / TICK) * TICK)
        ask = max(bid + TICK, math.ceil((fair + width / 2) / TICK) * TICK)
        last, bids, asks, traded = fractions(4, self._seed, contract.token, int(instant.timestamp()))
        return Quote(
            ltp=bid + round((ask - bid) * last / TICK) * TICK,
            bid=bid,
            ask=ask,
            bid_qty=LOT_SIZE * (10 + int(400 * bids)),
            ask_qty=LOT_SIZE * (10 + int(400 * asks)),
            last_qty=LOT_SIZE * (1 + int(20 * traded)),
        )

    def _fair_paise(self, contract: Contract, instant: datetime) -> float:
        if instant != self._instant:
            self._instant = instant
            self._forward = self._path.price(instant) / 100 * 1.0002
            self._vol = self._level(instant)
            self._spread = spread_multiplier(instant - self._path.opens)
        years = max((contract.expires_at - instant).total_seconds(), 60.0) / _YEAR_S
        moneyness = math.log(contract.strike / self._forward) / 0.05
        vol = self._vol * (1 - 0.05 * moneyness + 0.08 * moneyness**2)
        call, put = black76(self._forward, contract.strike, years, vol)
        return 100 * (call if contract.right == "CE" else put)

    def _level(self, instant: datetime) -> float:
        node, inside = divmod((instant - self._path.opens).total_seconds(), _NODE_S)
        left, right = (fraction(self._seed, "vol", node + step) for step in (0, 1))
        wander = left + (right - left) * inside / _NODE_S
        return _BASE_VOL * (0.95 + 0.1 * fraction(self._seed, "day vol")) * (0.98 + 0.04 * wander)
