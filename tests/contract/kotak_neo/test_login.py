"""A login succeeds through its own address, or says in one word what a person must mend."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import ConfigError, LoginRefusedError, SessionExpiredError, UnavailableError
from app.domain.ports import BrokerAdapter, BrokerSession, Credentials
from brokers.registry import adapter
from tests.contract.kotak_neo.desk import DayClock, Simulator


def _with(credentials: Credentials, **changes: str) -> Credentials:
    return Credentials(fields={**credentials.fields, **changes})


def test_session_ends_at_midnight_of_the_exchange(simulator: Simulator, house: BrokerAdapter) -> None:
    session = house.login(simulator.new_account(), egress="", timeout_s=10)

    assert session.broker is BrokerCode.KOTAK_NEO
    assert session.expires_at == datetime(2019, 1, 2, 18, 30, tzinfo=UTC)


def test_two_accounts_leave_from_their_own_addresses(simulator: Simulator, house: BrokerAdapter) -> None:
    seen = set()
    for egress in ("127.0.0.21", "127.0.0.22"):
        session = house.login(simulator.new_account(allowed_ips=[egress]), egress=egress, timeout_s=10)
        gateway = house.restore(session)
        seen.add(gateway.request_egress_address())
        gateway.close()

    assert seen == {"127.0.0.21", "127.0.0.22"}
    by_login = {row["source"] for row in simulator.get("requests", path="/login/1.0/tradeApiLogin")}
    assert seen <= by_login


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"totp_secret": "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"}, LoginReason.BAD_TOTP),
        ({"totp_secret": "not base32!"}, LoginReason.BAD_TOTP),
        ({"mpin": "000000"}, LoginReason.BAD_CREDENTIALS),
        ({"mobile_number": "+910000000000"}, LoginReason.BAD_CREDENTIALS),
        ({"consumer_key": "stolen-key"}, LoginReason.IP_DENIED),
        ({"mpin": " "}, LoginReason.NO_CREDENTIALS),
    ],
)
def test_refused_login_names_its_reason(
    simulator: Simulator, house: BrokerAdapter, changes: dict[str, str], reason: LoginReason
) -> None:
    credentials = _with(simulator.new_account(), **changes)

    with pytest.raises(LoginRefusedError) as caught:
        house.login(credentials, egress="", timeout_s=10)

    assert caught.value.reason == reason
    for secret in (*changes.values(), credentials.fields["totp_secret"], credentials.fields["consumer_key"]):
        assert secret.strip() == "" or secret not in str(caught.value)


def test_a_code_used_twice_is_refused(simulator: Simulator, house: BrokerAdapter) -> None:
    credentials = simulator.new_account()
    house.login(credentials, egress="", timeout_s=10)

    with pytest.raises(LoginRefusedError) as caught:
        house.login(credentials, egress="", timeout_s=10)

    assert caught.value.reason == LoginReason.BAD_TOTP


def test_dead_egress_is_told_from_a_dead_broker(
    simulator: Simulator, house: BrokerAdapter, far: BrokerAdapter
) -> None:
    credentials = simulator.new_account()

    with pytest.raises(UnavailableError, match=r"^egress_down: .*192\.0\.2\.1"):
        house.login(credentials, egress="192.0.2.1", timeout_s=5)
    with pytest.raises(UnavailableError, match=r"^broker_down: "):
        far.login(credentials, egress="", timeout_s=5)


def test_hung_login_ends_at_our_own_time_limit(simulator: Simulator, house: BrokerAdapter) -> None:
    credentials = simulator.new_account(login_hang=True)
    started = time.monotonic()

    with pytest.raises(UnavailableError, match=r"^timeout: "):
        house.login(credentials, egress="", timeout_s=0.7)

    assert time.monotonic() - started < 3.0
    simulator.post("accounts", {"ucc": credentials.fields["ucc"], "login_hang": False})


@pytest.mark.parametrize(("kind", "start"), [("login_null", "protocol"), ("login_fail", "broker_down")])
def test_a_stumbling_broker_may_be_asked_again(
    simulator: Simulator, house: BrokerAdapter, kind: str, start: str
) -> None:
    credentials = simulator.new_account()
    simulator.post("faults", {"faults": [{"kind": kind, "ucc": [credentials.fields["ucc"]], "count": 1}]})

    with pytest.raises(UnavailableError, match=f"^{start}: "):
        house.login(credentials, egress="", timeout_s=10)

    house.login(credentials, egress="", timeout_s=10)


def test_another_process_goes_on_with_the_session(simulator: Simulator, house: BrokerAdapter) -> None:
    session = house.login(simulator.new_account(), egress="127.0.0.31", timeout_s=10)
    program = (
        "import json,sys;from datetime import datetime;from app.domain.accounts import BrokerCode;"
        "from app.domain.ports import BrokerSession;from brokers.registry import adapter;"
        "from tests.contract.kotak_neo.desk import DayClock;r=json.load(sys.stdin);"
        "s=BrokerSession(broker=BrokerCode.KOTAK_NEO,expires_at=datetime.fromisoformat(r['e']),"
        "egress=r['g'],secret=r['s']);"
        "a=adapter(BrokerCode.KOTAK_NEO,base_url=r['u'],clock=DayClock());"
        "print(a.restore(s).request_egress_address())"
    )
    record = {
        "e": session.expires_at.isoformat(),
        "g": session.egress,
        "s": session.secret,
        "u": simulator.base_url,
    }

    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(record), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "127.0.0.31"


def test_an_ended_session_is_not_restored(house: BrokerAdapter) -> None:
    ended = BrokerSession(
        broker=BrokerCode.KOTAK_NEO, expires_at=datetime(2019, 1, 1, tzinfo=UTC), egress="", secret="{}"
    )

    with pytest.raises(SessionExpiredError):
        house.restore(ended)


def test_the_live_broker_needs_the_explicit_switch(clock: DayClock) -> None:
    with pytest.raises(ConfigError):
        adapter(BrokerCode.KOTAK_NEO, base_url=None, clock=clock)
    with pytest.raises(ConfigError):
        adapter(BrokerCode.PAPER, base_url=None, clock=clock)
