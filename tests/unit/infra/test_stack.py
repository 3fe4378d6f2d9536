"""The stack ends in good order."""

from pathlib import Path
from types import SimpleNamespace

from app.infra.stack import WORKERS, paper_spec, stop_stack


class RecordingGroup:
    """Note who is stopped, in order."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.stopped: list[str] = []

    def status(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.names]

    def stop(self, name: str | None = None, *, grace_s: float) -> None:
        assert grace_s > 0
        self.stopped += [name] if name is not None else ["the rest"]
        self.names = [other for other in self.names if name not in (None, other)]


def test_paper_exchange_ends_after_every_worker() -> None:
    group = RecordingGroup(["paper", "api", *(worker.name for worker in WORKERS), "feed", "beat"])

    stop_stack(group)  # type: ignore[arg-type]  # the part of a process group that it needs

    assert group.stopped[0] == "beat"
    assert group.stopped[-2:] == ["paper", "the rest"]


def test_demo_clock_is_told_to_the_paper_exchange() -> None:
    plain = paper_spec(Path("home"), port=8788, clock_file=None)
    demo = paper_spec(Path("home"), port=8788, clock_file=Path("clock"))

    assert plain.argv[1:] == ("-m", "brokers.paper.exchange", "--home", "home", "--port", "8788")
    assert demo.argv == (*plain.argv, "--clock-file", "clock")
