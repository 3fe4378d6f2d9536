"""Tell the exchange's time: the machine's, or that of the clock file which the whole installation shares."""

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD = struct.Struct("<QqqdQ")  # generation, monotonic anchor ns, virtual anchor us, rate, generation


class Clock(Protocol):
    """Tell aware UTC time."""

    def now(self) -> datetime:
        """Return the instant."""


class MachineClock:
    """Tell the machine's time."""

    def now(self) -> datetime:
        # A server process of its own that brokers may not hand a clock of app.infra.
        return datetime.now(UTC)  # noqa: TID251


class FileClock:
    """Read the platform's virtual clock; the file's form is that of OPENBELL_CLOCK_FILE.

    Raises: OSError or ValueError when there is no such file.
    """

    def __init__(self, path: Path) -> None:
        if path.stat().st_size < _RECORD.size:
            raise ValueError(f"expected a clock file of {_RECORD.size} bytes at {path}")
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), _RECORD.size, access=mmap.ACCESS_READ)

    def now(self) -> datetime:
        while True:
            first, anchor_ns, micros, rate, last = _RECORD.unpack(self._map[:])
            if first == last:
                break
        elapsed_s = (time.monotonic_ns() - anchor_ns) / 1e9 * rate
        return _EPOCH + timedelta(microseconds=micros) + timedelta(seconds=elapsed_s)
