"""Prove that an entry is sent once, protected at once, resolved by evidence, and closed for good."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, update

from app.db.controls import request_exits
from app.db.leases import LeaseLostError, release_lease
from app.db.models import AccountRow, AlarmRow, InstrumentRow, LeaseRow, LoginRow, OrderRow
from app.domain.accounts import AccountMode, LoginReason, LoginStatus, TradingState
from app.domain.errors import UnavailableError
from app.domain.ids import AccountId, BrokerOrderId, InstrumentId
from app.domain.orders import OrderRole, OrderStatus
from app.domain.phases import Phase
from app.domain.ports import BrokerGateway
from app.domain.reports import Outcome, WriteResult
from app.infra.names import RunKind
from app.services.lanes.wakes import Wakes
from tasks.container import Container
from tests.contract.simulator_kotak.broker import at
from tests.integration.order_path.desk import TODAY, Desk

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)


def _entries(desk: Desk, *statuses: OrderStatus) -> Sequence[OrderRow]:
    return [o for o in desk.orders(role=OrderRole.ENTRY) if not statuses or o.status in statuses]


def _placed(desk: Desk) -> dict[str, int]:
    """Orders at the broker by tag."""
    tags = [order["tag"] for order in desk.broker.get("orders")]
    return {tag: tags.count(tag) for tag in tags}


def test_straddle_is_filled_protected_and_squared_off_flat(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)

        desk.wait_for(lambda: len(_entries(desk, OrderStatus.FILLED)) == 4)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 4)
        desk.wait_for(lambda: all(leg.exposed_since is None for leg in desk.legs()))

        with desk.database.begin() as session:
            request_exits(session, where={}, day=TODAY, reason="square_off", wall=desk.clock.wall())
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    assert len(_placed(desk)) == 8, "four entries, four exits, nothing else"
    assert all(p["net"] == 0 for p in desk.broker.get("positions"))


def test_an_order_whose_wake_up_is_lost_leaves_all_the_same(desk: Desk) -> None:
    """The row is the outbox: the lane looks at the table by itself."""
    with desk.lease(RunKind.ENTRIES) as lane, desk.lease(RunKind.LOOPS) as loop:
        deaf = threading.Thread(target=desk.run_lane, args=(RunKind.ENTRIES, lane, Wakes()))
        deaf.start()
        desk.wait_for(lambda: lane.progress)
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        try:
            desk.wait_for(lambda: len(_placed(desk)) == 2)
        finally:
            lane.end()
            deaf.join()


def test_lost_acknowledgement_is_found_by_its_tag_and_never_resent(desk: Desk) -> None:
    desk.fault(kind="ack_lost", endpoint="place", count=2)
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.FILLED)) == 4)

    # The account's stream may prove an order before its reply is given up, so none need have been UNKNOWN.
    assert desk.broker.get("faults")["by_kind"]["ack_lost"] == 2
    assert not any(order.is_unknown for order in desk.orders())
    assert set(_placed(desk).values()) == {1}


def test_lost_request_is_proven_absent_and_its_other_leg_is_unwound(desk: Desk) -> None:
    desk.fault(kind="request_lost", endpoint="place", count=1)
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])

        desk.wait_for(lambda: len(_entries(desk, OrderStatus.REJECTED)) == 1)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    lost = _entries(desk, OrderStatus.REJECTED)[0]
    assert "proven" in lost.reject_reason
    assert lost.client_order_id not in _placed(desk)
    assert {leg.exit_reason for leg in desk.legs()} == {"incomplete_basket"}


def test_claimed_order_of_a_dead_lane_is_never_sent_again(desk: Desk) -> None:
    """The lane died between its commit and the network call: nobody may send, the books decide."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
    with desk.database.begin() as session:
        for order in session.scalars(select(OrderRow)):
            order.status = OrderStatus.SUBMITTED
            order.submitted_wall = desk.clock.wall()

    with desk.running(*ALL):
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.REJECTED)) == 2, timeout_s=40)

    assert all(order.was_unknown for order in desk.orders())
    assert _placed(desk) == {}


def test_expired_wish_is_not_sent(desk: Desk) -> None:
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    desk.clock.set(desk.clock.now() + timedelta(seconds=61), rate=1.0)

    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.EXPIRED)) == 4)

    assert _placed(desk) == {}


def test_stop_fills_when_the_market_reaches_it(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry", stop="0.02"), loop, desk.deployments[:1])
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.FILLED)) == 2)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) >= 1)

        _let_market_run(desk, "13:00:00")
        desk.wait_for(lambda: any(leg.is_stopped and leg.net_qty == 0 for leg in desk.legs()))

    assert max(_placed(desk).values()) == 1


