"""Market orders in both account modes: positions, deals, money."""

from typing import Any

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from tests.contract.simulator_mt5.broker import HEDGING, NETTING, Broker, deal, points, retcode, send, tick

BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL


def positions() -> list[tuple[Any, ...]]:
    return [(row.type, row.volume, row.price_open) for row in mt5.positions_get() or ()]


def deals_of(position: int) -> list[tuple[Any, ...]]:
    rows = mt5.history_deals_get(position=position) or ()
    return [(row.type, row.entry, row.volume, row.price, row.profit) for row in rows]


@pytest.mark.usefixtures("broker")
def test_a_buy_is_done_at_the_ask_and_a_sell_at_the_bid() -> None:
    now = tick()
    bought, sold = send(deal(BUY)), send(deal(SELL))
    assert (bought.price, bought.volume, sold.price) == (now.ask, 0.1, now.bid)
    assert bought.request.magic == 77
    (row,) = mt5.history_deals_get(ticket=bought.order) or ()
    assert (row.ticket, row.order, row.magic, row.comment) == (bought.deal, bought.order, 77, "ours")
    assert (row.entry, row.commission, row.price) == (mt5.DEAL_ENTRY_IN, -0.35, now.ask)


def test_the_controls_see_the_same_deal_in_decimals(broker: Broker) -> None:
    sent = send(deal(BUY))
    (fill,) = broker.mine("fills")
    assert (fill["broker_order_id"], fill["fill_id"]) == (str(sent.order), str(sent.deal))
    assert (fill["side"], fill["lots"], float(fill["px"])) == ("BUY", "0.1", tick().ask)
    (position,) = broker.mine("positions")
    assert (position["ticket"], position["side"], position["lots"]) == (sent.order, "BUY", "0.1")


@pytest.mark.usefixtures("broker")
def test_hedging_opens_a_second_position_for_the_opposite_side() -> None:
    send(deal(BUY, 0.3))
    send(deal(SELL, 0.1))
    assert [(side, volume) for side, volume, _ in positions()] == [(BUY, 0.3), (SELL, 0.1)]


def test_hedging_closes_a_named_position_in_parts(broker: Broker) -> None:
    opened = send(deal(BUY, 0.3))
    broker.step(600)
    bid = tick().bid
    send(deal(SELL, 0.1, position=opened.order))
    assert positions() == [(BUY, 0.2, opened.price)]
    send(deal(SELL, 0.2, position=opened.order))
    assert positions() == []
    first, second, third = deals_of(opened.order)
    gain = round((bid - opened.price) * 100_000, 6)
    assert first[:3] == (BUY, mt5.DEAL_ENTRY_IN, 0.3)
    assert second == (SELL, mt5.DEAL_ENTRY_OUT, 0.1, bid, pytest.approx(gain * 0.1))
    assert third == (SELL, mt5.DEAL_ENTRY_OUT, 0.2, bid, pytest.approx(gain * 0.2))


@pytest.mark.usefixtures("broker")
def test_hedging_refuses_to_close_more_than_is_open_or_what_is_gone() -> None:
    opened = send(deal(BUY, 0.1))
    assert retcode(deal(SELL, 0.2, position=opened.order)) == mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME
    assert retcode(deal(BUY, 0.1, position=opened.order)) == mt5.TRADE_RETCODE_INVALID_ORDER
    assert retcode(deal(SELL, 0.1, position=999)) == mt5.TRADE_RETCODE_POSITION_CLOSED
    assert positions() == [(BUY, 0.1, opened.price)]


@pytest.mark.usefixtures("broker")
def test_close_by_nets_two_opposite_positions() -> None:
    long, short = send(deal(BUY, 0.3)), send(deal(SELL, 0.1))
    request = {"action": mt5.TRADE_ACTION_CLOSE_BY, "position": long.order, "position_by": short.order}
    send(request)
    assert positions() == [(BUY, 0.2, long.price)]
    last = deals_of(long.order)[-1]
    loss = round((short.price - long.price) * 100_000 * 0.1, 6)
    assert last == (SELL, mt5.DEAL_ENTRY_OUT_BY, 0.1, short.price, pytest.approx(loss))
    assert retcode(request) == mt5.TRADE_RETCODE_POSITION_CLOSED


