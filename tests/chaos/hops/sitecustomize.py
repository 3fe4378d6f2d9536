"""Let a worker die, or fall asleep, exactly before or after a commit or a call to a broker.

Python imports this at the start of each process of a day whose path begins here; nothing of the product knows
of it. Whoever wants a death arms it by a file; the first process that passes the hop takes the file away and
dies. A second file sets a process's machine time off.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_FOLDER = os.environ.get("CHAOS_FOLDER")


def worker_name() -> str | None:
    """Return the name of the Celery worker that this process is, None for every other program."""
    words = sys.orig_argv
    return words[words.index("--hostname") + 1].split("@")[0] if "--hostname" in words else None


def _pass_by(hop: Path) -> None:
    """Die or fall asleep here if somebody armed this hop for a function that is being carried out."""
    try:
        function, how = hop.read_text().split()
    except (FileNotFoundError, ValueError):
        return
    if not _is_inside(function):
        return
    try:
        hop.rename(hop.with_name(f"{hop.name}.{os.getpid()}"))
    except FileNotFoundError:
        return  # another process or thread was first
    # To this thread: a signal to the process stops another one first, and this one would still commit.
    signal.pthread_kill(threading.get_ident(), signal.Signals[how])


def _is_inside(function: str) -> bool:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_qualname == function:
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return False


class _Watched:
    """A gateway that passes the hops around each of its calls."""

    def __init__(self, gateway: Any, hops: dict[str, Path]) -> None:
        self._gateway = gateway
        self._hops = hops

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._gateway, name)
        if not name.startswith(("submit_", "modify_", "cancel_", "request_")):
            return found

        def call(*args: Any, **options: Any) -> Any:
            _pass_by(self._hops["before_call"])
            answer = found(*args, **options)
            _pass_by(self._hops["after_call"])
            return answer

        return call


def _unwatched(gateway: Any) -> Any:
    """Return the gateway itself, by which the product knows it."""
    return gateway._gateway if isinstance(gateway, _Watched) else gateway


def install(name: str, folder: Path) -> None:
    """Put the hops around this worker's commits and calls, and its machine time under our hand."""
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    from app.infra.clock import VirtualClock
    from app.services.gateways import Gateways

    role = name.removesuffix("-2")
    hops = {
        where: folder / f"hop.{role}.{where}"
        for where in ("before_commit", "after_commit", "before_call", "after_call")
    }
    event.listen(Session, "after_flush", lambda session, _: _note_write(session))
    event.listen(Session, "do_orm_execute", _note_statement)
    event.listen(Session, "before_commit", lambda session: _at_commit(session, hops["before_commit"]))
    event.listen(Session, "after_commit", lambda session: _at_commit(session, hops["after_commit"]))
    get = Gateways.get
    Gateways.get = lambda self, account_id: _Watched(get(self, account_id), hops)  # type: ignore[method-assign]
    forget = Gateways.forget
    Gateways.forget = lambda self, account_id, gateway: forget(self, account_id, _unwatched(gateway))  # type: ignore[method-assign]
    wall, off = VirtualClock.wall, folder / f"skew.{name}"
    VirtualClock.wall = lambda self: wall(self) + _skew(off)  # type: ignore[method-assign]


def _note_write(session: Any) -> None:
    session.info["wrote"] = True


def _note_statement(state: Any) -> None:
    if not state.is_select:
        _note_write(state.session)


def _at_commit(session: Any, hop: Path) -> None:
    """Pass a hop at a commit that changes something: lanes commit many times a second without any news."""
    if session.info.get("wrote") or session.new or session.dirty:
        _pass_by(hop)


def _skew(file: Path) -> Any:
    from datetime import timedelta

    try:
        return timedelta(seconds=float(file.read_text()))
    except (FileNotFoundError, ValueError):
        return timedelta(0)


if _FOLDER is not None and (_name := worker_name()) is not None:
    install(_name, Path(_FOLDER))
    if _mutant := os.environ.get("CHAOS_MUTANT"):
        from tests.chaos.hops.mutants import MUTANTS

        MUTANTS[_mutant](_name)
