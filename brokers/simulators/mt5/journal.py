"""Remember every call that arrived, as evidence independent of the client's own logs."""

import time
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice

_KEEP = 400_000


@dataclass(slots=True, kw_only=True)
class Seen:
    """One call: the terminal's folder, magic as tag, arrival (epoch seconds), virtual time, how it ended."""

    seq: int
    terminal: str
    login: int
    path: str
    tag: str
    real: float
    virtual: str
    outcome: str = "pending"


class Journal:
    """Keep the requests of the day in order of arrival."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=_KEEP)
        self._seq = 0

    def open(self, *, terminal: str, path: str, now: datetime) -> Seen:
        """Note a request at its arrival; the caller fills in the account and the outcome."""
        self._seq += 1
        seen = Seen(
            seq=self._seq,
            terminal=terminal,
            login=0,
            path=path,
            tag="",
            real=time.time(),
            virtual=now.isoformat(),
        )
        self._seen.append(seen)
        return seen

    def since(self, seq: int) -> list[dict[str, object]]:
        """Return the requests with a larger sequence number, as plain JSON objects."""
        if not self._seen:
            return []
        skip = max(0, seq - self._seen[0].seq + 1)
        return [asdict(seen) for seen in islice(self._seen, skip, None)]
