"""What programs send and are answered, byte by byte: OpenAlgo's clients, AFL, our REST."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.amibroker.symbols import name_of
from app.db.models import ApiKeyRow, AuditRow, UserRow
from app.domain.deployments import Deployment
from app.domain.instruments import OptionRight
from app.domain.orders import OrderStatus
from app.infra.names import RunKind
from app.services.api_keys import revoke_keys
from tests.integration.order_path.desk import Desk
from tests.integration.order_path.doors import BAR, CHIEF, FIVE_PAST, issue, serving
from tests.integration.order_path.outside import add_external, disarm

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Post as a program does, with a key for one deployment."""

    desk: Desk
    client: httpx.Client
    deployment: Deployment
    key: str

    @property
    def lot(self) -> int:
        """Units of one lot."""
        return int(self.desk.option(OptionRight.CALL).lot_size)

    @property
    def symbol(self) -> tuple[str, str]:
        """The call as others name it."""
        return name_of(self.desk.option(OptionRight.CALL).instrument_id)

    def order(self, path: str = "placeorder", *, key: str = "", **fields: Any) -> tuple[int, Body]:
        """Post an OpenAlgo order for the call; its price is fresh."""
        self.desk.price([self.desk.option(OptionRight.CALL)])
        symbol, exchange = self.symbol
        terms = {"product": "MIS", "pricetype": "MARKET", "price": "0"}
        body = {"strategy": "afl", "symbol": symbol, "exchange": exchange, "action": "BUY", **terms}
        return self.post(path, key=key, **(body | fields))

    def post(self, path: str, *, key: str = "", **fields: Any) -> tuple[int, Body]:
        """Post fields, as text like AFL without headers."""
        body = json.dumps({"apikey": key or self.key, "strategy": "afl", **fields})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = self.client.post(f"/openalgo/api/v1/{path}", content=body, headers=headers)
        return reply.status_code, reply.json()

    def rest(self, body: Body, *, key: str = "") -> httpx.Response:
        """Post a signal to our own API."""
        self.desk.price([self.desk.option(OptionRight.CALL)])
        instrument_id = self.desk.option(OptionRight.CALL).instrument_id
        whole = {"key": "k", "instrument_id": instrument_id, **body}
        return self.client.post("/api/v1/signals", json=whole, headers={"X-Api-Key": key or self.key})

    def afl(self, **fields: str) -> str:
        """Post AmiBroker's form."""
        self.desk.price([self.desk.option(OptionRight.CALL)])
        form = {"v": "1", "strat": "ema", "sym": "-".join(self.symbol), "tf": "300", "bt": BAR, "qty": "1"}
        return self.client.post(
            "/api/v1/amibroker/signals", data=form | fields, headers={"X-Api-Key": self.key}
        ).text


@pytest.fixture
def wire(desk: Desk, redis_url: str) -> Iterator[Wire]:
    """A key for a deployment of the first user's, at 09:25:01."""
    desk.clock.set(datetime.fromisoformat(FIVE_PAST), rate=1.0)
    deployment = add_external(desk, desk.deployments[0])
    with serving(desk, redis_url) as client:
        yield Wire(desk=desk, client=client, deployment=deployment, key=issue(desk, deployment))


