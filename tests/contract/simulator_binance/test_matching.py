"""How orders fill, with quotes set by hand."""

from decimal import Decimal

import pytest

from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Refused
from tests.contract.simulator_binance.floor import Floor


def test_a_market_order_walks_the_book_and_pays_each_level() -> None:
    floor = Floor()
    reply = floor.futures("big", "BUY", "MARKET", quantity="2.5")
    assert (reply["status"], reply["executedQty"]) == ("FILLED", "2.500")
    assert [(fill.price, fill.qty) for fill in floor.ledger.fills] == [
        (Decimal("100010.0"), Decimal(1)),
        (Decimal("100010.1"), Decimal(1)),
        (Decimal("100010.2"), Decimal("0.5")),
    ]


def test_a_limit_order_rests_and_fills_at_its_own_price_when_the_market_comes() -> None:
    floor = Floor()
    assert floor.spot("rest", "BUY", "LIMIT", price=99_990)["status"] == "NEW"
    floor.show(99_980, 99_991)
    assert floor.status("rest") == ("NEW", "0.")
    floor.show(99_970, 99_980)
    assert floor.status("rest") == ("FILLED", "0.1")
    assert (floor.ledger.fills[0].price, floor.ledger.fills[0].maker) == (Decimal(99_990), True)


def test_a_limit_order_larger_than_the_book_fills_in_parts() -> None:
    floor = Floor()
    floor.show(100_000, 100_010, size="0.04")
    assert floor.spot("part", "BUY", "LIMIT", price=100_010)["status"] == "PARTIALLY_FILLED"
    floor.show(100_000, 100_010, size="0.05")
    assert floor.status("part") == ("PARTIALLY_FILLED", "0.09")
    floor.show(100_000, 100_010, size="0.05")
    assert floor.status("part") == ("FILLED", "0.1")


@pytest.mark.parametrize(("tif", "filled"), [("IOC", "0.04"), ("FOK", "0.")])
def test_what_does_not_fill_at_once_expires(tif: str, filled: str) -> None:
    floor = Floor()
    floor.show(100_000, 100_010, size="0.04")
    floor.spot("now", "BUY", "LIMIT", price=100_010, timeInForce=tif)
    assert floor.status("now") == ("EXPIRED", filled)


@pytest.mark.parametrize(
    ("kind", "side", "stop", "before", "at"),
    [
        ("STOP_LOSS", "SELL", 99_900, 99_901, 99_900),
        ("STOP_LOSS", "BUY", 100_100, 100_099, 100_100),
        ("TAKE_PROFIT", "SELL", 100_100, 100_099, 100_100),
        ("TAKE_PROFIT", "BUY", 99_900, 99_901, 99_900),
    ],
)
def test_a_stop_triggers_exactly_at_its_price(kind: str, side: str, stop: int, before: int, at: int) -> None:
    floor = Floor()
    floor.spot("stop", side, kind, stopPrice=stop)
    floor.show(before, before + 10)
    assert floor.status("stop") == ("NEW", "0.")
    floor.show(at, at + 10)
    assert floor.status("stop") == ("FILLED", "0.1")


