"""Readers follow streams through restarts and say when they may have missed something."""

import os
import signal
import threading
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as ValkeyTimeoutError

from app.infra.engines.engines import Engines, engine_pids, restart_valkey
from app.infra.streams import (
    BEGINNING,
    Entry,
    StreamReader,
    connect,
    connect_impatient,
    entries_after,
    last_entry_id,
)
from tests.waiting import eventually

pytestmark = pytest.mark.integration
STREAM = "test:stream"
STOP = threading.Event()


@pytest.fixture
def valkey(engines: Engines) -> Redis:
    client = connect(engines.redis_url)
    client.flushdb()
    return client


def read_numbers(reader: StreamReader, wanted: int) -> list[str]:
    found: list[str] = []

    def has_all() -> bool:
        found.extend(entry.fields["n"] for entry in reader.read(STOP).entries)
        return len(found) >= wanted

    eventually(has_all)
    return found


def add(valkey: Redis, *numbers: int) -> None:
    for n in numbers:
        valkey.xadd(STREAM, {"n": str(n)})


def test_reads_on_from_its_position(valkey: Redis) -> None:
    add(valkey, 1)
    reader = StreamReader(valkey)
    reader.follow(STREAM, after=last_entry_id(valkey, STREAM))

    add(valkey, 2, 3)

    assert read_numbers(reader, 2) == ["2", "3"]


def test_reports_a_gap_when_its_position_was_trimmed(valkey: Redis) -> None:
    add(valkey, 1)
    reader = StreamReader(valkey)
    reader.follow(STREAM, after=last_entry_id(valkey, STREAM))
    add(valkey, 2, 3)
    valkey.xtrim(STREAM, maxlen=1, approximate=False)

    batch = reader.read(STOP)

    assert batch.gaps == (STREAM,)
    assert [entry.fields["n"] for entry in batch.entries] == ["3"]
    assert reader.read(STOP).gaps == ()


def test_a_reader_that_is_behind_notices_what_was_trimmed_meanwhile(valkey: Redis) -> None:
    reader = StreamReader(valkey, count=2)
    reader.follow(STREAM, after=BEGINNING)
    add(valkey, *range(6))
    assert len(reader.read(STOP).entries) == 2

    valkey.xtrim(STREAM, maxlen=1, approximate=False)

    assert reader.read(STOP).gaps == (STREAM,)


def test_reports_no_gap_when_nothing_was_lost(valkey: Redis) -> None:
    reader = StreamReader(valkey, count=2)
    reader.follow(STREAM, after=BEGINNING)
    add(valkey, *range(5))

    batches = [reader.read(STOP) for _ in range(3)]

    assert [len(batch.entries) for batch in batches] == [2, 2, 1]
    assert all(batch.gaps == () for batch in batches)


def test_reads_on_after_the_server_was_killed(valkey: Redis, engines_home: Path) -> None:
    reader = StreamReader(valkey)
    reader.follow(STREAM, after=BEGINNING)
    add(valkey, 1)
    assert read_numbers(reader, 1) == ["1"]

    restart_valkey(engines_home)

    def is_back() -> bool:
        try:
            return bool(valkey.ping())
        except RedisError:
            return False

    eventually(is_back)
    add(valkey, 2)
    assert read_numbers(reader, 1)[-1] == "2"


def test_the_impatient_wait_once_for_a_server_that_hangs_and_ask_again_later(
    engines: Engines, engines_home: Path
) -> None:
    impatient = connect_impatient(engines.redis_url)
    assert impatient.ping()
    pid = engine_pids(engines_home)["valkey"]
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ValkeyTimeoutError):
            impatient.ping()
        with pytest.raises(ValkeyTimeoutError, match="has just left"):
            impatient.ping()
    finally:
        os.kill(pid, signal.SIGCONT)

    def is_back() -> bool:
        try:
            return bool(impatient.ping())
        except RedisError:
            return False

    eventually(is_back)


def test_hears_a_stream_that_was_added_while_it_reads(valkey: Redis) -> None:
    reader = StreamReader(valkey)
    stop = threading.Event()
    heard: list[Entry] = []

    def follow() -> None:
        while not stop.is_set():
            heard.extend(reader.read(stop).entries)

    thread = threading.Thread(target=follow)
    thread.start()
    reader.follow(STREAM, after=BEGINNING)
    assert reader.wait_until_read(STREAM, 5)

    add(valkey, 1)

    eventually(lambda: heard)
    stop.set()
    thread.join()
    reader.forget(STREAM)
    assert reader.read(STOP).entries == ()


def test_returns_what_lies_between_two_positions(valkey: Redis) -> None:
    assert last_entry_id(valkey, STREAM) == BEGINNING
    add(valkey, 1, 2, 3)
    first, second, _ = (entry.entry_id for entry in entries_after(valkey, STREAM, after=BEGINNING))

    between = entries_after(valkey, STREAM, after=first, until=second)

    assert [entry.fields["n"] for entry in between] == ["2"]
