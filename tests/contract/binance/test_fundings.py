"""What holding a perpetual takes is told by the venue, in its own words and once for each funding."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.financing import funding_cash
from app.domain.markets import USDT
from app.domain.orders import Side
from app.domain.ports import FundingSource
from tests.contract.binance.desk import BinanceDesk, DayClock

_EIGHT_HOURS = timedelta(hours=8)


def _pass_a_funding(desk: BinanceDesk, clock: DayClock) -> None:
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + ((now - midnight) // _EIGHT_HOURS + 1) * _EIGHT_HOURS
    desk.simulator.pass_time(due - now + timedelta(seconds=40))


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_longs_pay_and_shorts_are_paid_what_the_notional_says(
    desk: BinanceDesk, clock: DayClock, side: Side, sign: int
) -> None:
    source = desk.gateway
    assert isinstance(source, FundingSource)
    if desk.market == "spot":
        assert list(source.request_fundings()) == []
        return
    request = desk.request(side=side)
    assert desk.gateway.submit_order(request, timeout_s=5).broker_order_id is not None
    assert list(source.request_fundings()) == []

    _pass_a_funding(desk, clock)
    first, again = source.request_fundings(), source.request_fundings()

    assert list(first) == list(again)
    (told,) = first
    expected = -funding_cash(sign * request.quantity, desk.touch()[0], Decimal("0.0001"))
    assert told.broker_symbol == "BTCUSDT"
    assert told.taken.currency == USDT
    assert abs(told.taken.amount / expected - 1) < Decimal("0.05")
    assert (told.ts_event.hour % 8, told.ts_event.minute, told.ts_event.second) == (0, 0, 0)
