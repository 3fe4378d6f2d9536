"""File locks that tell the living from the dead, whatever a pid file says."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.infra.engines.errors import EngineError

_POLL_S = 0.05


def try_lock(path: Path) -> int | None:
    """Take the exclusive lock on a file and return its descriptor, or None while someone holds it.

    A child that inherits the descriptor keeps the lock until it and all its children are gone. That is
    how we know whether a server is alive: pids are reused, and pid files survive kill -9.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Tell whether some process holds the lock."""
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def wait_unlocked(path: Path, timeout_s: float) -> bool:
    """Wait until nobody holds the lock; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while is_locked(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


@contextmanager
def exclusive(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock for the block, so that two commands never start the same engine at once.

    Raises: EngineError when another process holds it for longer than the time-out.
    """
    deadline = time.monotonic() + timeout_s
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise EngineError(
                f"Another process has been starting or stopping the engines for {timeout_s:.0f} s "
                f"(it holds {path}). Wait for it, or stop it, and try again."
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        os.close(descriptor)
