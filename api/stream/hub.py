"""Hand frames to the connected browsers; each has a bounded queue, so a slow one costs nothing."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.domain.ids import UserId

_MAX_WAITING = 200
STAFF = None
"""Audience of staff, who see everybody's rows."""

Audience = UserId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Hold one frame, serialized once for all who get it, without its opening `{"seq":n,`."""

    audience: Audience
    text: str


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """Hold what waits for one browser."""

    audience: Audience
    seq: int = 0
    waiting: deque[str] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, text: str) -> None:
        """Queue one frame. A client that does not keep up loses what waits and sees the gap in `seq`."""
        if len(self.waiting) >= _MAX_WAITING:
            self.seq += len(self.waiting)
            self.waiting.clear()
        self.waiting.append(text)
        self.news.set()

    def take(self) -> Iterator[str]:
        """Yield what waits as whole frames."""
        self.news.clear()
        while self.waiting:
            self.seq += 1
            yield f'{{"seq":{self.seq},{self.waiting.popleft()}'


class Hub:
    """Know the clients of this process. Lives on the event loop; `audiences` may be read by any thread."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self.audiences: frozenset[Audience] = frozenset()

    @contextmanager
    def connected(self, audience: Audience) -> Iterator[Client]:
        """Register a client for the time of the block."""
        client = Client(audience=audience)
        self._clients.add(client)
        self._count()
        try:
            yield client
        finally:
            self._clients.discard(client)
            self._count()

    def publish(self, bodies: Iterable[Body]) -> None:
        """Give each frame to the clients of its audience."""
        for body in bodies:
            for client in self._clients:
                if client.audience == body.audience:
                    client.put(body.text)

    @property
    def size(self) -> int:
        """How many browsers are connected."""
        return len(self._clients)

    def _count(self) -> None:
        self.audiences = frozenset(client.audience for client in self._clients)
