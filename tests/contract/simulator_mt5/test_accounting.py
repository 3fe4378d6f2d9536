"""Money and volumes add up after many random trades, counted from the deals alone."""

import random

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from brokers.simulators.mt5.shapes import TradeDeal
from tests.contract.simulator_mt5.broker import HEDGING, NETTING, Broker, deal

BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL
CENT = 0.01


def cash_flow(rows: tuple[TradeDeal, ...]) -> float:
    """Return what the sells brought less what the buys cost, dollars."""
    signed = ((1 if row.type == SELL else -1) * row.volume * row.price * 100_000 for row in rows)
    return float(sum(signed))


def our_deals() -> tuple[TradeDeal, ...]:
    return tuple(mt5.history_deals_get(0, 2_000_000_000, group="EUR*") or ())


def close_all() -> None:
    for position in mt5.positions_get() or ():
        side = SELL if position.type == BUY else BUY
        mt5.order_send(deal(side, position.volume, position=position.ticket))


@pytest.mark.parametrize("login", [NETTING, HEDGING])
def test_profit_is_the_cash_flow_once_everything_is_closed(broker: Broker, login: int) -> None:
    broker.connect(login)
    draw = random.Random(11)
    for _ in range(40):
        broker.step(5 * draw.randrange(1, 60))
        held = mt5.positions_get() or ()
        if login == HEDGING and held and draw.random() < 0.4:
            position = draw.choice(held)
            part = draw.randrange(1, round(position.volume * 100) + 1) / 100
            mt5.order_send(deal(SELL if position.type == BUY else BUY, part, position=position.ticket))
        else:
            mt5.order_send(deal(draw.choice((BUY, SELL)), draw.randrange(1, 40) / 100))
    close_all()
    rows = our_deals()
    assert mt5.positions_get() == ()
    assert len(rows) >= 40
    assert sum(row.profit for row in rows) == pytest.approx(cash_flow(rows), abs=CENT * len(rows))
    account = mt5.account_info()
    assert account is not None
    costs = sum(row.profit + row.commission for row in rows)
    assert account.balance == pytest.approx(100_000 + costs, abs=CENT)


def test_books_agree_with_the_deals_whatever_the_caller_was_told(broker: Broker) -> None:
    broker.connect(NETTING)
    broker.faults(
        {"kind": "ack_lost", "endpoint": "order_send", "rate": 0.2},
        {"kind": "request_lost", "endpoint": "order_send", "rate": 0.2},
        {"kind": "connection_lost", "endpoint": "order_send", "rate": 0.2, "accepted": True},
        {"kind": "requote", "endpoint": "order_send", "rate": 0.2},
        {"kind": "partial_fill", "rate": 0.3},
    )
    draw = random.Random(12)
    answers = []
    for number in range(1, 41):
        request = deal(draw.choice((BUY, SELL)), draw.randrange(2, 30) / 100, magic=number)
        answers.append(mt5.order_send(request))
    net = sum(round((1 if row.type == BUY else -1) * row.volume * 100) for row in our_deals())
    held = sum(round((1 if row.type == BUY else -1) * row.volume * 100) for row in mt5.positions_get() or ())
    assert net == held
    done = {row.magic for row in our_deals()}
    told = {answer.request.magic for answer in answers if answer is not None and answer.deal}
    assert told < done
    assert len(done) < 40
    magics = [order["magic"] for order in broker.mine("orders", NETTING)]
    assert len(magics) == len(set(magics)) == len(done)
