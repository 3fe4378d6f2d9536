"""I13 at the API: nobody sees or touches another's data, on any route."""

from typing import Any

from sqlalchemy import insert

from app.db.models import EquityPointRow, LossLockRow
from app.domain.markets import NSE
from tests.integration.api.conftest import World

READ_BY_EVERYBODY = {
    "/api/v1/me",
    "/api/v1/accounts",
    "/api/v1/logins",
    "/api/v1/pnl",
    "/api/v1/deployments",
    "/api/v1/deployments/drift",
    "/api/v1/orders",
    "/api/v1/positions",
    "/api/v1/unknown-orders",
    "/api/v1/alarms",
    "/api/v1/audit",
    "/api/v1/summary",
    "/api/v1/health",
    "/api/v1/phases",
    "/api/v1/loss-locks",
    "/api/v1/square-offs",
    "/api/v1/blackouts",
    "/api/v1/departures",
}
READ_BY_ID = {
    "/api/v1/orders/{order_id}",
    "/api/v1/unknown-orders/{order_id}",
    "/api/v1/commands/{command_id}",
    "/api/v1/kill-switch/{command_id}",
    "/api/v1/accounts/{account_id}/limits",
    "/api/v1/deployments/{deployment_id}/limits",
    "/api/v1/accounts/{account_id}/equity",
    "/api/v1/deployments/{deployment_id}/equity",
    "/api/v1/signals/{signal_id}",
}
STAFF_ONLY = {
    "/api/v1/runs",
    "/api/v1/families",
    "/api/v1/limits",
    "/api/v1/phases/{phase}/trigger",
    "/api/v1/unknown-orders/{order_id}/resolution",
    "/api/v1/square-offs/{number}/withdrawal",
    "/api/v1/blackouts/{number}/withdrawal",
}
ACTS_ON_OWN = {
    "/api/v1/logins/{account_id}/retry",
    "/api/v1/deployments/{deployment_id}/pause",
    "/api/v1/deployments/{deployment_id}/resume",
    "/api/v1/deployments/{deployment_id}/square-off",
    "/api/v1/kill-switch",
    "/api/v1/limit-versions",
    "/api/v1/limit-trials",
    "/api/v1/signals",
}
CHANGES_OWN: dict[str, dict[str, object]] = {
    "/api/v1/deployments/{deployment_id}/sizing": {"sizing": {}},
    "/api/v1/accounts/{account_id}/settings": {"settings": {}},
}
"""By PUT, with a body that fits; test_sizing.py proves whose they are."""
WITHOUT_DATA = {"/api/v1/tokens", "/api/v1/tokens/renewals"}
WHY = {"reason": "a test of the rules"}


def _items(body: Any) -> list[dict[str, Any]]:
    return list(body["items"] if isinstance(body, dict) else body)


def test_every_route_has_its_rule_of_scope_here(world: World) -> None:
    paths = set(world.client.get("/api/openapi.json").json()["paths"])

    known = READ_BY_EVERYBODY | READ_BY_ID | STAFF_ONLY | ACTS_ON_OWN | WITHOUT_DATA
    assert paths == known | CHANGES_OWN.keys()


def test_refuses_everybody_without_a_token(world: World) -> None:
    ids = {"order_id": 1, "command_id": 1, "account_id": 1, "deployment_id": 1, "signal_id": 1}
    paths = [path.format(**ids) for path in READ_BY_EVERYBODY | READ_BY_ID]
    gets = {path: world.client.get(path).status_code for path in [*paths, "/api/v1/runs"]}
    acts = [path.format(account_id=1, deployment_id=1) for path in ACTS_ON_OWN]
    posts = {path: world.client.post(path, json=WHY).status_code for path in acts}

    puts = {
        world.client.put(path.format(account_id=1, deployment_id=1), json=body | WHY).status_code
        for path, body in CHANGES_OWN.items()
    }

    assert set(gets.values()) == set(posts.values()) == puts == {401}


def test_a_trader_sees_own_rows_only_and_staff_sees_all(world: World) -> None:
    first, second = world.people[0], world.people[1]
    headers = {name: world.headers(name) for name in (first.name.lower(), second.name.lower(), "ops")}

    for path in ("accounts", "logins", "deployments", "orders", "positions"):
        seen = [
            {row["user_id"] for row in _items(world.client.get(f"/api/v1/{path}", headers=header).json())}
            for header in headers.values()
        ]
        assert seen[:2] == [{first.user_id}, {second.user_id}], path
        assert seen[2] >= {first.user_id, second.user_id}, path


def test_a_trader_sees_own_money_only(world: World) -> None:
    lines = world.client.get("/api/v1/pnl", headers=world.headers("aarav")).json()
    summary = world.client.get("/api/v1/summary", headers=world.headers("aarav")).json()

    assert [line["key"] for line in lines] == [f"account:{world.people[0].account_id}"]
    assert [(pnl["currency"], pnl["total"]) for pnl in summary["pnl"]] == [("INR", lines[0]["total"])]
    assert (summary["accounts"]["total"], summary["open_positions"], summary["orders"]["total"]) == (1, 2, 4)


