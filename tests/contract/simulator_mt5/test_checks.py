"""What the trade server refuses."""

from datetime import UTC, datetime

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from tests.contract.simulator_mt5.broker import NETTING, Broker, deal, pending, points, retcode, send, tick

BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL
FOK, IOC, RETURN, BOC = (
    mt5.ORDER_FILLING_FOK,
    mt5.ORDER_FILLING_IOC,
    mt5.ORDER_FILLING_RETURN,
    mt5.ORDER_FILLING_BOC,
)


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("symbol", "allowed"),
    [
        ("EURUSD", {FOK, IOC}),
        ("EURUSD.fok", {FOK}),
        ("EURUSD.ins", {FOK, RETURN}),
        ("EURUSD.ecn", {IOC, RETURN}),
    ],
)
def test_each_symbol_takes_its_own_filling_modes(symbol: str, allowed: set[int]) -> None:
    for filling in (FOK, IOC, RETURN, BOC):
        code = retcode(deal(BUY, symbol=symbol, type_filling=filling, price=tick().ask))
        assert (code == mt5.TRADE_RETCODE_DONE) == (filling in allowed), (symbol, filling, code)
        assert code in {mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_INVALID_FILL}


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("volume", [0.0, 0.005, 0.015, 100.01, -0.1])
def test_refuses_a_volume_off_the_step_or_outside_the_limits(volume: float) -> None:
    assert retcode(deal(BUY, volume)) == mt5.TRADE_RETCODE_INVALID_VOLUME
    assert mt5.positions_total() == 0


@pytest.mark.usefixtures("broker")
def test_volume_rules_differ_by_symbol() -> None:
    base = {"symbol": "EURUSD.ins", "type_filling": FOK, "price": tick().ask}
    assert retcode(deal(BUY, 0.05, **base)) == mt5.TRADE_RETCODE_INVALID_VOLUME
    assert retcode(deal(BUY, 0.15, **base)) == mt5.TRADE_RETCODE_INVALID_VOLUME
    assert retcode(deal(BUY, 0.3, **base)) == mt5.TRADE_RETCODE_DONE


def test_the_volume_limit_counts_positions_and_orders_of_a_side(broker: Broker) -> None:
    broker.account(1003, balance="10000000")
    broker.connect(1003)
    send(deal(BUY, 15.0, symbol="EURUSD.ecn"))
    far = points(tick().ask, -500)
    send(pending(mt5.ORDER_TYPE_BUY_LIMIT, far, symbol="EURUSD.ecn", volume=4.0))
    assert retcode(deal(BUY, 2.0, symbol="EURUSD.ecn")) == mt5.TRADE_RETCODE_LIMIT_VOLUME
    assert retcode(deal(SELL, 2.0, symbol="EURUSD.ecn")) == mt5.TRADE_RETCODE_DONE


@pytest.mark.usefixtures("broker")
def test_instant_execution_requotes_beyond_the_deviation() -> None:
    ask = tick().ask
    base = {"symbol": "EURUSD.ins", "type_filling": FOK}
    missed = mt5.order_send(deal(BUY, 0.1, **base, price=points(ask, -5), deviation=4))
    assert missed is not None
    assert (missed.retcode, missed.ask, missed.order) == (mt5.TRADE_RETCODE_REQUOTE, ask, 0)
    assert retcode(deal(BUY, 0.1, **base, price=points(ask, -5), deviation=5)) == mt5.TRADE_RETCODE_DONE
    assert retcode(deal(BUY, 0.1, **base)) == mt5.TRADE_RETCODE_INVALID_PRICE


@pytest.mark.usefixtures("broker")
def test_stops_need_their_distance_and_their_side() -> None:
    bid, ask = tick().bid, tick().ask
    invalid = mt5.TRADE_RETCODE_INVALID_STOPS
    assert retcode(deal(BUY, sl=points(bid, -9))) == invalid
    assert retcode(deal(BUY, sl=points(bid, 20))) == invalid
    assert retcode(deal(BUY, tp=points(bid, -20))) == invalid
    assert retcode(deal(SELL, sl=points(ask, 9))) == invalid
    assert retcode(deal(SELL, tp=bid + 0.0000123)) == invalid
    assert retcode(deal(BUY, sl=points(bid, -10), tp=points(bid, 10))) == mt5.TRADE_RETCODE_DONE


@pytest.mark.usefixtures("broker")
def test_pending_prices_need_their_distance_and_their_side() -> None:
    ask, bid = tick().ask, tick().bid
    invalid = mt5.TRADE_RETCODE_INVALID_PRICE
    assert retcode(pending(mt5.ORDER_TYPE_BUY_LIMIT, points(ask, -9))) == invalid
    assert retcode(pending(mt5.ORDER_TYPE_BUY_LIMIT, points(ask, 20))) == invalid
    assert retcode(pending(mt5.ORDER_TYPE_BUY_STOP, points(ask, -20))) == invalid
    assert retcode(pending(mt5.ORDER_TYPE_SELL_STOP, points(bid, 20))) == invalid
    assert retcode(pending(mt5.ORDER_TYPE_SELL_LIMIT, 1.3999999)) == invalid
    wrong = pending(mt5.ORDER_TYPE_BUY_STOP_LIMIT, points(ask, 50), stoplimit=points(ask, 60))
    assert retcode(wrong) == invalid
    assert retcode(pending(mt5.ORDER_TYPE_BUY_LIMIT, points(ask, -10))) == mt5.TRADE_RETCODE_DONE


