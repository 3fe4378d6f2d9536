"""An account's stream comes back from everything that Binance does to it, and never hides a gap."""

import pytest

from app.domain.orders import OrderStatus
from app.domain.reports import OrderReport, PositionReport, StreamDown
from tests.contract.binance.desk import BinanceDesk
from tests.waiting import eventually


def _reconnects(desk: BinanceDesk) -> bool:
    return desk.gaps().count("connected") >= 2


def _trades(desk: BinanceDesk) -> None:
    order_id = desk.placed()
    eventually(lambda: OrderStatus.FILLED in desk.news(order_id))


def test_an_ended_listen_key_is_made_anew(desk: BinanceDesk) -> None:
    if desk.market == "spot":
        return
    desk.inject_rules({"kind": "listen_key_expired"})

    eventually(lambda: _reconnects(desk))
    assert "lost: listenKeyExpired" in desk.gaps()
    _trades(desk)


def test_a_server_that_shuts_down_is_left(desk: BinanceDesk) -> None:
    desk.inject_rules({"kind": "server_shutdown"})

    eventually(lambda: _reconnects(desk))
    assert "lost: serverShutdown" in desk.gaps()
    _trades(desk)


def test_a_cut_connection_is_subscribed_again(desk: BinanceDesk) -> None:
    desk.inject_rules({"kind": "disconnect"})

    eventually(lambda: _reconnects(desk))
    _trades(desk)


@pytest.mark.parametrize("kind", ["feed_garbage", "feed_duplicate", "feed_reorder"])
def test_news_that_is_broken_doubled_or_late_does_no_harm(desk: BinanceDesk, kind: str) -> None:
    desk.inject_rules({"kind": kind, "endpoint": f"{desk.market}.user", "count": 1})

    order_id = desk.placed()

    eventually(lambda: OrderStatus.FILLED in desk.news(order_id) or _reconnects(desk))
    reports = [event for event in desk.events if isinstance(event, OrderReport)]
    assert all(report.filled <= report.quantity for report in reports)
    _trades(desk)


def test_a_flood_of_news_is_drained(desk: BinanceDesk) -> None:
    desk.inject_rules({"kind": "feed_flood", "endpoint": f"{desk.market}.user", "count": 1})

    order_id = desk.placed()

    eventually(lambda: len(desk.news(order_id)) >= 400)
    assert desk.gaps() == ["connected"]


def test_a_refused_connection_is_tried_again(desk: BinanceDesk) -> None:
    refused = {"kind": "feed_refused", "endpoint": f"{desk.market}.user", "count": 1}
    desk.simulator.post("faults", {"faults": [refused, {"kind": "disconnect", "account": [desk.account]}]})

    eventually(lambda: _reconnects(desk))
    _trades(desk)


def test_futures_tell_positions_as_they_change(desk: BinanceDesk) -> None:
    _trades(desk)

    if desk.market == "futures":
        quantity = desk.request().quantity
        eventually(
            lambda: any(
                isinstance(event, PositionReport) and event.net_qty == quantity for event in desk.events
            )
        )
    assert not any(isinstance(event, StreamDown) for event in desk.events)
