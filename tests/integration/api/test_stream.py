"""The WebSocket: what changed reaches whom it concerns, and nobody else."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.connection import Connection

from app.db.models import LoginRow, OrderRow
from app.services.news import News
from tests.dashboard.seed import CALL, PREMIUMS, beat
from tests.integration.api.conftest import NOWHERE, MakeWorld, World

_MOST_FRAMES = 400


def _read_until(socket: Connection, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while len(frames) < _MOST_FRAMES:
        frames.append(json.loads(socket.recv(timeout=20)))
        if wanted(frames[-1]):
            return frames
    raise AssertionError(f"the frame did not come; got {[frame['type'] for frame in frames]}")


def _sign_in(world: World, name: str) -> ClientConnection:
    return world.connect(json.dumps({"token": world.token(name)}))


def _code(closed: ConnectionClosed) -> int | None:
    return None if closed.rcvd is None else closed.rcvd.code


def _rows(frames: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for frame in frames if frame["type"] == kind for row in frame["data"]]


def _finish_an_order(world: World, person: int) -> None:
    with world.database.begin() as session:
        session.execute(
            update(OrderRow)
            .where(OrderRow.user_id == world.people[person].user_id, OrderRow.status == "ACCEPTED")
            .values(status="CANCELED")
        )


def _is_canceled(frame: dict[str, Any]) -> bool:
    return frame["type"] == "orders" and any(row["status"] == "CANCELED" for row in frame["data"])


def test_a_change_reaches_its_owner_and_staff_only(world: World) -> None:
    with (
        _sign_in(world, "aarav") as own,
        _sign_in(world, "aditi") as other,
        _sign_in(world, "ops") as staff,
    ):
        for socket in (own, other, staff):
            _read_until(socket, lambda frame: frame["type"] == "hello")
        _read_until(own, lambda frame: frame["type"] == "orders")

        _finish_an_order(world, 0)
        News(world.valkey).tell_user(world.people[0].user_id, "order", {})
        to_own = _read_until(own, _is_canceled)
        _read_until(staff, _is_canceled)
        _finish_an_order(world, 1)
        to_other = _read_until(other, _is_canceled)

    assert {row["user_id"] for row in _rows(to_own, "orders")} == {world.people[0].user_id}
    for kind in ("orders", "logins", "positions"):
        assert {row["user_id"] for row in _rows(to_other, kind)} <= {world.people[1].user_id}
    assert {frame["type"] for frame in to_other}.isdisjoint({"runs"})


def test_sequence_numbers_have_no_gap_for_a_client_that_keeps_up(world: World) -> None:
    with _sign_in(world, "ops") as socket:
        frames = _read_until(socket, lambda frame: frame["type"] == "heartbeat" and frame["seq"] > 5)

    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))


def test_new_marks_revalue_the_positions_of_the_owner(world: World) -> None:
    with _sign_in(world, "aarav") as socket:
        _read_until(socket, lambda frame: frame["type"] == "marks")
        beat(world.valkey, {**PREMIUMS, CALL: Decimal("100.00")}, now=world.clock.now())
        frame = _read_until(
            socket,
            lambda frame: (
                frame["type"] == "marks" and any(leg["mark"] == "100" for leg in frame["data"]["legs"])
            ),
        )[-1]

    assert [leg["instrument_id"] for leg in frame["data"]["legs"]] == [CALL]
    assert frame["data"]["legs"][0]["total"] == "3165"
    # (142.20 - 100.00) * 75 on the call and (128.45 - 128.60) * 75 on the put
    assert [(pnl["currency"], pnl["total"]) for pnl in frame["data"]["pnl"]] == [("INR", "3153.75")]


def test_changes_arrive_while_valkey_is_away(make_world: MakeWorld) -> None:
    world = make_world(live_url=NOWHERE, queue_url=NOWHERE)
    with _sign_in(world, "ops") as socket:
        _read_until(socket, lambda frame: frame["type"] == "logins")
        with world.database.begin() as session:
            session.execute(update(LoginRow).where(LoginRow.status == "FAILED").values(status="READY"))
        frames = _read_until(
            socket, lambda frame: frame["type"] == "logins" and frame["data"][0]["status"] == "READY"
        )

    assert [row["account_id"] for row in frames[-1]["data"]] == [world.people[4].account_id]


@pytest.mark.parametrize("message", ['{"token": "abc"}', "no json", '{"token": 7}', "[]"])
def test_refuses_whoever_has_no_good_token(world: World, message: str) -> None:
    with world.connect(message) as socket, pytest.raises(ConnectionClosed) as refused:
        socket.recv(timeout=20)

    assert _code(refused.value) == 4401


def test_a_token_of_another_user_cannot_take_over_a_stream(world: World) -> None:
    with _sign_in(world, "aarav") as socket:
        _read_until(socket, lambda frame: frame["type"] == "hello")
        socket.send(json.dumps({"token": world.token("ops")}))
        with pytest.raises(ConnectionClosed) as refused:
            _read_until(socket, lambda _: False)

    assert _code(refused.value) == 4401
