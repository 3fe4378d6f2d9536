"""Keep what brokers answered until the ledger has it.

Nobody but the lane that asked knows an answer. A PostgreSQL that was away for a moment must not make an
outcome unknown, for which a position would wait without its stop.
"""

import queue
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()

T = TypeVar("T")


class Answers(Generic[T]):
    """Hold answers from any thread for the one owner that writes them."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[T] = queue.SimpleQueue()

    def put(self, answer: T) -> None:
        """Take an answer. Thread-safe."""
        self._waiting.put(answer)

    def record(self, write: Callable[[Sequence[T]], None]) -> Sequence[T]:
        """Write what came, and return it; without PostgreSQL all of it is kept for the next time.

        `write` must bear to be called again with answers that it has written: a commit may happen unheard.
        """
        answers: list[T] = []
        while not self._waiting.empty():
            answers.append(self._waiting.get())
        if not answers:
            return ()
        try:
            write(answers)
        except OperationalError as e:
            log.warning("answers_kept", answers=len(answers), error=type(e.orig).__name__)
            for answer in answers:
                self._waiting.put(answer)
            return ()
        return answers
