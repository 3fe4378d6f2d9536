"""Orders of people: durable, audited, and the kill switch needs no queue."""

import base64
import json
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import select

from app.db.models import AccountRow, AuditRow, CommandRow, DeploymentRow, LegRow, OrderRow, UserRow
from app.db.orders import lock_leg
from app.domain.orders import OrderStatus, Side
from tests.dashboard.seed import CALL, LOT, PREMIUMS, add_order, at
from tests.integration.api.conftest import NOWHERE, MakeWorld, World

REASON = "prices look wrong"


def _kill(world: World, name: str, **body: Any) -> dict[str, Any]:
    reply = world.client.post(
        "/api/v1/kill-switch", json={"action": "HALT", "reason": REASON, **body}, headers=world.headers(name)
    )
    assert reply.status_code == 202, reply.text
    return dict(reply.json())


def _entry(world: World, person: int, status: OrderStatus, *, instrument: str = CALL) -> int:
    with world.database.begin() as session:
        order = add_order(
            session,
            world.people[person],
            key=f"extra-{person}-{status}",
            instrument=instrument,
            side=Side.SELL,
            status=status,
            price=PREMIUMS[CALL],
            filled=LOT * 0,
            moment=at(10, 11),
        )
        session.flush()
        lock_leg(session, order)  # makes the leg, as recording an intent does
        return order.id


def _exits_asked(world: World) -> set[int]:
    with world.database.begin() as session:
        statement = select(LegRow.account_id).where(LegRow.exit_reason.is_not(None))
        return set(session.scalars(statement))


def test_halting_a_user_flattens_that_user_and_nobody_else(world: World) -> None:
    person = world.people[0]

    command = _kill(world, "ops", scope="user", target=person.user_id)

    assert command["status"] == "DONE"
    assert command["result"]["exits_requested"] == 2
    assert _exits_asked(world) == {person.account_id}
    with world.database.begin() as session:
        states = dict(session.execute(select(UserRow.id, UserRow.trading_state)).all())
    assert [user for user, state in states.items() if state == "HALTED"] == [person.user_id]


def test_halting_everybody_leaves_no_open_leg_unasked(world: World) -> None:
    _kill(world, "ops", scope="tenant")

    with world.database.begin() as session:
        legs = session.scalars(select(LegRow).where(LegRow.net_qty != 0, LegRow.exit_reason.is_(None))).all()
        states = set(session.scalars(select(UserRow.trading_state)))
    assert legs == []
    assert states == {"HALTED"}


def test_halting_cancels_entries_that_no_lane_has_claimed(world: World) -> None:
    unsent, others = _entry(world, 0, OrderStatus.INITIALIZED), _entry(world, 1, OrderStatus.INITIALIZED)

    _kill(world, "aarav", scope="account", target=world.people[0].account_id)

    with world.database.begin() as session:
        status = {
            row.id: row.status
            for row in session.scalars(select(OrderRow).where(OrderRow.id.in_([unsent, others])))
        }
    assert status == {unsent: "CANCELED", others: "INITIALIZED"}


def test_a_fill_that_comes_after_the_halt_finds_its_leg_marked_for_exit(world: World) -> None:
    instrument = "NIFTY-20261124-26100-CE.NSE"
    _entry(world, 0, OrderStatus.SUBMITTED, instrument=instrument)

    _kill(world, "ops", scope="account", target=world.people[0].account_id)

    with world.database.begin() as session:
        leg = session.scalars(select(LegRow).where(LegRow.instrument_id == instrument)).one()
        assert (leg.net_qty, leg.exit_reason) == (Decimal(0), f"kill switch: {REASON}")


def test_halting_twice_asks_nothing_new(world: World) -> None:
    _kill(world, "ops", scope="tenant")

    assert _kill(world, "ops", scope="tenant")["result"]["exits_requested"] == 0


def test_reducing_stops_entries_and_keeps_positions(world: World) -> None:
    account = world.people[0].account_id

    _kill(world, "ops", scope="account", target=account, action="REDUCE")

    with world.database.begin() as session:
        row = session.get_one(AccountRow, account)
        assert (row.trading_state, row.state_reason) == ("REDUCING", REASON)
    assert _exits_asked(world) == set()


def test_the_kill_switch_works_while_valkey_and_the_queue_are_down(make_world: MakeWorld) -> None:
    world = make_world(live_url=NOWHERE, queue_url=NOWHERE)

    command = _kill(world, "ops", scope="tenant")

    assert command["status"] == "DONE"
    assert _exits_asked(world) != set()


def test_every_act_is_audited_with_who_from_where_and_why(world: World) -> None:
    command = _kill(world, "ops", scope="tenant")

    with world.database.begin() as session:
        act = session.scalars(select(AuditRow).where(AuditRow.action == "kill_switch")).one()
        assert (act.actor, act.subject, act.reason) == ("ops", "tenant", REASON)
        assert act.origin.startswith("api ")
        assert act.details["command_id"] == command["id"]


def test_a_refused_act_leaves_no_command_behind(world: World) -> None:
    body = {"scope": "tenant", "target": 7, "action": "HALT", "reason": REASON}

    reply = world.client.post("/api/v1/kill-switch", json=body, headers=world.headers("ops"))

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_input")
    with world.database.begin() as session:
        assert session.scalars(select(CommandRow)).all() == []


def test_squaring_off_a_deployment_flattens_and_pauses_it(world: World) -> None:
    person = world.people[0]

    url = f"/api/v1/deployments/{person.deployment_id}/square-off"
    reply = world.client.post(url, json={"reason": REASON}, headers=world.headers("aarav"))

    assert reply.json()["result"] == {"exits_requested": 2, "entries_canceled": 0}
    assert _exits_asked(world) == {person.account_id}
    with world.database.begin() as session:
        assert session.get_one(DeploymentRow, person.deployment_id).state == "PAUSED"


def test_a_trigger_reaches_the_control_workers_by_its_id(world: World) -> None:
    reply = world.client.post(
        "/api/v1/phases/SQUARE_OFF/trigger", json={"reason": REASON}, headers=world.headers("ops")
    )

    assert (reply.status_code, reply.json()["status"]) == (202, "PENDING")
    sent = _control_queue(world)
    assert sent == [("control.run_command", {"command_id": reply.json()["id"]})]


def test_a_command_outlives_a_dead_queue(make_world: MakeWorld) -> None:
    world = make_world(queue_url=NOWHERE)
    account = world.people[4].account_id

    reply = world.client.post(
        f"/api/v1/logins/{account}/retry", json={"reason": REASON}, headers=world.headers("ops")
    )

    assert (reply.status_code, reply.json()["status"]) == (202, "PENDING")
    followed = world.client.get(f"/api/v1/commands/{reply.json()['id']}", headers=world.headers("ops")).json()
    assert followed["payload"] == {"account_id": account, "day": "2026-11-20"}


def _control_queue(world: World) -> list[tuple[str, dict[str, Any]]]:
    settings = world.valkey.connection_pool.connection_kwargs
    queues = type(world.valkey)(**{**settings, "db": 1})
    with queues:
        texts = cast("list[str]", queues.lrange("control", 0, -1))
    messages = [json.loads(text) for text in texts]
    return [(m["headers"]["task"], json.loads(base64.b64decode(m["body"]))[1]) for m in messages]
