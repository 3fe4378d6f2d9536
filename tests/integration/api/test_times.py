"""Times of leaving and blackouts by REST: everybody sees, administrators set, own legs only."""

from typing import Any

import httpx

from tests.integration.api.conftest import World

DAY = "2026-11-20"
SETTING = {"venue": "NSE", "broker": "paper", "first_day": DAY, "leave_at": "14:45", "reason": "a test"}
WINDOW = {
    "name": "payrolls",
    "covers": ["USD"],
    "starts_at": "2026-12-04T13:30:00Z",
    "ends_at": "2026-12-04T14:00:00Z",
    "rule": "FLAT_BEFORE",
    "reason": "a test",
}


def post(world: World, name: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return world.client.post(f"/api/v1/{path}", json=body, headers=world.headers(name))


def get(world: World, name: str, path: str) -> Any:
    reply = world.client.get(f"/api/v1/{path}", headers=world.headers(name))
    assert reply.status_code == 200, reply.text
    return reply.json()


def leaves(shown: dict[str, Any]) -> dict[tuple[str, str, bool], str]:
    return {
        (one["venue"], one["broker"], one["is_expiring"]): one["times"]["leave_at"] for one in shown["today"]
    }


def test_an_administrator_sets_and_withdraws_when_a_group_leaves(world: World) -> None:
    before = leaves(get(world, "aarav", "square-offs"))
    added = post(world, "admin", "square-offs", SETTING)
    number = added.json()["number"]
    during = get(world, "aarav", "square-offs")
    ended = post(world, "admin", f"square-offs/{number}/withdrawal", {"reason": "a test"})

    assert (added.status_code, ended.status_code) == (201, 204)
    assert before["NSE", "paper", False] == before["BSE", "paper", False] == f"{DAY}T09:42:00Z"
    assert before["NSE", "paper", True] == f"{DAY}T09:30:00Z"
    assert leaves(during)["NSE", "paper", False] == f"{DAY}T09:15:00Z"
    assert leaves(during)["NSE", "kotak_neo", False] == f"{DAY}T09:42:00Z"
    after = get(world, "aarav", "square-offs")
    assert leaves(after) == before
    assert [(row["id"], row["withdrawn_by"]) for row in after["settings"]] == [(number, "admin")]


def test_an_administrator_adds_and_withdraws_windows(world: World) -> None:
    added = post(world, "admin", "blackouts", WINDOW)
    number = added.json()["number"]
    shown = get(world, "aarav", "blackouts")
    ended = post(world, "admin", f"blackouts/{number}/withdrawal", {"reason": "a test"})

    assert (added.status_code, ended.status_code) == (201, 204)
    assert [(row["name"], row["lead_s"], row["timezone"]) for row in shown] == [
        ("payrolls", 900, None),
        ("forex weekend", 1800, "America/New_York"),
    ]
    assert get(world, "aarav", "blackouts")[0]["withdrawn_by"] == "admin"


def test_nobody_else_sets_or_withdraws(world: World) -> None:
    for name in ("aarav", "ops"):
        assert post(world, name, "square-offs", SETTING).status_code == 403
        assert post(world, name, "blackouts", WINDOW).status_code == 403
        assert post(world, name, "square-offs/1/withdrawal", {"reason": "a test"}).status_code == 403
        assert post(world, name, "blackouts/1/withdrawal", {"reason": "a test"}).status_code == 403


def test_what_cannot_be_is_refused_with_a_sentence(world: World) -> None:
    refused = [
        post(world, "admin", "square-offs", SETTING | {"entries_end_at": "15:00"}),
        post(world, "admin", "square-offs", SETTING | {"leave_at": "14:45:00Z"}),
        post(world, "admin", "square-offs", SETTING | {"first_day": "2026-11-19"}),
        post(world, "admin", "blackouts", WINDOW | {"ends_at": WINDOW["starts_at"]}),
        post(world, "admin", "blackouts", WINDOW | {"timezone": "Nowhere/At"}),
        post(world, "admin", "blackouts", WINDOW | {"lead_s": 60}),
    ]

    assert {reply.status_code for reply in refused} == {422}
    assert all("expected" in reply.json()["detail"] for reply in refused)
    assert post(world, "admin", "blackouts/999/withdrawal", {"reason": "a test"}).status_code == 404


def test_a_trader_sees_when_own_legs_must_be_out(world: World) -> None:
    own, everybodys = (get(world, name, "departures") for name in ("aarav", "ops"))

    assert {leg["account_id"] for leg in own} == {world.people[0].account_id}
    assert len(everybodys) > len(own)
    assert {(leg["urgency"], leg["leave_by"]) for leg in own} == {("USUAL", f"{DAY}T09:42:00Z")}
