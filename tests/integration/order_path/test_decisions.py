"""What a round of wishes leaves in the ledger, before any lane runs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.db import risk_state
from app.db.models import AccountRow
from app.db.risk_book import WatchedLeg, watched_legs
from app.domain.ids import AccountId, InstrumentId, SignalKey
from app.domain.orders import OrderStatus, Side
from app.domain.risk.rules import DenialCode
from app.infra.names import RunKind
from app.services.loops.ports import RecordResult, Wish
from tests.integration.order_path.desk import TODAY, Desk, leg_ids
from tests.integration.order_path.reports import filled


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


def test_an_entry_is_sized_by_the_capital_that_the_account_has_now(desk: Desk) -> None:
    deployment = replace(desk.deployments[0], sizing={"model": "percent_of_capital", "fraction": "0.1"})
    contracts = desk.parts.contracts.of_day(TODAY)
    first, second = desk.straddle("before"), desk.straddle("after")
    market = desk.price([contracts[i] for i in leg_ids(first)])
    one_lot = sum(
        market.ticks[i].last * contracts[i].lot_size for i in leg_ids(first)
    )  # what a straddle of one lot is worth

    with desk.lease(RunKind.LOOPS) as loop:
        wish = Wish(deployment=deployment, signal=first, ts_event=desk.clock.now())
        desk.parts.trading.record([wish], market=market, lease=loop)
        with desk.database.begin() as session:
            settings = {"capital": str(one_lot * 35)}
            session.execute(
                update(AccountRow).where(AccountRow.id == deployment.account_id).values(settings=settings)
            )
        wish = Wish(deployment=deployment, signal=second, ts_event=desk.clock.now())
        desk.parts.trading.record([wish], market=market, lease=loop)

    denied, entered = desk.orders()[:2], desk.orders()[2:]
    assert [(o.status, o.denial_code) for o in denied] == [("DENIED", "SIZING_INPUT")] * 2
    assert "expected the account's setting capital, got none" in denied[0].reject_reason
    lots = {contracts[InstrumentId(o.instrument_id)].lot_size * 3 for o in entered}
    assert {o.quantity for o in entered} == lots
    assert {o.status for o in entered} == {"INITIALIZED"}


def test_an_entry_that_fills_while_the_next_one_is_judged_counts_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two reads it stops being a live order and becomes a position: neither may be overlooked."""
    deployment = desk.deployments[0]
    other = desk.deploy_beside(deployment)
    selling = desk.straddle("entry")
    buying = replace(
        selling, key=SignalKey("against"), legs=tuple(replace(e, side=Side.BUY) for e in selling.legs)
    )

    def read_legs_and_then_it_fills(*args: Any) -> Sequence[WatchedLeg]:
        legs = watched_legs(*args)
        orders = desk.orders(deployment_id=deployment.deployment_id)
        fills = [filled(order, order.quantity, at=desk.clock.now()) for order in orders]
        desk.parts.execution.apply_reports(AccountId(deployment.account_id), fills, source="test")
        return legs

    with desk.lease(RunKind.LOOPS) as loop:
        with desk.running(RunKind.ENTRIES):
            desk.record(selling, loop, [deployment])
            desk.wait_for(lambda: desk.count_orders(status=OrderStatus.ACCEPTED) == 2)
        monkeypatch.setattr(risk_state, "watched_legs", read_legs_and_then_it_fills)
        desk.record(buying, loop, [other])

    against = desk.orders(deployment_id=other.deployment_id)
    assert [order.denial_code for order in against] == [DenialCode.SELF_CROSS, DenialCode.OTHER_LEG]
