"""Turn looks at the books into news, and say when some may be missing: MT5 pushes nothing."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from app.domain.errors import BrokerError, SessionExpiredError
from app.domain.ids import BrokerOrderId
from app.domain.ports import Clock
from app.domain.reports import AccountEvent, Gap, OrderReport, PositionReport, StreamDown
from brokers.mt5.books import Books

LOOK_EVERY_S = 0.25
# Books that miss what was accepted are normal for a moment only.
_BEHIND_S = 3.0
_STEADY_S = 10.0
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class _LostError(Exception):
    """The books are of no use at the moment; the reason says why."""


class BooksStream:
    """Watch one account's books, in a thread of its own so that a slow agent holds up nobody else.

    Args:
        look: reads the books and says whether they show all that is known; raises BrokerError.
        clock: its monotonic seconds measure how long the books lag.
    """

    def __init__(self, *, look: Callable[[], tuple[Books, bool]], clock: Clock) -> None:
        self._look = look
        self._clock = clock

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield news for ever: Gap("connected") after each (re)connect, StreamDown last of all."""
        changes = Changes()
        failures = 0
        with ThreadPoolExecutor(1, thread_name_prefix="mt5-books") as pool:
            while True:
                since = self._clock.monotonic()
                try:
                    async for books in self._looks(pool):
                        if books is None:
                            yield Gap(reason="connected")
                            continue
                        for event in changes.news(books):
                            yield event
                except SessionExpiredError as e:
                    yield StreamDown(reason=str(e), is_session_dead=True)
                    return
                except (_LostError, BrokerError) as e:
                    failures = 1 if self._clock.monotonic() - since > _STEADY_S else failures + 1
                    yield Gap(reason=f"lost: {e}")
                await _pause(failures)

    async def _looks(self, pool: ThreadPoolExecutor) -> AsyncIterator[Books | None]:
        """Yield None once for a connection, and then the books of each look."""
        loop = asyncio.get_running_loop()
        is_first, good_at = True, self._clock.monotonic()
        while True:
            books, is_complete = await loop.run_in_executor(pool, self._look)
            now = self._clock.monotonic()
            if is_complete:
                good_at = now
            elif now - good_at > _BEHIND_S:
                raise _LostError(f"the books miss for {_BEHIND_S:g} s what is known")
            if is_first and is_complete:
                is_first = False
                yield None
            yield books
            await asyncio.sleep(LOOK_EVERY_S)


class Changes:
    """Compare each look with the one before."""

    def __init__(self) -> None:
        self._versions: dict[BrokerOrderId, int] = {}
        self._positions: dict[str, Decimal] = {}

    def news(self, books: Books) -> Iterator[OrderReport | PositionReport]:
        """Yield the orders and net positions that changed; a position that is gone is told as zero."""
        for order in books.orders:
            if self._versions.get(order.broker_order_id) != order.version:
                yield order
        net = {position.broker_symbol: position.net_qty for position in books.positions}
        for symbol in sorted({*net, *self._positions}):
            quantity = net.get(symbol, Decimal(0))
            if quantity != self._positions.get(symbol, Decimal(0)):
                yield PositionReport(broker_symbol=symbol, net_qty=quantity)
        self._versions = {order.broker_order_id: order.version for order in books.orders}
        self._positions = net


async def _pause(failures: int) -> None:
    """Wait before the next look: longer after each failure in a row, with jitter against a herd."""
    base = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]
    await asyncio.sleep(base * random.uniform(0.5, 1.0))
