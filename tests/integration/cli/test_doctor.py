"""The doctor names everything that is wrong, each with its remedy, and changes nothing."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import redis

from app.infra.clock import VirtualClock
from app.services.doctor.findings import Severity
from app.services.doctor.machine import examine_skew, examine_time
from app.services.doctor.storage import examine_valkey
from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration


def findings(out: str) -> dict[tuple[str, str], str]:
    """Return (code, severity) -> all messages."""
    found: dict[tuple[str, str], str] = {}
    for finding in json.loads(out)["findings"]:
        key = (finding["code"], finding["severity"])
        found[key] = found.get(key, "") + finding["message"] + "\n"
        assert finding["severity"] == "ok" or finding["remedy"], finding
    return found


def test_a_sound_installation_has_no_errors(run: Run) -> None:
    answer = run("doctor", "--json")

    found = findings(answer.out)
    assert answer.status == 0
    assert not [key for key in found if key[1] == "error"]
    for code in (
        "configuration",
        "versions",
        "disk",
        "calendar",
        "database",
        "schema",
        "valkey",
        "secret_keys",
    ):
        assert (code, "ok") in found


def test_a_broken_configuration_gets_every_finding_at_once(run: Run, module_home: Path) -> None:
    clock_file = module_home / "clock"
    VirtualClock.create(clock_file, at=datetime(2031, 1, 2, 4, tzinfo=UTC), rate=1.0)

    answer = run(
        *("doctor", "--json"),
        OPENBELL_DATABASE_URL="postgresql://u:secret-word@127.0.0.1:1/none",
        OPENBELL_REDIS_URL="redis://:secret-word@127.0.0.1:1/0",
        OPENBELL_CLOCK_FILE=str(clock_file),
        OPENBELL_BROKER_URLS="not json",
        OPENBELL_LEASE_TTL_S="soon",
        OPENBELL_REDIS_ULR="x",
        OPENBELL_STRATEGY_MODULES='["no.such.module"]',
    )

    found = findings(answer.out)
    assert answer.status == 1
    configuration = found["configuration", "error"]
    assert "OPENBELL_BROKER_URLS: Input should be a valid dictionary" in configuration
    assert "OPENBELL_LEASE_TTL_S: " in configuration
    assert "OPENBELL_REDIS_ULR is no setting" in configuration
    assert "did you mean OPENBELL_REDIS_URL?" in answer.out
    assert "127.0.0.1:1/none does not answer" in found["database", "error"]
    assert "127.0.0.1:1/0 does not answer" in found["valkey", "error"]
    assert "found neither OPENBELL_SECRET_KEYS nor" in found["secret_keys", "error"]
    assert "NSE.FO is valid from 2025-01-01 to 2026-12-31, today is 2031-01-02" in found["calendar", "error"]
    assert "ahead of the machine's" in found["clock_skew", "error"]
    assert "secret-word" not in answer.out + answer.err
    assert not (module_home / "secret.keys").exists()


def test_a_setting_of_another_form_is_named_and_the_rest_examined(run: Run) -> None:
    answer = run("doctor", OPENBELL_SECRET_KEYS="too-short")

    assert answer.status == 1
    assert "ERROR    secret_keys: OPENBELL_SECRET_KEYS: expected key 1 to be 32 bytes" in answer.out
    assert "too-short" not in answer.out
    assert "database: PostgreSQL" in answer.out


def test_what_was_set_up_wrong_is_named(run: Run, database_url: str) -> None:
    run("users", "add", "asha", "--no-password")
    run("accounts", "add", "asha/main", "--egress", "203.0.113.77")
    run("deployments", "add", "asha/main/d", "--strategy", "short_straddle")
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("update deployments set strategy = 'gone'")
        connection.execute("update accounts set mode = 'LIVE'")
        connection.execute(
            "insert into credentials (account_id, ciphertext) select id, '\\x00' from accounts"
        )

    found = findings(run("doctor", "--json").out)

    assert "nothing can leave through 203.0.113.77" in found["egress", "error"]
    assert "got 'gone'" in found["strategies", "error"]
    assert "1 account(s) are LIVE but live trading is off" in found["live_trading", "warning"]
    assert "but the database holds secrets" in found["secret_keys", "error"]


def test_old_tables_are_named(run: Run, database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        [(head,)] = connection.execute(
            "update alembic_version set version_num = 'old' returning 'x'"
        ).fetchall()
    assert head == "x"

    answer = run("doctor")

    assert answer.status == 1
    assert "schema: the tables are at old, expected" in answer.out
    assert "-> run: openbell migrate" in answer.out


def test_a_valkey_that_forgets_is_named(redis_url: str) -> None:
    clock = VirtualClockAt(timedelta(0))
    with redis.Redis.from_url(redis_url) as client:
        before = client.config_get("maxmemory-policy", "appendonly")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
        try:
            codes = {finding.code: finding.severity for finding in examine_valkey(redis_url, clock)}
        finally:
            for name, value in before.items():
                client.config_set(name, value)

    assert codes["valkey_aof"] is Severity.ERROR
    assert codes["valkey_eviction"] is Severity.ERROR


class VirtualClockAt:
    """A clock some way off the machine's."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return self.wall() + self._ahead

    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def test_a_server_whose_clock_is_off_is_named(redis_url: str) -> None:
    skews = [
        f for f in examine_valkey(redis_url, VirtualClockAt(timedelta(seconds=10))) if f.code == "clock_skew"
    ]

    assert [finding.severity for finding in skews] == [Severity.ERROR]
    assert "the clock of the Valkey server is 10.0 s behind ours" in skews[0].message


@pytest.mark.parametrize(
    ("skew_s", "severity"),
    [
        (0.0, Severity.OK),
        (0.25, Severity.OK),
        (-0.3, Severity.WARNING),
        (2.0, Severity.WARNING),
        (-2.1, Severity.ERROR),
    ],
)
def test_skew_is_judged_in_both_directions(skew_s: float, severity: Severity) -> None:
    assert examine_skew("x", timedelta(seconds=skew_s)).severity is severity


@pytest.mark.parametrize(
    ("answer", "severity"), [(True, Severity.OK), (False, Severity.WARNING), (None, Severity.WARNING)]
)
def test_the_kernels_word_on_synchronization_is_passed_on(answer: bool | None, severity: Severity) -> None:  # noqa: FBT001
    clock = VirtualClockAt(timedelta(0))

    assert [finding.severity for finding in examine_time(clock, lambda: answer)][-1] is severity
