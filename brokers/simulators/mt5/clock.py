"""Keep the broker's virtual time: set over the control door, or read from a shared clock file."""

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# generation, monotonic anchor in ns, virtual anchor in us since the epoch, rate, generation again
_RECORD = struct.Struct("<QqqdQ")


class Clock(Protocol):
    """Tell virtual time."""

    @property
    def rate(self) -> float:
        """Return how many virtual seconds pass in a real one; 0 stands still."""

    def now(self) -> datetime:
        """Return the virtual instant, UTC."""


class VirtualClock:
    """Run at `rate` times real time from the instant that was last set."""

    def __init__(self, start: datetime) -> None:
        self._base = start.astimezone(UTC)
        self._base_real = time.monotonic()
        self._rate = 0.0

    @property
    def rate(self) -> float:
        return self._rate

    def now(self) -> datetime:
        return self._base + timedelta(seconds=(time.monotonic() - self._base_real) * self._rate)

    def set(self, now: datetime, rate: float) -> None:
        """Jump to an instant and run on at a rate; 0 freezes."""
        self._base = now.astimezone(UTC)
        self._base_real = time.monotonic()
        self._rate = rate


class FileClock:
    """Follow a clock file that somebody else writes: an anchor pair and a rate, 40 bytes.

    CLOCK_MONOTONIC is one for all processes of a Linux machine. The generation stands first and last, so that
    a torn read is seen and repeated. Raises ValueError when the file is not there or too short.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file() or path.stat().st_size < _RECORD.size:
            raise ValueError(f"expected a clock file of {_RECORD.size} bytes, found none at {path}")
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), _RECORD.size, access=mmap.ACCESS_READ)

    @property
    def rate(self) -> float:
        return self._read()[2]

    def now(self) -> datetime:
        anchor_ns, micros, rate = self._read()
        elapsed_s = (time.monotonic_ns() - anchor_ns) / 1e9 * rate
        return _EPOCH + timedelta(microseconds=micros) + timedelta(seconds=elapsed_s)

    def _read(self) -> tuple[int, int, float]:
        while True:
            first, anchor_ns, micros, rate, last = _RECORD.unpack(self._map[:])
            if first == last:
                return anchor_ns, micros, rate
