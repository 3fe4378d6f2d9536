"""Count what Binance counts, so that we stop before it bans: weight by source address, orders by account."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.ports import Clock

_MINUTE_S = 60.0
_READS_SHARE = 0.80
_EXITS_SHARE = 0.97
# What to wait when the venue refused without saying for how long (brokers.md 2.6: a ban begins at 2 min).
_THROTTLED_WAIT_S = 10.0
_BANNED_WAIT_S = 120.0
_PERIODS_S = {"10s": 10.0, "1m": 60.0, "1d": 86_400.0}


class Urgency(StrEnum):
    """Say who may use the reserve: exits and cancels only."""

    NORMAL = "NORMAL"
    EXIT = "EXIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hold the venue's limits, read from exchangeInfo when it was downloaded.

    `orders` maps "10s", "1m" or "1d" to the orders that one account may place in that time.
    """

    weight: int
    orders: Mapping[str, int]


@dataclass(slots=True)
class _Window:
    """Count one period. The venue's own number replaces ours whenever a reply brings it."""

    period_s: float
    used: int = 0
    began_at: float = 0.0

    def current(self, now: float) -> int:
        if now - self.began_at >= self.period_s:
            self.used, self.began_at = 0, now
        return self.used

    def left_s(self, now: float) -> float:
        return max(self.period_s - (now - self.began_at), 0.1)


@dataclass(slots=True)
class _Address:
    weight: _Window = field(default_factory=lambda: _Window(_MINUTE_S))
    paused_until: float = 0.0


class Budgets:
    """Hold the budgets of one process at one venue. Thread-safe; one address never slows another."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._addresses: dict[str, _Address] = {}
        self._accounts: dict[str, dict[str, _Window]] = {}

    def use_limits(self, limits: Limits) -> None:
        """Take over the limits that the venue tells today."""
        with self._lock:
            self._limits = limits

    def take(
        self, egress: str, account: str, *, weight: int, orders: int = 0, urgency: Urgency = Urgency.NORMAL
    ) -> float | None:
        """Take a request out of the budget: None when it may leave, else the seconds to wait."""
        share = _EXITS_SHARE if urgency is Urgency.EXIT else _READS_SHARE
        now = self._clock.monotonic()
        with self._lock:
            address = self._addresses.setdefault(egress, _Address())
            windows = self._windows(account)
            wait = max(address.paused_until - now, 0.0)
            if address.weight.current(now) + weight > self._limits.weight * share:
                wait = max(wait, address.weight.left_s(now))
            if orders:
                for name, most in self._limits.orders.items():
                    if windows[name].current(now) + orders > most * share:
                        wait = max(wait, windows[name].left_s(now))
            if wait > 0:
                return wait
            address.weight.used += weight
            for name in windows if orders else ():
                windows[name].current(now)
                windows[name].used += orders
            return None

    def note_reply(self, egress: str, account: str, headers: Mapping[str, str]) -> None:
        """Believe the counts in a reply's headers (lower-case names)."""
        now = self._clock.monotonic()
        with self._lock:
            address = self._addresses.setdefault(egress, _Address())
            _correct(address.weight, headers.get("x-mbx-used-weight-1m"), now)
            for name, window in self._windows(account).items():
                _correct(window, headers.get(f"x-mbx-order-count-{name}"), now)

    def note_refusal(self, egress: str, *, is_banned: bool, retry_after_s: float | None) -> float:
        """Pause one address as the venue asked, and return for how many seconds."""
        wait = retry_after_s or (_BANNED_WAIT_S if is_banned else _THROTTLED_WAIT_S)
        with self._lock:
            address = self._addresses.setdefault(egress, _Address())
            address.paused_until = max(address.paused_until, self._clock.monotonic() + wait)
        return wait

    def _windows(self, account: str) -> dict[str, _Window]:
        windows = self._accounts.setdefault(account, {})
        for name in self._limits.orders:
            windows.setdefault(name, _Window(_PERIODS_S[name]))
        return windows


def _correct(window: _Window, count: str | None, now: float) -> None:
    if count is None or not count.strip().isdecimal():
        return
    # A smaller number than ours may only mean that other requests are still under way.
    known, told = window.current(now), int(count)
    if told < known // 2:
        window.used, window.began_at = told, now
    else:
        window.used = max(told, known)
