"""Do everything that touches the book one after the other, and commit what came together as one."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from brokers.paper.exchange.exchange import Exchange, News
from brokers.paper.exchange.refusals import RefusedError
from brokers.paper.exchange.store import Store

T = TypeVar("T")
_MOST_AT_ONCE = 200


class _Act(Generic[T]):
    def __init__(self, do: Callable[[], T]) -> None:
        self.do = do
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.refusal: RefusedError | None = None
        self.result: T | None = None

    def settle(self) -> None:
        if self.done.done():
            return  # the client has gone
        if self.refusal is not None:
            self.done.set_exception(self.refusal)
        else:
            self.done.set_result(self.result)  # type: ignore[arg-type]  # set by the same run that set no refusal


class Bookkeeper:
    """Run acts in a thread beside the event loop; each is on disk before its caller goes on.

    Args:
        store: opened for this keeper alone.
        exchange: its news is told after the commit.
        tell: takes the news, in the event loop.
    """

    def __init__(self, store: Store, exchange: Exchange, tell: Callable[[list[News]], None]) -> None:
        self._store, self._exchange, self._tell = store, exchange, tell
        self._queue: asyncio.Queue[_Act[object]] = asyncio.Queue()

    async def perform(self, do: Callable[[], T]) -> T:
        """Perform an act in a committed transaction and return its result.

        Raises: RefusedError: the act was refused, and nothing of it happened.
        """
        act: _Act[T] = _Act(do)
        self._queue.put_nowait(act)  # type: ignore[arg-type]  # the queue does not look at results
        return await act.done

    async def run(self) -> None:
        """Serve acts for ever."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and len(batch) < _MOST_AT_ONCE:
                batch.append(self._queue.get_nowait())
            (outcome,) = await asyncio.gather(asyncio.to_thread(self._commit, batch), return_exceptions=True)
            if isinstance(outcome, BaseException):
                # Nothing of the batch was committed; each caller answers 500, which proves nothing.
                self._exchange.take_news()
                for act in batch:
                    if not act.done.done():
                        act.done.set_exception(outcome)
                continue
            self._tell(outcome)
            for act in batch:
                act.settle()

    def _commit(self, batch: list[_Act[object]]) -> list[News]:
        news: list[News] = []
        with self._store.transaction():
            for act in batch:
                try:
                    with self._store.step():
                        act.result = act.do()
                except RefusedError as e:
                    act.refusal = e
                    self._exchange.take_news()
                    continue
                news += self._exchange.take_news()
        return news
