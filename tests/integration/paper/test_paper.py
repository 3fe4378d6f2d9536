"""Prove that a paper account trades a whole day on prices of the venue, and outlives its exchange."""

import pytest

from app.db.controls import request_exits
from app.db.invariants import find_breaches
from app.domain.accounts import LoginReason, LoginStatus
from app.domain.ids import AccountId
from app.domain.instruments import OptionRight
from app.domain.orders import OrderRole, OrderStatus
from app.domain.phases import Phase
from app.domain.reports import Outcome
from app.infra.names import RunKind
from tests.integration.order_path.desk import TODAY
from tests.integration.paper.desk import PaperStage
from tests.waiting import eventually

pytestmark = pytest.mark.integration

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)


def _count(stage: PaperStage, account_id: AccountId, **where: object) -> int:
    return stage.desk.count_orders(account_id=account_id, **where)


def _statuses(stage: PaperStage, account_id: AccountId) -> dict[str, OrderStatus]:
    orders = stage.gateway(account_id).request_orders().data
    return {order.broker_order_id: order.status for order in orders}


def test_straddle_on_paper_is_filled_protected_and_flat_although_the_exchange_is_killed(
    stage: PaperStage,
) -> None:
    stage.start_exchange()
    stage.desk.enroll(1)
    penny = stage.enroll_on_paper()
    stage.watch()
    assert stage.login_of(penny).status == LoginStatus.READY, stage.login_of(penny).detail

    with stage.desk.running(*ALL), stage.desk.lease(RunKind.LOOPS) as loop:
        assert stage.tell()
        stage.desk.record(stage.desk.straddle("entry"), loop, stage.on_paper)
        stage.wait_for(lambda: _count(stage, penny, role=OrderRole.ENTRY, status=OrderStatus.FILLED) == 2)
        stage.wait_for(lambda: _count(stage, penny, role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
        before = _statuses(stage, penny)
        assert sorted(before.values()) == [OrderStatus.ACCEPTED] * 2 + [OrderStatus.FILLED] * 2

        stage.kill_exchange()
        assert _statuses(stage, penny) == before
        assert len(stage.gateway(penny).request_fills().data) >= 2

        with stage.desk.database.begin() as session:
            request_exits(session, where={}, day=TODAY, reason="square_off", wall=stage.desk.clock.wall())
        stage.wait_for(lambda: all(leg.net_qty == 0 for leg in stage.desk.legs()))

    assert set(_statuses(stage, penny).values()) == {OrderStatus.FILLED}
    assert set(_statuses(stage, penny)) == {o.broker_order_id for o in stage.desk.orders()}
    assert [p.net_qty for p in stage.gateway(penny).request_positions().data] == [0, 0]
    assert stage.desk.broker.get("orders") == [], "nothing of paper reaches the venue"
    with stage.desk.database.begin() as session:
        breaches = list(find_breaches(session, TODAY, wall=stage.desk.clock.wall()))
    assert [breach for breach in breaches if breach.invariant == "I15"] == []


def test_feed_process_takes_the_venues_prices_to_paper(stage: PaperStage) -> None:
    stage.start_exchange()
    penny = stage.enroll_on_paper()  # the first account: the feed must not ask it for prices
    stage.desk.enroll(1)
    stage.watch()
    call = stage.desk.option(OptionRight.CALL)
    first = stage.bid_low(penny, "before", call)
    assert (first.outcome, first.code) == (Outcome.REJECTED, "no_fresh_quote")

    stage.start_feed()

    tags = (f"bid-{number}" for number in range(10_000))
    eventually(lambda: stage.bid_low(penny, next(tags), call).outcome is Outcome.ACCEPTED, 90)
    assert "feed_account_refused" not in stage.group.log_path("feed").read_text()


def test_close_ends_the_orders_for_the_day_on_paper(stage: PaperStage) -> None:
    stage.start_exchange()
    stage.desk.enroll(1)
    penny = stage.enroll_on_paper()
    stage.watch()
    stage.tell()
    resting = stage.bid_low(penny, "resting", stage.desk.option(OptionRight.CALL))
    assert resting.outcome is Outcome.ACCEPTED
    gateway = stage.gateway(penny)

    summary = stage.desk.market_day.run(TODAY, Phase.CLOSE)

    assert summary == {"accounts": 2, "open_legs": 0, "not_flat": []}
    (order,) = gateway.request_orders().data
    assert order.status is OrderStatus.EXPIRED


def test_paper_login_waits_for_no_one_time_code(stage: PaperStage) -> None:
    stage.start_exchange()
    penny = stage.enroll_on_paper()
    with stage.desk.database.begin() as session:
        session.merge(stage.login_of(penny)).status = LoginStatus.PENDING

    counts = stage.desk.parts.logins.log_in(TODAY, [penny])

    assert counts == {LoginStatus.READY: 1}


def test_paper_login_says_that_the_exchange_was_never_started(stage: PaperStage) -> None:
    penny = stage.enroll_on_paper()

    login = stage.login_of(penny)
    assert (login.status, login.reason) == (LoginStatus.FAILED, LoginReason.BROKER_DOWN)
    assert login.detail.startswith("the paper exchange of this installation was never started")
    assert login.next_try_at is not None

    stage.start_exchange()
    stage.pass_time(3)
    batch = stage.desk.market_day.login_batches(TODAY)
    assert batch == [[penny]]
    assert stage.desk.parts.logins.log_in(TODAY, batch[0]) == {LoginStatus.READY: 1}


def test_paper_alone_says_that_a_venue_account_is_needed(stage: PaperStage) -> None:
    stage.start_exchange()
    stage.enroll_on_paper()

    alone = stage.desk.market_day.after_logins(TODAY)
    stage.desk.enroll(1)
    together = stage.desk.market_day.after_logins(TODAY)

    assert alone["contracts"] == 0
    assert alone["lack"].startswith("only paper accounts are logged in")
    assert together["contracts"] > 0
    assert "lack" not in together
