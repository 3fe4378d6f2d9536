"""The market: real minutes, a path through each, a week that repeats, bars and ticks that agree."""

import csv
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import brokers.simulators.mt5 as package
from brokers.simulators.mt5 import metatrader5 as mt5
from brokers.simulators.mt5.hours import is_trading, server_offset
from brokers.simulators.mt5.market import Market, Quote
from brokers.simulators.mt5.minutes import load_week
from tests.contract.simulator_mt5.broker import START, Broker, tick

DATA = Path(str(package.__file__)).parent.parent / "data" / "forex" / "eurusd_1m"


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(load_week(DATA), seed=1)


def recorded(day: str, minute: int) -> list[int]:
    """Return bid and ask O, H, L, C of a minute of the day, points, straight from the file."""
    with zipfile.ZipFile(DATA / f"{day}_quote.zip") as archive:
        text = archive.read(archive.namelist()[0]).decode()
    for row in csv.reader(text.split()):
        if row and int(row[0]) == minute * 60_000:
            return [round(float(cell) * 100_000) for cell in row[1:5] + row[6:10]]
    raise AssertionError(f"no minute {minute} on {day}")


def minute_of(market: Market, start: datetime) -> list[Quote]:
    return [market.quote(start + timedelta(seconds=second)) for second in range(0, 60, 5)]


@pytest.mark.parametrize("minute", [0, 480, 481, 750, 1200])
def test_the_ticks_of_a_minute_hit_its_open_high_low_and_close(market: Market, minute: int) -> None:
    quotes = minute_of(market, datetime(2014, 5, 6, tzinfo=UTC) + timedelta(minutes=minute))
    bids, asks = [q.bid for q in quotes], [q.ask for q in quotes]
    expected = recorded("20140506", minute)
    assert [bids[0], max(bids), min(bids), bids[-1]] == expected[:4]
    assert [asks[0], max(asks), min(asks), asks[-1]] == expected[4:]
    assert all(ask > bid for bid, ask in zip(bids, asks, strict=True))


def test_the_path_depends_on_time_and_seed_alone(market: Market) -> None:
    again, other = Market(load_week(DATA), seed=1), Market(load_week(DATA), seed=2)
    hour = [START + timedelta(seconds=5 * n) for n in range(720)]
    path = [market.quote(at) for at in reversed(hour)][::-1]
    assert [again.quote(at) for at in hour] == path
    assert [other.quote(at) for at in hour] != path


def test_the_week_repeats_on_any_date_at_new_york_time(market: Market) -> None:
    summer = market.quote(datetime(2014, 5, 7, 12, 0, 15, tzinfo=UTC))
    later = market.quote(datetime(2014, 6, 11, 12, 0, 15, tzinfo=UTC))
    winter = market.quote(datetime(2019, 1, 2, 13, 0, 15, tzinfo=UTC))
    assert [(q.bid, q.ask) for q in (later, winter)] == [(summer.bid, summer.ask)] * 2


def test_the_weekend_shows_fridays_last_tick(market: Market) -> None:
    friday = market.quote(datetime(2014, 5, 9, 20, 59, 59, tzinfo=UTC))
    assert market.quote(datetime(2014, 5, 10, 12, 0, tzinfo=UTC)) == friday
    assert market.quote(datetime(2014, 5, 11, 20, 59, 59, tzinfo=UTC)) == friday
    assert market.quote(datetime(2014, 5, 11, 21, 0, tzinfo=UTC)).at > friday.at
    assert list(market.ticks(friday.at, friday.at + 3600)) == []


def test_hours_follow_new_york_through_daylight_saving() -> None:
    assert not is_trading(datetime(2019, 1, 6, 21, 30, tzinfo=UTC))
    assert is_trading(datetime(2019, 1, 6, 22, 0, tzinfo=UTC))
    assert is_trading(datetime(2019, 7, 7, 21, 0, tzinfo=UTC))
    assert server_offset(datetime(2019, 1, 6, tzinfo=UTC)) == timedelta(hours=2)
    assert server_offset(datetime(2019, 7, 6, tzinfo=UTC)) == timedelta(hours=3)


