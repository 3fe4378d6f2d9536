"""The console of unknown outcomes: scoped, for staff to settle, and never against the evidence unasked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.db.models import AlarmRow, AuditRow, OrderRow
from app.db.order_evidence import add_look
from app.domain.unknown_orders import look_for_tag
from tests.dashboard.seed import at, seed_unknown
from tests.integration.api.conftest import World

REASON = "the dealer read the book to me"
STRANGER = "261120000777"
LIST = "/api/v1/unknown-orders"


@pytest.fixture
def order_id(world: World) -> int:
    """An unknown order of Aarav; the broker shows a stranger that looks like it."""
    with world.database.begin() as session:
        return seed_unknown(session, world.people[0], wall=world.clock.wall(), lookalike=STRANGER).id


@pytest.fixture
def lost_id(world: World) -> int:
    """An unknown order of Aditi that two clean reads after the deadline have all but proven absent."""
    wall = world.clock.wall()
    with world.database.begin() as session:
        row = seed_unknown(session, world.people[1], wall=wall)
        row.submitted_wall = wall - timedelta(seconds=200)
        add_look(session, row.id, look_for_tag(is_clean=True), now=at(10, 12), wall=wall, provable_from=wall)
        return row.id


def ask(world: World, order_id: int, name: str = "ops", **body: Any) -> httpx.Response:
    url = f"{LIST}/{order_id}/resolution"
    return world.client.post(url, json={"reason": REASON, **body}, headers=world.headers(name))


def order(world: World, order_id: int) -> OrderRow:
    with world.database.begin() as session:
        return session.get_one(OrderRow, order_id)


def test_an_operator_sees_what_is_at_stake_how_far_the_proof_is_and_what_comes_next(
    world: World, order_id: int
) -> None:
    [shown] = world.client.get(LIST, headers=world.headers("ops")).json()

    assert (shown["id"], shown["account_name"], shown["user_name"]) == (order_id, "Aarav Kotak", "aarav")
    assert (shown["at_stake"], shown["currency"]) == ("9645", "INR")
    assert (shown["clean_misses"], shown["misses_needed"]) == (0, 2)
    assert 47 <= shown["age_s"] < 300
    deadline = datetime.fromisoformat(shown["provable_from"])
    assert deadline - datetime.fromisoformat(shown["submitted_wall"]) == timedelta(seconds=90)
    assert shown["lookalikes"] == [STRANGER]
    assert shown["next_step"]


def test_an_operator_reads_what_was_asked_and_answered_and_each_look_since(
    world: World, order_id: int
) -> None:
    shown = world.client.get(f"{LIST}/{order_id}", headers=world.headers("ops")).json()

    assert [event["kind"] for event in shown["events"]] == ["SUBMITTED", "OUTCOME_UNKNOWN"]
    assert shown["events"][1]["details"]["message"] == "no answer within 5 s"
    looks = [(entry["source"], entry["is_clean"], entry["looks"]) for entry in shown["evidence"]]
    assert looks == [("TAG", True, 39), ("ORDERS", True, 40), ("TRADES", True, 40), ("TAG", False, 1)]


def test_a_trader_sees_own_unknown_orders_only_and_settles_none(
    world: World, order_id: int, lost_id: int
) -> None:
    headers = world.headers("aarav")

    assert [row["id"] for row in world.client.get(LIST, headers=headers).json()] == [order_id]
    assert world.client.get(f"{LIST}/{order_id}", headers=headers).status_code == 200
    assert world.client.get(f"{LIST}/{lost_id}", headers=headers).status_code == 404
    for target in (order_id, lost_id):
        refused = ask(world, target, "aarav", fate="NOT_PLACED", is_confirmed=True)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert order(world, order_id).is_unknown


def test_an_order_that_was_never_unknown_is_not_in_the_console(world: World) -> None:
    with world.database.begin() as session:
        known = session.scalars(select(OrderRow.id).limit(1)).one()

    assert world.client.get(f"{LIST}/{known}", headers=world.headers("ops")).status_code == 404
    assert ask(world, known, fate="NOT_PLACED").status_code == 409


def test_an_order_that_was_placed_is_bound_once_however_often_it_is_said(world: World, order_id: int) -> None:
    with world.database.begin() as session:
        person = world.people[0]
        session.add(
            AlarmRow(
                code="external_order",
                subject=f"account:{person.account_id}:{STRANGER}",
                message="SELL 75 was not sent by Openbell",
                user_id=person.user_id,
                raised_at=at(10, 12),
            )
        )

    first, second = (ask(world, order_id, fate="PLACED", broker_order_id=STRANGER) for _ in range(2))

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["status"] == "DONE"
    assert first.json()["result"] == {"order_status": "ACCEPTED", "changed": True}
    assert second.json()["result"] == {"order_status": "ACCEPTED", "changed": False}
    bound = order(world, order_id)
    assert (bound.status, bound.broker_order_id, bound.is_unknown) == ("ACCEPTED", STRANGER, False)
    with world.database.begin() as session:
        alarm = session.scalars(select(AlarmRow).where(AlarmRow.code == "external_order")).one()
        assert alarm.cleared_at is not None
    assert world.client.get(LIST, headers=world.headers("ops")).json() == []
    settled = world.client.get(f"{LIST}/{order_id}", headers=world.headers("ops")).json()
    assert [e["seen"] for e in settled["evidence"] if e["source"] == "OPERATOR"] == [
        f"ops says that it was placed as broker order {STRANGER}: {REASON}"
    ]


def test_many_who_say_the_same_at_once_settle_it_once(world: World, order_id: int) -> None:
    headers, body = world.headers("ops"), {"fate": "PLACED", "broker_order_id": STRANGER, "reason": REASON}

    def say_it(_: int) -> httpx.Response:
        return world.client.post(f"{LIST}/{order_id}/resolution", json=body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(say_it, range(16)))

    assert {reply.status_code for reply in replies} == {202}
    assert sorted(reply.json()["result"]["changed"] for reply in replies) == [False] * 15 + [True]


def test_a_lookalike_speaks_against_not_placed_until_it_is_confirmed(world: World, order_id: int) -> None:
    refused = ask(world, order_id, fate="NOT_PLACED")
    assert (refused.status_code, refused.json()["code"]) == (409, "evidence_against")
    assert STRANGER in refused.json()["detail"]

    confirmed = ask(world, order_id, fate="NOT_PLACED", is_confirmed=True)

    assert confirmed.json()["result"] == {"order_status": "REJECTED", "changed": True}


def test_a_fresh_clean_miss_lets_not_placed_stand(world: World, lost_id: int) -> None:
    assert ask(world, lost_id, fate="NOT_PLACED").status_code == 202
    assert order(world, lost_id).status == "REJECTED"


def test_the_other_fate_of_a_settled_order_is_refused(world: World, lost_id: int) -> None:
    ask(world, lost_id, fate="NOT_PLACED")

    refused = ask(world, lost_id, fate="PLACED", broker_order_id="1", is_confirmed=True)

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_a_number_of_another_order_of_ours_is_refused(world: World, order_id: int) -> None:
    with world.database.begin() as session:
        account = world.people[0].account_id
        statement = select(OrderRow.broker_order_id).where(OrderRow.account_id == account).limit(1)
        taken = session.scalars(statement).one()

    refused = ask(world, order_id, fate="PLACED", broker_order_id=taken, is_confirmed=True)

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "body",
    [
        {"fate": "NOT_PLACED", "reason": "too short"},
        {"fate": "NOT_PLACED", "reason": "blank     "},
        {"fate": "NOT_PLACED", "broker_order_id": "1"},
        {"fate": "PLACED"},
        {"fate": "PERHAPS"},
    ],
)
def test_an_incomplete_word_is_refused(world: World, order_id: int, body: dict[str, Any]) -> None:
    assert ask(world, order_id, **body).status_code == 422
    assert order(world, order_id).is_unknown


def test_the_act_is_audited_with_who_from_where_why_and_what_it_overruled(
    world: World, order_id: int
) -> None:
    ask(world, order_id, fate="NOT_PLACED")
    ask(world, order_id, fate="NOT_PLACED", is_confirmed=True)

    with world.database.begin() as session:
        act = session.scalars(select(AuditRow).where(AuditRow.action == "resolve_unknown")).one()
    assert (act.actor, act.subject, act.reason) == ("ops", f"order:{order_id}", REASON)
    assert act.origin.startswith("api ")
    assert STRANGER in act.details["overruled"]
