"""What a round of wishes leaves in the ledger, before any lane runs."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from app.db.models import AccountRow
from app.domain.ids import InstrumentId
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
