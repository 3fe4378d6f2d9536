"""Keep the day's rules of all symbols, shared by the accounts of a process."""

import threading

from app.domain.ports import Clock
from brokers.binance.instruments import Exchange, Rules

_AGE_S = 3600.0
_TRY_EVERY_S = 1.0


class RuleBook:
    """Hold what the last exchangeInfo said. Thread-safe; empty until it was read once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._exchange: Exchange | None = None
        self._read_at = 0.0
        self._tried_at = float("-inf")

    def use(self, exchange: Exchange) -> None:
        """Take over what the venue says now."""
        with self._lock:
            self._exchange, self._read_at = exchange, self._clock.monotonic()

    def rules(self, symbol: str) -> Rules | None:
        """Return a symbol's rules, None while they are not known."""
        with self._lock:
            return None if self._exchange is None else self._exchange.rules.get(symbol)

    def doubt(self) -> None:
        """Note that the venue refused what the rules allow: tick, step or state may have changed."""
        with self._lock:
            self._exchange = None

    def claim_refresh(self) -> bool:
        """Whether the rules should be read again; says so to one caller a second only."""
        with self._lock:
            now = self._clock.monotonic()
            is_fresh = self._exchange is not None and now - self._read_at < _AGE_S
            if is_fresh or now - self._tried_at < _TRY_EVERY_S:
                return False
            self._tried_at = now
            return True
