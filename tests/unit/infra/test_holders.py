"""A holder counts as dead only when its process was of this machine and is gone."""

import os
import socket
import subprocess
import sys

import pytest

from app.infra.holders import is_dead_here, this_holder


def test_this_process_lives() -> None:
    assert this_holder() == f"{socket.gethostname()}:{os.getpid()}"
    assert not is_dead_here(this_holder())


def test_a_process_that_has_ended_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert is_dead_here(f"{socket.gethostname()}:{ended.pid}")
    assert not is_dead_here(f"elsewhere:{ended.pid}"), "of other machines nothing is known"


@pytest.mark.parametrize("name", ["", "openbell kill", "test", f"{socket.gethostname()}:", "vm:12x", "vm:-1"])
def test_what_is_no_process_is_not_dead(name: str) -> None:
    assert not is_dead_here(name)


def test_a_process_of_another_user_lives() -> None:
    assert not is_dead_here(f"{socket.gethostname()}:1")
    assert not is_dead_here(f"{socket.gethostname()}:{10**30}")
