"""Login, sessions and source addresses, through the real client."""

from datetime import datetime

import jwt
import pytest

from tests.contract.simulator_kotak.broker import DAY, Broker, account, order
from tests.waiting import eventually

OTHER_SECRET = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"


def test_login_gives_a_trade_token_until_midnight_and_the_addresses_of_the_feeds(broker: Broker) -> None:
    client = broker.client()
    reply = broker.log_in(client)
    base = f"http://127.0.0.1:{broker.port}"
    assert reply["data"]["kType"] == "Trade"
    assert reply["data"]["baseUrl"] == base
    assert client.configuration.sfeed_websocket_url == f"{base}/apifeed"
    assert client.configuration.order_feed_url == f"{base}/realtime"
    claims = jwt.decode(client.configuration.edit_token, options={"verify_signature": False})
    assert claims["exp"] == datetime.fromisoformat("2019-01-03T00:00:00+05:30").timestamp()
    assert client.whatsmyip()["data"][0]["ip"] == "127.0.0.1"


def test_a_code_is_right_one_step_around_the_brokers_time_and_only_once(broker: Broker) -> None:
    login = {"mobile_number": "+919000000001", "ucc": "AA001"}
    client = broker.client()
    early = broker.code()
    broker.freeze("09:20:30")
    assert "data" in client.totp_login(totp=early, **login)
    assert client.totp_login(totp=early, **login)["error"][0]["message"] == "Invalid TOTP"
    broker.freeze("09:22:30")
    assert "error" in client.totp_login(totp=early, **login)
    assert "data" in client.totp_login(totp=broker.code(), **login)


def test_a_wrong_secret_is_refused_until_the_broker_learns_the_right_one(broker: Broker) -> None:
    client = broker.client()
    login = {"mobile_number": "+919000000001", "ucc": "AA001"}
    assert "error" in client.totp_login(totp=broker.code(OTHER_SECRET), **login)
    broker.post("accounts", {"ucc": "AA001", "totp_secret": OTHER_SECRET})
    assert "data" in client.totp_login(totp=broker.code(OTHER_SECRET), **login)


def test_a_wrong_pin_or_consumer_key_is_refused(broker: Broker) -> None:
    client, stranger = broker.client(), broker.client(2)
    login = {"mobile_number": "+919000000001", "ucc": "AA001"}
    client.totp_login(totp=broker.code(), **login)
    assert client.totp_validate(mpin="000000")["error"][0]["message"] == "Invalid MPIN"
    assert stranger.totp_login(totp=broker.code(), **login)["stCode"] == 100008


def test_a_new_account_can_log_in_without_a_restart(broker: Broker) -> None:
    broker.post("accounts", [account(9)])
    client = broker.client(9)
    assert broker.log_in(client, 9)["data"]["ucc"] == "AA009"


def test_a_view_token_cannot_trade(broker: Broker) -> None:
    client = broker.client()
    client.totp_login(mobile_number="+919000000001", ucc="AA001", totp=broker.code())
    client.configuration.edit_token = client.configuration.view_token
    client.configuration.edit_sid = client.configuration.sid
    reply = client.place_order(**order("NIFTY1910310850CE"))
    assert (reply["stCode"], broker.get("orders")) == (100021, [])


def test_a_session_works_in_another_client_that_restores_it(broker: Broker) -> None:
    first, second = broker.trader(), broker.client()
    for name in ("edit_token", "edit_sid", "base_url", "ucc", "data_center"):
        setattr(second.configuration, name, getattr(first.configuration, name))
    assert second.limits()["stat"] == "Ok"


@pytest.mark.parametrize("end", ["midnight", "killed"])
def test_an_ended_session_is_answered_with_403_and_100022(broker: Broker, end: str) -> None:
    client = broker.trader()
    if end == "midnight":
        broker.post("clock", {"now": "2019-01-03T00:00:00+05:30", "rate": 0})
    else:
        broker.post("faults", {"faults": [{"kind": "session_kill", "ucc": ["AA001"]}]})
    seen: list[int] = []
    client.api_client.rest_client.session.event_hooks["response"].append(lambda r: seen.append(r.status_code))
    assert (client.order_report()["stCode"], seen) == (100022, [403])


def test_orders_are_refused_from_an_address_that_is_not_listed(broker: Broker) -> None:
    client = broker.trader(source="127.0.0.5")
    assert client.place_order(**order("NIFTY1910310850CE"))["stCode"] == 100008
    broker.post("accounts", {"ucc": "AA001", "allowed_ips": ["127.0.0.1", "127.0.0.5"]})
    assert client.place_order(**order("NIFTY1910310850CE"))["stCode"] == 200
    (first, second) = [item for item in broker.get("requests") if item["path"].endswith("/place")]
    assert {first["source"], second["source"]} == {"127.0.0.5"}


def test_orders_are_refused_when_the_session_came_from_another_address(broker: Broker) -> None:
    broker.post("accounts", {"ucc": "AA001", "allowed_ips": ["127.0.0.1", "127.0.0.5"]})
    home, away = broker.trader(), broker.client(source="127.0.0.5")
    for name in ("edit_token", "edit_sid", "base_url", "ucc"):
        setattr(away.configuration, name, getattr(home.configuration, name))
    assert away.place_order(**order("NIFTY1910310850CE"))["stCode"] == 1037
    assert away.order_report()["stCode"] == 5203


def test_a_hanging_login_holds_up_nobody_else_and_ends_when_it_is_mended(broker: Broker) -> None:
    broker.post("accounts", {"ucc": "AA001", "login_hang": True})
    broker.post("accounts", {"ucc": "AA002", "login_error": True})
    hanging = broker.client(1, timeout=0.5)
    with pytest.raises(Exception, match="timeout") as caught:
        hanging.totp_login(mobile_number="+919000000001", ucc="AA001", totp=broker.code())
    assert type(caught.value).__name__ == "ApiException"
    busy = broker.client(2).totp_login(mobile_number="+919000000002", ucc="AA002", totp=broker.code())
    assert busy["error"][0]["code"] == "10500"
    assert broker.trader(3).limits()["stat"] == "Ok"
    broker.post("accounts", {"ucc": "AA001", "login_hang": False})
    eventually(lambda: "pending" not in {item["outcome"] for item in broker.get("requests")})
    assert broker.trader(1).limits()["stat"] == "Ok"


def test_the_day_of_the_files_is_the_day_of_the_simulator(broker: Broker) -> None:
    assert DAY in broker.client().scrip_master("nse_fo")
