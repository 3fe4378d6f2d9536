"""A seed is a plan: the same one each time, with every kind of fault in it, at moments when orders move."""

from datetime import timedelta

import pytest

from tests.chaos.plan import HOPS, Fault, Kind
from tests.chaos.run import LONG, SHORT, Shape, plan_of


def plan(shape: Shape, seed: int) -> tuple[Fault, ...]:
    return plan_of(shape, seed=seed)[1]


@pytest.mark.parametrize("shape", [SHORT, LONG])
def test_a_seed_repeats_its_plan_and_another_one_does_not(shape: Shape) -> None:
    assert plan(shape, 7) == plan(shape, 7)
    assert plan(shape, 7) != plan(shape, 8)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_is_played_in_order_and_while_the_market_lives(seed: int) -> None:
    faults = plan(SHORT, seed)
    session, _ = plan_of(SHORT, seed=seed)

    assert {fault.kind for fault in faults} == set(Kind)
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(session.open_at - timedelta(minutes=30) < f.at < session.close_at for f in faults)
    assert all(fault.at.second % 30 == 0 for fault in faults), "a tick has just set orders going"


@pytest.mark.parametrize("seed", range(5))
def test_one_exits_worker_lives_on_whenever_two_processes_are_killed(seed: int) -> None:
    killed = [fault.target for fault in plan(LONG, seed) if fault.kind is Kind.KILL_TWO]

    assert killed
    assert "worker-exits+worker-exits-2" not in killed


def test_the_long_form_is_what_was_promised() -> None:
    faults = plan(LONG, 1)

    assert len(faults) >= 200
    assert len({fault.name for fault in faults}) >= 15
    session, _ = plan_of(LONG, seed=1)
    assert all(fault.at >= session.open_at for fault in faults if fault.hop is not None)
    assert {fault.hop for fault in faults if fault.hop is not None} == set(HOPS)
    killed = {fault.target for fault in faults if fault.kind is Kind.KILL}
    assert {"worker-exits", "worker-orders", "beat", "api", "feed", "feed-mt5", "mt5-agent-500001"} <= killed
