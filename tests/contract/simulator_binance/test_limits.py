"""Limits: headers, refusals with a time to wait, bans, and what they leave alone."""

from typing import Any

import pytest
from requests import Response

from brokers.simulators.binance.limits import Limits, TooMany
from brokers.simulators.binance.settings import Settings
from tests.contract.simulator_binance.venue import BinanceAPIException, Venue, limit, market, refusal


def refused(call: Any, **params: object) -> Response:
    """Return the venue's reply to a call that it refuses."""
    with pytest.raises(BinanceAPIException) as failed:
        call(**params)
    response: Response = failed.value.response
    return response


def test_replies_carry_the_weight_used_and_the_orders_counted(venue: Venue) -> None:
    client = venue.client()
    client.get_exchange_info()
    used = int(client.response.headers["X-MBX-USED-WEIGHT-1M"])
    client.get_account()
    assert int(client.response.headers["X-MBX-USED-WEIGHT-1M"]) - used in {20, 20 - used}
    client.create_order(**limit("BUY", venue.last() - 500))
    assert client.response.headers["X-MBX-ORDER-COUNT-1D"] == "1"
    client.futures_create_order(**market("BUY"))
    assert {"X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1M"} <= client.response.headers.keys()


def test_too_much_weight_is_throttled_and_ignoring_that_is_banned_for_every_account(venue: Venue) -> None:
    venue.post("settings", {"weight_1m_spot": 0, "ban_after": 2, "ban_s": 600})
    client = venue.client()
    for _call in range(2):
        reply = refused(client.get_account)
        assert (reply.status_code, reply.json()["code"]) == (429, -1003)
        assert 0 < int(reply.headers["Retry-After"]) <= 61
    banned = refused(client.get_account)
    assert (banned.status_code, "banned until" in banned.json()["msg"]) == (418, True)
    assert int(banned.headers["Retry-After"]) > 500
    assert refused(client.futures_account).status_code == 418
    first = venue.number
    venue.renew()
    venue.post("faults", {"faults": [{"kind": "ip_ban", "seconds": 600}]})
    assert venue.number == first + 1
    with pytest.raises(BinanceAPIException) as failed:
        venue.client(ping=True)  # the library pings at construction, and a ban shows there
    assert failed.value.status_code == 418


def test_orders_are_limited_per_account_and_not_placed_beyond(venue: Venue) -> None:
    venue.post("settings", {"orders_1d_spot": 2})
    client = venue.client()
    for name in ("a", "b"):
        client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId=name))
    reply = refused(client.create_order, **limit("BUY", venue.last() - 500, newClientOrderId="c"))
    assert (reply.status_code, reply.json()["code"]) == (429, -1015)
    assert "2 orders per 1 DAY" in reply.json()["msg"]
    assert sorted(venue.statuses()) == ["a", "b"]
    venue.number += 1
    venue.post("accounts", {"name": f"u{venue.number}", "api_key": f"key{venue.number}", "api_secret": "s"})
    other = venue.client(api_secret="s")
    assert other.create_order(**market("BUY"))["status"] == "FILLED"


def test_a_filled_order_gives_its_place_back(venue: Venue) -> None:
    venue.post("settings", {"orders_1d_spot": 1})
    client = venue.client()
    for _order in range(3):
        client.create_order(**market("BUY"))
    counts = client._get("rateLimit/order", True, data={})  # the library has no name for it
    assert {item["intervalNum"]: item["count"] for item in counts} == {10: 0, 1: 0}


def test_a_ban_ends_by_itself() -> None:
    now = [1000.0]
    limits = Limits(Settings(), lambda: now[0])
    limits.ban("10.0.0.1", 120)
    with pytest.raises(TooMany) as banned:
        limits.take_weight("spot", "10.0.0.1", 1)
    assert (banned.value.http, banned.value.retry_after_s) == (418, 121)
    limits.take_weight("spot", "10.0.0.2", 1)
    now[0] += 120
    limits.take_weight("spot", "10.0.0.1", 1)


def test_orders_are_counted_in_each_window_and_start_anew_in_the_next() -> None:
    now = [86_400.0 * 10]
    limits = Limits(Settings(orders_10s_futures=3), lambda: now[0])
    for count in (1, 2):
        limits.take_order("futures", "u1", count)
    headers = limits.headers("futures", "a", "u1")
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("3", "3")
    with pytest.raises(TooMany) as over:
        limits.take_order("futures", "u1")
    assert (over.value.code, over.value.http, over.value.retry_after_s) == (-1015, 429, 11)
    now[0] += 10
    limits.take_order("futures", "u1")
    headers = limits.headers("futures", "a", "u1")
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "4")


def test_weight_starts_anew_each_minute() -> None:
    now = [1200.0]
    settings = Settings(weight_1m_spot=10)
    limits = Limits(settings, lambda: now[0])
    limits.take_weight("spot", "a", 10)
    with pytest.raises(TooMany) as over:
        limits.take_weight("spot", "a", 1)
    assert (over.value.http, over.value.retry_after_s) == (429, 61)
    limits.take_weight("spot", "b", 10)
    limits.take_weight("futures", "a", 10)
    now[0] += 60
    limits.take_weight("spot", "a", 10)


def test_an_unknown_setting_is_refused(venue: Venue) -> None:
    reply = venue.http.post("/_sim/settings", json={"weather": "fine"})
    assert (reply.status_code, "weight_1m_spot" in reply.json()["error"]) == (400, True)
    assert refusal(venue.client().get_order, symbol="BTCUSDT")[1] == -1102
