"""The control endpoints: clock, schedule, windows, journal."""

import subprocess
import sys
from pathlib import Path

from tests.contract.simulator_kotak.broker import Broker, at, order
from tests.waiting import eventually


def test_before_the_bell_nothing_ticks_and_the_index_shows_the_preopen_print(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    try:
        reply = broker.freeze("09:14:59")
        assert (reply["tick_seq"], reply["next_tick_at"]) == (0, "2019-01-02T03:45:00+00:00")
        tokens = [{"exchange_segment": "nse_cm", "instrument_token": "Nifty 50"}]
        assert broker.client().quotes(instrument_tokens=tokens)[0]["ltp"] == "10868.85"
        assert broker.freeze("09:15:00")["tick_seq"] == 1
    finally:
        broker.stop()


def test_the_schedule_lists_every_tick_and_windows_make_it_finer(broker: Broker) -> None:
    assert len(broker.get("schedule")) == 1501
    broker.post("windows", {"windows": [[at("09:29:30"), at("09:30:30")]]})
    schedule = broker.get("schedule")
    assert len(schedule) == 1501 + 16
    before = broker.freeze("09:29:27")
    assert broker.freeze("09:29:33")["tick_seq"] == before["tick_seq"] + 2


def test_a_running_clock_ticks_by_itself(broker: Broker) -> None:
    seq = broker.get("clock")["tick_seq"]
    broker.post("clock", {"now": at("09:20:00"), "rate": 100})
    eventually(lambda: broker.get("clock")["tick_seq"] >= seq + 4)


def test_every_request_is_in_the_journal_with_address_account_and_outcome(broker: Broker) -> None:
    client = broker.trader(2, source="127.0.0.1")
    last = broker.get("requests")[-1]["seq"]
    client.limits()
    (seen,) = broker.get(f"requests?since={last}")
    assert (seen["source"], seen["ucc"], seen["method"]) == ("127.0.0.1", "AA002", "POST")
    assert (seen["path"], seen["outcome"], seen["virtual"][:16]) == (
        "/quick/user/limits",
        "200",
        "2019-01-02T03:50",
    )
    assert [item["path"] for item in broker.get("requests?path=/quick/user/limits")] == ["/quick/user/limits"]


def test_sessions_are_told_with_the_tokens_that_their_clients_hold(broker: Broker) -> None:
    client = broker.trader()
    tokens = {(row["kind"], row["token"]) for row in broker.get("sessions")}
    assert ("Trade", client.configuration.edit_token) in tokens


def test_feeds_are_counted(broker: Broker) -> None:
    assert broker.get("feeds") == {"order_feeds": 0, "market_feeds": 0}


def test_a_halt_deletes_what_rests_and_refuses_what_comes_until_its_end(broker: Broker) -> None:
    client = broker.trader()
    contract = broker.at_the_money()
    resting = {"order_type": "L", "price": f"{1.2 * float(contract['ltp']):.1f}"}
    client.place_order(**order(contract["display_symbol"], tag="resting", **resting))
    broker.settle()

    assert broker.post("halt", {"until": at("09:30:00")}) == {"deleted": 1}
    client.place_order(**order(contract["display_symbol"], tag="too soon"))
    broker.settle()
    broker.freeze("09:30:00")
    client.place_order(**order(contract["display_symbol"], tag="reopened"))
    broker.settle()

    assert {row["tag"]: row["status"] for row in broker.get("orders")} == {
        "resting": "cancelled",
        "too soon": "rejected",
        "reopened": "complete",
    }


def test_bad_control_input_is_answered_with_what_was_expected(broker: Broker) -> None:
    naive = broker.http.post("/_sim/clock", json={"now": "2019-01-02T09:20:00", "rate": 0})
    assert (naive.status_code, "offset" in naive.json()["error"]) == (400, True)
    assert broker.http.post("/_sim/accounts", json={"ucc": "X", "shoe": 42}).status_code == 400


def test_a_start_without_data_ends_with_a_sentence(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "brokers.simulators.kotak",
        "--date",
        "2024-01-01",
        "--data",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "no NIFTY minutes of 2024-01-01" in done.stderr