def test_netting_averages_reduces_and_closes_one_position(broker: Broker) -> None:
    broker.connect(NETTING)
    first = send(deal(BUY, 0.1))
    broker.step(600)
    second = send(deal(BUY, 0.3))
    average = (first.price + 3 * second.price) / 4
    assert positions() == [(BUY, 0.4, pytest.approx(average))]
    send(deal(SELL, 0.1))
    assert positions() == [(BUY, 0.3, pytest.approx(average))]
    send(deal(SELL, 0.3))
    assert positions() == []
    entries = [entry for _, entry, *_ in deals_of(first.order)]
    assert entries == [mt5.DEAL_ENTRY_IN, mt5.DEAL_ENTRY_IN, mt5.DEAL_ENTRY_OUT, mt5.DEAL_ENTRY_OUT]


def test_netting_reverses_through_zero_and_keeps_the_identifier(broker: Broker) -> None:
    broker.connect(NETTING)
    opened = send(deal(BUY, 0.1))
    turned = send(deal(SELL, 0.3))
    (position,) = mt5.positions_get() or ()
    assert (position.type, position.volume, position.price_open) == (SELL, 0.2, turned.price)
    assert (position.identifier, position.ticket) == (opened.order, turned.order)
    assert [entry for _, entry, *_ in deals_of(opened.order)] == [mt5.DEAL_ENTRY_IN, mt5.DEAL_ENTRY_INOUT]


def test_balance_is_deposit_plus_every_deals_profit_and_cost(broker: Broker) -> None:
    opened = send(deal(BUY, 1.0))
    broker.step(1200)
    send(deal(SELL, 1.0, position=opened.order))
    account = mt5.account_info()
    assert account is not None
    rows = mt5.history_deals_get(0, 2_000_000_000) or ()
    assert len(rows) == 3
    assert account.balance == pytest.approx(sum(row.profit + row.commission for row in rows))
    assert (account.margin, account.profit, account.equity) == (0.0, 0.0, account.balance)


@pytest.mark.usefixtures("broker")
def test_margin_and_equity_follow_open_positions() -> None:
    send(deal(BUY, 1.0))
    now, account = tick(), mt5.account_info()
    assert account is not None
    assert account.margin == pytest.approx(now.ask * 1000)
    assert account.profit == pytest.approx((now.bid - now.ask) * 100_000)
    assert account.margin_free == pytest.approx(account.equity - account.margin)
    assert mt5.order_calc_margin(BUY, "EURUSD", 1.0, now.ask) == pytest.approx(account.margin)


def test_refuses_what_free_margin_does_not_cover(broker: Broker) -> None:
    broker.account(1003, balance="1000.00")
    broker.connect(1003)
    assert retcode(deal(BUY, 0.8)) == mt5.TRADE_RETCODE_NO_MONEY
    assert positions() == []
    opened = send(deal(BUY, 0.7))
    send(deal(SELL, 0.7, position=opened.order))
    check = mt5.order_check(deal(BUY, 0.8))
    assert check is not None
    assert check.retcode == mt5.TRADE_RETCODE_NO_MONEY


def test_stop_out_closes_the_worst_position_below_half_the_margin(broker: Broker) -> None:
    broker.account(1003, balance="700.00", leverage=500, commission_per_lot="0")
    broker.connect(1003)
    send(deal(SELL, 2.0))
    broker.step(8 * 3600)
    assert mt5.positions_get() == ()
    last = (mt5.history_deals_get(0, 2_000_000_000) or ())[-1]
    assert (last.reason, last.entry) == (mt5.DEAL_REASON_SO, mt5.DEAL_ENTRY_OUT)
    assert last.comment.startswith("[so ")


@pytest.mark.parametrize(("login", "mode"), [(HEDGING, 2), (NETTING, 0)])
def test_the_account_tells_its_mode(broker: Broker, login: int, mode: int) -> None:
    broker.connect(login)
    account = mt5.account_info()
    assert account is not None
    assert (account.login, account.margin_mode, account.server) == (login, mode, "Openbell-Demo")


@pytest.mark.usefixtures("broker")
def test_stops_set_with_a_deal_stand_on_the_position() -> None:
    now = tick()
    stops = {"sl": points(now.bid, -100), "tp": points(now.bid, 200)}
    send(deal(BUY, **stops))
    (position,) = mt5.positions_get() or ()
    assert {"sl": position.sl, "tp": position.tp} == stops
