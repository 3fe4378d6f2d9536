"""Stop a broker, an account or a deployment, and follow the switch until it is proven flat."""

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from app.db.models import (
    AccountRow,
    AlarmRow,
    BrokerSessionRow,
    DeploymentRow,
    LegRow,
    OrderEventRow,
    OrderRow,
    UserRow,
)
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus
from app.infra.engines.engines import engine_pids
from tests.dashboard.seed import Person, at
from tests.integration.api.conftest import MakeWorld, World

_QUESTIONS = 8
REASON = "prices look wrong"


def _press(world: World, name: str, **body: Any) -> Any:
    whole = {"action": "HALT", "reason": REASON, **body}
    return world.client.post("/api/v1/kill-switch", json=whole, headers=world.headers(name))


def _follow(world: World, command_id: int, name: str = "ops") -> dict[str, Any]:
    reply = world.client.get(f"/api/v1/kill-switch/{command_id}", headers=world.headers(name))
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def _only_account(world: World, command_id: int) -> dict[str, Any]:
    (account,) = _follow(world, command_id)["accounts"]
    return dict(account)


def _log_in(world: World, person: Person) -> None:
    with world.database.begin() as session:
        session.add(
            BrokerSessionRow(
                account_id=person.account_id, generation=1, expires_at=at(23, 0), egress="", ciphertext=b"x"
            )
        )


def _change_exits(world: World, person: Person, change: Callable[[OrderRow, LegRow], None]) -> None:
    """Let something happen to each stop of a person that has become the way out."""
    with world.database.begin() as session:
        for order in session.scalars(
            select(OrderRow).where(OrderRow.account_id == person.account_id, OrderRow.role == OrderRole.STOP)
        ):
            leg = session.get_one(LegRow, (order.deployment_id, order.day, order.instrument_id))
            change(order, leg)


def _tell(
    world: World, order: OrderRow, kind: OrderEventKind, *, after_ms: int, **details: str
) -> OrderEventRow:
    wall = world.clock.wall() + timedelta(milliseconds=after_ms)
    return OrderEventRow(
        order_id=order.id, kind=kind, source="exit_lane", details=details, ts_init=at(10, 12), wall=wall
    )


def test_halting_a_broker_is_for_staff_and_stops_its_accounts_only(world: World) -> None:
    person, elsewhere = world.people[0], world.people[1]
    with world.database.begin() as session:
        session.get_one(AccountRow, elsewhere.account_id).broker = "paper"

    assert _press(world, "aarav", scope="broker", target="kotak_neo").status_code == 403
    assert _press(world, "ops", scope="broker", target=7).status_code == 422
    assert _press(world, "ops", scope="broker", target="kotak_neo").status_code == 202

    with world.database.begin() as session:
        states = dict(session.execute(select(AccountRow.id, AccountRow.trading_state)).all())
        asked = set(session.scalars(select(LegRow.account_id).where(LegRow.exit_reason.is_not(None))))
        users = set(session.scalars(select(UserRow.trading_state)))
    assert states[person.account_id] == "HALTED"
    assert states[elsewhere.account_id] == "ACTIVE"
    assert person.account_id in asked
    assert elsewhere.account_id not in asked
    assert users == {"ACTIVE"}


def test_halting_a_deployment_is_for_its_owner_and_leaves_the_account_alone(world: World) -> None:
    mine, other = world.people[0], world.people[1]

    assert _press(world, "aarav", scope="deployment", target=other.deployment_id).status_code == 404
    pressed = _press(world, "aarav", scope="deployment", target=mine.deployment_id)

    assert pressed.json()["result"]["exits_requested"] == 2
    with world.database.begin() as session:
        assert session.get_one(DeploymentRow, mine.deployment_id).state == "HALTED"
        assert session.get_one(AccountRow, mine.account_id).trading_state == "ACTIVE"
    assert _follow(world, pressed.json()["id"], "aarav")["scope"] == "deployment"


def test_resuming_a_deployment_and_a_broker_is_for_staff(world: World) -> None:
    mine = world.people[0]
    _press(world, "ops", scope="broker", target="kotak_neo")
    _press(world, "ops", scope="deployment", target=mine.deployment_id)

    assert (
        _press(world, "aarav", scope="deployment", target=mine.deployment_id, action="RESUME").status_code
        == 403
    )
    _press(world, "ops", scope="broker", target="kotak_neo", action="RESUME")
    _press(world, "ops", scope="deployment", target=mine.deployment_id, action="RESUME")

    with world.database.begin() as session:
        assert session.get_one(DeploymentRow, mine.deployment_id).state == "ACTIVE"
        assert set(session.scalars(select(AccountRow.trading_state))) == {"ACTIVE"}


def test_pressing_twice_changes_nothing(world: World) -> None:
    target = world.people[0].account_id
    _press(world, "ops", scope="account", target=target)
    with world.database.begin() as session:
        before = session.execute(select(LegRow.__table__).order_by(LegRow.deployment_id)).all()

    again = _press(world, "ops", scope="account", target=target, reason="once more").json()

    assert again["result"] == {
        "rows": 0,
        "trading_state": "HALTED",
        "exits_requested": 0,
        "entries_canceled": 0,
    }
    with world.database.begin() as session:
        assert session.execute(select(LegRow.__table__).order_by(LegRow.deployment_id)).all() == before
        assert session.get_one(AccountRow, target).state_reason == REASON


