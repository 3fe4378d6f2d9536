"""Keep a durable record of every command before it is sent, so that none is ever sent twice."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.domain.errors import ConfigError, InvariantError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class FolderTakenError(ConfigError):
    """Another agent of this account runs on the same folder."""


Record = dict[str, object]
_FILE = "commands.jsonl"
_LOCK = "agent.lock"
_PID_FILE = "agent.pid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Tell one command as the journal knows it. `reply` is None while nobody knows how it ended."""

    command_id: str
    what: Record
    reply: Record | None


class CommandJournal:
    """Own the journal file of one account. Not thread-safe: the thread that owns the terminal writes it.

    Every record is on the disk before its method returns. A last line that a crash cut short is dropped:
    its command was not sent. One process at a time: a lock that the operating system frees when it dies.

    Its process id stands in `agent.pid`, so that a supervisor can end one that hangs.

    Raises:
        FolderTakenError: another agent holds the folder.
        ConfigError: the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder / _LOCK)
        (folder / _PID_FILE).write_text(str(os.getpid()))
        self._path = folder / _FILE
        self._known: dict[str, Command] = {}
        try:
            self._file = self._open()
        except (ConfigError, OSError):
            self._lock.close()
            raise

    def find(self, command_id: str) -> Command | None:
        """Return a command that was begun before, or None."""
        return self._known.get(command_id)

    def open_commands(self) -> list[Command]:
        """Return the commands whose end nobody knows."""
        return [command for command in self._known.values() if command.reply is None]

    def begin(self, command_id: str, what: Record) -> None:
        """Record a command that is about to be sent.

        Raises:
            InvariantError: it was begun before.
            OSError: the disk refused; nothing may be sent.
        """
        if command_id in self._known:
            raise InvariantError(f"command {command_id}: begun twice")
        self._append({"id": command_id, "what": what})
        self._known[command_id] = Command(command_id=command_id, what=what, reply=None)

    def end(self, command_id: str, reply: Record) -> None:
        """Record how a command ended. Raises OSError when the disk refuses: the end stays unknown."""
        begun = self._known.get(command_id)
        if begun is None:
            raise InvariantError(f"command {command_id}: ended and never begun")
        self._append({"id": command_id, "reply": reply})
        self._known[command_id] = Command(command_id=command_id, what=begun.what, reply=reply)

    def close(self) -> None:
        """Close the file and free the folder."""
        self._file.close()
        self._lock.close()

    def _open(self) -> IO[bytes]:
        sound = 0
        data = self._path.read_bytes() if self._path.exists() else b""
        for line in data.splitlines(keepends=True):
            record = _parse(line) if line.endswith(b"\n") else None
            if record is None:
                break
            self._note(record)
            sound += len(line)
        if b"\n" in data[sound:]:
            raise ConfigError(f"{self._path}: expected JSON lines, byte {sound} is damaged: keep it, ask why")
        file = self._path.open("r+b" if self._path.exists() else "x+b")
        file.truncate(sound)
        file.seek(sound)
        _flush(file)
        return file

    def _note(self, record: Mapping[str, object]) -> None:
        command_id, what, reply = str(record["id"]), record.get("what"), record.get("reply")
        if isinstance(what, dict):
            self._known[command_id] = Command(command_id=command_id, what=what, reply=None)
        elif isinstance(reply, dict) and command_id in self._known:
            begun = self._known[command_id].what
            self._known[command_id] = Command(command_id=command_id, what=begun, reply=reply)

    def _append(self, record: Record) -> None:
        start = self._file.tell()
        try:
            self._file.write(json.dumps(record, default=str, separators=(",", ":")).encode() + b"\n")
            _flush(self._file)
        except OSError:
            # Half a line would damage the next one.
            self._file.seek(start)
            self._file.truncate(start)
            raise


def living_holder(folder: Path) -> int | None:
    """Return the process id of the agent that holds a folder, or None when its lock is free: it is dead."""
    try:
        _lock(folder / _LOCK).close()
    except FolderTakenError:
        text = (folder / _PID_FILE).read_text(encoding="ascii")
        return int(text) if text.isdecimal() and int(text) > 1 else None
    return None


def _parse(line: bytes) -> Mapping[str, object] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) else None


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _lock(path: Path) -> IO[bytes]:
    file = path.open("a+b")
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.close()
        raise FolderTakenError(f"{path.parent}: another agent of this account is running") from e
    return file
