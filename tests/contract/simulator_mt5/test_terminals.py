"""Terminals as programs of their own: folders, accounts, crashes and hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from brokers.simulators.mt5.pipe import freeze
from tests.contract.simulator_mt5.broker import (
    HEDGING,
    NETTING,
    PASSWORD,
    SERVER,
    Broker,
    deal,
    retcode,
    send,
)
from tests.waiting import eventually

BUY = mt5.ORDER_TYPE_BUY
ROOT = Path(__file__).parents[3]
DROP_IN = ROOT / "brokers" / "simulators" / "mt5" / "drop_in"


@contextmanager
def program(broker: Broker, text: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that imports MetaTrader5 and finds the fake."""
    environment = broker.environment() | {"PYTHONPATH": f"{ROOT}:{DROP_IN}"}
    command = [sys.executable, "-c", f"import MetaTrader5 as mt5\n{text}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def log_in(login: int, folder: str) -> str:
    return f"mt5.initialize('{folder}/terminal64.exe', login={login}, password='{PASSWORD}')\n"


def test_before_initialize_every_call_fails_without_a_connection(broker: Broker) -> None:
    mt5.shutdown()
    assert mt5.account_info() is None
    assert mt5.last_error() == (-10004, "No IPC connection")
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == (-10004, "No IPC connection")
    assert broker.get("requests")[-1]["path"] == "/terminal/shutdown"


@pytest.mark.parametrize(
    "wrong", [{"password": "no"}, {"login": 4711}, {"server": "Elsewhere-Real"}, {"password": None}]
)
def test_a_terminal_refuses_wrong_credentials(broker: Broker, wrong: dict[str, object]) -> None:
    given = {"login": NETTING, "password": PASSWORD, "server": SERVER} | wrong
    options = {name: value for name, value in given.items() if value is not None}
    assert not mt5.initialize("/terminals/new/terminal64.exe", **options)
    assert mt5.last_error() == (-6, "Terminal: Authorization failed")
    assert broker.get("requests")[-1]["outcome"] == "-6 Terminal: Authorization failed"


@pytest.mark.usefixtures("broker")
def test_a_terminal_remembers_its_account_and_its_folder() -> None:
    mt5.shutdown()
    assert mt5.initialize("/terminals/one/terminal64.exe", portable=True)
    account, terminal = mt5.account_info(), mt5.terminal_info()
    assert account is not None
    assert terminal is not None
    assert (account.login, terminal.path) == (HEDGING, "/terminals/one")
    assert mt5.initialize(r"C:\terminals\two\terminal64.exe", login=NETTING, password=PASSWORD, portable=True)
    terminal = mt5.terminal_info()
    assert terminal is not None
    assert (terminal.path, terminal.data_path) == (r"C:\terminals\two", r"C:\terminals\two")


@pytest.mark.usefixtures("broker")
def test_a_terminal_without_an_account_runs_but_answers_nothing() -> None:
    assert mt5.initialize("/terminals/empty/terminal64.exe")
    assert mt5.account_info() is None
    terminal = mt5.terminal_info()
    assert terminal is not None
    assert not terminal.connected


@pytest.mark.usefixtures("broker")
def test_login_switches_the_account_of_the_terminal() -> None:
    assert not mt5.login(NETTING, password="no")
    assert mt5.last_error() == (-6, "Terminal: Authorization failed")
    assert mt5.login(NETTING, password=PASSWORD, server=SERVER)
    account = mt5.account_info()
    assert account is not None
    assert account.login == NETTING


def test_two_processes_on_one_folder_share_its_account(broker: Broker) -> None:
    with program(broker, log_in(NETTING, "/terminals/one")) as other:
        assert other.wait(20) == 0
    account = mt5.account_info()
    assert account is not None
    assert account.login == NETTING
    with program(broker, log_in(HEDGING, "/terminals/two") + "print(mt5.__version__)") as other:
        assert other.communicate(timeout=20)[0] == "5.0.6231\n"
    account = mt5.account_info()
    assert account is not None
    assert account.login == NETTING
    folders = {row["folder"]: row["login"] for row in broker.get("terminals")}
    assert folders == {"/terminals/one": NETTING, "/terminals/two": HEDGING}


@pytest.mark.parametrize("accepted", [False, True])
def test_a_killed_terminal_breaks_the_pipe_until_it_is_started_again(
    broker: Broker, *, accepted: bool
) -> None:
    broker.faults(kind="terminal_crash", endpoint="order_send", count=1, accepted=accepted)
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == (-10002, "IPC recv failed")
    assert mt5.positions_get() is None
    assert mt5.last_error() == (-10004, "No IPC connection")
    assert mt5.initialize("/terminals/one/terminal64.exe")
    assert len(mt5.positions_get() or ()) == int(accepted)


def test_a_terminal_can_be_ended_from_outside(broker: Broker) -> None:
    broker.post("terminals", {"crash": "/terminals/one"})
    assert mt5.account_info() is None
    assert mt5.last_error() == (-10004, "No IPC connection")


def test_a_hang_holds_the_gil() -> None:
    beats: list[int] = []
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.001):
            beats.append(1)

    thread = threading.Thread(target=beat)
    thread.start()
    eventually(lambda: len(beats) > 10)
    before = len(beats)
    freeze(400)
    after = len(beats)
    stop.set()
    thread.join()
    assert after - before <= 5


