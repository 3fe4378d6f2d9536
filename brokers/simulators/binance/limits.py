"""Count weight per address and orders per account in the venue's fixed windows of real time."""

import time
from collections import Counter
from collections.abc import Callable

from brokers.simulators.binance.replies import Refused
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.symbols import SPOT

EVERYONE = "*"  # in place of an address
_MINUTE_S = 60
_WINDOWS = {
    SPOT: (("10S", 10, "orders_10s_spot"), ("1D", 86_400, "orders_1d_spot")),
    "futures": (("10S", 10, "orders_10s_futures"), ("1M", 60, "orders_1m_futures")),
}


class TooMany(Refused):
    """Refuse a call over a limit; the header says when to come back."""

    def __init__(self, code: int, message: str, *, http: int, retry_after_s: int) -> None:
        super().__init__(code, message, http)
        self.retry_after_s = retry_after_s


class Limits:
    """Admit or refuse calls, and tell what the limit headers say."""

    def __init__(self, settings: Settings, now_s: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now_s = now_s
        self._weights: Counter[tuple[str, str, int]] = Counter()
        self._orders: Counter[tuple[str, str, str, int]] = Counter()
        self._ignored: Counter[str] = Counter()  # refusals since the last admitted call
        self._banned_until: dict[str, float] = {}

    def take_weight(self, market: str, source: str, weight: int) -> None:
        """Count a call against its address.

        Raises: TooMany with 418 while the address is banned, with 429 over the limit.
        """
        now = self._now_s()
        self._refuse_banned(source, now)
        minute = int(now // _MINUTE_S)
        limit = self._weight_limit(market)
        self._weights[market, source, minute] += weight
        if self._weights[market, source, minute] <= limit:
            self._ignored[source] = 0
            return
        self._ignored[source] += 1
        if self._ignored[source] > self._settings.ban_after:
            self.ban(source, self._settings.ban_s)
            self._refuse_banned(source, now)
        text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
        raise TooMany(-1003, text, http=429, retry_after_s=int((minute + 1) * _MINUTE_S - now) + 1)

    def ban(self, source: str, seconds: float) -> None:
        """Ban an address for real seconds."""
        self._banned_until[source] = self._now_s() + seconds

    def pardon(self) -> None:
        """Forget all bans and counts."""
        self._banned_until.clear()
        self._weights.clear()
        self._orders.clear()
        self._ignored.clear()

    def _refuse_banned(self, source: str, now: float) -> None:
        until = max(self._banned_until.get(source, 0.0), self._banned_until.get(EVERYONE, 0.0))
        if now < until:
            text = f"Way too much request weight used; IP banned until {int(until * 1000)}."
            raise TooMany(-1003, text, http=418, retry_after_s=int(until - now) + 1)

    def take_order(self, market: str, account: str, count: int = 1) -> None:
        """Count orders against their account. Raises: TooMany -1015 over a limit."""
        now = self._now_s()
        for name, seconds, setting in _WINDOWS[market]:
            limit = int(getattr(self._settings, setting))
            if self._orders[market, account, name, int(now // seconds)] + count > limit:
                text = f"Too many new orders; current limit is {limit} orders per {_words(name)}."
                left = int((now // seconds + 1) * seconds - now) + 1
                raise TooMany(-1015, text, http=429, retry_after_s=left)
        for name, seconds, _setting in _WINDOWS[market]:
            self._orders[market, account, name, int(now // seconds)] += count

    def give_back(self, market: str, account: str) -> None:
        """Take one order off the counts: a fill lowers the unfilled count of a spot account."""
        now = self._now_s()
        for name, seconds, _setting in _WINDOWS[market]:
            key = (market, account, name, int(now // seconds))
            self._orders[key] = max(0, self._orders[key] - 1)

    def headers(self, market: str, source: str, account: str | None) -> dict[str, str]:
        """Return the limit headers of a reply."""
        now = self._now_s()
        used = self._weights[market, source, int(now // _MINUTE_S)]
        headers = {"X-MBX-USED-WEIGHT-1M": str(used)}
        if market == SPOT:
            headers["X-MBX-USED-WEIGHT"] = str(used)
        if account is not None:
            for name, seconds, _setting in _WINDOWS[market]:
                count = self._orders[market, account, name, int(now // seconds)]
                headers[f"X-MBX-ORDER-COUNT-{name}"] = str(count)
        return headers

    def listed(self, market: str) -> list[dict[str, object]]:
        """Return the limits as exchangeInfo lists them."""
        rows = [_limit("REQUEST_WEIGHT", "1M", self._weight_limit(market))]
        rows += [
            _limit("ORDERS", name, int(getattr(self._settings, setting)))
            for name, _seconds, setting in _WINDOWS[market]
        ]
        if market == SPOT:
            rows.append(_limit("RAW_REQUESTS", "5M", 61_000))
        return rows

    def counted(self, market: str, account: str) -> list[dict[str, object]]:
        """Return the order limits with their counts, as rateLimit/order lists them."""
        now = self._now_s()
        return [
            _limit("ORDERS", name, int(getattr(self._settings, setting)))
            | {"count": self._orders[market, account, name, int(now // seconds)]}
            for name, seconds, setting in _WINDOWS[market]
        ]

    def _weight_limit(self, market: str) -> int:
        spot = market == SPOT
        return self._settings.weight_1m_spot if spot else self._settings.weight_1m_futures


_UNITS = {"S": "SECOND", "M": "MINUTE", "D": "DAY"}


def _limit(kind: str, name: str, limit: int) -> dict[str, object]:
    unit, number = _UNITS[name[-1]], int(name[:-1])
    return {"rateLimitType": kind, "interval": unit, "intervalNum": number, "limit": limit}


def _words(name: str) -> str:
    return f"{name[:-1]} {_UNITS[name[-1]]}"
