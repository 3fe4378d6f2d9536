"""A login checks the key through its own address, or says in one word what a person must mend."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import ConfigError, LoginRefusedError, SessionExpiredError, UnavailableError
from app.domain.ports import BrokerAdapter, Credentials
from brokers.binance.client import Cost
from brokers.binance.egress import Lane
from brokers.registry import adapter
from tests.contract.binance.desk import MARKETS, DayClock, Simulator, new_client


def _rule(simulator: Simulator, house: BrokerAdapter, name: str, **rule: object) -> None:
    endpoint = f"{MARKETS[house.code]}.account"
    simulator.post("faults", {"faults": [{"endpoint": endpoint, "account": [name], "count": 1, **rule}]})


def test_two_accounts_leave_from_their_own_addresses(simulator: Simulator, house: BrokerAdapter) -> None:
    addresses = {simulator.new_address(), simulator.new_address()}
    names = set()
    for egress in addresses:
        name, credentials = simulator.new_account(allowed_ips=[egress])
        session = house.login(credentials, egress=egress, timeout_s=10)
        gateway = house.restore(session)
        assert (session.broker, session.egress) == (house.code, egress)
        assert gateway.request_egress_address() == egress
        gateway.close()
        names.add(name)

    seen = {row["source"] for row in simulator.get("requests") if row["account"] in names}
    assert seen == addresses


@pytest.mark.parametrize(
    ("changes", "account", "reason"),
    [
        ({"api_secret": "w" * 20}, {}, LoginReason.BAD_CREDENTIALS),
        ({"api_key": "not a key!" * 2}, {}, LoginReason.BAD_CREDENTIALS),
        ({"api_key": "u" * 20}, {}, LoginReason.IP_DENIED),
        ({}, {"allowed_ips": ["127.9.9.9"]}, LoginReason.IP_DENIED),
        ({}, {"revoked": True}, LoginReason.IP_DENIED),
        ({}, {"can_trade": False}, LoginReason.BAD_CREDENTIALS),
        ({"api_secret": " "}, {}, LoginReason.NO_CREDENTIALS),
    ],
)
def test_refused_login_names_its_reason(
    simulator: Simulator,
    house: BrokerAdapter,
    changes: dict[str, str],
    account: dict[str, object],
    reason: LoginReason,
) -> None:
    _, opened = simulator.new_account(**account)
    credentials = Credentials(fields={**opened.fields, **changes})

    with pytest.raises(LoginRefusedError) as caught:
        house.login(credentials, egress=simulator.new_address(), timeout_s=10)

    assert caught.value.reason == reason
    for secret in credentials.fields.values():
        assert secret.strip() == "" or secret not in str(caught.value)


def test_an_account_in_hedge_mode_is_refused(
    simulator: Simulator, house: BrokerAdapter, clock: DayClock
) -> None:
    if house.code is BrokerCode.BINANCE_SPOT:
        return
    _, credentials = simulator.new_account()
    client = new_client(simulator, credentials, clock)
    cost = Cost(weight=1)
    switched = client.call(
        "futures_change_position_mode", lane=Lane.READS, timeout_s=5, cost=cost, dualSidePosition="true"
    )
    client.close()
    assert switched.wire.status == 200

    with pytest.raises(LoginRefusedError, match="hedge mode"):
        house.login(credentials, egress=simulator.new_address(), timeout_s=10)


def test_dead_egress_is_told_from_a_dead_broker(
    simulator: Simulator, house: BrokerAdapter, far: BrokerAdapter
) -> None:
    _, credentials = simulator.new_account()

    with pytest.raises(UnavailableError, match=r"^egress_down: .*192\.0\.2\.1"):
        house.login(credentials, egress="192.0.2.1", timeout_s=5)
    with pytest.raises(UnavailableError, match=r"^broker_down: "):
        far.login(credentials, egress="", timeout_s=5)


def test_hung_login_ends_at_our_own_time_limit(simulator: Simulator, house: BrokerAdapter) -> None:
    name, credentials = simulator.new_account()
    _rule(simulator, house, name, kind="hang", seconds=8.0)
    started = time.monotonic()

    with pytest.raises(UnavailableError, match=r"^timeout: "):
        house.login(credentials, egress=simulator.new_address(), timeout_s=0.7)

    assert time.monotonic() - started < 6.0


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("html_200", "protocol"),
        ("redirect", "protocol"),
        ("http_5xx_html", "broker_down"),
        ("http_418", "broker_down"),
    ],
)
def test_a_stumbling_broker_may_be_asked_again(
    simulator: Simulator, house: BrokerAdapter, kind: str, start: str
) -> None:
    name, credentials = simulator.new_account()
    _rule(simulator, house, name, kind=kind)

    with pytest.raises(UnavailableError, match=f"^{start}: "):
        house.login(credentials, egress=simulator.new_address(), timeout_s=10)

    house.login(credentials, egress=simulator.new_address(), timeout_s=10)


def test_another_process_goes_on_with_the_session(simulator: Simulator, house: BrokerAdapter) -> None:
    egress = simulator.new_address()
    _, credentials = simulator.new_account(allowed_ips=[egress])
    session = house.login(credentials, egress=egress, timeout_s=10)
    program = (
        "import json,sys;from datetime import datetime;from app.domain.accounts import BrokerCode;"
        "from app.domain.ports import BrokerSession;from brokers.registry import adapter;"
        "from tests.contract.binance.desk import DayClock;r=json.load(sys.stdin);"
        "s=BrokerSession(broker=BrokerCode(r['b']),expires_at=datetime.fromisoformat(r['e']),"
        "egress=r['g'],secret=r['s']);"
        "a=adapter(BrokerCode(r['b']),base_url=r['u'],clock=DayClock());"
        "print(a.restore(s).request_balance().data.available)"
    )
    record = {
        "b": session.broker,
        "e": session.expires_at.isoformat(),
        "g": session.egress,
        "s": session.secret,
        "u": simulator.base_url,
    }

    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(record), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "100000.00000000"


def test_nothing_shows_the_keys(simulator: Simulator, house: BrokerAdapter) -> None:
    _, credentials = simulator.new_account()
    session = house.login(credentials, egress=simulator.new_address(), timeout_s=10)
    gateway = house.restore(session)
    gateway.close()

    shown = f"{credentials!r} {session!r} {gateway!r} {house!r}"
    assert not any(secret in shown for secret in credentials.fields.values())


def test_an_ended_session_is_not_restored(simulator: Simulator, house: BrokerAdapter) -> None:
    _, credentials = simulator.new_account()
    session = house.login(credentials, egress=simulator.new_address(), timeout_s=10)

    with pytest.raises(SessionExpiredError):
        house.restore(replace(session, expires_at=datetime(2024, 12, 1, tzinfo=UTC)))


def test_the_live_broker_needs_the_explicit_switch(clock: DayClock, code: BrokerCode) -> None:
    with pytest.raises(ConfigError):
        adapter(code, base_url=None, clock=clock)
