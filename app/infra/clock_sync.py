"""Ask the kernel whether something keeps the machine's clock in step with the world."""

import ctypes
import ctypes.util
import sys
from typing import ClassVar

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized


class _Timex(ctypes.Structure):
    # struct timex of adjtimex(2); only `modes` is written (0 reads) and the rest is room for the answer.
    _fields_: ClassVar = [("modes", ctypes.c_uint), ("room", ctypes.c_byte * 252)]


def is_clock_synchronized() -> bool | None:
    """Say whether the kernel's clock is disciplined (NTP, PTP or the host); None where it cannot tell."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    state = libc.adjtimex(ctypes.byref(_Timex(modes=0)))
    return None if state < 0 else state != _TIME_ERROR
