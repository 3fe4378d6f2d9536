"""Values of legs: exact, honest when a price is missing, and never added across currencies."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.markets import Currency
from app.domain.numbers import ZERO
from app.services.pnl import PnlSum, add_up, value_leg

NIFTY = "NIFTY-20261124-26050-CE.NSE"


@dataclass(frozen=True, kw_only=True)
class _Leg:
    instrument_id: str = NIFTY
    net_qty: Decimal
    entry_px: Decimal
    cash: Decimal


SHORT = _Leg(net_qty=Decimal(-75), entry_px=Decimal("142.20"), cash=Decimal("10665.00"))
CLOSED = _Leg(net_qty=Decimal(0), entry_px=Decimal("142.20"), cash=Decimal("-2666.25"))
HALF = _Leg(
    net_qty=Decimal(-50), entry_px=Decimal(100), cash=Decimal(9950)
)  # sold 100 at 100, bought 50 at 1
COIN = _Leg(
    instrument_id="BTCUSDT.BINANCE",
    net_qty=Decimal("0.01"),
    entry_px=Decimal("97476.2"),
    cash=Decimal("-974.762"),
)
EUROS = _Leg(
    instrument_id="EURUSD.MT5", net_qty=Decimal(0), entry_px=Decimal("1.0852"), cash=Decimal("-11.40")
)


def test_a_short_leg_gains_when_the_price_falls() -> None:
    value = value_leg(SHORT, {NIFTY: Decimal("100.00")})

    assert (value.total, value.unrealized, value.realized) == (Decimal(3165), Decimal(3165), Decimal(0))


def test_a_partly_closed_leg_splits_into_realized_and_unrealized() -> None:
    value = value_leg(HALF, {NIFTY: Decimal(90)})

    assert (value.realized, value.unrealized, value.total) == (Decimal(4950), Decimal(500), Decimal(5450))


def test_a_closed_leg_needs_no_price() -> None:
    assert value_leg(CLOSED, {}).total == Decimal("-2666.25")


def test_an_open_leg_without_a_price_is_left_out_and_counted() -> None:
    [total] = add_up([value_leg(SHORT, {}), value_leg(CLOSED, {})])

    assert (total.total, total.unmarked) == (Decimal("-2666.25"), 1)


def test_a_leg_counts_in_the_currency_of_its_venue() -> None:
    legs = [SHORT, COIN, EUROS]

    assert [value_leg(leg, {}).currency for leg in legs] == [Currency.INR, Currency.USDT, Currency.USD]


def test_a_leg_of_no_known_venue_has_no_currency() -> None:
    with pytest.raises(InvalidInputError, match="ends with its venue"):
        value_leg(_Leg(instrument_id="X", net_qty=ZERO, entry_px=ZERO, cash=ZERO), {})


def test_currencies_are_summed_apart_rupees_first_then_by_name() -> None:
    marks = {NIFTY: Decimal("142.00"), "BTCUSDT.BINANCE": Decimal("97500.00")}

    sums = add_up(value_leg(leg, marks) for leg in (COIN, EUROS, CLOSED, SHORT))

    assert [(s.currency, s.total, s.realized, s.unrealized) for s in sums] == [
        (Currency.INR, Decimal("-2651.25"), Decimal("-2666.25"), Decimal("15.00")),
        (Currency.USD, Decimal("-11.40"), Decimal("-11.40"), ZERO),
        (Currency.USDT, Decimal("0.238"), ZERO, Decimal("0.238")),
    ]


def test_a_missing_price_is_counted_in_its_own_currency() -> None:
    sums = add_up(value_leg(leg, {}) for leg in (CLOSED, COIN))

    assert [(s.currency, s.total, s.unmarked) for s in sums] == [
        (Currency.INR, Decimal("-2666.25"), 0),
        (Currency.USDT, ZERO, 1),
    ]


def test_nobodys_money_is_zero_rupees() -> None:
    nothing = PnlSum(currency=Currency.INR, total=ZERO, realized=ZERO, unrealized=ZERO, unmarked=0)

    assert add_up([]) == [nothing]


def test_who_trades_no_rupees_gets_no_sum_of_rupees() -> None:
    assert [s.currency for s in add_up([value_leg(EUROS, {})])] == [Currency.USD]