def test_the_freeze_level_holds_orders_and_stops_near_the_market(broker: Broker) -> None:
    ask = tick().ask
    base = {"symbol": "EURUSD.ins"}
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, points(ask, -30), **base))
    removal = {"action": mt5.TRADE_ACTION_REMOVE, "order": placed.order}
    change = {"action": mt5.TRADE_ACTION_MODIFY, "order": placed.order, "price": points(ask, -200)}
    broker.post("symbols", {"name": "EURUSD.ins", "freeze_level": 31})
    assert retcode(removal) == mt5.TRADE_RETCODE_FROZEN
    assert retcode(change) == mt5.TRADE_RETCODE_FROZEN
    broker.post("symbols", {"name": "EURUSD.ins", "freeze_level": 30})
    assert retcode(change) == mt5.TRADE_RETCODE_DONE
    assert retcode(removal) == mt5.TRADE_RETCODE_DONE


@pytest.mark.parametrize(
    "closed",
    [
        datetime(2014, 5, 6, 20, 59, tzinfo=UTC),  # the pause around 17:00 New York
        datetime(2014, 5, 6, 21, 4, 59, tzinfo=UTC),
        datetime(2014, 5, 9, 21, 0, tzinfo=UTC),
        datetime(2014, 5, 10, 12, 0, tzinfo=UTC),
        datetime(2014, 5, 11, 20, 59, 59, tzinfo=UTC),
    ],
)
def test_refuses_everything_while_the_market_is_closed(broker: Broker, closed: datetime) -> None:
    broker.jump(datetime(2014, 5, min(closed.day, 9), 20, 50, tzinfo=UTC))
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.2))
    broker.jump(closed)
    requests = (
        deal(BUY),
        pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.1),
        {"action": mt5.TRADE_ACTION_REMOVE, "order": placed.order},
        {"action": mt5.TRADE_ACTION_MODIFY, "order": placed.order, "price": 1.1},
    )
    assert {retcode(request) for request in requests} == {mt5.TRADE_RETCODE_MARKET_CLOSED}


@pytest.mark.parametrize(
    "opens", [datetime(2014, 5, 6, 21, 5, tzinfo=UTC), datetime(2014, 5, 11, 21, 0, tzinfo=UTC)]
)
def test_trades_again_when_the_market_opens(broker: Broker, opens: datetime) -> None:
    broker.jump(opens)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE


def test_trade_modes_of_a_symbol_forbid_a_side_or_all(broker: Broker) -> None:
    opened = send(deal(BUY))

    def codes(mode: int) -> tuple[int, int]:
        broker.post("symbols", {"name": "EURUSD", "trade_mode": mode})
        return retcode(deal(BUY)), retcode(deal(SELL))

    done, off = mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_TRADE_DISABLED
    assert codes(mt5.SYMBOL_TRADE_MODE_LONGONLY) == (done, mt5.TRADE_RETCODE_LONG_ONLY)
    assert codes(mt5.SYMBOL_TRADE_MODE_SHORTONLY) == (mt5.TRADE_RETCODE_SHORT_ONLY, done)
    assert codes(mt5.SYMBOL_TRADE_MODE_DISABLED) == (off, off)
    assert codes(mt5.SYMBOL_TRADE_MODE_CLOSEONLY) == (mt5.TRADE_RETCODE_CLOSE_ONLY,) * 2
    assert retcode(deal(SELL, position=opened.order)) == done


def test_switches_of_account_and_terminal_stop_programs(broker: Broker) -> None:
    for switch, code in (
        ("trade_allowed", mt5.TRADE_RETCODE_TRADE_DISABLED),
        ("trade_expert", mt5.TRADE_RETCODE_SERVER_DISABLES_AT),
        ("algo_trading", mt5.TRADE_RETCODE_CLIENT_DISABLES_AT),
    ):
        broker.account(1001, **{switch: False})
        assert retcode(deal(BUY)) == code
        broker.account(1001, **{switch: True})
    broker.account(1001, algo_trading=False)
    terminal = mt5.terminal_info()
    assert terminal is not None
    assert not terminal.trade_allowed
    human = broker.post("orders", {"login": 1001, "request": deal(BUY, magic=0, comment="")})
    assert human["retcode"] == mt5.TRADE_RETCODE_DONE
    (position,) = mt5.positions_get() or ()
    assert (position.reason, position.magic) == (mt5.POSITION_REASON_CLIENT, 0)


def test_the_python_switch_of_the_terminal_fails_the_call(broker: Broker) -> None:
    broker.account(1001, api_disabled=True)
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == (-8, "Auto-Trading using Python API disabled in Terminal")
    assert broker.mine("orders") == []


def test_the_number_of_working_orders_is_limited(broker: Broker) -> None:
    broker.account(NETTING, limit_orders=1)
    broker.connect(NETTING)
    send(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.2))
    assert retcode(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.2)) == mt5.TRADE_RETCODE_LIMIT_ORDERS


@pytest.mark.usefixtures("broker")
def test_order_check_says_what_order_send_would_and_does_nothing() -> None:
    good, bad = mt5.order_check(deal(BUY)), mt5.order_check(deal(BUY, 0.001))
    assert good is not None
    assert bad is not None
    assert (good.retcode, bad.retcode) == (0, mt5.TRADE_RETCODE_INVALID_VOLUME)
    assert good.margin == pytest.approx(tick().ask * 100, abs=0.01)
    assert mt5.positions_total() == 0
