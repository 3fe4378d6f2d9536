"""An order of ours becomes a request that MT5 cannot misread, or is refused with nothing sent."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ProtocolError
from app.domain.orders import OrderType, Side, TimeInForce
from brokers.mt5.agent.asked import AskedWrite, asked_write
from brokers.mt5.agent.market import Execution, Filling, SymbolMarket, symbol_market
from brokers.mt5.agent.refusals import RefusedError
from brokers.mt5.agent.terminal_thread import Urgency
from brokers.mt5.agent.trade_requests import (
    AskedChange,
    AskedOrder,
    TradeRequest,
    modify_request,
    submit_requests,
)
from brokers.mt5.protocol import Refusal, TradeAction
from brokers.mt5.values import Row
from tests.unit.mt5.payloads import MAGIC, ORDER_ROW, POSITION_ROW, SYMBOL_ROW, TICK_ROW, damaged

MARKET = symbol_market("EURUSD", SYMBOL_ROW, TICK_ROW)
NETTING, HEDGING = 0, 2
ORDER = AskedOrder(
    magic=MAGIC,
    comment="0123456789abcdef",
    symbol="EURUSD",
    side=Side.BUY,
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.GTC,
    volume=Decimal("0.02"),
    price=None,
    trigger_price=None,
    reduces_only=False,
    position=0,
)
BODY = {
    "command_id": "ob0123456789abcdef",
    "timeout_s": 5.0,
    "is_live_allowed": False,
    "magic": MAGIC,
    "comment": "0123456789abcdef",
    "symbol": "EURUSD",
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GTC",
    "volume": "0.02",
    "price": "1.39",
    "trigger_price": None,
    "reduces_only": False,
    "position": 0,
    "ticket": 5,
}


def requests(
    asked: AskedOrder, market: SymbolMarket = MARKET, *, positions: tuple[Row, ...] = (), mode: int = NETTING
) -> list[TradeRequest]:
    return submit_requests(asked, market, positions=positions, margin_mode=mode, market_deviation_points=50)


def limit(price: str, side: Side = Side.BUY, tif: TimeInForce = TimeInForce.GTC) -> AskedOrder:
    return replace(ORDER, order_type=OrderType.LIMIT, price=Decimal(price), side=side, time_in_force=tif)


def stop(price: str, side: Side) -> AskedOrder:
    return replace(ORDER, order_type=OrderType.STOP_MARKET, trigger_price=Decimal(price), side=side)


def refusal(asked: AskedOrder, market: SymbolMarket = MARKET, **given: object) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        requests(asked, market, **given)  # type: ignore[arg-type]  # a test's table of fields
    return caught.value.refusal


def test_a_market_order_is_a_deal_at_the_touch_with_our_marks() -> None:
    first, second = requests(ORDER)

    assert first == {
        "action": 1,
        "symbol": "EURUSD",
        "volume": 0.02,
        "type": 0,
        "price": 1.3921,
        "deviation": 50,
        "magic": MAGIC,
        "comment": "0123456789abcdef",
        "type_time": 0,
        "type_filling": int(Filling.IOC),
    }
    assert second == {**first, "type_filling": int(Filling.FOK)}


def test_a_limit_that_the_market_has_reached_may_slip_to_the_limit_and_no_further() -> None:
    (request, _) = requests(limit("1.39225"))

    assert (request["action"], request["price"], request["deviation"]) == (1, 1.3921, 15)
    assert requests(limit("1.39210"))[0]["deviation"] == 0
    assert requests(limit("1.39190", Side.SELL))[0]["deviation"] == 10


def test_a_limit_away_from_the_market_waits_there() -> None:
    (request,) = requests(replace(limit("1.39"), time_in_force=TimeInForce.DAY))

    assert (request["action"], request["type"], request["price"]) == (5, 2, 1.39)
    assert (request["type_filling"], request["type_time"]) == (int(Filling.RETURN), 1)
    assert requests(limit("1.40", Side.SELL))[0]["type"] == 3
    assert requests(stop("1.40", Side.BUY))[0]["type"] == 4
    assert requests(stop("1.39", Side.SELL))[0]["type"] == 5


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (limit("1.39205"), Refusal.PRICE_MOVED),
        (limit("1.39", tif=TimeInForce.IOC), Refusal.PRICE_MOVED),
        (limit("1.39", tif=TimeInForce.FOK), Refusal.PRICE_MOVED),
        (stop("1.39215", Side.BUY), Refusal.PRICE_MOVED),
        (stop("1.39", Side.BUY), Refusal.PRICE_MOVED),
        (stop("1.40", Side.SELL), Refusal.PRICE_MOVED),
        (replace(ORDER, volume=Decimal("0.015")), Refusal.INVALID),
        (replace(ORDER, volume=Decimal("100.01")), Refusal.INVALID),
        (replace(ORDER, volume=Decimal("0.001")), Refusal.INVALID),
        (replace(ORDER, order_type=OrderType.LIMIT), Refusal.INVALID),
        (replace(ORDER, order_type=OrderType.STOP_LIMIT, price=Decimal(1)), Refusal.INVALID),
        (replace(stop("1.40", Side.BUY), time_in_force=TimeInForce.IOC), Refusal.INVALID),
    ],
)
def test_what_mt5_would_misread_is_refused(asked: AskedOrder, why: Refusal) -> None:
    assert refusal(asked) is why


@pytest.mark.parametrize("execution", Execution)
@pytest.mark.parametrize("flags", range(4))
def test_filling_follows_the_symbols_flags(execution: Execution, flags: int) -> None:
    market = replace(MARKET, execution=execution, filling_mode=flags)
    expected = [Filling.IOC] * bool(flags & 2) + [Filling.FOK] * (flags & 1)
    expected += [Filling.RETURN] * (execution is not Execution.MARKET)

    if not expected:
        assert refusal(ORDER, market) is Refusal.INVALID
    else:
        assert [request["type_filling"] for request in requests(ORDER, market)] == expected
    if flags & 1:
        (only,) = requests(replace(ORDER, time_in_force=TimeInForce.FOK), market)
        assert only["type_filling"] == Filling.FOK


def test_without_a_price_nothing_is_sent() -> None:
    assert refusal(ORDER, replace(MARKET, ask=Decimal(0))) is Refusal.PRICE_MOVED


def test_a_close_carries_the_ticket_of_what_it_closes() -> None:
    held = (POSITION_ROW, {**POSITION_ROW, "ticket": 9, "identifier": 9, "volume": "0.01"})

    assert requests(replace(ORDER, position=500000001), positions=held)[0]["position"] == 500000001
    assert requests(replace(ORDER, reduces_only=True), positions=held)[0]["position"] == 500000001
    assert "position" not in requests(ORDER, positions=held)[0]


@pytest.mark.parametrize(
    ("asked", "held", "why"),
    [
        (replace(ORDER, position=4), (POSITION_ROW,), Refusal.ALREADY_DONE),
        (replace(ORDER, reduces_only=True), (), Refusal.ALREADY_DONE),
        (replace(ORDER, reduces_only=True), ({**POSITION_ROW, "type": 0},), Refusal.ALREADY_DONE),
        (replace(ORDER, reduces_only=True), ({**POSITION_ROW, "symbol": "GBPUSD"},), Refusal.ALREADY_DONE),
        (replace(ORDER, position=500000001, volume=Decimal("0.04")), (POSITION_ROW,), Refusal.INVALID),
    ],
)
def test_a_close_never_opens(asked: AskedOrder, held: tuple[Row, ...], why: Refusal) -> None:
    assert refusal(asked, positions=held, mode=HEDGING) is why
    assert refusal(asked, positions=held) is why


def test_what_is_held_in_several_positions_is_closed_one_by_one_the_largest_first() -> None:
    asked = replace(ORDER, reduces_only=True, volume=Decimal("0.04"))
    small = {**POSITION_ROW, "ticket": 9, "identifier": 9, "volume": "0.01"}

    first = requests(asked, positions=(small, POSITION_ROW), mode=HEDGING)[0]

    assert (first["position"], first["volume"]) == (500000001, 0.03)


def test_a_resting_exit_is_for_netting_accounts_only() -> None:
    asked = replace(stop("1.40", Side.BUY), reduces_only=True)

    assert refusal(asked, positions=(POSITION_ROW,), mode=HEDGING) is Refusal.PRICE_MOVED
    assert requests(asked, positions=(POSITION_ROW,))[0]["action"] == 5


def test_a_change_moves_the_price_and_keeps_the_stops() -> None:
    row = {**ORDER_ROW, "sl": "1.38", "tp": "0.0"}
    change = AskedChange(
        ticket=500000001,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        volume=Decimal("0.03"),
        price=Decimal("1.38900"),
        trigger_price=None,
    )

    assert modify_request(change, row) == {
        "action": 7,
        "order": 500000001,
        "symbol": "EURUSD",
        "price": 1.389,
        "sl": 1.38,
        "tp": 0.0,
        "type_time": 0,
    }
    for other in (
        replace(change, volume=Decimal("0.02")),
        replace(change, order_type=OrderType.STOP_MARKET),
        replace(change, price=None),
    ):
        with pytest.raises(RefusedError):
            modify_request(other, row)


PRICES = st.decimals("1.38", "1.40", places=5)


@given(
    st.sampled_from(OrderType),
    st.sampled_from(Side),
    st.sampled_from(TimeInForce),
    PRICES,
    st.decimals("0.01", "0.10", places=2),
    st.booleans(),
    st.sampled_from([NETTING, HEDGING]),
)
def test_no_order_trades_beyond_its_limit_or_opens_what_it_should_close(
    kind: OrderType,
    side: Side,
    tif: TimeInForce,
    price: Decimal,
    volume: Decimal,
    reduces_only: bool,  # noqa: FBT001  Hypothesis gives them by position
    mode: int,
) -> None:
    asked = replace(
        ORDER,
        order_type=kind,
        side=side,
        time_in_force=tif,
        volume=volume,
        price=price if kind is OrderType.LIMIT else None,
        trigger_price=price if kind is OrderType.STOP_MARKET else None,
        reduces_only=reduces_only,
    )
    try:
        found = requests(asked, positions=(POSITION_ROW,), mode=mode)
    except RefusedError:
        return
    for request in found:
        assert request["magic"] == MAGIC
        most = min(volume, Decimal("0.03")) if reduces_only and request["action"] == 1 else volume
        assert request["volume"] == float(most)
        if request["action"] == 1 and kind is OrderType.LIMIT:
            touch, points = Decimal(str(request["price"])), Decimal(str(request["deviation"]))
            assert (touch + side.sign * points * MARKET.point - price) * side.sign <= 0
        if reduces_only and mode == HEDGING:
            assert request["position"] == 500000001


@given(damaged({**SYMBOL_ROW, **TICK_ROW}))
def test_any_symbol_gives_a_market_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        market = symbol_market("EURUSD", row, row)
    except ProtocolError:
        return
    assert market.point > 0


@pytest.mark.parametrize("action", TradeAction)
@given(body=damaged(BODY))
def test_any_body_is_a_command_or_refused(action: TradeAction, body: dict[str, object]) -> None:
    try:
        asked = asked_write(action, body)
    except RefusedError:
        return
    assert isinstance(asked, AskedWrite)


def test_entries_wait_for_exits() -> None:
    assert asked_write(TradeAction.SUBMIT, BODY).urgency is Urgency.ENTRY
    assert asked_write(TradeAction.SUBMIT, {**BODY, "reduces_only": True}).urgency is Urgency.EXIT
    assert asked_write(TradeAction.SUBMIT, {**BODY, "position": 7}).urgency is Urgency.EXIT
    assert asked_write(TradeAction.CANCEL, BODY).urgency is Urgency.EXIT
