"""Group ticks by exchange instant, and bound what waits."""

from collections import deque
from collections.abc import Sequence

from app.domain.ids import InstrumentId
from app.domain.market_data import Tick
from app.domain.reports import Gap

_BOUND = 20_000


class Inbox:
    """Hold what the venue sent until it is published; under overload only the newest tick per instrument.

    Bounded: a reader that is too slow sees fewer, never older prices (budget B10).
    """

    def __init__(self, bound: int = _BOUND) -> None:
        self._bound = bound
        self._items: deque[Tick | Gap] = deque()
        self.conflated = 0

    def put(self, item: Tick | Gap) -> None:
        """Add what came."""
        self._items.append(item)
        if len(self._items) > self._bound:
            self._conflate()

    def take(self) -> Sequence[Tick | Gap]:
        """Return and forget everything that waits, oldest first."""
        items, self._items = self._items, deque()
        return items

    def __len__(self) -> int:
        return len(self._items)

    def _conflate(self) -> None:
        latest: dict[InstrumentId, Tick] = {}
        gaps: list[Gap] = []
        for item in self._items:
            if isinstance(item, Gap):
                gaps = [item]
            else:
                latest.pop(item.instrument_id, None)  # keep the order of the newest ticks
                latest[item.instrument_id] = item
        self.conflated += len(self._items) - len(latest) - len(gaps)
        self._items = deque([*gaps, *latest.values()])


class RoundBuilder:
    """Collect the ticks of one exchange instant; a tick of another instant closes the round."""

    def __init__(self) -> None:
        self._ticks: dict[InstrumentId, Tick] = {}

    @property
    def is_open(self) -> bool:
        """Whether ticks wait for their round to close."""
        return bool(self._ticks)

    def add(self, tick: Tick) -> tuple[Tick, ...]:
        """Add a tick; return the round that it closes, empty when it closes none.

        A second tick of an instrument in one instant replaces the first in the round.
        """
        closed: tuple[Tick, ...] = ()
        if self._ticks and next(iter(self._ticks.values())).ts_event != tick.ts_event:
            closed = self.flush()
        self._ticks[tick.instrument_id] = tick
        return closed

    def flush(self) -> tuple[Tick, ...]:
        """Close the round; return its ticks."""
        ticks, self._ticks = tuple(self._ticks.values()), {}
        return ticks
