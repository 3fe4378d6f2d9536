"""What a stormy day with detailed logs leaves behind betrays no credential and no session (I13)."""

from base64 import b64encode

import pytest
from redis import Redis
from sqlalchemy import text

from app.demo.options import DemoOptions, Faults
from app.demo.population import invent_people
from app.domain.instruments import Venue
from tests.e2e.conftest import StartDay
from tests.e2e.days import Ended, RunningDay
from tests.e2e.secret_search import SecretSearch, forms

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

_VENUES = (Venue.NSE, Venue.BINANCE, Venue.MT5)
_ACCOUNTS, _SEED = 4, 11
_NO_SECRETS = frozenset({"ucc", "login", "server", "agent_url"})


def test_a_storm_with_detailed_logs_betrays_no_secret_and_ends_by_the_kill_switch(
    start_day: StartDay,
) -> None:
    day = start_day(
        *("--accounts", str(_ACCOUNTS), "--seed", str(_SEED), "--faults", Faults.STORM),
        *("--venues", ",".join(_VENUES), "--close", "09:45", "--kill", "09:34"),
        log_level="DEBUG",
    )
    credentials = _credentials()
    day.wait_until("09:32")
    tokens = _tokens(day)
    ended = day.end()

    assert ended.report["orders"]["filled"] > 0
    _assert_killed(ended)
    assert '"level": "debug"' in (day.home / "logs" / "worker-orders.log").read_text()
    search = SecretSearch(credentials | tokens)
    assert _found(day, search) == ([], [], [])
    _plant(day, min(credentials), min(tokens))
    assert _found(day, search) == (["logs/planted.log"], ["public.alarms"], ["0:b'planted'"])


def _assert_killed(ended: Ended) -> None:
    """Everybody is flat after the press, or is listed with the broker's own reason."""
    (kill,) = ended.report["kills"]
    assert kill["accounts"] > 0
    assert kill["flat"] + len(kill["not_flat"]) == kill["accounts"]
    assert all(row["why"] for row in kill["not_flat"])
    assert 0 < kill["press_to_last_order"]["p50_ms"] <= kill["press_to_last_order"]["p99_ms"]
    assert ended.report["risk"]["square_offs"] == 0, "nothing was left for the square-off"


@pytest.mark.parametrize("shift", range(3))
def test_a_secret_is_found_inside_of_base64_wherever_it_begins(shift: int) -> None:
    secret = "demo-key-003-7wdb6zj4"
    hidden = b64encode(b"x" * shift + secret.encode() + b"yz")

    assert SecretSearch([secret]).finds(hidden)
    assert not SecretSearch([secret]).finds(hidden.lower())


def test_a_short_number_is_found_alone_and_not_as_a_part_of_others() -> None:
    search = SecretSearch(["100001"])

    assert search.finds(b'{"mpin": "100001"}')
    assert not search.finds(b"3100001 12:00:00.100001")
    assert len(set(forms("100001"))) == 3


def _credentials() -> set[str]:
    options = DemoOptions(accounts=_ACCOUNTS, seed=_SEED, venues=_VENUES)
    people = invent_people(options, ())
    found = {value for p in people for name, value in p.credentials.items() if name not in _NO_SECRETS}
    return found | {number.removeprefix("+") for number in found if number.startswith("+")}


def _tokens(day: RunningDay) -> set[str]:
    rows = day.simulator("/_sim/sessions") + day.simulator("/_sim/sessions", name="simulator-binance")
    found = {row[part] for row in rows for part in ("token", "sid") if part in row}
    assert found, "the brokers have handed out sessions"
    return found


def _found(day: RunningDay, search: SecretSearch) -> tuple[list[str], list[str], list[str]]:
    with day.engines() as engines, day.ledger() as session:
        return search.in_logs(day.home), search.in_tables(session), search.in_valkey(engines.redis_url)


def _plant(day: RunningDay, credential: str, token: str) -> None:
    (day.home / "logs" / "planted.log").write_text(f"seen {b64encode(credential.encode()).decode()}")
    with day.engines() as engines, day.ledger() as session:
        session.execute(
            text("INSERT INTO alarms (code, subject, message, raised_at) VALUES ('x', 'x', :said, now())"),
            {"said": f"?auth={token}"},
        )
        with Redis.from_url(engines.redis_url) as valkey:
            valkey.hset("planted", "field", credential.encode().hex())
