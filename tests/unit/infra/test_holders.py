"""A holder counts as dead only when its process was of this machine and is gone."""

import os
import socket
import subprocess
import sys

import pytest

from app.infra.holders import is_dead_here, this_holder

HERE = this_holder().rpartition(":")[0]


def test_this_process_lives() -> None:
    assert this_holder().startswith(f"{socket.gethostname()}/")
    assert this_holder().endswith(f":{os.getpid()}")
    assert not is_dead_here(this_holder())


def test_a_process_that_has_ended_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert is_dead_here(f"{HERE}:{ended.pid}")
    for elsewhere in ("elsewhere", socket.gethostname(), f"{HERE}0"):
        assert not is_dead_here(f"{elsewhere}:{ended.pid}"), "nothing is known of another place of that name"


def test_where_places_cannot_be_told_apart_nobody_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.infra.holders._here", lambda: None)

    assert not is_dead_here("vm/None:999999999")


@pytest.mark.parametrize("name", ["", "openbell kill", "test", f"{HERE}:", "vm:12x", "vm:-1"])
def test_what_is_no_process_is_not_dead(name: str) -> None:
    assert not is_dead_here(name)


def test_a_process_of_another_user_lives() -> None:
    assert not is_dead_here(f"{HERE}:1")
    assert not is_dead_here(f"{HERE}:{10**30}")
