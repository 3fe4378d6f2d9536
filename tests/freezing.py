"""Let processes stand still for a while: they live, hold what they hold, and answer nobody."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Stop the processes for the length of the block; one that is ending by itself is passed over."""
    stopped = tuple(pids)
    send(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        send(stopped, signal.SIGCONT)


def send(pids: Iterable[int], how: signal.Signals) -> None:
    """Send a signal to those that still live."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, how)