def test_a_finished_minute_bar_is_the_recorded_one(broker: Broker) -> None:
    broker.jump(datetime(2014, 5, 6, 12, 31, tzinfo=UTC))
    bars = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 1, 1)
    assert bars is not None
    (bar,) = bars
    assert [round(bar[name] * 100_000) for name in ("open", "high", "low", "close")] == recorded(
        "20140506", 750
    )[:4]
    assert bar["time"] == int(datetime(2014, 5, 6, 15, 30, tzinfo=UTC).timestamp())  # server time


def test_the_newest_bar_knows_nothing_of_the_future(broker: Broker) -> None:
    broker.jump(datetime(2014, 5, 6, 12, 30, 20, tzinfo=UTC))
    bars = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 1)
    server = int(broker.now.timestamp()) + 3 * 3600
    ticks = mt5.copy_ticks_range("EURUSD", server - 20, server + 60)
    assert bars is not None
    assert ticks is not None
    assert (len(ticks), ticks["time"][-1]) == (5, server)
    assert (bars["high"][0], bars["low"][0]) == (ticks["bid"].max(), ticks["bid"].min())
    assert (bars["close"][0], bars["tick_volume"][0]) == (tick().bid, 5)


def test_longer_bars_are_made_of_shorter_ones(broker: Broker) -> None:
    broker.jump(datetime(2014, 5, 7, 15, 0, tzinfo=UTC))
    server = int(broker.now.timestamp()) + 3 * 3600
    minutes = mt5.copy_rates_range("EURUSD", mt5.TIMEFRAME_M1, server - 3600, server - 60)
    hours = mt5.copy_rates_range("EURUSD", mt5.TIMEFRAME_H1, server - 3600, server - 60)
    assert minutes is not None
    assert hours is not None
    assert (len(minutes), len(hours)) == (60, 1)
    assert hours["open"][0] == minutes["open"][0]
    assert hours["high"][0] == minutes["high"].max()
    assert hours["low"][0] == minutes["low"].min()
    assert hours["close"][0] == minutes["close"][-1]


def test_days_begin_at_server_midnight_and_skip_the_weekend(broker: Broker) -> None:
    broker.jump(datetime(2014, 5, 13, 12, 0, tzinfo=UTC))
    days = mt5.copy_rates_from("EURUSD", mt5.TIMEFRAME_D1, tick().time, 4)
    assert days is not None
    assert np.all(days["time"] % 86400 == 0)
    dates = [datetime.fromtimestamp(int(at), tz=UTC).day for at in days["time"]]
    assert dates == [8, 9, 12, 13]


def test_symbols_share_the_price_and_differ_in_rules(broker: Broker) -> None:
    broker.step()
    symbols = mt5.symbols_get() or ()
    assert len(symbols) == mt5.symbols_total() == 4
    assert len({(row.bid, row.ask) for row in symbols}) == 1
    rules = {row.name: (row.trade_exemode, row.filling_mode, row.trade_stops_level) for row in symbols}
    assert rules == {
        "EURUSD": (2, 3, 10),
        "EURUSD.fok": (2, 1, 10),
        "EURUSD.ins": (1, 1, 30),
        "EURUSD.ecn": (3, 2, 0),
    }
    eurusd = mt5.symbol_info("EURUSD")
    assert eurusd is not None
    assert (eurusd.digits, eurusd.point, eurusd.trade_contract_size) == (5, 0.00001, 100_000.0)
    assert (eurusd.volume_min, eurusd.volume_max, eurusd.volume_step) == (0.01, 100.0, 0.01)


@pytest.mark.usefixtures("broker")
def test_depth_of_market_must_be_opened_first() -> None:
    assert mt5.market_book_get("EURUSD") is None
    assert mt5.market_book_add("EURUSD")
    book = mt5.market_book_get("EURUSD") or ()
    assert [row.type for row in book] == [mt5.BOOK_TYPE_SELL] * 3 + [mt5.BOOK_TYPE_BUY] * 3
    assert (book[2].price, book[3].price) == (tick().ask, tick().bid)
    assert mt5.market_book_release("EURUSD")
    assert mt5.market_book_get("EURUSD") is None


def test_a_folder_without_the_weeks_first_minute_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no EURUSD minutes"):
        load_week(tmp_path)
    (tmp_path / "20140506_quote.zip").write_bytes((DATA / "20140506_quote.zip").read_bytes())
    with pytest.raises(ValueError, match="Sunday 17:00"):
        load_week(tmp_path)