def test_holder_of_an_old_fencing_number_cannot_write(desk: Desk) -> None:
    with desk.lease(RunKind.LOOPS, ttl_s=0.3) as old:
        old.end()
        desk.wait_for(lambda: not old.is_valid())
        with desk.database.begin() as session:
            release_lease(session, old.name, fence=old.fence)
        with desk.lease(RunKind.LOOPS), pytest.raises(LeaseLostError, match="fencing number"):
            desk.record(desk.straddle("entry"), old)

    assert desk.orders() == []


def test_ledger_equals_the_brokers_trades(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.FILLED)) == 4)

    ours = {o.broker_order_id: o.filled_qty for o in _entries(desk)}
    theirs: dict[str, Decimal] = {}
    for fill in desk.broker.get("fills"):
        number = fill["broker_order_id"]
        theirs[number] = theirs.get(number, Decimal(0)) + Decimal(fill["qty"])
    assert {k: v for k, v in theirs.items() if k in ours} == ours


def _let_market_run(desk: Desk, until: str) -> None:
    desk.broker.post("clock", {"now": at(until), "rate": 1.0})
    options = [desk.parts.contracts.get(TODAY, InstrumentId(leg.instrument_id)) for leg in desk.legs()]
    desk.price(options)


def test_an_impossible_outcome_is_lost_alone(desk: Desk) -> None:
    """The broker gives one order a second id: the outcomes beside it still count (I8)."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    with desk.database.begin() as session:
        for order in session.scalars(select(OrderRow)):
            order.status = OrderStatus.SUBMITTED
        bound = session.scalars(select(OrderRow).order_by(OrderRow.id).limit(1)).one()
        bound.broker_order_id = "1"
    answers = [
        (order.id, WriteResult(outcome=Outcome.ACCEPTED, broker_order_id=BrokerOrderId(f"9{order.id}")))
        for order in desk.orders()
    ]

    desk.parts.execution.apply_submit_outcomes(answers, source="test")

    assert [order.status for order in desk.orders()] == ["SUBMITTED", "ACCEPTED", "ACCEPTED", "ACCEPTED"]


def test_an_account_on_paper_sends_nothing_to_a_live_broker(desk: Desk) -> None:
    """The installation is live and so is the broker: the account's own switch decides (I15)."""
    live = desk.parts.settings.model_copy(update={"broker_urls": {}, "is_live_trading_allowed": True})
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    with desk.database.begin() as session:
        session.get_one(AccountRow, desk.deployments[1].account_id).mode = AccountMode.LIVE

    with desk.running(RunKind.ENTRIES, settings=live):
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.CANCELED, OrderStatus.ACCEPTED)) == 4)

    assert {(order.account_id, order.status) for order in _entries(desk)} == {
        (desk.deployments[0].account_id, OrderStatus.CANCELED),
        (desk.deployments[1].account_id, OrderStatus.ACCEPTED),
    }


def test_an_account_on_paper_is_not_logged_in_at_a_live_broker(desk: Desk) -> None:
    live = desk.parts.settings.model_copy(update={"broker_urls": {}, "is_live_trading_allowed": True})
    account_id = desk.deployments[0].account_id
    with desk.database.begin() as session:
        session.get_one(LoginRow, (account_id, TODAY)).status = LoginStatus.PENDING
    parts = Container(settings=live, addresses=desk.parts.addresses, stop=threading.Event(), holder="x")

    assert parts.logins.log_in(TODAY, [account_id]) == {LoginStatus.FAILED: 1}
    parts.close()
    with desk.database.begin() as session:
        row = session.get_one(LoginRow, (account_id, TODAY))
    assert (row.reason, "openbell accounts live" in row.detail) == (LoginReason.PAPER_MODE, True)