def test_an_openalgo_order_lives_in_its_books(wire: Wire) -> None:
    desk = wire.desk
    with desk.running(RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS):
        status, placed = wire.order(quantity=wire.lot, client_order_id="a")
        assert (status, placed["status"]) == (200, "success")
        order_id = placed["orderid"]
        desk.wait_for(
            lambda: wire.post("orderstatus", orderid=order_id)[1]["data"]["order_status"] == "complete"
        )
        _, shown = wire.post("orderstatus", orderid=order_id)
        _, positions = wire.post("positionbook")
        again = wire.order(quantity=wire.lot, client_order_id="a")
        matched = wire.order("placesmartorder", position_size=wire.lot)
        symbol, exchange = wire.symbol
        held = wire.post("openposition", symbol=symbol, exchange=exchange)[1]
        closed = wire.post("closeposition")
        desk.wait_for(lambda: wire.post("positionbook")[1]["data"][0]["quantity"] == "0")
        _, book = wire.post("orderbook")

    data = shown["data"]
    assert (data["action"], data["quantity"], data["filled_quantity"]) == (
        "BUY",
        str(wire.lot),
        str(wire.lot),
    )
    assert float(data["average_price"]) > 0
    row = positions["data"][0]
    assert (row["symbol"], row["exchange"], row["quantity"]) == (symbol, exchange, str(wire.lot))
    assert again == (200, {"status": "success", "orderid": order_id})
    assert "Already Matched" in matched[1]["message"]
    assert held == {"status": "success", "quantity": str(wire.lot)}
    assert closed[1]["status"] == "success"
    assert [order["order_status"] for order in book["data"]["orders"]] == ["complete"] * 3
    assert book["data"]["statistics"]["total_completed_orders"] == 3
    assert desk.count_orders(role="ENTRY") == 1


def test_an_order_that_is_posted_again_and_again_is_one(wire: Wire) -> None:
    def post(_: int) -> tuple[int, Body]:
        status, body = wire.order(quantity=wire.lot)
        return post(_) if status == 503 else (status, body)  # waited too long for the account

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(post, range(16)))

    assert {status for status, _ in replies} == {200}
    assert len({body["orderid"] for _, body in replies}) == 1
    assert len(wire.desk.orders()) == 1


def test_openalgos_faults_have_its_shape(wire: Wire) -> None:
    disarmed = add_external(wire.desk, wire.desk.deployments[0], name="later")
    key = issue(wire.desk, disarmed)
    disarm(wire.desk, disarmed)
    answers = {
        "key": wire.order(quantity=wire.lot, key="wrong"),
        "type": wire.order(quantity=wire.lot, pricetype="LIMIT", price="10"),
        "lot": wire.order(quantity=wire.lot + 1),
        "path": wire.post("modifyorder"),
        "id": wire.post("orderstatus", orderid="999"),
        "word": wire.post("orderstatus", orderid="x"),
        "early": wire.order(quantity=wire.lot, key=key),
        "funds": wire.post("funds"),
    }

    assert {name: status for name, (status, _) in answers.items()} == {
        "key": 403,
        "type": 400,
        "lot": 400,
        "path": 404,
        "id": 404,
        "word": 404,
        "early": 400,
        "funds": 404,
    }
    assert all(body["status"] == "error" and body["message"] for _, body in answers.values())
    assert answers["key"][1]["message"] == "Invalid openalgo apikey"
    assert answers["lot"][1]["message"].startswith("BROKEN_LOT: expected a multiple of the lot")
    assert wire.desk.orders() == []


def test_an_unsent_order_is_canceled_and_a_sent_one_is_not(wire: Wire) -> None:
    order_id = wire.order(quantity=wire.lot)[1]["orderid"]

    first, second = (wire.post("cancelorder", orderid=order_id) for _ in range(2))

    assert first == (200, {"status": "success", "orderid": order_id})
    assert second[0] == 400
    assert "only what has not been sent can be canceled" in second[1]["message"]
    assert wire.post("orderstatus", orderid=order_id)[1]["data"]["order_status"] == "cancelled"


