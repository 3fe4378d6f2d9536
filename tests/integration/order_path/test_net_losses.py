"""Prove that losses are judged after charges: by the watch, by the gate, by the same number."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from app.db.bookings import book
from app.db.models import AccountRow, EquityPointRow
from app.db.risk_book import watched_legs
from app.db.scope import DataScope
from app.domain.bookings import Booking
from app.domain.charges import Charge
from app.domain.ids import AccountId, InstrumentId
from app.domain.instruments import OptionRight
from app.domain.markets import INR, Money
from app.domain.orders import OrderStatus
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import DenialCode
from app.infra.names import RunKind
from app.services.loops.ports import Wish
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
