"""Sizing and settings over REST: checked, audited, scoped; and who drifted from the wish."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app.db.models import AuditRow, OrderRow, SignalRow
from app.domain.orders import OrderStatus, Side
from tests.dashboard.seed import CALL, DAY, LOT, PREMIUMS, Person, add_order, at
from tests.integration.api.conftest import World

RISK = {"model": "fixed_risk", "fraction": "0.01"}


def _put(world: World, name: str, path: str, **body: Any) -> tuple[int, Any]:
    reply = world.client.put(
        f"/api/v1/{path}", json={"reason": "a test", **body}, headers=world.headers(name)
    )
    return reply.status_code, reply.json()


def test_a_trader_chooses_the_model_of_an_own_deployment_only(world: World) -> None:
    own, other = world.people[0], world.people[1]

    status, shown = _put(world, "aarav", f"deployments/{own.deployment_id}/sizing", sizing=RISK)
    refused, _ = _put(world, "aarav", f"deployments/{other.deployment_id}/sizing", sizing=RISK)

    assert (status, shown["sizing"]) == (200, RISK)
    assert refused == 404
    with world.database.begin() as session:
        [act] = session.scalars(select(AuditRow).where(AuditRow.action == "deployment.sizing_set"))
        assert (act.actor, act.details) == ("aarav", {"before": {}, "after": RISK})


@pytest.mark.parametrize(
    ("sizing", "message"),
    [
        ({"model": "martingale"}, "model: expected one of fixed_lots"),
        ({"model": "fixed_lots"}, "sizing: expected lots for fixed_lots, got none"),
        ({"model": "fixed_lots", "lots": "1.5"}, "lots: expected a whole number, got 1.5"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(
    world: World, sizing: dict[str, object], message: str
) -> None:
    status, problem = _put(
        world, "aarav", f"deployments/{world.people[0].deployment_id}/sizing", sizing=sizing
    )

    assert (status, problem["code"]) == (422, "invalid_input")
    assert message in problem["detail"]


def test_settings_change_one_by_one_and_can_be_taken_back(world: World) -> None:
    path = f"accounts/{world.people[0].account_id}/settings"

    _put(world, "aarav", path, settings={"capital": "500000", "brokerage": 20})
    status, left = _put(world, "aarav", path, settings={"brokerage": None})
    wrong, problem = _put(world, "aarav", path, settings={"margin": 1})
    foreign, _ = _put(world, "aarav", f"accounts/{world.people[1].account_id}/settings", settings={})

    assert (status, left) == (200, {"capital": "500000"})
    assert (wrong, foreign) == (422, 404)
    assert "expected names out of capital" in problem["detail"]


def _follow(world: World, person: Person, *, sized: int, filled: int) -> None:
    """Let a deployment enter two lots of one signal, as sized and filled."""
    with world.database.begin() as session:
        signal = SignalRow(
            user_id=person.user_id,
            deployment_id=person.deployment_id,
            day=DAY,
            key="2026-11-20:group",
            kind="ENTER",
            reason="09:20",
            payload={"legs": [{"lots": 2}]},
            ts_event=at(9, 20),
            ts_init=at(9, 20),
            valid_until=at(9, 20) + timedelta(seconds=5),
        )
        session.add(signal)
        session.flush()
        order = add_order(
            session,
            person,
            key=f"group-{person.account_id}",
            instrument=CALL,
            side=Side.SELL,
            status=OrderStatus.FILLED if filled == sized else OrderStatus.CANCELED,
            price=PREMIUMS[CALL],
            quantity=LOT * sized,
            filled=LOT * filled,
            moment=at(9, 20),
        )
        session.flush()
        session.get_one(OrderRow, order.id).signal_id = signal.id


def test_the_drift_of_a_group_is_shown_widest_first(world: World) -> None:
    half, plain = world.people[0], world.people[1]
    path = f"deployments/{half.deployment_id}/sizing"
    _put(world, "aarav", path, sizing={"model": "multiplier", "factor": "0.75"})
    _follow(world, half, sized=1, filled=1)
    _follow(world, plain, sized=2, filled=2)

    shown = world.client.get("/api/v1/deployments/drift", headers=world.headers("ops")).json()
    own = world.client.get("/api/v1/deployments/drift", headers=world.headers("aarav")).json()

    assert [(line["wished"], line["sized"], line["got"], line["drift"]) for line in shown] == [
        ("1.5", "1", "1", "-0.5"),
        ("2", "2", "2", "0"),
    ]
    assert Decimal(shown[0]["drift_fraction"]).quantize(Decimal("0.01")) == Decimal("-0.33")
    assert [line["deployment_id"] for line in own] == [half.deployment_id]
