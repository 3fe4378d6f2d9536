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

LAST_TRIES = 20
"""How often a lane that ends tries to write what rows in other hands kept it from; each takes a moment."""

T = TypeVar("T")


class Answers(Generic[T]):
    """Hold answers from any thread for the one owner that writes them."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[T] = queue.SimpleQueue()

    def put(self, answer: T) -> None:
        """Take an answer. Thread-safe."""
        self._waiting.put(answer)

    def record(self, write: Callable[[Sequence[T]], Sequence[T]], *, tries: int = 1) -> Sequence[T]:
        """Write what came, and return it; without PostgreSQL all of it is kept for the next time.

        Args:
            write: returns the answers that must wait, because somebody else holds their rows. It must bear to
                be called again with answers that it has written: a commit may happen unheard.
            tries: how often those that must wait are tried before they are kept for the next time.
        """
        recorded: list[T] = []
        for _ in range(tries):
            answers = self._take()
            if not answers:
                break
            held = self._write(write, answers)
            recorded += [a for a in answers if not any(a is one for one in held)]
            for answer in held:
                self._waiting.put(answer)
        return recorded

    def _take(self) -> Sequence[T]:
        answers: list[T] = []
        while not self._waiting.empty():
            answers.append(self._waiting.get())
        return answers

    @staticmethod
    def _write(write: Callable[[Sequence[T]], Sequence[T]], answers: Sequence[T]) -> Sequence[T]:
        """Return the answers that could not be written."""
        try:
            return write(answers)
        except OperationalError as e:
            log.warning("answers_kept", answers=len(answers), error=type(e.orig).__name__)
            return answers
