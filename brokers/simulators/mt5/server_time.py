"""Count time as the trade server does: seconds since the epoch of its own wall clock, not UTC."""

from dataclasses import dataclass
from datetime import timedelta

from brokers.simulators.mt5.hours import from_epoch, server_offset


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTime:
    """Translate between UTC and server time; `fixed_s` replaces the convention, `shift_s` is a fault."""

    fixed_s: int | None = None
    shift_s: int = 0

    def offset_s(self, utc_s: int) -> int:
        """Return how far the server's clock stands before UTC at an instant, seconds."""
        if self.fixed_s is not None:
            return self.fixed_s + self.shift_s
        return server_offset(from_epoch(utc_s)) // timedelta(seconds=1) + self.shift_s

    def seconds(self, utc_s: int) -> int:
        """Return server seconds for UTC seconds; 0, which means never, stays 0."""
        return utc_s + self.offset_s(utc_s) if utc_s else 0

    def millis(self, utc_ms: int) -> int:
        """Return server milliseconds for UTC milliseconds."""
        return utc_ms + self.offset_s(utc_ms // 1000) * 1000 if utc_ms else 0

    def utc(self, server_s: int) -> int:
        """Return UTC seconds for server seconds."""
        return server_s - self.offset_s(server_s - self.offset_s(server_s))
