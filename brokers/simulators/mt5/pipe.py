"""Stand for the named pipe to a terminal: one connection and one last error per process, as the real one has.

The "pipe" is HTTP to the simulator, whose address is in the environment variable MT5_SIMULATOR_URL
(http://127.0.0.1:port). What can go wrong is mapped as the real module reports it: nobody listens ->
-10004, the connection breaks -> -10002, no answer within the time-out of initialize -> -10005.

A terminal that is killed does not end the Python process: the call under way fails with -10002 and all
later ones with -10004 until initialize starts the terminal again. A terminal that hangs blocks the call
while it holds the GIL, so that no other thread and no in-process time-out runs: only another process can
end it.
"""

import ctypes
import http.client
import json
import os
import signal
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from brokers.simulators.mt5 import constants as mt5

URL_VARIABLE = "MT5_SIMULATOR_URL"
DEFAULT_TIMEOUT_MS = 60_000
_DEFAULT_FOLDER = "C:\\Program Files\\MetaTrader 5"
_FOR_EVER_MS = 24 * 3600 * 1000
_SUCCESS = (mt5.RES_S_OK, "Success")


def freeze(milliseconds: int) -> None:
    """Block the process: PyDLL keeps the GIL through the call, as the real module does in its reads.

    Python's own signal handlers cannot run meanwhile, so their signals must not cut the call short either.
    """
    handled = {number for number in signal.valid_signals() if callable(signal.getsignal(number))}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    ctypes.PyDLL(None).poll(None, 0, milliseconds)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Pipe:
    """Hold the process's connection to one terminal. Not thread-safe, like the real one."""

    def __init__(self) -> None:
        self.last_error: tuple[int, str] = _SUCCESS
        self._timeout_s = DEFAULT_TIMEOUT_MS / 1000
        self._id = ""
        self._connection: http.client.HTTPConnection | None = None

    def fail(self, code: int, text: str) -> None:
        """Set the last error."""
        self.last_error = (code, text)

    def initialize(self, path: str, timeout_ms: int, credentials: Mapping[str, object]) -> bool:
        """Start the terminal of a path's folder and connect to it."""
        kind = PureWindowsPath if "\\" in path else PurePosixPath
        folder = str(kind(path).parent) if path else _DEFAULT_FOLDER
        self._timeout_s = timeout_ms / 1000
        self._id = ""
        self._drop()
        result = self._post("/initialize", {"folder": folder, **credentials})
        if not isinstance(result, dict):
            return False
        self._id = str(result["pipe"])
        return True

    def shutdown(self) -> None:
        """Close the pipe; the terminal runs on."""
        if self._id:
            self.call("shutdown", {"pipe": self._id})
        self._id = ""
        self._drop()
        self.last_error = _SUCCESS

    def call(self, function: str, arguments: Mapping[str, object]) -> object:
        """Return the terminal's answer, or None with the last error set."""
        if not self._id:
            self.fail(mt5.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
            return None
        return self._post(f"/terminal/{function}", {"pipe": self._id, "args": arguments})

    def _post(self, path: str, body: Mapping[str, object]) -> object:
        try:
            answer = self._exchange(path, json.dumps(body).encode())
        except ConnectionRefusedError:
            self._drop()
            self.fail(mt5.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
            return None
        except TimeoutError:
            self._drop()
            self.fail(mt5.RES_E_INTERNAL_FAIL_TIMEOUT, "IPC timeout")
            return None
        except (OSError, http.client.HTTPException, ValueError):
            self._drop()
            self.fail(mt5.RES_E_INTERNAL_FAIL_RECEIVE, "IPC recv failed")
            return None
        if "hang_s" in answer:
            freeze(_FOR_EVER_MS if answer["hang_s"] is None else round(answer["hang_s"] * 1000))
        if "error" in answer:
            code, text = answer["error"]
            self.fail(code, text)
            return None
        self.last_error = _SUCCESS
        return answer["result"]

    def _exchange(self, path: str, body: bytes) -> dict[str, Any]:
        connection = self._connect()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        if not isinstance(answer, dict):
            raise ValueError(  # noqa: TRY004  # a broken answer, handled as such
                f"expected a JSON object from the simulator, got {answer!r}"
            )
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            address = urlsplit(os.environ.get(URL_VARIABLE, ""))
            if address.hostname is None or address.port is None:
                raise ConnectionRefusedError(f"expected {URL_VARIABLE}=http://127.0.0.1:port")
            self._connection = http.client.HTTPConnection(
                address.hostname, address.port, timeout=self._timeout_s
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