def test_an_order_that_the_adapter_refuses_ends_at_once_as_not_sent(desk: Desk) -> None:
    """Nothing left, so nothing is unknown: the order must not hold its leg until the books were read."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
    with desk.database.begin() as session:
        session.execute(update(OrderRow).values(order_type="MARKET", price=None))  # Kotak is never sent one

    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.REJECTED)) == 2, timeout_s=5)

    assert all("LIMIT" in order.reject_reason for order in _entries(desk))
    assert not any(order.was_unknown for order in desk.orders())
    assert _placed(desk) == {}


def test_an_account_without_a_way_to_its_broker_leaves_the_others_their_exits(desk: Desk) -> None:
    """Its gateway cannot be restored (I8): the lane goes on, and the account's own stop ends as not sent."""
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: len(_entries(desk, OrderStatus.FILLED)) == 4)
    cut_off, sound = (deployment.account_id for deployment in desk.deployments)
    desk.parts.gateways.close()
    restore = desk.parts.gateways.get

    def get(account_id: AccountId) -> BrokerGateway:
        if account_id == cut_off:
            raise UnavailableError("the session record cannot be read")
        return restore(account_id)

    desk.parts.gateways.get = get  # type: ignore[method-assign]  # no broker refuses to be restored
    with desk.running(RunKind.EXITS):
        desk.wait_for(
            lambda: desk.count_orders(account_id=sound, role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2
        )
        desk.wait_for(
            lambda: desk.count_orders(account_id=cut_off, role=OrderRole.STOP, status=OrderStatus.REJECTED)
        )


@pytest.mark.parametrize("endpoint", ["place", "reports"])
def test_an_account_whose_address_is_refused_stops_its_entries_and_calls_a_person(
    desk: Desk, endpoint: str
) -> None:
    refused, sound = (deployment.account_id for deployment in desk.deployments)
    desk.fault(kind="ip_unlisted", endpoint=endpoint, ucc=["AA001"])

    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        if endpoint == "place":
            desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: _state_of(desk, refused) == TradingState.REDUCING)

    with desk.database.begin() as session:
        (alarm,) = session.scalars(select(AlarmRow).where(AlarmRow.code == "address_denied"))
    assert alarm.subject == f"account:{refused}"
    assert _state_of(desk, sound) == TradingState.ACTIVE


def test_an_entry_whose_fill_nobody_tells_is_alarmed_and_its_cancel_not_repeated_in_haste(desk: Desk) -> None:
    """A silo of the broker is stale: the order works and fills there, stream and books stand still."""
    stale = {"rate": 1.0, "seconds": 60, "ucc": ["AA001"]}
    silence, lag = (
        {"kind": "feed_silence", "endpoint": "realtime"},
        {"kind": "book_lag", "endpoint": "reports"},
    )
    desk.broker.post("faults", {"faults": [stale | silence, stale | lag]})

    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: len(desk.open_alarms("entry_silent")) == 2)
        desk.wait_for(lambda: len(_cancels(desk)) >= 2)
        threading.Event().wait(4)
        assert len(_cancels(desk)) == 2, "one for each leg"

        desk.fault()
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 4)
        desk.wait_for(lambda: not desk.open_alarms("entry_silent"))


def test_loops_wait_for_the_contracts_that_the_first_late_login_brings(desk: Desk) -> None:
    """A run reads the contracts once: started without them it would see no price until its end."""

    def log_ins_are(status: LoginStatus) -> None:
        with desk.database.begin() as session:
            session.execute(update(LoginRow).values(status=status))

    def wanted_loops() -> list[str]:
        with desk.database.begin() as session:
            statement = select(LeaseRow.name).where(LeaseRow.kind == RunKind.LOOPS, LeaseRow.is_wanted)
            return list(session.scalars(statement))

    with desk.database.begin() as session:
        session.execute(delete(InstrumentRow))
    log_ins_are(LoginStatus.PENDING)
    assert desk.market_day.begin(TODAY, Phase.ARM)
    desk.market_day.finish(TODAY, Phase.ARM, desk.market_day.run(TODAY, Phase.ARM))
    assert wanted_loops() == []

    log_ins_are(LoginStatus.READY)
    desk.market_day.after_logins(TODAY)
    assert wanted_loops() == ["loops:nse:0"]


def _cancels(desk: Desk) -> list[object]:
    return list(desk.broker.get("requests?path=/quick/order/cancel"))


def _state_of(desk: Desk, account_id: AccountId) -> str:
    with desk.database.begin() as session:
        return session.get_one(AccountRow, account_id).trading_state


def test_books_go_on_with_the_session_that_replaced_a_dead_one(desk: Desk) -> None:
    account_id = desk.deployments[0].account_id

    def status() -> str:
        with desk.database.begin() as session:
            return session.get_one(LoginRow, (account_id, TODAY)).status

    def reads() -> int:
        seen = desk.broker.get("requests")
        return sum(r["ucc"] == "AA001" and r["path"].endswith("user/orders") for r in seen)

    with desk.running(RunKind.BOOKS):
        desk.wait_for(reads)
        desk.fault(kind="session_kill", ucc=["AA001"])
        desk.wait_for(lambda: status() == LoginStatus.PENDING)
        desk.fault(kind="session_kill", ucc=["nobody"])
        later = desk.clock.now() + timedelta(seconds=30)  # a TOTP code serves once
        desk.clock.set(later, rate=1.0)
        desk.broker.post("clock", {"now": later.isoformat(), "rate": 1.0})
        assert desk.parts.logins.log_in(TODAY, [account_id]) == {"READY": 1}
        before = reads()
        desk.wait_for(lambda: reads() >= before + 3)

    assert status() == LoginStatus.READY
