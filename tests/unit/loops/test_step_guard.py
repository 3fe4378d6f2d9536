"""The guard interrupts what overruns, and never anything else."""

import threading
import time
from collections.abc import Callable

import pytest

from app.domain.deployments import Deployment
from app.infra.clock import SystemClock
from app.services.loops.step_guard import EXIT_CODE_STUCK, StepGuard, StepTimedOut
from tests.builders import deployment

OWNER = deployment()


def ignore(_owner: Deployment) -> None:
    """Nobody is stuck."""


def guard(budget_s: float) -> StepGuard:
    return StepGuard(SystemClock(), budget_s=budget_s, on_stuck=ignore)


def spin(seconds: float) -> Callable[[], str]:
    def step() -> str:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        return "done"

    return step


def test_returns_what_a_step_returns_in_time() -> None:
    with guard(5) as watched:
        assert watched.run(OWNER, lambda: "done") == "done"


def test_interrupts_an_endless_loop_and_serves_the_next_step() -> None:
    with guard(0.05) as watched:
        with pytest.raises(StepTimedOut):
            watched.run(OWNER, spin(60))

        assert watched.run(OWNER, lambda: "next") == "next"


def test_passes_on_what_a_step_raises() -> None:
    def step() -> None:
        raise KeyError("x")

    with guard(5) as watched, pytest.raises(KeyError):
        watched.run(OWNER, step)


def test_an_interruption_never_hits_code_outside_its_step() -> None:
    """Steps that end right at the budget: each ends one way or the other, and nothing leaks out."""
    outcomes = set()
    with guard(0.004) as watched:
        for i in range(400):
            try:
                outcomes.add(watched.run(OWNER, spin(0.002 + (i % 40) * 0.0001)))
            except StepTimedOut:
                outcomes.add("late")
            for _ in range(50):  # where a stray interruption would strike
                time.perf_counter()

    assert "done" in outcomes


def test_a_step_that_swallows_its_interruption_counts_as_late() -> None:
    def step() -> str:
        try:
            spin(60)()
        except StepTimedOut:
            return "as if nothing had happened"
        return "done"

    with guard(0.05) as watched, pytest.raises(StepTimedOut):
        watched.run(OWNER, step)


def test_gives_a_step_up_that_cannot_be_interrupted_and_tells_whose_it_is() -> None:
    stuck: list[Deployment] = []
    codes: list[int] = []
    is_over = threading.Event()

    def leave(code: int) -> None:
        codes.append(code)
        is_over.set()

    watched = StepGuard(SystemClock(), budget_s=0.05, grace_s=0.1, on_stuck=stuck.append, exit_process=leave)
    with watched, pytest.raises(StepTimedOut):
        watched.run(OWNER, lambda: is_over.wait(30))  # a wait in C, as a socket's would be

    assert (stuck, codes) == ([OWNER], [EXIT_CODE_STUCK])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_leaves_even_when_the_halt_cannot_be_stored() -> None:
    codes: list[int] = []
    is_over = threading.Event()

    def fail(_owner: Deployment) -> None:
        raise ConnectionError("the database is away")

    def leave(code: int) -> None:
        codes.append(code)
        is_over.set()

    watched = StepGuard(SystemClock(), budget_s=0.05, grace_s=0.1, on_stuck=fail, exit_process=leave)
    with watched, pytest.raises(StepTimedOut):
        watched.run(OWNER, lambda: is_over.wait(30))

    assert codes == [EXIT_CODE_STUCK]
