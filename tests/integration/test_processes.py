"""Supervised processes come back at once, and none outlives its supervisor."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.clock import SystemClock
from app.infra.processes import (
    ProcessError,
    ProcessGroup,
    ProcessSpec,
    ProcessStatus,
    processes_path,
    read_processes,
    rotate,
)
from tests.waiting import eventually

pytestmark = pytest.mark.integration

FOREVER = "import threading; threading.Event().wait()"
STUBBORN = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"
)
SUPERVISOR = """
import pathlib, sys, threading
from app.infra.clock import SystemClock
from app.infra.processes import ProcessGroup, ProcessSpec
group = ProcessGroup(pathlib.Path(sys.argv[1]), SystemClock(), on_crash_loop=print)
group.start([ProcessSpec(name="child", argv=(sys.executable, "-c", sys.argv[2]))])
print(group.status()[0].pid, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def alarms() -> list[str]:
    return []


@pytest.fixture
def group(tmp_path: Path, alarms: list[str]) -> Iterator[ProcessGroup]:
    group = ProcessGroup(tmp_path, SystemClock(), on_crash_loop=alarms.append)
    yield group
    group.stop(grace_s=5)


def python(name: str, code: str, **changes: object) -> ProcessSpec:
    return ProcessSpec(name=name, argv=(sys.executable, "-c", code), **changes)  # type: ignore[arg-type]


def only(group: ProcessGroup) -> ProcessStatus:
    (status,) = group.status()
    return status


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_killed_process_is_replaced(group: ProcessGroup) -> None:
    group.start([python("worker", FOREVER)])
    killed = group.kill("worker")

    eventually(lambda: only(group).pid not in {None, killed})

    assert only(group).restarts == 1
    assert only(group).last_exit == -signal.SIGKILL


def test_whose_understudy_runs_is_replaced_a_moment_later(group: ProcessGroup) -> None:
    group.start([python("lead", FOREVER, understudy="second"), python("second", FOREVER, understudy="lead")])

    killed = time.monotonic()
    group.kill("lead")
    eventually(lambda: _status(group, "lead").restarts == 1 and _status(group, "lead").pid is not None)
    assert time.monotonic() - killed > 2

    for name in ("lead", "second"):
        group.kill(name)
    eventually(lambda: min(_status(group, name).restarts for name in ("lead", "second")) >= 1)
    eventually(lambda: _status(group, "lead").restarts == 2)


def test_who_waits_starts_when_the_understudy_dies_as_well(group: ProcessGroup) -> None:
    group.start([python("lead", FOREVER, understudy="second"), python("second", FOREVER, restart=False)])
    group.kill("lead")
    eventually(lambda: _status(group, "lead").pid is None)

    group.kill("second")
    died = time.monotonic()
    eventually(lambda: _status(group, "lead").restarts == 1)

    assert time.monotonic() - died < 2


def _status(group: ProcessGroup, name: str) -> ProcessStatus:
    return next(status for status in group.status() if status.name == name)


def test_a_process_that_ends_by_itself_is_replaced_unless_it_runs_once(group: ProcessGroup) -> None:
    group.start([python("once", "raise SystemExit(3)", restart=False)])

    eventually(lambda: only(group).last_exit == 3)

    assert only(group).pid is None
    assert only(group).restarts == 0


def test_a_crash_loop_is_slowed_down_and_reported_once(group: ProcessGroup, alarms: list[str]) -> None:
    group.start([python("broken", "print('no such table'); raise SystemExit(1)")])

    eventually(lambda: alarms)

    assert only(group).restarts == 4
    assert "broken died 5 times" in alarms[0]
    assert "no such table" in alarms[0]
    eventually(lambda: only(group).restarts > 4)  # slowed down, not given up
    assert len(alarms) == 1


def test_start_waits_until_the_process_is_ready(group: ProcessGroup, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"import pathlib; pathlib.Path({str(mark)!r}).touch(); {FOREVER}"

    group.start([python("server", code, ready=mark.exists)])

    assert mark.exists()


def test_what_does_not_become_ready_is_named_with_its_log(group: ProcessGroup) -> None:
    with pytest.raises(ProcessError, match=r"(?s)server is not ready.*port taken"):
        group.start([python("server", f"print('port taken', flush=True); {FOREVER}", ready=lambda: False)], 1)

    code = "print('bad option'); raise SystemExit(2)"
    with pytest.raises(ProcessError, match=r"(?s)once ended \(2\).*bad option"):
        group.start([python("once", code, ready=lambda: False, restart=False)])


def test_stop_ends_the_deaf_too_and_their_children(group: ProcessGroup) -> None:
    spawn = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {FOREVER!r}]).pid)"
    log = group.log_path("deaf")
    group.start([python("deaf", f"{spawn}; {STUBBORN}", ready=lambda: "deaf" in log.read_text())])
    family = [only(group).pid, int(log.read_text().split()[0])]
    assert all(pid is not None and is_alive(pid) for pid in family)

    group.stop("deaf", grace_s=0.2)

    assert group.status() == []
    eventually(lambda: not any(is_alive(pid) for pid in family if pid is not None))


def test_an_orderly_restart_gives_a_new_process_and_counts_no_crash(group: ProcessGroup) -> None:
    group.start([python("worker", FOREVER)])
    before = only(group).pid

    group.restart("worker")

    assert only(group).pid not in {None, before}
    assert only(group).restarts == 0


def test_others_can_read_who_runs(group: ProcessGroup, tmp_path: Path) -> None:
    group.start([python("worker", FOREVER)])

    assert read_processes(tmp_path) == group.status()
    assert json.loads(processes_path(tmp_path).read_text())["supervisor"] == os.getpid()
    killed = group.kill("worker")
    eventually(lambda: [p.restarts for p in read_processes(tmp_path) if p.pid not in {None, killed}] == [1])


def test_environment_and_output_reach_the_process_and_its_log(group: ProcessGroup) -> None:
    code = "import os; print(os.environ['OPENBELL_HOME'])"
    group.start([python("worker", code, env={"OPENBELL_HOME": "/over/there"}, restart=False)])

    eventually(lambda: group.log_path("worker").read_text() == "/over/there\n")


def test_a_process_gives_way_as_far_as_it_shall(group: ProcessGroup) -> None:
    code = f"import os; print(os.getpriority(os.PRIO_PROCESS, 0), flush=True); {FOREVER}"
    group.start([python(f"nice-{n}", code, nice=n) for n in (0, 7)])
    logs = [group.log_path(f"nice-{n}") for n in (0, 7)]
    eventually(lambda: all(log.read_text() for log in logs))

    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert [int(log.read_text()) for log in logs] == [usual, usual + 7]


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), FOREVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert is_alive(child)
        supervisor.kill()

    eventually(lambda: not is_alive(child))


def test_names_are_taken_once_and_unknown_names_are_refused(group: ProcessGroup) -> None:
    group.start([python("worker", FOREVER)])

    with pytest.raises(ProcessError, match="named worker is running"):
        group.start([python("worker", FOREVER)])
    with pytest.raises(ProcessError, match="No process is named wroker; there are worker"):
        group.kill("wroker")


def test_a_long_log_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 10)
        rotate(log, 1000)
        assert not (tmp_path / "worker.log.1").exists()

        rotate(log, 10)
        writer.write(b"new\n")

    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "worker.log.1").read_bytes() == b"old\n" * 10
