"""What a broker says of an order is believed, also where it is less than we asked for."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from app.db.models import LegRow, OrderRow
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.orders import OrderRole, OrderStatus, OrderType
from app.domain.reports import OrderReport
from app.infra.names import RunKind
from tests.integration.order_path.desk import Desk
from tests.integration.order_path.reports import filled


def test_an_exit_that_the_venue_made_smaller_ends_and_the_rest_is_closed_by_the_next(desk: Desk) -> None:
    """As MT5 does it where an account holds its positions side by side."""
    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry", lots=2), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
    stop = desk.orders(role=OrderRole.STOP)[0]
    half = stop.quantity / 2

    desk.parts.execution.apply_reports(
        AccountId(stop.account_id), [filled(stop, half, at=desk.clock.now())], source="test"
    )

    (ended,) = desk.orders(id=stop.id)
    (leg,) = desk.legs(instrument_id=stop.instrument_id)
    assert (ended.status, ended.quantity, ended.filled_qty) == (OrderStatus.FILLED, half, half)
    assert abs(leg.net_qty) == half
    with desk.running(RunKind.EXITS):
        desk.wait_for(
            lambda: desk.count_orders(
                role=OrderRole.STOP,
                instrument_id=stop.instrument_id,
                quantity=half,
                order_type=OrderType.STOP_LIMIT,
                status=OrderStatus.ACCEPTED,
            )
        )


def test_a_book_that_repeats_how_orders_ended_waits_for_nobody_and_changes_nothing(desk: Desk) -> None:
    """An exits lane may hold the legs meanwhile: whole books are read after each gap."""
    with desk.running(RunKind.ENTRIES), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.ACCEPTED) == 2)
    account_id = AccountId(desk.deployments[0].account_id)
    book = [filled(order, order.quantity, at=desk.clock.now()) for order in desk.orders()]
    desk.parts.execution.apply_reports(account_id, book, source="test")
    before = [order.updated_at for order in desk.orders(status=OrderStatus.FILLED)]

    with desk.database.begin() as session:
        session.execute(select(LegRow).with_for_update())
        session.execute(select(OrderRow).with_for_update())
        reader = threading.Thread(
            target=desk.parts.execution.apply_reports, args=(account_id, book), kwargs={"source": "test"}
        )
        reader.start()
        reader.join(10)
        assert not reader.is_alive(), "it waits for a lock"

    assert [order.updated_at for order in desk.orders()] == before
    assert len(before) == 2


def test_news_of_several_accounts_are_booked_together(desk: Desk) -> None:
    news = _news_of_two_accounts(desk)

    assert not desk.parts.execution.apply_news(news, source="test")

    assert {leg.account_id for leg in desk.legs() if leg.net_qty != 0} == set(news)
    assert desk.count_orders(status=OrderStatus.FILLED) == 4


def test_an_account_with_a_strangers_order_is_left_to_itself_and_holds_up_nobody(desk: Desk) -> None:
    news = _news_of_two_accounts(desk)
    first, second = sorted(news)
    stranger = replace(news[first][0], broker_order_id=BrokerOrderId("77"), tag="")
    news[first] = [*news[first], stranger]

    assert desk.parts.execution.apply_news(news, source="test") == {first}
    assert {leg.account_id for leg in desk.legs() if leg.net_qty != 0} == {second}

    assert desk.parts.execution.apply_reports(first, news[first], source="test") == [stranger]
    assert desk.count_orders(status=OrderStatus.FILLED) == 4


def test_an_order_that_never_left_is_nothing_to_book_beside_others(desk: Desk) -> None:
    news = _news_of_two_accounts(desk)
    first, _ = sorted(news)
    with desk.database.begin() as session:
        for order in session.scalars(select(OrderRow).where(OrderRow.account_id == first)):
            order.status, order.submitted_wall, order.broker_order_id = OrderStatus.INITIALIZED, None, None

    assert desk.parts.execution.apply_news(news, source="test") == {first}


def _news_of_two_accounts(desk: Desk) -> dict[AccountId, Sequence[OrderReport]]:
    """Let two accounts send their entries, and return the fills that nobody has told us of."""
    desk.enroll(2)
    with desk.running(RunKind.ENTRIES), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:2])
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.ACCEPTED) == 4)
    news: dict[AccountId, Sequence[OrderReport]] = {}
    for order in desk.orders():
        account_id = AccountId(order.account_id)
        news[account_id] = [*news.get(account_id, ()), filled(order, order.quantity, at=desk.clock.now())]
    return news
