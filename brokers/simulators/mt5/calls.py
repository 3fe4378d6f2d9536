"""Hold one call of a module function as the handlers see it, and the ways it can fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.server_time import ServerTime
from brokers.simulators.mt5.simulator import Simulator
from brokers.simulators.mt5.terminals import Terminal

ERROR_TEXTS: Mapping[int, str] = {
    mt5.RES_E_FAIL: "Terminal: Call failed",
    mt5.RES_E_INVALID_PARAMS: "Terminal: Invalid params",
    mt5.RES_E_NOT_FOUND: "Terminal: Not found",
    mt5.RES_E_AUTH_FAILED: "Terminal: Authorization failed",
    mt5.RES_E_UNSUPPORTED: "Terminal: Unsupported function",
    mt5.RES_E_AUTO_TRADING_DISABLED: "Auto-Trading using Python API disabled in Terminal",
    mt5.RES_E_INTERNAL_FAIL: "IPC call failed",
    mt5.RES_E_INTERNAL_FAIL_SEND: "IPC send failed",
    mt5.RES_E_INTERNAL_FAIL_RECEIVE: "IPC recv failed",
    mt5.RES_E_INTERNAL_FAIL_INIT: "IPC initialize failed, Process create failed",
    mt5.RES_E_INTERNAL_FAIL_CONNECT: "No IPC connection",
    mt5.RES_E_INTERNAL_FAIL_TIMEOUT: "IPC timeout",
}


class Failed(Exception):  # noqa: N818 # what the module reports as its last error, not an error of ours
    """Leave a handler with the code that last_error will show."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"{code} {text or ERROR_TEXTS[code]}")
        self.code = code
        self.text = text or ERROR_TEXTS[code]


@dataclass(slots=True, kw_only=True)
class Call:
    """One call: the function, its arguments, the terminal it came through and the account that answers."""

    sim: Simulator
    function: str
    arguments: Mapping[str, object]
    terminal: Terminal
    login: int
    time_shift_s: int = 0

    @property
    def book(self) -> Book:
        """Return the book of the account. Raises: Failed when the terminal is logged in to none."""
        book = self.sim.books.get(self.login)
        if book is None:
            raise Failed(mt5.RES_E_FAIL)
        return book

    @property
    def time(self) -> ServerTime:
        """Return how the account's server counts time."""
        return self.sim.server_time(self.book.account, self.time_shift_s)

    def text(self, name: str) -> str:
        """Return a text argument, empty when absent."""
        value = self.arguments.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str, default: int = 0) -> int:
        """Return an integer argument."""
        value = self.arguments.get(name)
        return value if isinstance(value, int) else default

    def real(self, name: str) -> float:
        """Return a numeric argument. Raises: Failed when it is none."""
        value = self.arguments.get(name)
        if not isinstance(value, int | float):
            raise Failed(mt5.RES_E_INVALID_PARAMS)
        return float(value)


Handler = Callable[[Call], object]
