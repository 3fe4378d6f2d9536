"""What holding a perpetual takes is told by the venue, in its own words and once for each funding."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from app.domain.financing import funding_cash
from app.domain.markets import USDT
from app.domain.orders import Side
from app.domain.ports import BrokerGateway, FundingSource
from app.domain.reports import FundingReport, Outcome
from tests.contract.binance.desk import BinanceDesk, DayClock

_EIGHT_HOURS = timedelta(hours=8)
_RATE = Decimal("0.0001")


def _pass_a_funding(desk: BinanceDesk, clock: DayClock) -> None:
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + ((now - midnight) // _EIGHT_HOURS + 1) * _EIGHT_HOURS
    desk.simulator.pass_time(due - now + timedelta(seconds=40))


def _fundings(gateway: BrokerGateway) -> Sequence[FundingReport]:
    assert isinstance(gateway, FundingSource)
    return gateway.request_fundings()


def test_longs_pay_and_shorts_are_paid_what_the_notional_says(desk: BinanceDesk, clock: DayClock) -> None:
    long, short = desk.gateway, desk.other_account()
    if desk.market == "spot":
        assert list(_fundings(long)) == []  # who holds coins pays nothing for it
        return
    bought, sold = desk.request(), desk.request(side=Side.SELL)
    for gateway, request in ((long, bought), (short, sold)):
        assert gateway.submit_order(request, timeout_s=5).outcome is Outcome.ACCEPTED
        assert list(_fundings(gateway)) == []

    _pass_a_funding(desk, clock)

    paid, got = _fundings(long), _fundings(short)
    assert list(paid) == list(_fundings(long)), "the same one under the same number"
    for (told,), net_qty in ((paid, bought.quantity), (got, -sold.quantity)):
        expected = -funding_cash(net_qty, desk.touch()[0], _RATE)
        assert told.broker_symbol == "BTCUSDT"
        assert told.taken.currency == USDT
        assert abs(told.taken.amount / expected - 1) < Decimal("0.05")
        assert (told.ts_event.hour % 8, told.ts_event.minute, told.ts_event.second) == (0, 0, 0)