def test_a_key_opens_one_deployment_until_it_is_revoked(wire: Wire) -> None:
    desk = wire.desk
    beside = add_external(desk, desk.deployments[0], name="beside")
    strange = add_external(desk, desk.deployments[1])
    order_id = wire.order(quantity=wire.lot)[1]["orderid"]

    seen = {
        name: wire.post("orderstatus", key=issue(desk, other), orderid=order_id)[0]
        for name, other in (("beside", beside), ("strange", strange))
    }
    foreign = wire.rest({"target_lots": 1, "deployment_id": strange.deployment_id})
    by_rest = wire.client.get(f"/api/v1/signals/{order_id}", headers={"X-Api-Key": issue(desk, beside)})
    with desk.database.begin() as session:
        revoke_keys(session, CHIEF, wire.deployment, name="test", reason="leaked")
    revoked = wire.order(quantity=wire.lot)

    assert seen == {"beside": 404, "strange": 404}
    assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
    assert by_rest.status_code == 404
    assert revoked[0] == 403
    with desk.database.begin() as session:
        hashes = session.scalars(select(ApiKeyRow.key_hash)).all()
        acts = session.scalars(select(AuditRow).where(AuditRow.action.startswith("api_key"))).all()
    assert wire.key not in {*hashes, *(str(act.details) for act in acts)}
    assert [act.action for act in acts].count("api_key.revoked") == 1


def test_a_disabled_users_key_opens_nothing(wire: Wire) -> None:
    with wire.desk.database.begin() as session:
        owner = update(UserRow).where(UserRow.id == wire.deployment.user_id)
        session.execute(owner.values(is_enabled=False))

    assert wire.order(quantity=wire.lot)[0] == 403
    assert wire.rest({"target_lots": 1}).status_code == 401
    assert (
        wire.afl(act="BUY")
        == "NO||AUTH|expected a key of this server that is in force: openbell api-keys add\n"
    )


def test_rest_answers_202_and_denials_as_problems(wire: Wire) -> None:
    taken = wire.rest({"target_lots": 1})
    again = wire.rest({"target_lots": 1})
    changed = wire.rest({"target_lots": 2})
    smaller = wire.rest({"key": "k2", "side": "SELL", "lots": 2})
    nobody = wire.client.post("/api/v1/signals", json={"key": "k", "leaves": True})
    shown = wire.client.get(f"/api/v1/signals/{taken.json()['id']}", headers={"X-Api-Key": wire.key}).json()

    assert (taken.status_code, taken.json()["outcome"], taken.json()["is_repeat"]) == (202, "ENTER", False)
    assert (again.status_code, again.json()["id"], again.json()["is_repeat"]) == (
        202,
        taken.json()["id"],
        True,
    )
    assert (changed.status_code, changed.json()["code"]) == (409, "conflict")
    assert (smaller.status_code, smaller.json()["code"]) == (409, "REVERSAL")
    assert smaller.headers["content-type"] == "application/problem+json"
    assert nobody.status_code == 401
    assert [order["status"] for order in shown["orders"]] == [OrderStatus.INITIALIZED]
    assert (shown["door"], shown["quantity"]) == ("REST", str(wire.lot))


def test_afl_posts_at_every_refresh_and_trades_once(wire: Wire) -> None:
    first = wire.afl(act="BUY", px="26040.5")
    later = wire.afl(act="BUY", bt=str(int(BAR) + 459))  # another stamp of the same bar
    out = wire.afl(act="SELL")
    nothing = wire.afl(act="COVER")

    word, number, *_ = first.rstrip("\n").split("|")
    assert (word, first) == ("OK", f"OK|{number}|ACCEPTED|\n")
    assert later == f"OK|{number}|DUPLICATE|ACCEPTED\n"
    assert out.startswith("OK|")
    assert nothing.rstrip("\n").endswith("|HELD|")
    assert len(wire.desk.orders()) == 1


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"act": "PING"}, "OK||PONG|\n"),
        ({"act": "BUY", "bt": "20190102091500"}, "NO||STALE|age=30"),
        ({"act": "HOLD"}, "NO||BAD|act: expected one of"),
        ({"act": "BUY", "sym": "NIFTY01JAN3510000CE-NFO"}, "NO||SYMBOL|"),
    ],
)
def test_afl_is_answered_in_one_line(wire: Wire, fields: dict[str, str], line: str) -> None:
    answer = wire.afl(**fields)

    assert answer.startswith(line)
    assert answer.endswith("\n")
    assert answer.count("\n") == 1
    assert len(answer) <= 200