def test_a_leg_of_another_day_leaves_too(world: World) -> None:
    """A market elsewhere may have its next day already, or a position may have been left over."""
    person = world.people[0]
    with world.database.begin() as session:
        session.execute(
            update(LegRow)
            .where(LegRow.account_id == person.account_id)
            .values(day=LegRow.day + timedelta(days=1))
        )

    pressed = _press(world, "ops", scope="account", target=person.account_id)

    assert pressed.json()["result"]["exits_requested"] == 2


def test_an_account_that_is_not_flat_is_listed_with_the_reason(world: World) -> None:
    person = world.people[0]
    command_id = _press(world, "ops", scope="account", target=person.account_id).json()["id"]

    first = _only_account(world, command_id)
    assert (first["user_name"], first["open_legs"], first["flat_at"]) == ("aarav", 2, None)
    assert first["why_not_flat"].startswith("no broker session: ")

    _log_in(world, person)
    assert (
        _only_account(world, command_id)["why_not_flat"]
        == "an exit works at the broker and is not filled yet"
    )

    def refuse(order: OrderRow, _leg: LegRow) -> None:
        with world.database.begin() as session:
            session.add(_tell(world, order, OrderEventKind.UPDATE_REQUESTED, after_ms=100))
            refused = _tell(
                world, order, OrderEventKind.REQUEST_REFUSED, after_ms=200, message="margin shortfall"
            )
            session.add(refused)

    _change_exits(world, person, refuse)
    assert _only_account(world, command_id)["why_not_flat"] == "the broker refuses: margin shortfall"
    assert not _follow(world, command_id)["is_flat"]


def test_flat_is_proven_by_the_ledger_and_the_brokers_book(world: World) -> None:
    person = world.people[0]
    command_id = _press(world, "ops", scope="account", target=person.account_id).json()["id"]

    def fill(order: OrderRow, leg: LegRow) -> None:
        order.status, order.ended_wall = OrderStatus.FILLED, world.clock.wall() + timedelta(seconds=2)
        leg.net_qty = leg.net_qty * 0
        with world.database.begin() as session:
            session.add(_tell(world, order, OrderEventKind.UPDATE_REQUESTED, after_ms=500))

    _change_exits(world, person, fill)
    flat = _follow(world, command_id)
    assert flat["is_flat"]
    assert flat["accounts"][0]["flat_at"] > flat["accounts"][0]["last_order_at"] > flat["pressed_at"]
    assert 400 < flat["press_to_last_order"]["p99_ms"] < 20_000
    assert flat["press_to_last_order"]["accounts"] == 1

    with world.database.begin() as session:
        session.add(
            AlarmRow(
                code="positions_differ",
                subject=f"account:{person.account_id}",
                message="NIFTY: ours 0, broker's -75",
                raised_at=at(10, 13),
            )
        )
    assert _only_account(world, command_id)["why_not_flat"] == (
        "the broker's book differs: NIFTY: ours 0, broker's -75"
    )


def test_an_unsent_entry_that_was_canceled_leaves_an_account_flat_at_the_press(world: World) -> None:
    person = world.people[0]
    with world.database.begin() as session:
        session.execute(update(LegRow).where(LegRow.account_id == person.account_id).values(net_qty=0))
        session.execute(
            update(OrderRow)
            .where(OrderRow.account_id == person.account_id, OrderRow.role == OrderRole.ENTRY)
            .values(status=OrderStatus.INITIALIZED, created_at=at(10, 11))
        )
        session.execute(
            update(OrderRow)
            .where(OrderRow.account_id == person.account_id, OrderRow.role == OrderRole.STOP)
            .values(status=OrderStatus.CANCELED, ended_wall=at(10, 11))
        )

    pressed = _press(world, "ops", scope="account", target=person.account_id).json()

    assert pressed["result"]["entries_canceled"] == 2
    account = _only_account(world, pressed["id"])
    assert (account["live_entries"], account["why_not_flat"], account["last_order_at"]) == (0, None, None)


def test_a_kill_switch_of_staff_is_not_a_traders_to_see(world: World) -> None:
    command_id = _press(world, "ops", scope="tenant").json()["id"]

    hidden = world.client.get(f"/api/v1/kill-switch/{command_id}", headers=world.headers("aarav"))

    assert hidden.status_code == 404
    assert len(_follow(world, command_id)["accounts"]) > 1


def test_a_kill_switch_is_followed_without_valkey(make_world: MakeWorld) -> None:
    world = make_world(live_url="redis://127.0.0.1:1", queue_url="redis://127.0.0.1:1")

    command_id = _press(world, "ops", scope="tenant").json()["id"]

    assert not _follow(world, command_id)["is_flat"]


def test_dashboards_leave_the_apis_threads_to_the_press_while_valkey_hangs(
    world: World, engines_home: Path
) -> None:
    """What a dashboard waits for is a thread less for the press: a hanging Valkey costs a second in three."""
    pid = engine_pids(engines_home)["valkey"]
    assert pid is not None
    headers = world.headers("ops")

    def ask_s() -> float:
        began = time.monotonic()
        for _ in range(_QUESTIONS):
            assert world.client.get("/api/v1/summary", headers=headers, timeout=60).status_code == 200
        return time.monotonic() - began

    usual_s = ask_s()
    os.kill(pid, signal.SIGSTOP)
    try:
        hanging_s = ask_s()
        assert _press(world, "ops", scope="tenant").status_code == 202
    finally:
        os.kill(pid, signal.SIGCONT)

    # Each question alone would wait for two seconds at least.
    assert hanging_s - usual_s < _QUESTIONS