def test_a_hang_outlasts_the_signals_that_python_handles() -> None:
    handled: list[float] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.append(time.monotonic()))
    try:
        text = f"import os, signal; os.kill({os.getpid()}, signal.SIGUSR1)"
        with subprocess.Popen([sys.executable, "-c", text]) as sender:
            began = time.monotonic()
            freeze(600)
            assert sender.wait(20) == 0
        eventually(lambda: handled)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled[0] - began >= 0.6


def test_a_hung_terminal_blocks_the_process_until_it_is_killed(broker: Broker) -> None:
    broker.faults(kind="terminal_hang", endpoint="order_send", accepted=True)
    text = (
        f"{log_in(HEDGING, '/terminals/one')}"
        "print('sending', flush=True)\n"
        f"mt5.order_send({deal(BUY, magic=4242)!r})\n"
        "print('answered', flush=True)\n"
    )
    with program(broker, text) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "sending\n"
        eventually(lambda: broker.mine("fills"))
        with pytest.raises(subprocess.TimeoutExpired):
            agent.wait(1)
        agent.kill()
        assert agent.wait(10) == -signal.SIGKILL
        assert agent.stdout.read() == ""
    broker.faults()
    (position,) = mt5.positions_get() or ()
    assert position.magic == 4242


def test_a_short_hang_ends_with_a_time_out_or_the_answer(broker: Broker) -> None:
    broker.faults(kind="terminal_hang", endpoint="order_send", seconds=0.05, count=1)
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == (-10005, "IPC timeout")
    assert broker.mine("fills") == []
    broker.faults(kind="terminal_hang", endpoint="order_send", seconds=0.05, count=1, accepted=True)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE


def test_a_slow_answer_times_out_in_the_module(broker: Broker) -> None:
    assert mt5.initialize("/terminals/one/terminal64.exe", timeout=2000)
    broker.faults(kind="ack_lost", endpoint="order_send", seconds=20, count=1)
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == (-10005, "IPC timeout")
    eventually(lambda: len(broker.mine("fills")) == 1)
    assert mt5.initialize("/terminals/one/terminal64.exe")
    assert mt5.positions_total() == 1


def test_a_dead_simulator_is_a_missing_pipe(broker: Broker, tmp_path: Path) -> None:
    other = Broker(tmp_path)
    try:
        other.begin()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MT5_SIMULATOR_URL", other.url)
            other.connect()
            send(deal(BUY))
            other.stop()
            assert mt5.account_info() is None
            assert mt5.last_error()[0] in {-10002, -10004}
            assert mt5.account_info() is None
            assert mt5.last_error() == (-10004, "No IPC connection")
    finally:
        mt5.shutdown()
    assert broker.mine("fills") == []
