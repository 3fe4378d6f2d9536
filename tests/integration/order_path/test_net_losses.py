"""Prove that losses are judged after charges: by the watch, by the gate, by the same number."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from app.db.alarms import open_alarm_subjects
from app.db.bookings import book
from app.db.models import AccountRow, DeploymentRow, EquityPointRow, InstrumentRow, LegRow
from app.db.risk_book import watched_legs
from app.db.scope import DataScope
from app.domain.bookings import Booking
from app.domain.charges import Charge
from app.domain.errors import ConflictError
from app.domain.ids import AccountId, InstrumentId
from app.domain.instruments import OptionRight
from app.domain.markets import INR, Currency, Money
from app.domain.orders import OrderStatus
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope
from app.infra.names import RunKind
from app.services.loops.ports import Wish
from app.services.loss_locks import unlock
from app.services.runs import Lease
from app.services.scope_values import net_of_accounts
from tests.integration.order_path.desk import TODAY, Desk
from tests.integration.order_path.test_loss_limits import (
    ALL,
    account,
    hold_straddles,
    limit,
    locks,
    watched,
)

EVERYBODY = DataScope(user_id=None)


def net_at_entry(desk: Desk, account_id: AccountId) -> NetPnl:
    """Return what the account earned with every price where it was entered: nothing but its charges."""
    with desk.database.begin() as session:
        legs = watched_legs(session, TODAY, AccountRow.id == account_id)
        charges = desk.parts.costs.of_day(session, EVERYBODY, day=TODAY, in_known_currencies=True)
    return net_of_accounts(legs, {}, charges, INR)[account_id][INR]


def book_cost(desk: Desk, account_id: AccountId, amount: str, *, is_estimated: bool = False) -> None:
    """Let holding the first leg cost something."""
    leg = desk.legs(account_id=account_id)[0]
    one = Booking(
        charge=Charge.FUNDING,
        ref=f"test-{amount}",
        day=TODAY,
        instrument_id=InstrumentId(leg.instrument_id),
        deployment_id=leg.deployment_id,  # type: ignore[arg-type]  # a row's number
        taken=Money(amount=Decimal(amount), currency=INR),
        ts_event=desk.clock.now(),
        is_estimated=is_estimated,
        formula="test",
    )
    with desk.database.begin() as session:
        assert book(session, account_id, [one], now=desk.clock.now()) == 1


def test_charges_alone_can_reach_the_limit_of_the_watch(desk: Desk) -> None:
    """At the entry prices gross profit is zero: what the two entries cost is all that was lost."""
    bad, good = desk.deployments
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop)
        paid = net_at_entry(desk, bad.account_id)
        assert paid.charges > 2
        limit(desk, account(bad), max_daily_loss=f"{paid.charges + 1:f}")
        risk.look(prices="1", step="0.0001")
        risk.look(prices="1", step="0.0001")
        assert locks(desk) == [], "a rupee is left"
        limit(desk, account(bad), version=1, max_daily_loss=f"{paid.charges - 1:f}")

        risk.look(prices="1", step="0.0001")
        risk.look(prices="1", step="0.0001")

        (lock,) = locks(desk)
        assert lock.target == str(bad.account_id)
        assert f"- charges {paid.charges:f} (estimated) = " in lock.formula
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs(account_id=bad.account_id)))
        risk.look()
        (lock,) = locks(desk)
        left = net_at_entry(desk, bad.account_id)
        assert lock.flat_value == left.net
        assert left.charges > paid.charges, "the way out costs too"
    with desk.database.begin() as session:
        points = session.scalars(select(EquityPointRow).where(EquityPointRow.scope == "ACCOUNT")).all()
    assert {p.charges > 0 and p.is_estimated for p in points} == {True}
    assert all(leg.net_qty < 0 for leg in desk.legs(account_id=good.account_id))


def test_what_holding_cost_counts_in_the_watch_with_the_next_whole_look(desk: Desk) -> None:
    one, other = desk.deployments
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        hold_straddles(desk, loop)
        for deployment in (one, other):
            limit(desk, account(deployment), max_daily_loss="800")
        with watched(desk) as risk:
            risk.look(prices="1")
            risk.look(prices="1")
            assert locks(desk) == []
        book_cost(desk, one.account_id, "900")
        book_cost(desk, other.account_id, "-900")
        with watched(desk) as successor:
            successor.look(prices="1")
            successor.look(prices="1")

    (lock,) = locks(desk)
    assert lock.target == str(one.account_id)
    assert lock.value < -900


def test_the_gate_denies_by_the_same_net_loss(desk: Desk) -> None:
    poor, rich = desk.deployments
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        hold_straddles(desk, loop)
        for deployment, more in ((poor, -1), (rich, 1)):
            book_cost(desk, deployment.account_id, "900")
            loss = -net_at_entry(desk, deployment.account_id).net
            assert loss > 900
            limit(desk, account(deployment), max_daily_loss=f"{loss + more:f}")
        _record_at_entry_prices(desk, loop, "again")

    denied = desk.orders(status=OrderStatus.DENIED)
    assert {order.account_id for order in denied} == {poor.account_id}
    (why,) = [o.reject_reason for o in denied if o.denial_code == DenialCode.DAILY_LOSS]
    assert "- charges 9" in why
    assert "(estimated)" in why


def _record_at_entry_prices(desk: Desk, lease: Lease, key: str) -> None:
    """Record a wish of each deployment on a market that stands where everything was entered."""
    signal = desk.straddle(key)
    market = desk.price([desk.option(right) for right in OptionRight])
    paid = {leg.instrument_id: leg.entry_value / leg.entry_qty for leg in desk.legs()}
    ticks = {i: replace(tick, last=paid[i]) for i, tick in market.ticks.items()}
    wishes = [Wish(deployment=d, signal=signal, ts_event=desk.clock.now()) for d in desk.deployments]
    desk.parts.trading.record(wishes, market=replace(market, ticks=ticks), lease=lease)


def test_a_deployment_is_closed_at_the_loss_that_it_was_added_with_and_its_account_goes_on(
    desk: Desk,
) -> None:
    one = desk.deployments[0]
    beside = desk.deploy_beside(one)
    with desk.database.begin() as session:
        own = update(DeploymentRow).where(DeploymentRow.id == one.deployment_id)
        session.execute(own.values(limits={"max_lots": 5, "max_daily_loss": "100"}))
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop, [one, beside])
        risk.look()
        risk.look()
        (lock,) = locks(desk)
        assert (lock.scope, lock.target) == ("DEPLOYMENT", str(one.deployment_id))
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs(deployment_id=one.deployment_id)))
        with desk.database.begin() as session:
            # What the way out cost depends on the market: let it have cost more than the limit.
            legs = update(LegRow).where(LegRow.deployment_id == one.deployment_id)
            session.execute(legs.values(cash=-60))
        risk.look()
        key, now = (LimitScope.DEPLOYMENT, str(one.deployment_id)), desk.clock.now()
        with desk.database.begin() as session, pytest.raises(ConflictError, match="does not lift the limit"):
            unlock(session, key, by="asha", origin="test", reason="we agreed", now=now)

    kept = desk.legs(deployment_id=beside.deployment_id)
    assert all(leg.net_qty < 0 and leg.exit_reason is None for leg in kept)


def test_another_currency_is_watched_by_the_limit_that_names_it_and_said_to_be_unlimited_before(
    desk: Desk,
) -> None:
    foreign = desk.deployments[0]
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop, [foreign])
        yen = desk.legs()[0].instrument_id
        with desk.database.begin() as session:
            listed = update(InstrumentRow).where(InstrumentRow.instrument_id == yen)
            session.execute(listed.values(currency="JPY"))
        limit(desk, account(foreign), max_daily_loss="100000")
        risk.look(prices="1.2")
        risk.look(prices="1.2")
        assert locks(desk) == []
        assert _unlimited(desk) == {f"account:{foreign.account_id} NSE"}

        limit(desk, account(foreign), version=1, max_daily_loss="100000", max_daily_loss_JPY="100")
        risk.look(prices="1.2")
        risk.look(prices="1.2")

        (lock,) = locks(desk)
        assert (lock.scope, lock.rule, lock.currency) == ("ACCOUNT", "MAX_DAILY_LOSS", "JPY")
        assert _unlimited(desk) == set()
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        risk.look()
        (lock,) = locks(desk)
        with desk.database.begin() as session:
            legs = watched_legs(session, TODAY, AccountRow.id == foreign.account_id)
            charges = desk.parts.costs.of_day(session, EVERYBODY, day=TODAY, in_known_currencies=True)
        sums = net_of_accounts(legs, {}, charges, INR)[foreign.account_id]
        assert sums.keys() == {INR, "JPY"}
        assert lock.flat_value == sums[Currency("JPY")].net, "what was left of the currency that broke it"


def _unlimited(desk: Desk) -> frozenset[str]:
    with desk.database.begin() as session:
        return open_alarm_subjects(session, "loss_currency_unlimited")
