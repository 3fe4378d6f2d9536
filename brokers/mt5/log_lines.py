"""Write the log of agent and supervisor as JSON lines to standard error; nobody tells secrets here."""

import json
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO


class LogLines:
    """Tell what happened, one line for each event. Thread-safe.

    The standard library is enough for these two small programs, which must start fast on a Windows host.

    Args:
        bound: fields that stand in every line.
    """

    def __init__(self, stream: TextIO = sys.stderr, **bound: object) -> None:
        self._stream = stream
        self._bound = bound
        self._lock = threading.Lock()

    def info(self, event: str, **fields: object) -> None:
        """Tell a change of state."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Tell something odd that was handled."""
        self._write("warning", event, fields)

    def alarm(self, event: str, **fields: object) -> None:
        """Tell something that a person must look at."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")  # noqa: TID251  when the line was written
        line = {"timestamp": now, "level": level, "event": event, **self._bound, **fields}
        with self._lock:
            self._stream.write(json.dumps(line, default=str) + "\n")
            self._stream.flush()
