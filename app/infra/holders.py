"""Name the processes that hold leases, and tell which of this machine's are dead."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def _here() -> str | None:
    """Return what no other place with processes is called, its boot and PID namespace; None where untold.

    A host's name is not enough: two machines may share it, and so may two containers of one machine.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot[:13]}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def this_holder() -> str:
    """Return the name of this process: its machine, where on it, and its number."""
    return f"{socket.gethostname()}/{_here()}:{os.getpid()}"


def is_dead_here(holder: str) -> bool:
    """Whether a holder was a process of this very place and is no more.

    A number that another process has got since counts as alive, and so does whatever runs elsewhere or where
    places cannot be told apart: then the lease lapses in its own time.
    """
    place, _, number = holder.rpartition(":")
    if _here() is None or place.rpartition("/")[2] != _here() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
