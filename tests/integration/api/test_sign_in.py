"""Signing in: passwords, tokens, and what they no longer open."""

from sqlalchemy import update

from app.db.models import UserRow
from tests.integration.api.conftest import World


def _try(world: World, name: str, password: str) -> tuple[int, str]:
    reply = world.client.post("/api/v1/tokens", json={"name": name, "password": password})
    return reply.status_code, reply.json().get("code", "")


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(world: World) -> None:
    assert _try(world, "ops", "wrong") == _try(world, "nobody", "wrong") == (401, "unauthorized")


def test_the_answer_is_a_problem_with_a_correlation_id(world: World) -> None:
    reply = world.client.get("/api/v1/me", headers={"X-Correlation-Id": "my-own-id-1"})

    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json() == {
        "type": "urn:openbell:problem:unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "code": "unauthorized",
        "detail": "expected a header Authorization: Bearer <token>, got none",
        "correlation_id": "my-own-id-1",
    }


def test_guessing_is_slowed_down_after_five_failures(world: World) -> None:
    answers = [_try(world, "ops", "wrong")[0] for _ in range(6)]

    assert answers == [401] * 5 + [429]
    assert _try(world, "aarav", "correct horse")[0] == 201


def test_a_disabled_user_is_out_at_once(world: World) -> None:
    headers = world.headers("aarav")
    with world.database.begin() as session:
        session.execute(update(UserRow).where(UserRow.name == "aarav").values(is_enabled=False))

    assert world.client.get("/api/v1/me", headers=headers).status_code == 401
    assert _try(world, "aarav", "correct horse")[0] == 401


def test_rights_come_from_the_database_and_not_from_the_token(world: World) -> None:
    headers = world.headers("ops")
    with world.database.begin() as session:
        session.execute(update(UserRow).where(UserRow.name == "ops").values(role="TRADER"))

    assert world.client.get("/api/v1/me", headers=headers).json()["is_staff"] is False
    assert world.client.get("/api/v1/accounts", headers=headers).json() == []


def test_a_token_can_be_renewed(world: World) -> None:
    fresh = world.client.post("/api/v1/tokens/renewals", headers=world.headers("ops")).json()["token"]

    assert (
        world.client.get("/api/v1/me", headers={"Authorization": f"Bearer {fresh}"}).json()["name"] == "ops"
    )


def test_a_foreign_token_is_refused(world: World) -> None:
    reply = world.client.get("/api/v1/me", headers={"Authorization": "Bearer abc.def.ghi"})

    assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")