def test_a_stop_limit_rests_at_its_limit_when_the_market_has_run_through() -> None:
    floor = Floor()
    floor.spot("stop", "SELL", "STOP_LOSS_LIMIT", stopPrice=99_900, price=99_890)
    floor.show(99_800, 99_810)
    assert floor.status("stop") == ("NEW", "0.")
    floor.show(99_890, 99_900)
    assert floor.status("stop") == ("FILLED", "0.1")


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"kind": "LIMIT_MAKER", "price": 100_010}, "Order would immediately match and take."),
        ({"kind": "STOP_LOSS", "stopPrice": 100_000}, "Stop price would trigger immediately."),
        (
            {"kind": "MARKET", "quantity": "1.5"},
            "Account has insufficient balance for requested action.",
        ),
    ],
)
def test_what_the_book_or_the_balance_forbids_is_refused(terms: dict[str, object], message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        Floor().spot("no", "BUY", **terms)  # type: ignore[arg-type]  # the kind is among the terms
    assert refused.value.code == -2010


def test_an_injected_partial_fill_leaves_the_rest_for_the_next_tick_and_a_stall_for_ever() -> None:
    floor = Floor()
    floor.rules({"kind": "partial_fill"})
    floor.spot("half", "BUY", "LIMIT", price=100_010)
    assert floor.status("half") == ("PARTIALLY_FILLED", "0.05")
    floor.rules({"kind": "partial_stall"})
    floor.spot("stall", "BUY", "LIMIT", price=100_010)
    floor.show(100_000, 100_010)
    floor.show(99_000, 99_010)
    assert (floor.status("half"), floor.status("stall")) == (("FILLED", "0.1"), ("PARTIALLY_FILLED", "0.05"))


def pair(floor: Floor) -> None:
    """Sell 0.1 BTC at 101000, or at the market below 99000."""
    terms = {"aboveType": "LIMIT_MAKER", "abovePrice": "101000", "aboveClientOrderId": "target"}
    terms |= {"belowType": "STOP_LOSS", "belowStopPrice": "99000", "belowClientOrderId": "stop"}
    params = Parameters({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1"} | terms)
    floor.sim.spot.place_pair(floor.ledger, params)


@pytest.mark.parametrize(
    ("bid", "ended"),
    [(101_001, ("FILLED", "EXPIRED")), (98_999, ("EXPIRED", "FILLED"))],
)
def test_one_leg_of_a_pair_ends_the_other(bid: int, ended: tuple[str, str]) -> None:
    floor = Floor()
    pair(floor)
    assert floor.ledger.locked() == {"BTC": Decimal("0.1")}
    floor.show(bid, bid + 10)
    assert (floor.status("target")[0], floor.status("stop")[0]) == ended
    assert floor.ledger.locked() == {}
    assert floor.heard[-1]["e"] == "listStatus"
    assert floor.heard[-1]["L"] == "ALL_DONE"


def test_canceling_one_leg_of_a_pair_cancels_both() -> None:
    floor = Floor()
    pair(floor)
    floor.cancel("target")
    assert (floor.status("target")[0], floor.status("stop")[0]) == ("CANCELED", "CANCELED")


def test_spot_balances_follow_fills_fees_and_locks() -> None:
    floor = Floor()
    floor.spot("buy", "BUY", "MARKET")
    assert floor.ledger.balances == {"USDT": Decimal(89999), "BTC": Decimal("1.0999")}
    floor.spot("rest", "BUY", "LIMIT", price=90_000)
    assert floor.ledger.free("USDT") == Decimal(80_999)
    floor.cancel("rest")
    assert floor.ledger.free("USDT") == Decimal(89_999)


def test_a_quote_amount_buys_what_it_can_pay() -> None:
    floor = Floor()
    reply = floor.spot("spend", "BUY", "MARKET", quoteOrderQty="1000")
    assert (reply["executedQty"], reply["cummulativeQuoteQty"]) == ("0.00999000", "999.09990000")


def test_a_position_averages_realizes_and_turns() -> None:
    floor = Floor()
    position = floor.ledger.position("BTCUSDT")
    floor.futures("a", "BUY", "MARKET")
    floor.show(101_000, 101_010)
    floor.futures("b", "BUY", "MARKET")
    assert (position.qty, position.entry) == (Decimal("0.2"), Decimal(100_510))
    floor.futures("c", "SELL", "MARKET", quantity="0.3")
    assert (position.qty, position.entry, position.realized) == (
        Decimal("-0.1"),
        Decimal(101_000),
        Decimal(98),
    )


def test_reduce_only_needs_a_position_and_never_turns_it() -> None:
    floor = Floor()
    with pytest.raises(Refused, match="ReduceOnly Order is rejected") as refused:
        floor.futures("none", "SELL", "MARKET", reduceOnly="true")
    assert refused.value.code == -2022
    floor.futures("open", "BUY", "MARKET")
    floor.futures("close", "SELL", "MARKET", quantity="0.5", reduceOnly="true")
    assert floor.status("close") == ("EXPIRED", "0.1")
    assert floor.ledger.position("BTCUSDT").qty == 0


def test_a_triggered_algo_order_becomes_an_order_of_the_same_name_and_closes_the_position() -> None:
    floor = Floor()
    floor.futures("open", "BUY", "MARKET")
    floor.algo("exit", "SELL", "STOP_MARKET", triggerPrice=99_000, closePosition="true")
    floor.show(99_001, 99_010)
    assert floor.algo_status("exit") == "NEW"
    floor.show(99_000, 99_010)
    assert (floor.algo_status("exit"), floor.status("exit")) == ("FINISHED", ("FILLED", "0.1"))
    assert floor.ledger.position("BTCUSDT").qty == 0
    told = [row["o"]["X"] for row in floor.heard if row["e"] == "ALGO_UPDATE"]
    assert told == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]


def test_a_closed_position_takes_its_closing_orders_with_it() -> None:
    floor = Floor()
    floor.futures("open", "BUY", "MARKET")
    floor.algo("stop", "SELL", "STOP_MARKET", triggerPrice=99_000, closePosition="true")
    floor.algo("target", "SELL", "TAKE_PROFIT_MARKET", triggerPrice=101_000, closePosition="true")
    floor.show(101_000, 101_010)
    assert (floor.algo_status("target"), floor.algo_status("stop")) == ("FINISHED", "EXPIRED")


def test_an_algo_limit_order_rests_after_its_trigger() -> None:
    floor = Floor()
    floor.algo("stop", "BUY", "STOP", triggerPrice=100_100, price=100_100)
    floor.show(100_100, 100_110)
    assert (floor.algo_status("stop"), floor.status("stop")) == ("TRIGGERED", ("NEW", "0."))
    floor.show(100_080, 100_090)
    assert (floor.algo_status("stop"), floor.status("stop")) == ("FINISHED", ("FILLED", "0.1"))


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"kind": "LIMIT", "price": "99000.05"}, -4014),
        ({"kind": "LIMIT", "price": 106_000}, -4016),
        ({"kind": "LIMIT", "price": 94_000}, -4024),
        ({"kind": "LIMIT", "price": 99_000, "quantity": "0.0015"}, -1111),
        ({"kind": "LIMIT", "price": 99_000, "quantity": "0.001"}, -4164),
        ({"kind": "LIMIT", "price": 99_000, "quantity": "30"}, -2019),
        ({"kind": "LIMIT", "price": 100_010, "timeInForce": "GTX"}, -5022),
        ({"kind": "STOP_MARKET", "stopPrice": 101_000}, -4120),
        ({"kind": "MARKET", "positionSide": "LONG"}, -4061),
    ],
)
def test_a_futures_order_that_breaks_a_rule_is_refused_by_its_code(
    terms: dict[str, object], code: int
) -> None:
    with pytest.raises(Refused) as refused:
        Floor().futures("no", "BUY", **terms)  # type: ignore[arg-type]  # the kind is among the terms
    assert refused.value.code == code


def test_an_algo_order_whose_trigger_is_behind_the_market_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        Floor().algo("late", "SELL", "STOP_MARKET", triggerPrice=100_001)
    assert refused.value.code == -2021


def test_an_order_good_till_a_date_expires_then() -> None:
    floor = Floor()
    due = floor.sim.clock.now_ms() + 600_000
    floor.futures("gtd", "BUY", "LIMIT", price=99_000, timeInForce="GTD", goodTillDate=due)
    floor.show(100_000, 100_010)
    assert floor.status("gtd")[0] == "NEW"
    floor.sim.clock.set(floor.sim.clock.now().replace(minute=10), 0)
    floor.show(100_000, 100_010)
    assert floor.status("gtd")[0] == "EXPIRED"
