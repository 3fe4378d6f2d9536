"""The control endpoints: clock, schedule, windows, journal, books, and the command line."""

import subprocess
import sys
from pathlib import Path

from tests.contract.simulator_binance.venue import Venue, at, limit, market
from tests.waiting import eventually


def test_the_schedule_lists_every_tick_and_windows_make_it_finer(venue: Venue) -> None:
    assert len(venue.get("schedule")) == 5760
    venue.post("windows", {"windows": [[at("20:00:00"), at("20:01:00")]]})
    assert len(venue.get("schedule")) == 5760 + 16
    venue.post("windows", {"windows": []})


def test_a_jump_answers_after_every_tick_that_became_due(venue: Venue) -> None:
    before = venue.get("clock")
    venue.tick()
    after = venue.get("clock")
    assert after["tick_seq"] == before["tick_seq"] + 1
    assert after["now"] == before["next_tick_at"]
    assert (after["rate"], after["pending"]) == (0, 0)


def test_a_running_clock_ticks_by_itself(venue: Venue) -> None:
    before = venue.get("clock")
    venue.post("clock", {"now": before["now"], "rate": 100})
    eventually(lambda: venue.get("clock")["tick_seq"] >= before["tick_seq"] + 4)
    venue.post("clock", {"now": venue.get("clock")["now"], "rate": 0})


def test_every_request_is_in_the_journal_with_address_account_and_outcome(venue: Venue) -> None:
    client = venue.client()
    client.ping()
    last = venue.get("requests")[-1]["seq"]
    client.create_order(**market("BUY", newClientOrderId="noted"))
    (seen,) = venue.get(f"requests?since={last}")
    assert (seen["source"], seen["account"], seen["method"]) == ("127.0.0.1", f"u{venue.number}", "POST")
    assert (seen["path"], seen["client_id"], seen["outcome"]) == ("/api/v3/order", "noted", "200")
    assert seen["real"] > 1_700_000_000
    assert seen["virtual"][:10] == "2024-12-02"
    paths = {item["path"] for item in venue.get("requests?path=/api/v3/order")}
    assert paths == {"/api/v3/order"}


def test_the_books_of_all_accounts_can_be_read(venue: Venue) -> None:
    client = venue.client()
    name = f"u{venue.number}"
    client.create_order(**market("BUY", newClientOrderId="spot"))
    client.futures_create_order(**market("SELL", newClientOrderId="futures"))
    client.create_order(**limit("BUY", venue.last() - 500))
    assert {item["client_id"]: item["market"] for item in venue.get("fills") if item["account"] == name} == {
        "spot": "spot",
        "futures": "futures",
    }
    (position,) = [item for item in venue.get("positions") if item["account"] == name]
    assert (position["symbol"], position["net"]) == ("BTCUSDT", "-0.01")
    (balance,) = [item for item in venue.get("balances") if item["account"] == name]
    assert balance["spot"]["BTC"] == "1.00999000"
    assert float(balance["locked"]["USDT"]) > 900


def test_bad_control_input_is_answered_with_what_was_expected(venue: Venue) -> None:
    naive = venue.http.post("/_sim/clock", json={"now": "2024-12-02T09:20:00", "rate": 0})
    assert (naive.status_code, "offset" in naive.json()["error"]) == (400, True)
    assert venue.http.post("/_sim/accounts", json={"name": "x", "shoe": 42}).status_code == 400
    assert venue.http.post("/_sim/accounts", json={"name": "x", "api_key": "key1"}).status_code == 400
    shoe = {"market": "spot", "symbol": "BTCUSDT", "shoe": 42}
    assert venue.http.post("/_sim/symbols", json=shoe).status_code == 400


def test_a_start_without_data_ends_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "brokers.simulators.binance", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "no BTCUSDT minutes of 2024-12-02" in done.stderr


def test_the_data_can_play_on_another_day(tmp_path: Path) -> None:
    options = ["--date", "2019-01-02", "--replay", "2024-12-03"]
    venue = Venue(tmp_path, options=options, faults="open")
    try:
        clock = venue.post("clock", {"now": "2019-01-02T04:00:00+00:00", "rate": 0})
        assert clock["next_tick_at"] == "2019-01-02T04:00:15+00:00"
        (bar,) = venue.client().get_klines(symbol="BTCUSDT", interval="1m", limit=1)
        assert bar[0] == 1_546_401_600_000
        assert 90_000 < float(bar[1]) < 100_000
        assert venue.get("faults")["profile"] == "open"
    finally:
        venue.stop()
