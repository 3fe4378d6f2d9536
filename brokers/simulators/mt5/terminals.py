"""Keep the terminals: one per folder, each logged in to at most one account, reached through pipes."""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Terminal:
    """One terminal program; whoever connects to its folder shares its account."""

    folder: str
    portable: bool
    login: int = 0
    selected: set[str] = field(default_factory=set)  # symbols taken out of Market Watch are not in here
    books: set[str] = field(default_factory=set)  # symbols whose depth of market is open


class Terminals:
    """Hand out pipes to terminals."""

    def __init__(self) -> None:
        self.by_folder: dict[str, Terminal] = {}
        self._pipes: dict[str, str] = {}
        self._issued = 0

    def connect(self, folder: str, *, portable: bool) -> tuple[str, Terminal]:
        """Start the folder's terminal if it does not run; return a new pipe to it."""
        terminal = self.by_folder.setdefault(folder, Terminal(folder=folder, portable=portable))
        self._issued += 1
        pipe = f"MT5.Terminal.{self._issued:08x}"
        self._pipes[pipe] = folder
        return pipe, terminal

    def find(self, pipe: str) -> Terminal | None:
        """Return the terminal behind a pipe, None when the pipe is broken."""
        folder = self._pipes.get(pipe)
        return None if folder is None else self.by_folder.get(folder)

    def disconnect(self, pipe: str) -> None:
        """Close a pipe; the terminal runs on."""
        self._pipes.pop(pipe, None)

    def crash(self, folder: str) -> None:
        """End a terminal: all its pipes break. It remembers its account, as its folder does."""
        self._pipes = {pipe: place for pipe, place in self._pipes.items() if place != folder}
