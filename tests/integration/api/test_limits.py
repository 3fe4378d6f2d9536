"""Limits by REST: who may set which, what is shown of them, and what a set would have denied."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.db.families import add_family, set_family_of_user
from app.db.models import AuditRow
from app.domain.ids import UserId
from tests.integration.api.conftest import World

WHY = "expiry day"


def post(
    world: World, name: str, scope: str, target: object, values: dict[str, Any], version: int = 0
) -> httpx.Response:
    body = {"scope": scope, "target": str(target), "values": values, "expected_version": version}
    return world.client.post(
        "/api/v1/limit-versions", json=body | {"reason": WHY}, headers=world.headers(name)
    )


def shown(world: World, name: str, path: str) -> dict[str, Any]:
    reply = world.client.get(f"/api/v1/{path}", headers=world.headers(name))
    assert reply.status_code == 200, reply.text
    return {limit["name"]: limit for limit in reply.json()}


def test_what_binds_is_shown_with_who_set_it_and_when(world: World) -> None:
    person = world.people[0]
    assert post(world, "ops", "TENANT", "", {"max_lots": 20}).status_code == 201
    assert post(world, "aarav", "USER", person.user_id, {"max_lots": "10"}).status_code == 201

    account = shown(world, "aarav", f"accounts/{person.account_id}/limits")
    deployment = shown(world, "ops", f"deployments/{person.deployment_id}/limits")

    lots = deployment["max_lots"]
    assert (lots["value"], lots["origin"], lots["version"]["actor"]) == ("10", "USER", "aarav")
    assert (lots["version"]["reason"], lots["version"]["version"]) == (WHY, 1)
    assert lots["version"]["ts_init"] == "2026-11-20T04:42:00Z"
    assert account["max_lots"] == lots
    sets = world.client.get("/api/v1/limits", headers=world.headers("ops")).json()
    assert [(one["scope"], one["target"], one["values"]) for one in sets] == [
        ("TENANT", "", {"max_lots": "20"}),
        ("USER", str(person.user_id), {"max_lots": "10"}),
    ]
    assert (account["max_daily_loss"]["origin"], account["max_daily_loss"]["version"]) == ("DEFAULT", None)
    assert "max_drawdown" not in account


def test_what_a_family_sets_is_shown_to_its_users_and_set_by_staff_only(world: World) -> None:
    person = world.people[0]
    with world.database.begin() as session:
        family = add_family(session, "rao")
        set_family_of_user(session, UserId(person.user_id), family.family_id)

    told = world.client.get("/api/v1/families", headers=world.headers("ops")).json()
    assert told == [{"family_id": family.family_id, "name": "rao", "members": ["aarav"]}]
    refused = post(world, "aarav", "FAMILY", family.family_id, {"max_lots": 2})
    nobody = post(world, "ops", "FAMILY", 999, {"max_lots": 2})
    assert post(world, "ops", "FAMILY", family.family_id, {"max_lots": 2}).status_code == 201

    assert (refused.status_code, nobody.status_code) == (403, 404)
    lots = shown(world, "aarav", f"accounts/{person.account_id}/limits")["max_lots"]
    assert (lots["value"], lots["origin"], lots["version"]["scope"]) == ("2", "FAMILY", "FAMILY")
    other = shown(world, "ops", f"accounts/{world.people[1].account_id}/limits")
    assert (other["max_lots"]["origin"], other["margin_check"]["value"]) == ("DEFAULT", "off")


def test_every_version_is_kept_with_its_entry_in_the_audit_log(world: World) -> None:
    person = world.people[0]
    first = post(world, "ops", "ACCOUNT", person.account_id, {"max_stops": 3, "denied_symbols": "BANKNIFTY"})
    second = post(
        world, "ops", "ACCOUNT", person.account_id, {"max_stops": 2, "denied_symbols": "BANKNIFTY"}, 1
    )

    versions = world.client.get(
        "/api/v1/limit-versions",
        params={"scope": "ACCOUNT", "target": str(person.account_id)},
        headers=world.headers("aarav"),
    ).json()

    assert versions == [second.json(), first.json()]
    assert shown(world, "aarav", f"accounts/{person.account_id}/limits")["max_stops"]["value"] == "2"
    assert versions[0]["values"] == {"denied_symbols": ["BANKNIFTY"], "max_stops": "2"}
    with world.database.begin() as session:
        acts = session.scalars(
            select(AuditRow).where(AuditRow.action == "limits.set").order_by(AuditRow.id)
        ).all()
    assert [(act.actor, act.subject, act.reason) for act in acts] == [
        ("ops", f"account:{person.account_id}", WHY)
    ] * 2
    assert acts[1].details["before"]["max_stops"] == "3"
    assert acts[1].details["after"]["max_stops"] == "2"


def test_who_did_not_see_the_newest_version_does_not_replace_it(world: World) -> None:
    account = world.people[0].account_id
    assert post(world, "ops", "ACCOUNT", account, {"max_lots": 5}).status_code == 201

    late = post(world, "ops", "ACCOUNT", account, {"max_lots": 4}, 0)
    early = post(world, "ops", "ACCOUNT", account, {"max_lots": 4}, 7)

    assert [(reply.status_code, reply.json()["code"]) for reply in (late, early)] == [(409, "conflict")] * 2


def test_a_trader_limits_own_things_only(world: World) -> None:
    other = world.people[1]
    statuses = {
        "tenant": post(world, "aarav", "TENANT", "", {"max_lots": 5}).status_code,
        "broker": post(world, "aarav", "BROKER", "kotak_neo", {"max_lots": 5}).status_code,
        "user": post(world, "aarav", "USER", other.user_id, {"max_lots": 5}).status_code,
        "account": post(world, "aarav", "ACCOUNT", other.account_id, {"max_lots": 5}).status_code,
        "deployment": post(world, "aarav", "DEPLOYMENT", other.deployment_id, {"max_lots": 5}).status_code,
        "nobody": post(world, "ops", "USER", 10**9, {"max_lots": 5}).status_code,
    }
    headers = world.headers("aarav")
    trial = {"scope": "ACCOUNT", "target": str(other.account_id), "values": {"max_lots": 1}}

    assert statuses == {
        "tenant": 403,
        "broker": 403,
        "user": 404,
        "account": 404,
        "deployment": 404,
        "nobody": 404,
    }
    assert world.client.post("/api/v1/limit-trials", json=trial, headers=headers).status_code == 404
    for path in (f"accounts/{other.account_id}/limits", f"deployments/{other.deployment_id}/limits"):
        assert world.client.get(f"/api/v1/{path}", headers=headers).status_code == 404


def test_a_trader_moves_own_limits_but_never_below_what_staff_has_set(world: World) -> None:
    account = world.people[0].account_id
    steps = [
        post(world, "aarav", "ACCOUNT", account, {"max_lots": 5}, 0),
        post(world, "aarav", "ACCOUNT", account, {"max_lots": 9}, 1),  # nobody has set a floor yet
        post(world, "ops", "ACCOUNT", account, {"max_lots": 7}, 2),
        post(world, "aarav", "ACCOUNT", account, {"max_lots": 3}, 3),
        post(world, "aarav", "ACCOUNT", account, {"max_lots": 7}, 4),
        post(world, "aarav", "ACCOUNT", account, {"max_lots": 8}, 5),
        post(world, "aarav", "ACCOUNT", account, {}, 5),
        post(world, "ops", "ACCOUNT", account, {"max_lots": 8}, 5),  # operators stop, they do not loosen
    ]

    assert [step.status_code for step in steps] == [201, 201, 201, 201, 201, 403, 403, 403]
    assert "at least as strict as version 3 of ops, got looser max_lots" in steps[5].json()["detail"]


@pytest.mark.parametrize(
    ("scope", "target", "values"),
    [
        ("ACCOUNT", "main", {"max_lots": 5}),
        ("BROKER", "zerodha", {"max_lots": 5}),
        ("TENANT", "1", {"max_lots": 5}),
        ("TENANT", "", {"max_lot": 5}),
        ("TENANT", "", {"max_lots": "1.5"}),
        ("TENANT", "", {"max_lots": 0}),
        ("TENANT", "", {"denied_symbols": ["nifty*"]}),
    ],
)
def test_what_would_bind_nobody_is_refused(
    world: World, scope: str, target: str, values: dict[str, Any]
) -> None:
    reply = post(world, "ops", scope, target, values)

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_input")
