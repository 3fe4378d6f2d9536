"""What a round of wishes leaves in the ledger, before any lane runs."""

from dataclasses import replace
from datetime import timedelta

from app.infra.names import RunKind
from app.services.loops.ports import RecordResult, Wish
from tests.integration.order_path.desk import TODAY, Desk, leg_ids


def test_an_entry_on_old_prices_is_wished_again_and_not_spent(desk: Desk) -> None:
    deployment, signal = desk.deployments[0], desk.straddle("entry")
    contracts = desk.parts.contracts.of_day(TODAY)
    fresh = desk.price([contracts[i] for i in leg_ids(signal)])
    first = leg_ids(signal)[0]
    aged = replace(fresh.ticks[first], ts_init=desk.clock.wall() - timedelta(seconds=6))
    old = replace(fresh, ticks={**fresh.ticks, first: aged})
    wish = Wish(deployment=deployment, signal=signal, ts_event=desk.clock.now())

    with desk.lease(RunKind.LOOPS) as loop:
        assert desk.parts.trading.record([wish], market=old, lease=loop) == RecordResult(recorded=frozenset())
        assert desk.orders() == []
        result = desk.parts.trading.record([wish], market=fresh, lease=loop)

    assert result.recorded == {(deployment.deployment_id, signal.key)}
    assert [order.denial_code for order in desk.orders()] == [None, None]
