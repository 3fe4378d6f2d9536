"""The embedded engines start anywhere, survive everything and disturb nobody."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from app.infra.engines.engines import (
    Engines,
    engine_pids,
    ensure_engines,
    keep_engines,
    restart_postgres,
    restart_valkey,
    stop_engines,
)
from app.infra.engines.errors import EngineError
from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.integration


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    # A space and a quote: people have such folders, and both engines have a configuration syntax.
    home = tmp_path / 'an "odd" place' / ".openbell"
    yield home
    stop_engines(home)


def start(home: Path) -> Engines:
    return ensure_engines(home, None, None)


def write(engines: Engines) -> None:
    with psycopg.connect(engines.database_url) as connection:
        connection.execute("create table kept (value text)")
        connection.execute("insert into kept values ('committed')")
    with redis.Redis.from_url(engines.redis_url) as client:
        client.set("kept", "written")
        client.execute_command("WAITAOF", 1, 0, 5000)


def read(engines: Engines) -> tuple[str, str]:
    with psycopg.connect(engines.database_url) as connection:
        row = connection.execute("select value from kept").fetchone()
    with redis.Redis.from_url(engines.redis_url, decode_responses=True) as client:
        value = client.get("kept")
    assert row is not None
    return str(row[0]), str(value)


def test_kill_9_of_both_loses_nothing_and_keeps_the_addresses(home: Path) -> None:
    before = start(home)
    write(before)
    for pid in engine_pids(home).values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    after = start(home)

    assert after == before
    assert read(after) == ("committed", "written")


def test_engines_that_die_while_they_are_kept_come_back(home: Path) -> None:
    engines = start(home)
    write(engines)
    ended, events = threading.Event(), list[str]()
    watch = threading.Thread(
        target=keep_engines, args=(home, None, None), kwargs={"ended": ended, "on_event": events.append}
    )
    watch.start()
    try:
        for pid in engine_pids(home).values():
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(events) == 2)
    finally:
        ended.set()
        watch.join()

    assert sorted(event.split()[0] for event in events) == ["postgres", "valkey"]
    assert read(engines) == ("committed", "written")


def test_a_cluster_that_was_half_made_is_thrown_away(home: Path) -> None:
    leftover = home / "postgres" / "data.new" / "base"
    leftover.mkdir(parents=True)

    write(start(home))

    assert not leftover.parent.exists()


def test_restarting_each_engine_in_the_middle_keeps_the_data(home: Path) -> None:
    engines = start(home)
    write(engines)
    pids = engine_pids(home)

    restart_valkey(home)
    restart_postgres(home)

    assert read(engines) == ("committed", "written")
    assert all(new != pids[name] for name, new in engine_pids(home).items())


def test_a_pid_file_that_names_a_living_stranger_does_not_stop_the_start(home: Path, tmp_path: Path) -> None:
    other_home = tmp_path / "other"
    start(other_home)
    try:
        strangers = engine_pids(other_home)  # of the same user, so that PostgreSQL takes it for a rival
        write(start(home))
        stop_engines(home)
        stale = f"{strangers['postgres']}\n{home}/postgres/data\n0\n5432\n\n\n\nready\n"
        (home / "postgres/data/postmaster.pid").write_text(stale)
        (home / "valkey/valkey.pid").write_text(f"{strangers['valkey']}\n")

        assert engine_pids(home) == {"valkey": None, "postgres": None}
        stop_engines(home)  # must not hit them
        assert read(start(home)) == ("committed", "written")
        assert engine_pids(other_home) == strangers
    finally:
        stop_engines(other_home)


def test_two_homes_run_side_by_side(home: Path, tmp_path: Path) -> None:
    other_home = tmp_path / "other"
    first, second = start(home), start(other_home)
    try:
        write(first)
        with redis.Redis.from_url(second.redis_url) as client:
            assert client.get("kept") is None
        stop_engines(home)
        with psycopg.connect(second.database_url) as connection:
            assert connection.execute("select to_regclass('kept')").fetchone() == (None,)
    finally:
        stop_engines(other_home)


def test_many_callers_at_once_start_one_pair(home: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(start, [home] * 4))

    assert len(set(found)) == 1


def test_a_port_that_a_stranger_took_is_given_up(home: Path) -> None:
    before = start(home)
    stop_engines(home)
    port = int(before.redis_url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        after = start(home)

    assert after.redis_url != before.redis_url
    with redis.Redis.from_url(after.redis_url) as client:
        assert client.ping()


def test_a_broken_start_shows_the_end_of_the_log(home: Path) -> None:
    start(home)
    stop_engines(home)
    (home / "postgres/data/PG_VERSION").write_text("1\n")

    with pytest.raises(EngineError, match="not compatible"):
        start(home)


def test_given_addresses_are_used_and_nothing_is_started(home: Path) -> None:
    given = ensure_engines(home, "redis://elsewhere/0", "postgresql://elsewhere/db")

    assert given == Engines(redis_url="redis://elsewhere/0", database_url="postgresql://elsewhere/db")
    assert not home.exists()


def test_one_given_address_leaves_the_other_engine_to_us(home: Path) -> None:
    engines = ensure_engines(home, "redis://elsewhere/0", None)

    assert engines.redis_url == "redis://elsewhere/0"
    assert engine_pids(home)["valkey"] is None
    assert engine_pids(home)["postgres"] is not None


def test_secrets_are_private_and_required(home: Path) -> None:
    engines = start(home)

    for path in (home / "valkey/endpoint.json", home / "valkey/valkey.conf", home / "postgres/endpoint.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(home.glob("**/initdb.password"))
    password = engines.redis_url.split(":")[2].split("@")[0]
    with (
        redis.Redis.from_url(engines.redis_url.replace(password, "wrong")) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    password = engines.database_url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(engines.database_url.replace(password, "wrong"))


def test_the_settings_that_durability_rests_on_hold(home: Path) -> None:
    engines = start(home)

    with psycopg.connect(engines.database_url) as connection:
        shown = [
            connection.execute(f"show {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "max_connections", "listen_addresses")
        ]
    with redis.Redis.from_url(engines.redis_url, decode_responses=True) as client:
        config = client.config_get("append*", "maxmemory-policy", "bind")
    assert shown == [("on",), ("on",), ("200",), ("127.0.0.1",)]
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "everysec")
    assert (config["maxmemory-policy"], config["bind"]) == ("noeviction", "127.0.0.1")


def test_engines_outlive_their_starter(home: Path) -> None:
    code = (
        "import sys, pathlib; from app.infra.engines.engines import ensure_engines;"
        "ensure_engines(pathlib.Path(sys.argv[1]), None, None)"
    )
    subprocess.run([sys.executable, "-c", code, str(home)], check=True, timeout=90)

    assert all(engine_pids(home).values())


def test_an_ordinary_user_needs_nothing_from_root() -> None:
    code = (
        "import sys, pathlib, psycopg; from app.infra.engines.engines import *;"
        "home = pathlib.Path(sys.argv[1]); engines = ensure_engines(home, None, None);"
        "psycopg.connect(engines.database_url).close(); restart_postgres(home); restart_valkey(home);"
        "stop_engines(home); print(engine_pids(home))"
    )
    place = Path(tempfile.mkdtemp(prefix="openbell-"))
    try:
        done = subprocess.run(
            [*as_ordinary_user(place), sys.executable, "-B", "-c", code, str(place / ".openbell")],
            check=True,
            timeout=90,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(place)

    assert done.stdout.strip() == "{'valkey': None, 'postgres': None}"


def as_ordinary_user(place: Path) -> list[str]:
    """Return what makes root somebody else; whoever is not root is an ordinary user already."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    # Reading only: a Python that root installed under /root must be found, but nothing may be written.
    capability = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    identity = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, *capability, "--"]