def test_a_trader_sees_neither_system_alarms_nor_those_of_others(world: World) -> None:
    failed = world.people[4]

    def codes(name: str) -> set[str]:
        alarms = world.client.get("/api/v1/alarms", headers=world.headers(name)).json()
        return {alarm["code"] for alarm in alarms}

    assert codes("aarav") == set()
    assert codes(failed.name.lower()) == {"login_failed"}
    assert codes("ops") == {"login_failed", "accounts_not_ready"}


def test_a_trader_reads_own_acts_only_in_the_audit_log(world: World) -> None:
    world.token("aditi")

    acts = _items(world.client.get("/api/v1/audit", headers=world.headers("aarav")).json())

    assert {act["actor"] for act in acts} == {"aarav"}


def test_an_order_of_another_does_not_exist_for_a_trader(world: World) -> None:
    own, other = (
        _items(world.client.get("/api/v1/orders", headers=world.headers(name)).json())[0]["id"]
        for name in ("aarav", "aditi")
    )
    headers = world.headers("aarav")

    assert world.client.get(f"/api/v1/orders/{own}", headers=headers).json()["events"] != []
    assert world.client.get(f"/api/v1/orders/{other}", headers=headers).status_code == 404


def test_a_command_of_another_does_not_exist_for_a_trader(world: World) -> None:
    url = f"/api/v1/deployments/{world.people[0].deployment_id}/pause"
    command = world.client.post(url, json=WHY, headers=world.headers("aarav")).json()["id"]

    statuses = [
        world.client.get(f"/api/v1/commands/{command}", headers=world.headers(name)).status_code
        for name in ("aarav", "aditi", "ops")
    ]

    assert statuses == [200, 404, 200]


def test_a_trader_cannot_act_on_anothers_account_or_deployment(world: World) -> None:
    other = world.people[1]
    headers = world.headers("aarav")
    acts: list[tuple[str, dict[str, Any]]] = [
        (f"logins/{other.account_id}/retry", WHY),
        (f"deployments/{other.deployment_id}/pause", WHY),
        (f"deployments/{other.deployment_id}/resume", WHY),
        (f"deployments/{other.deployment_id}/square-off", WHY),
        ("kill-switch", {"scope": "account", "target": other.account_id, "action": "HALT", **WHY}),
        ("kill-switch", {"scope": "user", "target": other.user_id, "action": "HALT", **WHY}),
    ]

    statuses = [
        world.client.post(f"/api/v1/{path}", json=body, headers=headers).status_code for path, body in acts
    ]

    assert statuses == [404] * len(acts)


def test_only_staff_stops_everybody_resumes_triggers_and_sees_runs(world: World) -> None:
    headers = world.headers("aarav")
    own = world.people[0].account_id
    everybody = {"scope": "tenant", "action": "HALT", **WHY}
    resume = {"scope": "account", "target": own, "action": "RESUME", **WHY}

    assert world.client.post("/api/v1/kill-switch", json=everybody, headers=headers).status_code == 403
    assert world.client.post("/api/v1/kill-switch", json=resume, headers=headers).status_code == 403
    assert world.client.post("/api/v1/phases/BELL/trigger", json=WHY, headers=headers).status_code == 403
    assert world.client.get("/api/v1/runs", headers=headers).status_code == 403
    assert world.client.get("/api/v1/limits", headers=headers).status_code == 403
    assert world.client.get("/api/v1/families", headers=headers).status_code == 403
    assert len(world.client.get("/api/v1/runs", headers=world.headers("ops")).json()) == 4


def test_a_trader_sees_own_locks_and_own_course_only(world: World) -> None:
    own, other = world.people[0], world.people[1]
    with world.database.begin() as session:
        session.execute(insert(LossLockRow), [_lock(world, p.account_id) for p in (own, other)])
        session.execute(insert(EquityPointRow), [_point(world, p.account_id) for p in (own, other)])
    headers = world.headers("aarav")

    locks = world.client.get("/api/v1/loss-locks", headers=headers).json()
    everybodys = world.client.get("/api/v1/loss-locks", headers=world.headers("ops")).json()
    course = world.client.get(f"/api/v1/accounts/{own.account_id}/equity", headers=headers)
    shown = world.client.get("/api/v1/accounts", headers=headers).json()

    assert [(lock["target"], lock["value"]) for lock in locks] == [(str(own.account_id), "-5100")]
    assert len(everybodys) == 2
    assert [(point["realized"], point["peak"]) for point in course.json()] == [("-10", "20")]
    assert shown[0]["trading_state"] == "REDUCING"
    for path in (
        f"accounts/{other.account_id}/equity",
        f"deployments/{other.deployment_id}/equity",
    ):
        assert world.client.get(f"/api/v1/{path}", headers=headers).status_code == 404, path


def _lock(world: World, account_id: int) -> dict[str, object]:
    return {
        "venue": "NSE",
        "day": NSE.day_of(world.clock.now()),
        "scope": "ACCOUNT",
        "target": str(account_id),
        "rule": "MAX_DAILY_LOSS",
        "limit": 5000,
        "value": -5100,
        "currency": "INR",
        "formula": "realized -5100 + unrealized 0 = -5100 <= -5000",
        "breached_at": world.clock.now(),
    }


def _point(world: World, account_id: int) -> dict[str, object]:
    now = world.clock.now()
    return {
        "venue": "NSE",
        "day": NSE.day_of(now),
        "scope": "ACCOUNT",
        "target": str(account_id),
        "minute": now,
        "realized": -10,
        "unrealized": 0,
        "peak": 20,
    }
