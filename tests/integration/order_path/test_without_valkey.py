"""Stop Valkey, press the kill switch: positions are closed all the same, by lanes that run already."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis
from typer.testing import CliRunner

from api.main import create_app
from app.cli.program import build
from app.config import Settings, load_settings
from app.db.models import UserRow
from app.db.session import Database
from app.domain.instruments import OptionRight
from app.domain.orders import OrderRole, OrderStatus
from app.infra.engines.engines import engine_pids, ensure_engines
from app.infra.live_state import LiveState
from app.infra.market_codec import encode_mark
from app.infra.names import MARKS_KEY, RunKind
from app.infra.passwords import hash_password
from app.infra.queue import TaskQueue, make_celery
from app.services.lanes.prices import ExitPrices
from app.services.lanes.wakes import Wakes
from tests.freezing import frozen
from tests.integration.api.conftest import Server
from tests.integration.order_path.desk import Desk
from tests.waiting import eventually

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
PASSWORD = "a long enough password"
_S = OrderStatus

Press = Callable[[], bool]
"""Presses everybody's kill switch and waits; returns whether it was told that everything is flat."""


@contextmanager
def _frozen(home: Path) -> Iterator[None]:
    """Valkey takes connections and answers nobody."""
    pid = engine_pids(home)["valkey"]
    assert pid is not None
    with frozen([pid]):
        yield


@contextmanager
def _killed(home: Path) -> Iterator[None]:
    """Nobody listens where Valkey was."""
    pid = engine_pids(home)["valkey"]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: engine_pids(home)["valkey"] is None)
    try:
        yield
    finally:
        ensure_engines(home, None, None)


AWAY = pytest.mark.parametrize("away", [_frozen, _killed], ids=["frozen", "killed"])


