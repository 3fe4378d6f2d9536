"""Pending orders and stops of positions against the real path of prices."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from tests.contract.simulator_mt5.broker import NETTING, Broker, deal, pending, points, retcode, send, tick

BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL
Reached = Callable[[Any, float], bool]
TO_THE_LOW_S = 375  # at 08:06:15 the price turns and rises

# order type, points from the market's own side, when it must be done, whether at the order's price
CASES: list[tuple[int, str, int, Reached, bool]] = [
    (mt5.ORDER_TYPE_BUY_LIMIT, "ask", -40, lambda now, price: now.ask <= price, True),
    (mt5.ORDER_TYPE_SELL_LIMIT, "bid", 40, lambda now, price: now.bid >= price, True),
    (mt5.ORDER_TYPE_BUY_STOP, "ask", 40, lambda now, price: now.ask >= price, False),
    (mt5.ORDER_TYPE_SELL_STOP, "bid", -40, lambda now, price: now.bid <= price, False),
]


def step_until(broker: Broker, reached: Callable[[], bool]) -> None:
    for _ in range(300):
        broker.step()
        if reached():
            return
    pytest.fail("the price never came")


@pytest.mark.parametrize(("kind", "side", "distance", "reached", "at_own_price"), CASES)
def test_a_pending_order_is_done_at_the_first_tick_that_reaches_it(
    broker: Broker, kind: int, side: str, distance: int, reached: Reached, *, at_own_price: bool
) -> None:
    broker.step(TO_THE_LOW_S if distance > 0 else 0)
    price = points(getattr(tick(), side), distance)
    placed = send(pending(kind, price))
    step_until(broker, lambda: reached(tick(), price) or not mt5.orders_total())
    assert reached(tick(), price)
    assert mt5.orders_get() == ()
    (order,) = mt5.history_orders_get(ticket=placed.order) or ()
    assert (order.state, order.volume_current, order.type) == (mt5.ORDER_STATE_FILLED, 0.0, kind)
    (position,) = mt5.positions_get() or ()
    market = tick().ask if position.type == BUY else tick().bid
    assert position.price_open == (price if at_own_price else market)
    assert (position.magic, position.comment, position.identifier) == (77, "ours", placed.order)


def test_a_stop_limit_becomes_a_limit_when_its_price_comes(broker: Broker) -> None:
    price = points(tick().ask, 20)
    limit = points(price, -30)
    placed = send(pending(mt5.ORDER_TYPE_BUY_STOP_LIMIT, price, stoplimit=limit))
    step_until(broker, lambda: tick().ask >= price)
    (order,) = mt5.orders_get(ticket=placed.order) or ()
    assert (order.type, order.price_open) == (mt5.ORDER_TYPE_BUY_LIMIT, limit)
    step_until(broker, lambda: tick().ask <= limit)
    (position,) = mt5.positions_get() or ()
    assert position.price_open == limit


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_stop_loss_closes_the_position_at_the_market(broker: Broker, side: int) -> None:
    broker.step(TO_THE_LOW_S if side == SELL else 0)
    start = tick()
    sl = points(start.bid, -30) if side == BUY else points(start.ask, 30)
    opened = send(deal(side, sl=sl))
    step_until(broker, lambda: mt5.positions_get() == ())
    market = tick().bid if side == BUY else tick().ask
    assert market <= sl if side == BUY else market >= sl
    last = (mt5.history_deals_get(position=opened.order) or ())[-1]
    assert (last.reason, last.price, last.magic) == (mt5.DEAL_REASON_SL, market, 77)
    assert last.comment == f"[sl {sl:.5f}]"
    (order,) = mt5.history_orders_get(ticket=last.order) or ()
    assert (order.reason, order.position_id) == (mt5.ORDER_REASON_SL, opened.order)


def test_a_take_profit_closes_the_position_at_its_price(broker: Broker) -> None:
    broker.step(TO_THE_LOW_S)
    tp = points(tick().bid, 40)
    opened = send(deal(BUY))
    send({"action": mt5.TRADE_ACTION_SLTP, "position": opened.order, "symbol": "EURUSD", "tp": tp})
    step_until(broker, lambda: mt5.positions_get() == ())
    last = (mt5.history_deals_get(position=opened.order) or ())[-1]
    assert (last.reason, last.price) == (mt5.DEAL_REASON_TP, tp)
    assert last.profit == pytest.approx((tp - opened.price) * 10_000, abs=0.01)


def test_stops_work_on_a_netting_position_named_by_symbol(broker: Broker) -> None:
    broker.connect(NETTING)
    send(deal(BUY))
    sl = points(tick().bid, -30)
    change = {"action": mt5.TRADE_ACTION_SLTP, "symbol": "EURUSD", "sl": sl}
    send(change)
    assert retcode(change) == mt5.TRADE_RETCODE_NO_CHANGES
    step_until(broker, lambda: mt5.positions_get() == ())
    assert tick().bid <= sl


def test_a_pending_order_can_be_changed_and_removed(broker: Broker) -> None:
    ask = tick().ask
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, points(ask, -500)))
    change = {"action": mt5.TRADE_ACTION_MODIFY, "order": placed.order, "price": points(ask, -600)}
    send(change)
    (order,) = mt5.orders_get() or ()
    assert (order.price_open, order.volume_current, order.state) == (
        points(ask, -600),
        0.1,
        mt5.ORDER_STATE_PLACED,
    )
    assert retcode(change) == mt5.TRADE_RETCODE_NO_CHANGES
    removal = {"action": mt5.TRADE_ACTION_REMOVE, "order": placed.order}
    send(removal)
    assert mt5.orders_get() == ()
    (done,) = mt5.history_orders_get(ticket=placed.order) or ()
    assert (done.state, done.volume_current) == (mt5.ORDER_STATE_CANCELED, 0.1)
    assert retcode(removal) == mt5.TRADE_RETCODE_INVALID
    broker.step(3600)
    assert mt5.positions_get() == ()


def test_an_order_expires_at_its_instant_of_server_time(broker: Broker) -> None:
    now = tick()
    request = pending(mt5.ORDER_TYPE_BUY_LIMIT, points(now.ask, -900))
    soon = request | {"type_time": mt5.ORDER_TIME_SPECIFIED, "expiration": now.time + 60}
    placed = send(soon)
    broker.step(55)
    assert mt5.orders_total() == 1
    broker.step(5)
    assert mt5.orders_total() == 0
    (order,) = mt5.history_orders_get(ticket=placed.order) or ()
    assert (order.state, order.time_expiration) == (mt5.ORDER_STATE_EXPIRED, now.time + 60)
    assert retcode(soon) == mt5.TRADE_RETCODE_INVALID_EXPIRATION


def test_a_day_order_ends_with_the_servers_day(broker: Broker) -> None:
    request = pending(mt5.ORDER_TYPE_BUY_LIMIT, points(tick().ask, -1500))
    placed = send(request | {"type_time": mt5.ORDER_TIME_DAY})
    (order,) = mt5.orders_get(ticket=placed.order) or ()
    midnight = datetime.fromtimestamp(order.time_expiration, tz=broker.now.tzinfo)
    assert (midnight.hour, midnight.minute, midnight - broker.now) == (0, 0, timedelta(hours=16))
    broker.jump(broker.now.replace(hour=20, minute=58))
    assert mt5.orders_total() == 1
    broker.jump(broker.now.replace(hour=21, minute=6))
    assert mt5.orders_total() == 0


def test_a_jump_of_the_clock_matches_every_tick_on_the_way(broker: Broker) -> None:
    low = 1.39135  # the ask falls below it at 08:06 for a moment, and not again
    opened = send(deal(SELL, tp=low))
    broker.step(2 * 3600)
    assert tick().ask > low
    last = (mt5.history_deals_get(position=opened.order) or ())[-1]
    assert (last.reason, last.price) == (mt5.DEAL_REASON_TP, low)
    assert datetime.fromtimestamp(last.time, tz=UTC).strftime("%H:%M") == "11:06"  # server time
