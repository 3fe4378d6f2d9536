"""Tell the paper exchange the prices of the feed, beside the feed and never in its way."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy.exc import OperationalError

from app.domain.errors import BrokerError, ConfigError, ProtocolError
from app.domain.ids import InstrumentId
from app.domain.market_data import Tick
from app.domain.ports import Clock
from app.services.paper import OpenPaperExchange, PaperExchange

log = structlog.get_logger()

T = TypeVar("T")
_LOOK_AGAIN_S = 5.0
_PAUSE_S = 0.1
_RETRY_S = 1.0


class PaperPrices:
    """Post the newest tick of each instrument while there are paper accounts. For one asyncio loop.

    The feed only leaves its ticks here. Posting has a task and a thread of its own: whatever the exchange
    does, the feed goes on, and ticks that wait replace each other.

    Args:
        open_exchange: connects; its calls have a time limit.
        has_accounts: says whether somebody trades on paper; blocking, raises OperationalError.
        clock: for durations.
        look_again_s: how long its answer holds.
    """

    def __init__(
        self,
        *,
        open_exchange: OpenPaperExchange,
        has_accounts: Callable[[], bool],
        clock: Clock,
        look_again_s: float = _LOOK_AGAIN_S,
    ) -> None:
        self._open_exchange = open_exchange
        self._has_accounts = has_accounts
        self._clock = clock
        self._look_again_s = look_again_s
        self._exchange: PaperExchange | None = None
        self._newest: dict[InstrumentId, Tick] = {}
        self._arrived = asyncio.Event()
        self._is_wanted = False
        self._is_out = False
        self._looked_at: float | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="paper-prices")

    def note(self, ticks: Sequence[Tick]) -> None:
        """Remember the ticks of a round; returns at once."""
        if self._is_wanted:
            self._newest.update((tick.instrument_id, tick) for tick in ticks)
            self._arrived.set()

    def start(self) -> "asyncio.Task[None]":
        """Start to post; cancel the task to end."""
        task = asyncio.create_task(self._run(), name="paper-prices")
        task.add_done_callback(_tell_fault)
        return task

    async def _run(self) -> None:
        try:
            while True:
                await self._look()
                if await self._has_news():
                    await self._post()
        finally:
            self._thread.submit(self._disconnect)
            self._thread.shutdown(wait=False)

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < self._look_again_s:
            return
        self._looked_at = now
        try:
            self._is_wanted = await self._in_thread(self._has_accounts)
        except OperationalError as e:
            log.debug("paper_accounts_unknown", error=str(e.orig))  # the last answer stays in force
        if not self._is_wanted:
            self._newest.clear()

    async def _has_news(self) -> bool:
        self._arrived.clear()
        if not self._newest:
            try:
                async with asyncio.timeout(self._look_again_s):
                    await self._arrived.wait()
            except TimeoutError:
                return False
        return True

    async def _post(self) -> None:
        batch, self._newest = self._newest, {}
        try:
            await self._in_thread(lambda: self._send(list(batch.values())))
        except (BrokerError, ConfigError) as e:
            if not isinstance(e, ProtocolError):  # what it cannot read once, it cannot read again
                self._newest = batch | self._newest
            if not self._is_out:
                log.warning("paper_prices_wait", error=str(e), kind=type(e).__name__)
            self._is_out = True
            await asyncio.sleep(_RETRY_S)
            return
        if self._is_out:
            log.info("paper_prices_go_on")
        self._is_out = False
        await asyncio.sleep(_PAUSE_S)

    def _send(self, ticks: Sequence[Tick]) -> None:
        try:
            if self._exchange is None:
                self._exchange = self._open_exchange()
            self._exchange.post_quotes(ticks)
        except BrokerError:
            self._disconnect()  # a new home has a new token, so the next one reads it again
            raise

    def _disconnect(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _tell_fault(task: "asyncio.Task[None]") -> None:
    # The feed must live on without it, and somebody must hear of it.
    if not task.cancelled() and task.exception() is not None:
        log.error("paper_prices_ended", error=repr(task.exception()))
