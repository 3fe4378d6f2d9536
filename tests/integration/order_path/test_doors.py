"""A limit that is tightened in mid-day stands at every door, and no door keeps anybody in."""

import pytest

from app.domain.orders import OrderStatus
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope
from app.infra.names import RunKind
from app.services.limits import set_limits
from tests.integration.order_path.desk import Desk
from tests.integration.order_path.doors import CHIEF, open_all, serving
from tests.integration.order_path.outside import Hand, add_external

ALL = ("rest", "openalgo", "openalgo_smart", "amibroker", "strategy", "cli")


def test_a_limit_tightened_in_mid_day_denies_alike_at_every_door(
    desk: Desk, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = desk.deployments[0]
    before = Hand(desk, add_external(desk, own, name="before"))
    before.refresh()
    assert before.target(2).code is None

    with serving(desk, redis_url) as client, desk.lease(RunKind.LOOPS, ttl_s=60) as loop:
        doors = open_all(desk, client, loop, monkeypatch=monkeypatch, redis_url=redis_url)
        with desk.database.begin() as session:
            key = (LimitScope.ACCOUNT, str(own.account_id))
            set_limits(
                session,
                CHIEF,
                key,
                {"max_lots": 1},
                expected_version=0,
                reason="mid-day",
                now=desk.clock.now(),
            )
        answers = {door: doors.knock(door) for door in ALL}

    assert answers == dict.fromkeys(ALL, DenialCode.QUANTITY)
    assert desk.count_orders(status=OrderStatus.DENIED) == len(ALL)
    assert desk.count_orders(status=OrderStatus.INITIALIZED) == 1, "what was approved before"


def test_every_door_opens_within_the_limits_and_lets_everybody_out(
    desk: Desk, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(desk, redis_url) as client, desk.lease(RunKind.LOOPS, ttl_s=60) as loop:
        doors = open_all(desk, client, loop, monkeypatch=monkeypatch, redis_url=redis_url)
        entered = {door: doors.knock(door) for door in ALL}
        with desk.database.begin() as session:
            key = (LimitScope.ACCOUNT, str(desk.deployments[0].account_id))
            set_limits(
                session,
                CHIEF,
                key,
                {"denied_symbols": ["NIFTY"]},
                expected_version=0,
                reason="mid-day",
                now=desk.clock.now(),
            )
        left = {door: doors.leave(door) for door in ALL if door != "strategy"}

    assert entered == dict.fromkeys(ALL)
    assert left == dict.fromkeys(set(ALL) - {"strategy"})
    for name in left:
        (leg,) = desk.legs(deployment_id=doors.deployments[name].deployment_id)
        assert leg.exit_reason is not None, name
