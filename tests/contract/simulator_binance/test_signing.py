"""Who may call: keys, signatures, addresses, permissions and the clock."""

import hashlib
import hmac
import http.client
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.contract.simulator_binance.venue import Venue, account, limit, machine_ms, market, refusal


class From(HTTPAdapter):
    """Send from one of the machine's own addresses."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(self._address, 0))


def test_a_wrong_secret_or_an_unknown_key_is_refused(venue: Venue) -> None:
    forged = venue.client(api_secret="guess")
    assert refusal(forged.get_account)[:2] == (400, -1022)
    assert refusal(forged.create_order, **market("BUY"))[1] == -1022
    assert refusal(venue.client(api_key="nobody").get_account)[:2] == (401, -2015)
    assert refusal(venue.client(api_key="no/key").get_account)[:2] == (401, -2014)
    assert venue.orders() == []


def test_a_signature_covers_every_parameter(venue: Venue) -> None:
    name = f"u{venue.number}"
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    params["timestamp"] = str(machine_ms())
    secret = str(account(venue.number)["api_secret"]).encode()
    signature = hmac.new(secret, urlencode(params).encode(), hashlib.sha256).hexdigest()
    changed = params | {"quantity": "0.1", "signature": signature}
    headers = {"X-MBX-APIKEY": str(account(venue.number)["api_key"])}
    assert venue.http.post("/api/v3/order", data=changed, headers=headers).json()["code"] == -1022
    honest = params | {"signature": signature}
    assert venue.http.post("/api/v3/order", data=honest, headers=headers).json()["status"] == "FILLED"
    assert [order["qty"] for order in venue.get("orders") if order["account"] == name] == ["0.01"]


def test_unsigned_calls_of_signed_endpoints_name_what_is_missing(venue: Venue) -> None:
    headers = {"X-MBX-APIKEY": f"key{venue.number}"}
    reply = venue.http.get("/api/v3/account", headers=headers).json()
    assert (reply["code"], "signature" in reply["msg"]) == (-1102, True)


@pytest.mark.parametrize("offset_ms", [-20_000, 5_000])
def test_a_request_outside_its_window_is_refused_until_the_clock_is_set_right(
    venue: Venue, offset_ms: int
) -> None:
    client = venue.client()
    client.timestamp_offset = offset_ms
    assert refusal(client.create_order, **market("BUY"))[:2] == (400, -1021)
    assert refusal(client.futures_create_order, **market("BUY"))[:2] == (400, -1021)
    assert venue.orders() == []
    client.timestamp_offset = client.get_server_time()["serverTime"] - machine_ms()
    assert client.create_order(**market("BUY"))["status"] == "FILLED"


def test_the_servers_clock_can_be_wrong_and_tells_so(venue: Venue) -> None:
    client = venue.client()
    venue.inject({"kind": "clock_skew", "seconds": 60})
    assert refusal(client.create_order, **market("BUY"))[1] == -1021
    client.timestamp_offset = client.get_server_time()["serverTime"] - machine_ms()
    assert client.timestamp_offset > 50_000
    assert client.create_order(**market("BUY"))["status"] == "FILLED"


def test_the_server_can_live_in_the_markets_time(venue: Venue) -> None:
    venue.post("settings", {"server_clock": "market"})
    stamp = venue.client().get_server_time()["serverTime"]
    assert 1_733_000_000_000 < stamp < 1_734_000_000_000


def test_a_key_is_good_from_its_own_addresses_only(venue: Venue) -> None:
    name = {"name": f"u{venue.number}"}
    venue.post("accounts", name | {"allowed_ips": ["127.0.0.2"]})
    client = venue.client()
    assert refusal(client.create_order, **market("BUY"))[:2] == (401, -2015)
    client.session.mount("http://", From("127.0.0.2"))
    assert client.create_order(**market("BUY"))["status"] == "FILLED"
    seen = [item["source"] for item in venue.get("requests") if item["account"] == f"u{venue.number}"]
    assert seen == ["127.0.0.1", "127.0.0.2"]


def test_a_key_can_be_revoked_or_lose_a_permission(venue: Venue) -> None:
    name = {"name": f"u{venue.number}"}
    client = venue.client()
    venue.post("accounts", name | {"futures_enabled": False})
    assert refusal(client.futures_account)[1] == -2015
    venue.post("accounts", name | {"can_trade": False})
    assert client.get_account()["canTrade"] is False
    assert refusal(client.create_order, **limit("BUY", 90_000))[1] == -2015
    venue.post("accounts", name | {"revoked": True})
    assert refusal(client.get_account)[1] == -2015


def test_opening_balances_are_the_accounts_own(venue: Venue) -> None:
    name = {"name": f"u{venue.number}"}
    venue.post("accounts", name | {"spot_balances": {"USDT": "50"}, "futures_usdt": "7"})
    client = venue.client()
    assert [(row["asset"], row["free"]) for row in client.get_account()["balances"]] == [
        ("USDT", "50.00000000")
    ]
    assert client.futures_account_balance()[0]["balance"] == "7.00000000"


def test_the_venue_speaks_http_to_any_client(venue: Venue) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=10)
    connection.request("GET", "/fapi/v1/ping")
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b"{}")
    connection.close()
    assert requests.get(f"{venue.base}/api/v3/nothing", timeout=10).status_code == 404
