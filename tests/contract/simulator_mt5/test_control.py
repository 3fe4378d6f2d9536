"""The control endpoints: clock, clock file, journal, accounts, the person at the terminal."""

import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from brokers.simulators.mt5.clock import FileClock
from tests.contract.simulator_mt5.broker import (
    HEDGING,
    START,
    Broker,
    deal,
    pending,
    points,
    retcode,
    send,
    tick,
)
from tests.waiting import eventually


def write_clock(path: Path, now: datetime, rate: float, generation: int = 1) -> None:
    """Write a clock file as the demo does."""
    micros = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    path.write_bytes(struct.pack("<QqqdQ", generation, time.monotonic_ns(), micros, rate, generation))


def test_the_clock_counts_ticks_and_stands_still(broker: Broker) -> None:
    before = broker.get("clock")
    assert (before["rate"], before["pending"], before["now"]) == (0, 0, START.isoformat())
    broker.step(60)
    after = broker.get("clock")
    assert after["tick_seq"] - before["tick_seq"] == 12
    assert after["next_tick_at"] == (broker.now + timedelta(seconds=5)).isoformat()


def test_a_clock_set_back_repeats_no_tick(broker: Broker) -> None:
    broker.step(600)
    seq, price = broker.get("clock")["tick_seq"], tick()
    send(pending(mt5.ORDER_TYPE_BUY_LIMIT, points(price.ask, -60)))
    broker.step(-600)
    broker.step(600)
    assert broker.get("clock")["tick_seq"] == seq
    assert tick() == price


def test_a_running_clock_ticks_by_itself(broker: Broker) -> None:
    broker.post("clock", {"now": START.isoformat(), "rate": 600})
    eventually(lambda: broker.get("clock")["tick_seq"] > 20)


def test_it_follows_a_clock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clock"
    write_clock(file, START, 0.0)
    assert FileClock(file).now() == START
    broker = Broker(tmp_path, "--clock-file", str(file))
    try:
        monkeypatch.setenv("MT5_SIMULATOR_URL", broker.url)
        assert broker.get("clock")["now"] == START.isoformat()
        refused = broker.http.post("/_sim/clock", json={"now": START.isoformat(), "rate": 0})
        assert (refused.status_code, "clock file" in refused.json()["error"]) == (400, True)
        broker.account(HEDGING)
        broker.connect()
        send(deal(mt5.ORDER_TYPE_BUY))
        write_clock(file, START + timedelta(hours=1), 0.0, generation=2)
        assert tick().time == int(START.timestamp()) + 4 * 3600
        assert broker.get("clock")["tick_seq"] == 720
    finally:
        mt5.shutdown()
        broker.stop()


def test_a_missing_clock_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a clock file of 40 bytes"):
        FileClock(tmp_path / "none")


def test_every_call_is_in_the_journal_with_account_magic_and_outcome(broker: Broker) -> None:
    last = broker.get("requests")[-1]["seq"]
    send(deal(mt5.ORDER_TYPE_BUY))
    retcode(deal(mt5.ORDER_TYPE_BUY, 0.001, magic=5))
    mt5.symbol_info("GBPUSD")
    seen = broker.get(f"requests?since={last}")
    assert [(row["path"], row["tag"], row["outcome"]) for row in seen] == [
        ("/terminal/order_send", "77", "retcode 10009"),
        ("/terminal/order_send", "5", "retcode 10014"),
        ("/terminal/symbol_info", "", "-4 Terminal: Not found"),
    ]
    assert {(row["login"], row["terminal"], row["virtual"]) for row in seen} == {
        (HEDGING, "/terminals/one", START.isoformat())
    }
    assert len(broker.get("requests?path=/terminal/order_send")) == 2


def test_a_person_trades_in_the_brokers_own_app(broker: Broker) -> None:
    ours = send(deal(mt5.ORDER_TYPE_BUY))
    human = {"action": 1, "symbol": "EURUSD", "type": mt5.ORDER_TYPE_SELL, "volume": 0.1, "type_filling": 1}
    reply = broker.post("orders", {"login": HEDGING, "request": human | {"position": ours.order}})
    assert reply["retcode"] == mt5.TRADE_RETCODE_DONE
    assert mt5.positions_get() == ()
    last = (mt5.history_deals_get(position=ours.order) or ())[-1]
    assert (last.reason, last.magic, last.comment) == (mt5.DEAL_REASON_CLIENT, 0, "")


def test_accounts_are_added_and_changed_at_run_time(broker: Broker) -> None:
    broker.post("accounts", [{"login": 7, "password": "a"}, {"login": 8, "password": "b", "mode": "NETTING"}])
    broker.account(7, password="new")
    assert not mt5.initialize("/terminals/7/terminal64.exe", login=7, password="a")
    assert mt5.initialize("/terminals/7/terminal64.exe", login=7, password="new")
    broker.account(7, login_error=True)
    assert not mt5.initialize("/terminals/7/terminal64.exe", login=7, password="new")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("clock", {"now": "2014-05-06T08:00:00", "rate": 0}, "offset"),
        ("clock", {"now": "2014-05-06T08:00:00+00:00", "rate": -1}, "rate"),
        ("accounts", {"login": 9, "password": "x", "shoe": 42}, "shoe"),
        ("accounts", {"login": 9}, "password"),
        ("accounts", {"login": "9", "password": "x"}, "integer"),
        ("accounts", {"login": 9, "password": "x", "mode": "BOTH"}, "mode"),
        ("symbols", {"name": "EURUSD", "stops_level": "x"}, "integer"),
        ("faults", {"profile": "hurricane"}, "hurricane"),
    ],
)
def test_bad_control_input_is_answered_with_what_was_expected(
    broker: Broker, path: str, body: dict[str, object], says: str
) -> None:
    refused = broker.http.post(f"/_sim/{path}", json=body)
    assert (refused.status_code, says in refused.json()["error"]) == (400, True)


def test_a_start_without_data_ends_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "brokers.simulators.mt5", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "no EURUSD minutes" in done.stderr
