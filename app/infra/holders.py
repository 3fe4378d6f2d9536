"""Name the processes that hold leases, and tell which of this machine's are dead."""

import os
import socket


def this_holder() -> str:
    """Return the name of this process: its machine and its number."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead_here(holder: str) -> bool:
    """Whether a holder was a process of this machine and is no more.

    A number that another process has got since counts as alive, and so does whatever runs elsewhere: then the
    lease lapses in its own time. Fencing numbers keep a mistake harmless.
    """
    machine, _, number = holder.rpartition(":")
    if machine != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
