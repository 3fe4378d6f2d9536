"""The agent starts only when it is safe, and its journal forgets nothing that was sent."""

import asyncio
import json
import multiprocessing
import os
import threading
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ConfigError, InvariantError
from brokers.mt5.agent.config import load_agent_config, parse_agent_config
from brokers.mt5.agent.journal import CommandJournal, FolderTakenError, living_holder
from brokers.mt5.agent.revisions import Revisions
from brokers.mt5.agent.terminal import is_same_folder
from brokers.mt5.agent.terminal_thread import (
    NotStartedError,
    StillRunningError,
    TerminalThread,
    Urgency,
)
from brokers.mt5.supervisor.config import load_supervisor_config
from tests.unit.mt5.payloads import JUNK, ORDER_ROW
from tests.waiting import eventually

GOOD = {"port": 8701, "token": "0123456789abcdef", "login": 1001, "server": "Broker-Demo"}


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "0.0.0.0"},  # noqa: S104  the very thing that is refused
        {"host": "10.0.0.5"},
        {"host": "agent.example.org"},
        {"token": "short"},
        {"token": "with spaces in it 0123"},
        {"token": "ünïcödé-0123456789"},
        {"port": 0},
        {"port": "8701"},
        {"login": 0},
        {"login": True},
        {"server": 3},
        {"symbols": "EURUSD"},
        {"utc_offset_s": 100_000},
        {"hang_after_s": 0},
        {"tls_certificate": "cert.pem"},
        {"tls_certificate": "cert.pem", "tls_key": "key.pem"},
        {"typo": 1},
    ],
)
def test_an_agent_refuses_unsafe_settings(changes: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        parse_agent_config({**GOOD, **changes}, folder=tmp_path)


def test_a_certificate_opens_the_way_to_other_machines(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("x")
    config = parse_agent_config(
        {**GOOD, "host": "10.0.0.5", "tls_certificate": "cert.pem", "tls_key": "key.pem"}, folder=tmp_path
    )

    assert config.url == "https://10.0.0.5:8701"
    assert str(GOOD["token"]) not in repr(config)


@pytest.mark.parametrize("missing", GOOD)
def test_an_agent_needs_every_setting(missing: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=missing):
        parse_agent_config({k: v for k, v in GOOD.items() if k != missing}, folder=tmp_path)


@given(st.dictionaries(st.sampled_from([*GOOD, "host", "state", "symbols", "hang_after_s"]), JUNK))
def test_any_settings_are_a_config_or_a_typed_error(raw: dict[str, object]) -> None:
    try:
        parse_agent_config({**GOOD, **raw}, folder=Path("nowhere"))
    except ConfigError:
        return


def test_an_unreadable_file_is_a_config_error(tmp_path: Path) -> None:
    for text in (None, "[agent", "agent = 1", ""):
        if text is not None:
            (tmp_path / "a.toml").write_text(text)
        with pytest.raises(ConfigError):
            load_agent_config(tmp_path / "a.toml")


def test_the_journal_remembers_over_a_restart(tmp_path: Path) -> None:
    journal = CommandJournal(tmp_path)
    journal.begin("a", {"action": "submit"})
    journal.end("a", {"retcode": 10009})
    journal.begin("b", {"action": "submit"})
    journal.close()

    again = CommandJournal(tmp_path)

    ended, begun = again.find("a"), again.find("b")
    assert ended is not None
    assert ended.reply == {"retcode": 10009}
    assert begun is not None
    assert begun.reply is None
    assert [command.command_id for command in again.open_commands()] == ["b"]
    with pytest.raises(InvariantError):
        again.begin("a", {})
    again.close()


def test_a_record_is_on_the_disk_before_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = CommandJournal(tmp_path)
    synced: list[bytes] = []
    fsync = os.fsync

    def spy(file: int) -> None:
        fsync(file)
        synced.append((tmp_path / "commands.jsonl").read_bytes())

    monkeypatch.setattr(os, "fsync", spy)
    journal.begin("a", {"action": "submit"})

    assert json.loads(synced[-1]) == {"id": "a", "what": {"action": "submit"}}
    journal.close()


@pytest.mark.parametrize("cut", range(1, 27))
def test_a_line_that_a_crash_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    journal = CommandJournal(tmp_path)
    journal.begin("a", {"n": 1})
    journal.begin("b", {"n": 2})
    journal.close()
    file = tmp_path / "commands.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])

    again = CommandJournal(tmp_path)
    assert again.find("a") is not None
    assert again.find("b") is None
    again.begin("b", {"n": 3})
    again.close()
    last = CommandJournal(tmp_path)
    assert len(last.open_commands()) == 2
    last.close()


def test_a_journal_damaged_in_the_middle_stops_the_agent(tmp_path: Path) -> None:
    (tmp_path / "commands.jsonl").write_bytes(b'{"id": "a", "what": {}}\nrubbish\n{"id": "b", "what": {}}\n')

    with pytest.raises(ConfigError, match="damaged"):
        CommandJournal(tmp_path)


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = CommandJournal(tmp_path)
    journal.begin("a", {})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            journal.begin("b", {})
    assert journal.find("b") is None
    journal.begin("c", {})
    journal.close()

    again = CommandJournal(tmp_path)
    assert [command.command_id for command in again.open_commands()] == ["a", "c"]
    again.close()


def _hold(folder: Path, ready: str) -> None:
    journal = CommandJournal(folder)
    Path(ready).write_text("ready")
    threading.Event().wait()
    journal.close()


def test_a_folder_has_one_holder_and_a_dead_one_is_none(tmp_path: Path) -> None:
    folder, ready = tmp_path / "state", tmp_path / "ready"
    holder = multiprocessing.get_context("spawn").Process(
        target=_hold, args=(folder, str(ready)), daemon=True
    )
    holder.start()
    eventually(ready.exists)

    with pytest.raises(FolderTakenError):
        CommandJournal(folder)
    assert living_holder(folder) == holder.pid
    holder.kill()
    holder.join(10)
    assert living_holder(folder) is None
    CommandJournal(folder).close()


def test_revisions_grow_with_each_change_only() -> None:
    revisions = Revisions()
    first = revisions.stamp(ORDER_ROW)

    assert revisions.stamp({**ORDER_ROW, "price_current": "1.5"}) >= first
    moved = revisions.stamp({**ORDER_ROW, "price_open": "1.38"})
    assert moved > first
    assert revisions.stamp({**ORDER_ROW, "price_open": "1.38"}) == moved
    assert Revisions().stamp(ORDER_ROW) >= first


@pytest.mark.parametrize(
    ("terminal", "reported", "is_same"),
    [
        (r"C:\mt5\a\terminal64.exe", r"C:\MT5\A", True),
        (r"C:\mt5\a\terminal64.exe", r"C:\mt5\b", False),
        (r"C:\mt5\a\terminal64.exe", r"C:\mt5", False),
        ("/opt/a/terminal64.exe", "/opt/a/", True),
        ("/opt/a/terminal64.exe", "", False),
    ],
)
def test_knows_its_own_terminal(terminal: str, reported: str, *, is_same: bool) -> None:
    assert is_same_folder(terminal, reported) is is_same


def test_a_call_that_never_began_is_not_one_that_is_still_running() -> None:
    release, order = threading.Event(), list[str]()
    thread = TerminalThread(on_idle=lambda: None, hang_after_s=30, start_timeout_s=30)
    thread.start()

    async def play() -> None:
        with pytest.raises(StillRunningError):
            await thread.run(lambda: release.wait(30), urgency=Urgency.READ, timeout_s=0.05)
        with pytest.raises(NotStartedError):
            await thread.run(lambda: order.append("late"), urgency=Urgency.EXIT, timeout_s=0.05)
        calls = (("read", Urgency.READ), ("entry", Urgency.ENTRY), ("exit", Urgency.EXIT))
        waiting = [
            asyncio.ensure_future(thread.run(partial(order.append, word), urgency=urgency, timeout_s=20))
            for word, urgency in calls
        ]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*waiting)

    asyncio.run(play())

    assert order == ["exit", "entry", "read"]
    assert not thread.is_sick


def test_a_call_that_hangs_makes_the_agent_sick_for_ever() -> None:
    release = threading.Event()
    thread = TerminalThread(on_idle=lambda: None, hang_after_s=0.05, start_timeout_s=0.05)
    thread.start()

    async def play() -> None:
        with pytest.raises(StillRunningError):
            await thread.run(lambda: release.wait(30), urgency=Urgency.READ, timeout_s=0.2)
        assert thread.is_sick
        release.set()
        with pytest.raises(NotStartedError):
            await thread.run(lambda: None, urgency=Urgency.EXIT, timeout_s=5)

    asyncio.run(play())


def test_the_supervisor_wants_agents_that_differ(tmp_path: Path) -> None:
    for name, port in (("a", 8701), ("b", 8701)):
        (tmp_path / f"{name}.toml").write_text(
            f'[agent]\nport = {port}\ntoken = "0123456789abcdef"\nlogin = 1\nserver = "S"\nstate = "{name}"\n'
        )
    file = tmp_path / "supervisor.toml"
    table = '[[agents]]\nname = "{}"\nconfig = "{}.toml"\n'

    file.write_text(table.format("a", "a"))
    assert load_supervisor_config(file).agents[0].command[-2:] == ("--config", str(tmp_path / "a.toml"))
    for text in (
        table.format("a", "a") + table.format("b", "b"),
        table.format("a", "a") * 2,
        table.format("", "a"),
        table.format("a", "missing"),
        "",
        "[supervisor]\ntypo = 1\n" + table.format("a", "a"),
        "[supervisor]\ndead_after_s = true\n" + table.format("a", "a"),
        "[other]\n" + table.format("a", "a"),
        table.format("a", "a") + "command = []\n",
    ):
        file.write_text(text)
        with pytest.raises(ConfigError):
            load_supervisor_config(file)
