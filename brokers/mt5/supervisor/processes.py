"""Start and end the processes of agents and terminals, on Windows and elsewhere."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

_TERMINAL_VARIABLE = "OPENBELL_MT5_TERMINAL"
_KILL_WITHIN_S = 20.0
# The path travels as a variable: nothing in it can become a command.
_STOP_TERMINAL = (
    "Get-CimInstance Win32_Process | "
    f"Where-Object {{ $_.ExecutablePath -eq $env:{_TERMINAL_VARIABLE} }} | "
    "ForEach-Object { Stop-Process -Id $_.ProcessId -Force }"
)


def start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start an agent in a group of its own. Raises OSError when it cannot be started."""
    if sys.platform == "win32":
        return subprocess.Popen(command, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP)  # noqa: S603  ours
    return subprocess.Popen(command, start_new_session=True)  # noqa: S603  our own settings


def ask_to_end(pid: int) -> None:
    """Let a process finish what it answers and end; one that is gone is no fault."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def kill(pid: int) -> None:
    """End a process and what it started, at once and whatever it does; one that is gone is no fault."""
    if sys.platform == "win32":
        _run(("taskkill", "/F", "/T", "/PID", str(pid)), {})
        return
    try:
        # An agent that we started leads its group; another program's group is not ours to end.
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def stop_terminal(terminal: str) -> None:
    """End the terminal program of an account, found by its path.

    Windows only: elsewhere the terminal is the agent's own child, or a simulation.
    """
    if sys.platform == "win32" and terminal:
        command = ("powershell", "-NoProfile", "-NonInteractive", "-Command", _STOP_TERMINAL)
        _run(command, {_TERMINAL_VARIABLE: os.path.normpath(terminal)})


def _run(command: Sequence[str], variables: dict[str, str]) -> None:
    try:
        subprocess.run(  # noqa: S603  programs of Windows with fixed arguments
            command,
            env={**os.environ, **variables},
            check=False,
            timeout=_KILL_WITHIN_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
