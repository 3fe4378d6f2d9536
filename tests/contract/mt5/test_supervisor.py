"""A hung terminal freezes its agent for ever; the supervisor outside ends both and the account comes back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app.domain.ports import BrokerAdapter
from tests.contract.mt5.house import (
    PASSWORD,
    AgentProcess,
    DayClock,
    Simulator,
    credentials,
    supervised_environment,
)
from tests.waiting import eventually

LIMITS = "check_every_s = 0.1\nanswer_within_s = 0.5\ndead_after_s = 1.0\nbackoff_s = 0.1\n"


class Guard:
    """Own a supervisor and the accounts whose agents it keeps."""

    def __init__(self, simulator: Simulator, folder: Path, names: Sequence[str]) -> None:
        self.simulator = simulator
        self.agents = [
            AgentProcess(
                simulator=simulator,
                login=simulator.new_account("NETTING"),
                folder=folder / name,
                settings={"password": PASSWORD},
            )
            for name in names
        ]
        lines = [f'[[agents]]\nname = "{a.folder.name}"\nconfig = "{a.config}"\n' for a in self.agents]
        self.config = folder / "supervisor.toml"
        self.config.write_text(f"[supervisor]\n{LIMITS}" + "".join(lines))
        self.log_file = folder / "log"
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a supervisor and wait until its agents are well."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "brokers.mt5.supervisor", "--config", str(self.config)],
                env=supervised_environment(self.simulator),
                stderr=log,
            )
        eventually(lambda: all(agent.is_answering() for agent in self.agents))
        return process

    def events(self, event: str, agent: str) -> list[dict[str, object]]:
        """Return what the supervisor and its agents told of one agent."""
        lines = [json.loads(line) for line in self.log_file.read_text().splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == event and line.get("agent") == agent]

    def holder(self, agent: AgentProcess) -> int:
        """Return the process that serves an account now."""
        file = agent.folder / "state" / "agent.pid"
        eventually(file.read_text)  # it is there a moment before its number is
        return int(file.read_text())

    def stop(self) -> None:
        """End the supervisor in peace; it takes the agents with it."""
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def guard(simulator: Simulator, tmp_path: Path, names: Sequence[str]) -> Iterator[Guard]:
    """A running supervisor with its agents."""
    opened = Guard(simulator, tmp_path, names)
    yield opened
    simulator.post("faults", {"faults": []})
    opened.stop()


@pytest.mark.parametrize("names", [("one", "two")])
def test_hung_terminal_is_killed_and_comes_back(guard: Guard, clock: DayClock, house: BrokerAdapter) -> None:
    hung, healthy = guard.agents
    before = [guard.holder(agent) for agent in guard.agents]
    session = house.login(credentials(hung.login, f"http://127.0.0.1:{hung.port}"), egress="", timeout_s=10)
    gateway = house.restore(session)
    guard.simulator.fault(hung.login, "terminal_hang", count=1)

    eventually(lambda: guard.events("agent_killed", "one"))
    eventually(lambda: len(guard.events("agent_well", "one")) == 2)

    assert guard.holder(hung) != before[0]
    assert guard.holder(healthy) == before[1]
    assert guard.events("agent_killed", "two") == []
    (instrument,) = house.request_instruments(session, clock.now().date())
    assert instrument.broker_symbol == "EURUSD"
    assert gateway.request_positions().clean
    gateway.close()


@pytest.mark.parametrize("names", [("one",)])
def test_agents_outlive_their_supervisor_and_are_adopted(guard: Guard) -> None:
    before = [guard.holder(agent) for agent in guard.agents]
    guard.process.kill()
    guard.process.wait(10)

    guard.process = guard.start()
    eventually(lambda: guard.events("agent_adopted", "one"))
    assert [guard.holder(agent) for agent in guard.agents] == before

    os.kill(before[0], signal.SIGSTOP)
    eventually(lambda: guard.events("agent_killed", "one"))
    eventually(lambda: guard.holder(guard.agents[0]) != before[0])
    eventually(guard.agents[0].is_answering)


@pytest.mark.parametrize("names", [("one",)])
def test_an_agent_left_behind_and_frozen_is_ended_before_another_starts(guard: Guard) -> None:
    before = guard.holder(guard.agents[0])
    guard.process.kill()
    guard.process.wait(10)
    os.kill(before, signal.SIGSTOP)

    guard.process = guard.start()

    assert guard.holder(guard.agents[0]) != before
    assert [line["pid"] for line in guard.events("agent_killed", "one")] == [before]


@pytest.mark.parametrize("names", [("one",)])
def test_a_supervisor_that_ends_takes_adopted_agents_with_it(guard: Guard) -> None:
    guard.process.kill()
    guard.process.wait(10)
    guard.process = guard.start()
    eventually(lambda: guard.events("agent_adopted", "one"))

    guard.stop()

    eventually(lambda: not guard.agents[0].is_answering())
