"""What the page Risk reads: locks of each market's date, the course of profit and loss, the last halts."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert, update

from app.db.models import AccountRow, CommandRow, EquityPointRow, LossLockRow
from tests.dashboard.seed import at
from tests.integration.api.conftest import World

WHY = {"reason": "a test of the page"}


def _read(world: World, path: str, name: str = "ops") -> Any:
    reply = world.client.get(f"/api/v1/{path}", headers=world.headers(name))
    assert reply.status_code == 200, reply.text
    return reply.json()


def _lock(world: World, venue: str, day: date, target: int) -> dict[str, object]:
    return {
        "venue": venue,
        "day": day,
        "scope": "ACCOUNT",
        "target": str(target),
        "rule": "MAX_DAILY_LOSS",
        "limit": 50,
        "value": -51,
        "currency": "INR" if venue == "NSE" else "USDT",
        "formula": "realized -51 + unrealized 0 = -51 <= -50",
        "breached_at": world.clock.now(),
    }


def test_a_lock_is_shown_on_its_own_markets_date_when_indias_has_turned(world: World) -> None:
    yesterday, today = date(2026, 11, 20), date(2026, 11, 21)
    with world.database.begin() as session:
        locks = [("BINANCE", yesterday, 1), ("NSE", yesterday, 2), ("NSE", today, 3)]
        session.execute(insert(LossLockRow), [_lock(world, *lock) for lock in locks])
    # 02:00 of the 21st in India is 20:30 of the 20th in UTC.
    world.clock.set(at(2, 0) + timedelta(days=1), rate=0.0)

    shown = {(lock["venue"], lock["target"]) for lock in _read(world, "loss-locks")}
    asked = {(lock["venue"], lock["target"]) for lock in _read(world, f"loss-locks?day={yesterday}")}

    assert shown == {("BINANCE", "1"), ("NSE", "3")}
    assert asked == {("BINANCE", "1"), ("NSE", "2")}


def test_the_course_tells_profit_and_loss_added_up(world: World) -> None:
    account = world.people[0].account_id
    point = {"venue": "NSE", "day": date(2026, 11, 20), "scope": "ACCOUNT", "target": str(account)}
    amounts = {"realized": "-1250.10", "unrealized": "1000.05", "charges": "10.05", "peak": "20"}
    with world.database.begin() as session:
        session.execute(
            insert(EquityPointRow), [point | amounts | {"minute": at(10, 0), "is_estimated": True}]
        )

    (shown,) = _read(world, f"accounts/{account}/equity", "aarav")

    assert (shown["net"], shown["realized"], shown["unrealized"]) == ("-260.1", "-1250.1", "1000.05")
    assert (shown["charges"], shown["is_estimated"]) == ("10.05", True)


def test_an_account_names_the_currency_that_its_limits_are_in(world: World) -> None:
    with world.database.begin() as session:
        session.get_one(AccountRow, world.people[1].account_id).broker = "binance_spot"

    shown = {account["broker"]: account["currency"] for account in _read(world, "accounts")}

    assert shown == {"kotak_neo": "INR", "binance_spot": "USDT"}


def _press(world: World, name: str, target: int, action: str = "HALT") -> int:
    body = {"scope": "account", "target": target, "action": action, **WHY}
    reply = world.client.post("/api/v1/kill-switch", json=body, headers=world.headers(name))
    assert reply.status_code == 202, reply.text
    return int(reply.json()["id"])


def test_the_last_three_halts_are_listed_newest_first_to_whom_they_concern(world: World) -> None:
    mine, other = world.people[0].account_id, world.people[1].account_id
    pressed = [_press(world, "ops", account) for account in (mine, other, mine)]
    own = _press(world, "aarav", mine)
    _press(world, "ops", other, action="RESUME")

    listed = _read(world, "kill-switch")

    assert [kill["command_id"] for kill in listed] == [own, pressed[2], pressed[1]]
    assert [account["account_id"] for account in listed[2]["accounts"]] == [other]
    assert own in {kill["command_id"] for kill in _read(world, "kill-switch", "aarav")}
    assert _read(world, "kill-switch", "aditi") == []


def test_a_halt_of_yesterday_is_not_listed(world: World) -> None:
    command = _press(world, "ops", world.people[0].account_id)
    with world.database.begin() as session:
        long_ago = CommandRow.created_at - timedelta(hours=25)
        session.execute(update(CommandRow).where(CommandRow.id == command).values(created_at=long_ago))

    assert _read(world, "kill-switch") == []