def _sell_straddles(desk: Desk) -> None:
    """Open two legs in each account, with lanes that run, until all are guarded."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 4)
    desk.wait_for(lambda: all(leg.exposed_since is None for leg in desk.legs()))


def _is_flat_at_broker(desk: Desk) -> bool:
    return all(position["net"] == 0 for position in desk.broker.get("positions"))


@contextmanager
def _rest(desk: Desk, folder: Path) -> Iterator[Press]:
    """The API as its process serves it, with a person on duty."""
    with desk.database.begin() as session:
        session.add(UserRow(name="ops", role="OPS", password_hash=hash_password(PASSWORD)))
    addresses = desk.parts.addresses
    application = create_app(
        Settings(home=folder),
        Database(addresses.database_url),
        LiveState(addresses.redis_url),
        queue=TaskQueue(make_celery(addresses.redis_url)),
        clock=desk.clock,
    )
    server = Server(application)
    with httpx.Client(base_url=f"{server.url}api/v1/", timeout=10) as client:
        yield lambda: _press_by_rest(desk, client)
    server.stop()


def _press_by_rest(desk: Desk, client: httpx.Client) -> bool:
    signed_in = client.post("tokens", json={"name": "ops", "password": PASSWORD}).raise_for_status()
    client.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
    body = {"scope": "tenant", "action": "HALT", "reason": "prices look wrong"}
    pressed = client.post("kill-switch", json=body).raise_for_status().json()

    def follow() -> dict[str, Any]:
        return dict(client.get(f"kill-switch/{pressed['id']}").raise_for_status().json())

    desk.wait_for(lambda: follow()["is_flat"])
    end = follow()
    assert [account["why_not_flat"] for account in end["accounts"]] == [None, None]
    assert all(account["flat_at"] >= account["last_order_at"] for account in end["accounts"])
    assert end["press_to_last_order"]["accounts"] == 2
    again = client.post("kill-switch", json=body).raise_for_status().json()["result"]
    assert (again["rows"], again["exits_requested"], again["entries_canceled"]) == (0, 0, 0)
    return bool(end["is_flat"])


@contextmanager
def _cli(desk: Desk, folder: Path) -> Iterator[Press]:
    """The program of the person at the machine."""

    def press() -> bool:
        addresses = desk.parts.addresses
        environment = {
            "OPENBELL_HOME": str(folder),
            "OPENBELL_DATABASE_URL": addresses.database_url,
            "OPENBELL_REDIS_URL": addresses.redis_url,
            "OPENBELL_CLOCK_FILE": str(folder / "clock"),
            "OPENBELL_SECRET_KEYS": _open(desk.parts.settings.secret_keys),
            "OPENBELL_BROKER_URLS": json.dumps(desk.parts.settings.broker_urls),
        }
        words = ["kill", "--all", "--reason", "prices look wrong", "--yes", "--json", "--wait", "40"]
        load_settings.cache_clear()
        told = CliRunner().invoke(build(), words, env=environment)
        load_settings.cache_clear()
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        kill = json.loads(told.stdout)
        assert kill["is_flat"] is (told.exit_code == 0)
        return bool(kill["is_flat"])

    yield press


@AWAY
@pytest.mark.parametrize("way", [_rest, _cli], ids=["rest", "cli"])
def test_the_kill_switch_closes_everything_while_valkey_is_away(
    desk: Desk,
    engines_home: Path,
    tmp_path: Path,
    away: Callable[[Path], Any],
    way: Callable[[Desk, Path], Any],
) -> None:
    with desk.running(*ALL):
        _sell_straddles(desk)
        with way(desk, tmp_path) as press, away(engines_home):
            assert press()
            assert _is_flat_at_broker(desk)

    assert all(leg.net_qty == 0 for leg in desk.legs())
    assert len(desk.broker.get("orders")) == 8, "four entries, and their four stops became the exits"


@pytest.mark.parametrize("has_quotes", [True, False], ids=["the broker's quote", "what it cost"])
def test_a_lane_that_never_saw_a_price_closes_too(
    desk: Desk,
    engines_home: Path,
    tmp_path: Path,
    has_quotes: bool,  # noqa: FBT001
) -> None:
    """It took over while Valkey was away, so it has nothing in memory."""
    with desk.running(*ALL):
        _sell_straddles(desk)
    if not has_quotes:
        desk.broker.post("faults", {"faults": [{"kind": "outage", "rate": 1.0, "endpoint": "quotes"}]})

    with _cli(desk, tmp_path) as press, _killed(engines_home), desk.running(RunKind.EXITS):
        assert press()
        assert _is_flat_at_broker(desk)

    quotes = [r for r in desk.broker.get("requests?since=0") if "/quotes/" in r["path"]]
    assert len(quotes) > 0


def test_an_old_price_in_memory_gives_way_to_the_brokers_quote(
    desk: Desk, engines_home: Path, tmp_path: Path
) -> None:
    """The lane remembers a price so far below the market that no chase from there would ever fill."""
    hasty = desk.parts.settings.model_copy(update={"tick_max_age_s": 0.5})
    with desk.running(*ALL, settings=hasty):
        _sell_straddles(desk)
        _mark_down(desk)
        with _cli(desk, tmp_path) as press, _killed(engines_home):
            assert press()
            assert _is_flat_at_broker(desk)

    assert len(desk.broker.get("orders")) == 8


def _mark_down(desk: Desk) -> None:
    """Let the lanes read marks of 70 % of the market."""
    options = [desk.option(right) for right in OptionRight]
    ticks = desk.price(options).ticks
    wrong = {i: replace(t, last=t.last * Decimal("0.7"), bid=None, ask=None) for i, t in ticks.items()}
    marks = {i: encode_mark(tick, desk.clock.wall()) for i, tick in wrong.items()}
    desk.parts.valkey.hset(MARKS_KEY.format(venue="NSE"), mapping=marks)
    threading.Event().wait(0.7)


def test_the_command_closes_everything_itself_where_no_worker_runs(
    desk: Desk, engines_home: Path, tmp_path: Path
) -> None:
    """Neither Valkey nor a single worker: nobody could even be told to start one."""
    with desk.running(*ALL):
        _sell_straddles(desk)

    with _cli(desk, tmp_path) as press, _killed(engines_home):
        assert press()
        assert _is_flat_at_broker(desk)

    assert all(leg.net_qty == 0 for leg in desk.legs())


def _open(secret: SecretStr | None) -> str:
    assert secret is not None
    return secret.get_secret_value()


def test_a_watched_stop_keeps_its_price_while_valkey_hangs_for_a_moment(desk: Desk) -> None:
    """A price is good for as long as a mark may be old, wherever it is kept; then there is none."""
    option = desk.option(OptionRight.CALL)
    desk.price([option])
    resting = SimpleNamespace(instrument_id=option.instrument_id, held=SimpleNamespace(net_qty=0))
    ages = {"young": timedelta(seconds=60), "old": timedelta(0)}
    found = {}
    for name, max_age in ages.items():
        parts = (desk.parts.valkey, desk.parts.gateways, desk.parts.contracts, desk.clock)
        with ExitPrices(*parts, max_age=max_age, wakes=Wakes()) as prices:
            before = prices.read([resting])  # type: ignore[list-item]  # all that it looks at of such a leg
            prices._valkey = Redis(port=9, socket_connect_timeout=0.2)
            assert before.keys() == {option.instrument_id}
            found[name] = prices.read([resting])  # type: ignore[list-item]

    assert found == {"young": before, "old": {}}
