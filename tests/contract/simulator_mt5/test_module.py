"""The fake offers what the package's version 5.0.6231 does: names, shapes, arguments, errors."""

import inspect
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from brokers.simulators.mt5 import constants, shapes
from brokers.simulators.mt5 import metatrader5 as mt5
from tests.contract.simulator_mt5.broker import Broker, deal, pending, send, tick

FUNCTIONS = [
    "initialize",
    "login",
    "shutdown",
    "version",
    "last_error",
    "account_info",
    "terminal_info",
    "symbols_total",
    "symbols_get",
    "symbol_info",
    "symbol_info_tick",
    "symbol_select",
    "market_book_add",
    "market_book_get",
    "market_book_release",
    "copy_rates_from",
    "copy_rates_from_pos",
    "copy_rates_range",
    "copy_ticks_from",
    "copy_ticks_range",
    "orders_total",
    "orders_get",
    "order_calc_margin",
    "order_calc_profit",
    "order_check",
    "order_send",
    "positions_total",
    "positions_get",
    "history_orders_total",
    "history_orders_get",
    "history_deals_total",
    "history_deals_get",
]


def test_it_has_the_32_functions_of_the_package_and_no_order_helpers() -> None:
    assert len(FUNCTIONS) == 32
    assert all(inspect.isfunction(getattr(mt5, name)) for name in FUNCTIONS)
    assert not {"Buy", "Sell", "Close"} & set(dir(mt5))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEFRAME_M1", 1),
        ("TIMEFRAME_H4", 16388),
        ("TIMEFRAME_D1", 16408),
        ("TIMEFRAME_MN1", 49153),
        ("COPY_TICKS_ALL", -1),
        ("ORDER_TYPE_SELL_STOP_LIMIT", 7),
        ("ORDER_STATE_FILLED", 4),
        ("ORDER_FILLING_BOC", 3),
        ("ORDER_TIME_SPECIFIED_DAY", 3),
        ("TRADE_ACTION_DEAL", 1),
        ("TRADE_ACTION_CLOSE_BY", 10),
        ("DEAL_ENTRY_OUT_BY", 3),
        ("DEAL_REASON_SO", 6),
        ("ACCOUNT_MARGIN_MODE_RETAIL_HEDGING", 2),
        ("SYMBOL_TRADE_EXECUTION_EXCHANGE", 3),
        ("TRADE_RETCODE_REQUOTE", 10004),
        ("TRADE_RETCODE_FIFO_CLOSE", 10045),
        ("RES_S_OK", 1),
        ("RES_E_INTERNAL_FAIL_TIMEOUT", -10005),
    ],
)
def test_constants_have_the_packages_values(name: str, value: int) -> None:
    assert getattr(mt5, name) == value


def test_it_has_all_constants_of_the_package() -> None:
    names = [name for name in dir(constants) if name.isupper()]
    assert len(names) == 223
    assert all(getattr(mt5, name) == getattr(constants, name) for name in names)


@pytest.mark.usefixtures("broker")
def test_answers_have_the_packages_shapes() -> None:
    sent = send(deal(mt5.ORDER_TYPE_BUY))
    send(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.2))
    assert mt5.market_book_add("EURUSD")
    answers: list[tuple[Any, type[Any], int]] = [
        (mt5.account_info(), shapes.AccountInfo, 28),
        (mt5.terminal_info(), shapes.TerminalInfo, 22),
        (mt5.symbol_info("EURUSD"), shapes.SymbolInfo, 96),
        (tick(), shapes.Tick, 8),
        (sent, shapes.OrderSendResult, 11),
        (sent.request, shapes.TradeRequest, 17),
        (mt5.order_check(deal(0)), shapes.OrderCheckResult, 9),
        ((mt5.positions_get() or ())[0], shapes.TradePosition, 19),
        ((mt5.orders_get() or ())[0], shapes.TradeOrder, 24),
        ((mt5.history_deals_get(ticket=sent.order) or ())[0], shapes.TradeDeal, 18),
        ((mt5.market_book_get("EURUSD") or ())[0], shapes.BookInfo, 4),
    ]
    for answer, shape, fields in answers:
        assert isinstance(answer, shape)
        assert len(answer) == fields == len(answer._asdict())
    assert mt5.version() == (500, 6231, "22 Aug 2026")


