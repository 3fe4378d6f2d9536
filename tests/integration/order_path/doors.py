"""Knock at every door that entries come in by, and say what was answered: None, or the code of the denial."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.main import create_app
from app.amibroker.symbols import name_of
from app.cli.program import build
from app.config import load_settings
from app.db.session import Database
from app.domain.deployments import Deployment
from app.domain.ids import SignalKey
from app.domain.instruments import OptionRight
from app.domain.orders import Side
from app.domain.signals import Signal
from app.domain.users import Actor, Role
from app.infra.live_state import LiveState
from app.infra.queue import TaskQueue, make_celery
from app.services.api_keys import issue_api_key
from app.services.runs import Lease
from tests.integration.api.conftest import Server
from tests.integration.order_path.desk import Desk
from tests.integration.order_path.outside import add_external

CHIEF = Actor(name="chief", role=Role.ADMIN, origin="test")
FIVE_PAST = "2019-01-02T09:25:01+05:30"
BAR = "20190102092000"
LOTS = 2


@contextmanager
def serving(desk: Desk, redis_url: str) -> Iterator[httpx.Client]:
    """Serve the API on the desk's database."""
    application = create_app(
        desk.parts.settings,
        Database(desk.database.url),
        LiveState(redis_url),
        queue=TaskQueue(make_celery(redis_url)),
        clock=desk.clock,
    )
    server = Server(application)
    try:
        with httpx.Client(base_url=server.url, timeout=20) as client:
            yield client
    finally:
        server.stop()


def issue(desk: Desk, deployment: Deployment) -> str:
    """Return a key for a deployment."""
    with desk.database.begin() as session:
        return issue_api_key(session, CHIEF, deployment, name="test")


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Buy or leave a call near the money by any door, each with a deployment of its own."""

    desk: Desk
    client: httpx.Client
    loop: Lease
    keys: Mapping[str, str]
    deployments: Mapping[str, Deployment]
    command: Callable[..., str | None]

    def knock(self, door: str) -> str | None:
        """Ask for two lots; return the code of the denial."""
        self.desk.price([self.desk.option(OptionRight.CALL)])
        knocks: dict[str, Callable[[], str | None]] = {
            "rest": lambda: self._rest(target_lots=LOTS),
            "openalgo": lambda: self._openalgo("placeorder", quantity=self._units()),
            "openalgo_smart": lambda: self._openalgo(
                "placesmartorder", quantity=0, position_size=self._units()
            ),
            "amibroker": lambda: self._amibroker("BUY"),
            "strategy": self._strategy,
            "cli": lambda: self.command("buy", "--lots", str(LOTS)),
        }
        return knocks[door]()

    def leave(self, door: str) -> str | None:
        """Ask for flat; return what stands in the way, so nothing."""
        leaves: dict[str, Callable[[], str | None]] = {
            "rest": lambda: self._rest(leaves=True),
            "openalgo": lambda: self._openalgo("placesmartorder", quantity=0, position_size=0),
            "openalgo_smart": lambda: self._openalgo("closeposition", drop=True),
            "amibroker": lambda: self._amibroker("SELL"),
            "cli": lambda: self.command("leave"),
        }
        return leaves[door]()

    @property
    def instrument_id(self) -> str:
        """What is bought."""
        return self.desk.option(OptionRight.CALL).instrument_id

    def _units(self) -> int:
        return LOTS * int(self.desk.option(OptionRight.CALL).lot_size)

    def _rest(self, **size: Any) -> str | None:
        body = {"key": f"r-{'-'.join(size)}", "instrument_id": self.instrument_id, **size}
        reply = self.client.post("/api/v1/signals", json=body, headers={"X-Api-Key": self.keys["rest"]})
        if reply.status_code == 202:
            return str(reply.json()["code"]) if reply.json()["code"] else None
        assert reply.headers["content-type"] == "application/problem+json"
        return str(reply.json()["code"])

    def _openalgo(self, path: str, *, drop: bool = False, **fields: Any) -> str | None:
        symbol, exchange = name_of(self.instrument_id)
        door = "openalgo" if path == "placeorder" or fields.get("position_size") == 0 else "openalgo_smart"
        body: dict[str, Any] = {"apikey": self.keys[door], "strategy": "afl", **fields}
        if not drop:
            body |= {"symbol": symbol, "exchange": exchange, "action": "BUY", "product": "MIS"}
        reply = self.client.post(f"/openalgo/api/v1/{path}", json=body).json()
        if reply["status"] == "success":
            assert reply["orderid"].isdecimal()
            return None
        return str(reply["message"]).partition(":")[0]

    def _amibroker(self, act: str) -> str | None:
        form = {"v": "1", "key": self.keys["amibroker"], "strat": "x", "act": act, "tf": "300", "bt": BAR}
        sym = "-".join(name_of(self.instrument_id))
        line = self.client.post("/api/v1/amibroker/signals", data={**form, "sym": sym, "qty": str(LOTS)}).text
        word, _, code, _ = line.rstrip("\n").split("|")
        return None if word == "OK" else code

    def _strategy(self) -> str | None:
        deployment, straddle = self.deployments["strategy"], self.desk.straddle(f"s{len(self.desk.orders())}")
        leg = replace(straddle.legs[0], side=Side.BUY, lots=LOTS)
        signal: Signal = replace(straddle, legs=(leg,), key=SignalKey(f"{straddle.key}"))
        self.desk.record(signal, self.loop, [deployment])
        return self.desk.orders(deployment_id=deployment.deployment_id)[-1].denial_code


def open_all(
    desk: Desk, client: httpx.Client, loop: Lease, *, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> Doors:
    """Open every door on the first account, at a moment when a bar has just closed."""
    desk.clock.set(datetime.fromisoformat(FIVE_PAST), rate=1.0)
    own = desk.deployments[0]
    names = ("rest", "openalgo", "openalgo_smart", "amibroker", "cli")
    deployments = {name: add_external(desk, own, name=name) for name in names}
    for name, value in {
        "HOME": str(desk.parts.settings.home),
        "DATABASE_URL": desk.database.url,
        "REDIS_URL": redis_url,
        "CLOCK_FILE": str(desk.parts.settings.clock_file),
    }.items():
        monkeypatch.setenv(f"OPENBELL_{name}", value)
    return Doors(
        desk=desk,
        client=client,
        loop=loop,
        keys={name: issue(desk, deployment) for name, deployment in deployments.items()},
        deployments={**deployments, "strategy": own},
        command=lambda *words: _command(desk, *words),
    )


def _command(desk: Desk, verb: str, *words: str) -> str | None:
    load_settings.cache_clear()
    instrument_id = desk.option(OptionRight.CALL).instrument_id
    typed = ["signal", verb, "user-1/main/cli", instrument_id, *words]
    result = CliRunner().invoke(build(), typed)
    load_settings.cache_clear()
    if result.exit_code == 0:
        return None
    found = re.match(r"Error: ([A-Z_]+):", result.stderr)
    assert found is not None, result.stderr
    return found[1]
