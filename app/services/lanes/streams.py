"""Listen to the accounts' order streams in one thread and hand the news to the exits lane."""

import asyncio
import queue
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Self

import structlog

from app.domain.errors import BrokerError, SessionExpiredError
from app.domain.ids import AccountId
from app.domain.reports import AccountEvent, StreamDown
from app.infra.cancellation import end_tasks
from app.services.gateways import Gateways
from app.services.lanes.wakes import Wakes

log = structlog.get_logger()

_RETRY_S = 1.0


class AccountStreams:
    """Keep one stream per account alive; news are put on `news`, oldest first per account."""

    def __init__(self, gateways: Gateways, wakes: Wakes) -> None:
        self.news: queue.SimpleQueue[tuple[AccountId, AccountEvent]] = queue.SimpleQueue()
        self._gateways = gateways
        self._wakes = wakes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="streams", daemon=True)
        self._tasks: dict[AccountId, Future[None]] = {}

    def __enter__(self) -> Self:
        """Start the thread that serves all streams."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all streams and the thread."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def follow(self, account_ids: Iterable[AccountId]) -> None:
        """Start listening to the accounts that are not followed yet."""
        for account_id in account_ids:
            if account_id not in self._tasks:
                self._tasks[account_id] = asyncio.run_coroutine_threadsafe(
                    self._listen(account_id), self._loop
                )

    async def _cancel_all(self) -> None:
        await end_tasks([t for t in asyncio.all_tasks() if t is not asyncio.current_task()])

    async def _listen(self, account_id: AccountId) -> None:
        while True:
            gateway = None
            try:
                gateway = await asyncio.to_thread(self._gateways.get, account_id)
                async for event in gateway.account_events():
                    self.news.put((account_id, event))
                    self._wakes.set()
                    if isinstance(event, StreamDown):
                        log.warning("order_stream_down", account_id=account_id, reason=event.reason)
                        await asyncio.to_thread(self._gateways.refresh, account_id)
            except SessionExpiredError:
                log.info("order_stream_waits_for_login", account_id=account_id)
                if gateway is not None:
                    await asyncio.to_thread(self._gateways.forget, account_id, gateway)
            except BrokerError as e:
                log.warning("order_stream_failed", account_id=account_id, error=str(e))
            await asyncio.sleep(_RETRY_S)