@pytest.mark.usefixtures("broker")
def test_numbers_are_floats_and_integers_as_in_the_package() -> None:
    sent = send(deal(mt5.ORDER_TYPE_BUY, magic=2**64 - 1))
    (position,) = mt5.positions_get() or ()
    assert position.magic == 2**64 - 1 == sent.request.magic
    for value in (
        position.volume,
        position.price_open,
        position.sl,
        position.profit,
        sent.price,
        sent.volume,
    ):
        assert isinstance(value, float)
    for whole in (position.ticket, position.time, position.type, sent.retcode, sent.deal):
        assert isinstance(whole, int)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"volume": "0.1"}, "volume"),
        ({"volume": Decimal("0.1")}, "volume"),
        ({"price": None, "sl": "x"}, "sl"),
        ({"magic": -5}, "magic"),
        ({"magic": 2**64}, "magic"),
        ({"type": 0.0}, "type"),
        ({"symbol": 5}, "symbol"),
        ({"comment": "x" * 32}, "comment"),
        ({"position": "1"}, "position"),
    ],
)
def test_a_request_with_a_wrong_type_is_not_sent(
    broker: Broker, change: dict[str, object], name: str
) -> None:
    last = broker.get("requests")[-1]["seq"]
    assert mt5.order_send(deal(mt5.ORDER_TYPE_BUY) | change) is None
    assert mt5.last_error() == (-2, f'Invalid "{name}" argument')
    assert broker.get(f"requests?since={last}") == []


@pytest.mark.usefixtures("broker")
def test_wrong_arguments_return_none_and_tell_why() -> None:
    assert mt5.positions_get(simbol="EURUSD") is None
    assert mt5.last_error() == (-2, "Invalid arguments")
    assert mt5.orders_get(ticket="7") is None
    assert mt5.last_error() == (-2, 'Invalid "ticket" argument')
    assert mt5.history_deals_get("yesterday", 5) is None
    assert mt5.last_error() == (-2, 'Invalid "date_from" argument')
    assert mt5.history_deals_get() is None
    assert mt5.last_error()[0] == -2
    assert mt5.symbol_info("GBPUSD") is None
    assert mt5.last_error() == (-4, "Terminal: Not found")
    assert not mt5.symbol_select("GBPUSD")
    assert not mt5.initialize("x", login="1001")
    assert mt5.last_error() == (-2, 'Invalid "login" argument')


@pytest.mark.usefixtures("broker")
def test_books_are_empty_tuples_and_can_be_filtered() -> None:
    assert (mt5.positions_get(), mt5.orders_get()) == ((), ())
    assert mt5.last_error() == (1, "Success")
    first, second = send(deal(0)), send(deal(0, symbol="EURUSD.ecn"))
    assert [row.ticket for row in mt5.positions_get(symbol="EURUSD") or ()] == [first.order]
    assert [row.ticket for row in mt5.positions_get(ticket=second.order) or ()] == [second.order]
    assert [row.ticket for row in mt5.positions_get(group="*,!*.ecn") or ()] == [first.order]
    assert mt5.positions_get(ticket=5) == ()
    assert (mt5.positions_total(), mt5.orders_total()) == (2, 0)


def test_history_is_asked_in_server_time(broker: Broker) -> None:
    sent = send(deal(0))
    server_now = broker.now + timedelta(hours=3)
    (row,) = mt5.history_deals_get(server_now, server_now, group="EUR*") or ()
    assert (row.ticket, row.time) == (sent.deal, int(server_now.timestamp()))
    assert mt5.history_deals_get(broker.now, broker.now) == ()
    assert mt5.history_deals_total(server_now, server_now) == 2  # and the deposit
    assert mt5.history_orders_total(int(server_now.timestamp()), int(server_now.timestamp())) == 1
    assert mt5.history_orders_get(server_now, server_now, group="*.ecn") == ()


def test_server_time_follows_new_york_or_the_account(broker: Broker) -> None:
    assert tick().time - int(broker.now.timestamp()) == 3 * 3600
    broker.jump(datetime(2014, 12, 2, 8, 0, tzinfo=UTC))
    assert tick().time - int(broker.now.timestamp()) == 2 * 3600
    broker.account(1001, utc_offset_s=0)
    assert tick().time == int(broker.now.timestamp())


@pytest.mark.usefixtures("broker")
def test_rates_and_ticks_are_structured_arrays() -> None:
    rates = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M15, 0, 4)
    ticks = mt5.copy_ticks_from("EURUSD", tick().time - 60, 5)
    assert rates is not None
    assert ticks is not None
    assert (rates.dtype, rates.shape) == (shapes.RATE_DTYPE, (4,))
    assert (ticks.dtype, ticks.shape) == (shapes.TICK_DTYPE, (5,))
    assert np.all(np.diff(rates["time"]) == 900)
    assert mt5.copy_rates_from_pos("EURUSD", 7, 0, 4) is None
    assert mt5.last_error() == (-2, "Terminal: Invalid params")


@pytest.mark.usefixtures("broker")
def test_calculators_agree_with_the_contract() -> None:
    assert mt5.order_calc_profit(mt5.ORDER_TYPE_BUY, "EURUSD", 0.5, 1.39, 1.391) == 50.0
    assert mt5.order_calc_profit(mt5.ORDER_TYPE_SELL, "EURUSD", 0.5, 1.39, 1.391) == -50.0
    assert mt5.order_calc_margin(mt5.ORDER_TYPE_BUY, "EURUSD", 1.0, 1.39) == 1390.0
    assert mt5.order_calc_margin(99, "EURUSD", 1.0, 1.39) is None
