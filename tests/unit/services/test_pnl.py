"""Values of legs: exact, honest when a price is missing, and never added across currencies."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from app.domain.charges import Charge, ChargeLine, ChargeSum, modeled, reported
from app.domain.errors import InvalidInputError
from app.domain.markets import INR, USD, USDT, Currency
from app.domain.numbers import ZERO
from app.services.pnl import ChargeBasis, MarkSource, PnlSum, add_up, value_leg

NIFTY = "NIFTY-20261124-26050-CE.NSE"


@dataclass(frozen=True, kw_only=True)
class _Leg:
    instrument_id: str = NIFTY
    net_qty: Decimal
    entry_px: Decimal
    cash: Decimal
    currency: str | None = None


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


YEN = _Leg(
    instrument_id="USDJPY.MT5", net_qty=ZERO, entry_px=Decimal(150), cash=Decimal(-3000), currency="JPY"
)


def charge(amount: str, currency: Currency = INR, *, is_confirmed: bool = True) -> ChargeLine:
    return ChargeLine(
        charge=Charge.TRADE_FEE, amount=Decimal(amount), currency=currency, is_confirmed=is_confirmed
    )


def test_a_leg_counts_in_the_currency_that_it_is_quoted_in() -> None:
    legs = [SHORT, COIN, EUROS, YEN]

    assert [value_leg(leg, {}).currency for leg in legs] == [INR, USDT, USD, "JPY"]
    assert [(s.currency, s.total) for s in add_up(value_leg(leg, {}) for leg in (EUROS, YEN))] == [
        ("JPY", Decimal(-3000)),
        ("USD", Decimal("-11.40")),
    ]


def test_a_leg_names_its_mark() -> None:
    marks = {NIFTY: Decimal(100)}

    assert [value_leg(leg, m).mark_source for leg, m in ((SHORT, marks), (SHORT, {}), (CLOSED, {}))] == [
        MarkSource.LAST_PRICE,
        MarkSource.MISSING,
        MarkSource.NONE_NEEDED,
    ]


def test_net_is_gross_less_charges_and_says_how_they_are_known() -> None:
    legs = [
        value_leg(CLOSED, {}, modeled([charge("12.4828", is_confirmed=False)])),
        value_leg(CLOSED, {}, reported([charge("2.5")])),
    ]

    [total] = add_up(legs)

    assert (total.total, total.charges, total.net) == (
        Decimal("-5332.50"),
        Decimal("14.9828"),
        Decimal("-5347.4828"),
    )
    assert (total.basis, total.unconfirmed) == (ChargeBasis.MIXED, (Charge.TRADE_FEE,))
    assert legs[0].net == Decimal("-2678.7328")
    assert value_leg(SHORT, {}, modeled([charge("1")])).net is None


def test_a_fee_in_another_coin_stands_alone_and_is_never_taken_from_the_wrong_sum() -> None:
    paid = value_leg(COIN, {"BTCUSDT.BINANCE": Decimal(97500)}, reported([charge("0.001", Currency("BNB"))]))

    bnb, usdt = add_up([paid])

    assert (bnb.currency, bnb.total, bnb.net, bnb.basis) == (
        "BNB",
        ZERO,
        Decimal("-0.001"),
        ChargeBasis.BROKER,
    )
    assert (usdt.charges, usdt.net, usdt.lines) == (ZERO, usdt.total, {})
    assert bnb.lines == {Charge.TRADE_FEE: Decimal("0.001")}


def test_orders_without_rates_are_counted() -> None:
    [total] = add_up([value_leg(CLOSED, {}, ChargeSum(uncharged=2))])

    assert (total.uncharged, total.charges, total.basis) == (2, ZERO, ChargeBasis.NONE)


def test_a_leg_of_no_known_venue_has_no_currency() -> None:
    with pytest.raises(InvalidInputError, match="ends with its venue"):
        value_leg(_Leg(instrument_id="X", net_qty=ZERO, entry_px=ZERO, cash=ZERO), {})


def test_currencies_are_summed_apart_rupees_first_then_by_name() -> None:
    marks = {NIFTY: Decimal("142.00"), "BTCUSDT.BINANCE": Decimal("97500.00")}

    sums = add_up(value_leg(leg, marks) for leg in (COIN, EUROS, CLOSED, SHORT))

    assert [(s.currency, s.total, s.realized, s.unrealized) for s in sums] == [
        (INR, Decimal("-2651.25"), Decimal("-2666.25"), Decimal("15.00")),
        (USD, Decimal("-11.40"), Decimal("-11.40"), ZERO),
        (USDT, Decimal("0.238"), ZERO, Decimal("0.238")),
    ]


def test_a_missing_price_is_counted_in_its_own_currency() -> None:
    sums = add_up(value_leg(leg, {}) for leg in (CLOSED, COIN))

    assert [(s.currency, s.total, s.unmarked) for s in sums] == [
        (INR, Decimal("-2666.25"), 0),
        (USDT, ZERO, 1),
    ]


def test_nobodys_money_is_zero_rupees() -> None:
    nothing = PnlSum(currency=INR, total=ZERO, realized=ZERO, unrealized=ZERO, unmarked=0)

    assert add_up([]) == [nothing]


def test_who_trades_no_rupees_gets_no_sum_of_rupees() -> None:
    assert [s.currency for s in add_up([value_leg(EUROS, {})])] == [USD]
