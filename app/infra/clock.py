"""Tell the time: the machine's own, or the demo's shared virtual clock."""

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.domain.errors import ConfigError
from app.domain.ports import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD = struct.Struct("<QqqdQ")  # generation, monotonic anchor ns, virtual anchor us, rate, generation


class SystemClock:
    """Tell the machine's time; the clock of real trading."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class VirtualClock:
    """Tell the demo's time, which every process of the machine reads from one small file.

    CLOCK_MONOTONIC is one for all processes of a Linux machine, so the file holds an anchor pair and a
    rate. The generation number stands first and last: a torn read is seen and repeated.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size < _RECORD.size:
            raise ConfigError(
                f"OPENBELL_CLOCK_FILE: expected a clock file made by the demo, found none at {path}"
            )
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _RECORD.size)

    @classmethod
    def create(cls, path: Path, *, at: datetime, rate: float) -> "VirtualClock":
        """Make the clock file and set it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(_RECORD.size))
        clock = cls(path)
        clock.set(at, rate=rate)
        return clock

    def set(self, at: datetime, *, rate: float) -> None:
        """Jump to an instant and run on at `rate` virtual seconds a real second. One writer only."""
        generation = self._read()[0] + 1
        micros = (at - _EPOCH) // timedelta(microseconds=1)
        self._map[:] = _RECORD.pack(generation, time.monotonic_ns(), micros, rate, generation)

    def now(self) -> datetime:
        _, anchor_ns, micros, rate = self._read()
        elapsed_s = (time.monotonic_ns() - anchor_ns) / 1e9 * rate
        return _EPOCH + timedelta(microseconds=micros) + timedelta(seconds=elapsed_s)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def _read(self) -> tuple[int, int, int, float]:
        while True:
            first, anchor_ns, micros, rate, last = _RECORD.unpack(self._map[:])
            if first == last:
                return first, anchor_ns, micros, rate


def open_clock(path: Path | None) -> Clock:
    """Return the demo's clock where a file is configured, else the machine's."""
    return SystemClock() if path is None else VirtualClock(path)
