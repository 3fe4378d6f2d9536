"""Costs to the paisa: the reference's vectors, the dates on which rates change, and what is not known."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from app.domain.charges import (
    COIN_STEP,
    AccountTerms,
    Basis,
    Charge,
    ChargeLine,
    ChargeSum,
    Execution,
    Liquidity,
    NoRatesError,
    Product,
    Rate,
    RateBook,
    add_charges,
    charges_of,
    exercise_charges,
    intrinsic_value,
    modeled,
    product_of,
    reported,
    round_for_report,
)
from app.domain.errors import InvalidInputError
from app.domain.financing import funding_cash, swap_cash, swap_days
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import INR, USD, USDT, Currency
from app.domain.orders import Side
from app.infra.charge_tables import load_charges
from tests.builders import CALL, PUT

BOOK = load_charges()
TODAY = date(2026, 11, 23)
TWENTY = AccountTerms(brokerage=Decimal(20))
FREE = AccountTerms()


def option_trade(
    side: Side, price: str, *, day: date = TODAY, terms: AccountTerms = FREE, venue: Venue = Venue.NSE
) -> dict[Charge, Decimal]:
    execution = Execution(side=side, turnover=65 * Decimal(price), contracts=Decimal(65), currency=INR)
    lines = charges_of(execution, BOOK.in_force(venue, Product.OPTION, day), terms)
    return {line.charge: line.amount for line in lines}


def total(lines: dict[Charge, Decimal]) -> Decimal:
    return round_for_report(sum(lines.values(), Decimal(0)), INR)


def test_a_sold_option_costs_what_the_reference_says() -> None:
    lines = option_trade(Side.SELL, "100", terms=TWENTY)

    assert lines == {
        Charge.BROKERAGE: Decimal(20),
        Charge.STT: Decimal("9.75"),
        Charge.TRANSACTION: Decimal("2.3088"),
        Charge.IPFT: Decimal("0.0007"),
        Charge.SEBI: Decimal("0.0065"),
        Charge.GST: Decimal("4.0169"),
    }
    assert total(lines) == Decimal("36.08")


def test_a_bought_option_costs_what_the_reference_says() -> None:
    lines = option_trade(Side.BUY, "80", terms=TWENTY)

    assert (lines[Charge.TRANSACTION], lines[Charge.STAMP]) == (Decimal("1.8470"), Decimal("0.1560"))
    assert round_for_report(lines[Charge.GST], INR) == Decimal("3.93")
    assert Charge.STT not in lines
    assert total(lines) == Decimal("25.94")


@pytest.mark.parametrize(
    ("side", "price", "expected"), [(Side.SELL, "100", "12.48"), (Side.BUY, "80", "2.34")]
)
def test_without_brokerage(side: Side, price: str, expected: str) -> None:
    assert total(option_trade(side, price)) == Decimal(expected)


@pytest.mark.parametrize(
    ("day", "stt"),
    [
        (date(2023, 3, 31), "3.25"),
        (date(2023, 4, 1), "4.0625"),
        (date(2024, 9, 30), "4.0625"),
        (date(2024, 10, 1), "6.50"),
        (date(2026, 3, 31), "6.50"),
        (date(2026, 4, 1), "9.75"),
    ],
)
def test_the_tax_of_an_option_changes_at_midnight(day: date, stt: str) -> None:
    assert option_trade(Side.SELL, "100", day=day)[Charge.STT] == Decimal(stt)


@pytest.mark.parametrize(
    ("day", "transaction", "ipft"),
    [
        (date(2024, 9, 30), "3.25", None),
        (date(2024, 10, 1), "2.2770", None),
        (date(2026, 2, 28), "2.2770", None),
        (date(2026, 3, 1), "2.3088", "0.0007"),
    ],
)
def test_the_exchange_charge_changes_at_midnight(day: date, transaction: str, ipft: str | None) -> None:
    lines = option_trade(Side.BUY, "100", day=day)

    assert lines[Charge.TRANSACTION] == Decimal(transaction)
    assert lines.get(Charge.IPFT) == (None if ipft is None else Decimal(ipft))


def test_newer_rows_replace_all_older_ones_of_a_charge() -> None:
    before = option_trade(Side.SELL, "100", day=date(2020, 6, 30))
    after = option_trade(Side.SELL, "100", day=date(2020, 7, 1))

    assert (before[Charge.STAMP], after.get(Charge.STAMP)) == (Decimal("0.195"), None)


@pytest.mark.parametrize(
    ("day", "stt"),
    [(date(2026, 3, 31), "389.7400"), (date(2026, 4, 1), "974.3500"), (date(2023, 3, 31), "194.87")],
)
def test_a_sold_future_pays_by_date(day: date, stt: str) -> None:
    execution = Execution(side=Side.SELL, turnover=Decimal(1948700), contracts=Decimal(75), currency=INR)
    lines = charges_of(execution, BOOK.in_force(Venue.NSE, Product.FUTURE, day), FREE)

    assert {line.charge: line.amount for line in lines}[Charge.STT] == Decimal(stt)


def test_a_sensex_option_pays_the_other_exchange() -> None:
    lines = option_trade(Side.SELL, "100", venue=Venue.BSE)

    assert (lines[Charge.TRANSACTION], Charge.IPFT in lines) == (Decimal("2.1125"), False)


def test_unseen_rates_say_so() -> None:
    def unseen(day: date) -> set[Charge]:
        rates = BOOK.in_force(Venue.NSE, Product.OPTION, day)
        return {rate.charge for rate in rates if not rate.is_confirmed}

    assert unseen(TODAY) == set()
    assert unseen(date(2019, 1, 4)) == {Charge.STT, Charge.TRANSACTION, Charge.SEBI, Charge.STAMP}


def test_no_table_is_no_zero() -> None:
    with pytest.raises(NoRatesError, match="rates of NSE OPTION on 2016-05-31, found none"):
        BOOK.in_force(Venue.NSE, Product.OPTION, date(2016, 5, 31))
    with pytest.raises(NoRatesError, match="got INDEX"):
        product_of(InstrumentKind.INDEX)
    assert product_of(InstrumentKind.PERPETUAL) is Product.PERPETUAL


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2026, 3, 31), "12.1875"), (date(2026, 4, 1), "14.6250"), (date(2019, 8, 31), None)],
)
def test_a_long_that_expires_in_the_money_pays_on_the_intrinsic_value(
    day: date, expected: str | None
) -> None:
    assert CALL.option is not None
    intrinsic = intrinsic_value(CALL.option, Decimal(26150))
    lines = exercise_charges(
        intrinsic, Decimal(65), BOOK.in_force(Venue.NSE, Product.OPTION, day), currency=INR
    )

    assert [line.amount for line in lines] == ([] if expected is None else [Decimal(expected)])


@pytest.mark.parametrize(("settlement", "call", "put"), [(25900, 0, 100), (26000, 0, 0), (26150, 150, 0)])
def test_the_intrinsic_value_is_never_negative(settlement: int, call: int, put: int) -> None:
    assert CALL.option is not None
    assert PUT.option is not None
    assert intrinsic_value(CALL.option, Decimal(settlement)) == call
    assert intrinsic_value(PUT.option, Decimal(settlement)) == put


def coin_fee(terms: AccountTerms, liquidity: Liquidity, product: Product) -> Decimal:
    execution = Execution(
        side=Side.BUY,
        turnover=Decimal(10_000),
        contracts=Decimal("0.1"),
        currency=USDT,
        liquidity=liquidity,
        step=COIN_STEP,
    )
    [line] = charges_of(execution, BOOK.in_force(Venue.BINANCE, product, TODAY), terms)
    assert (line.charge, line.currency) == (Charge.TRADE_FEE, USDT)
    return line.amount


def test_coins_pay_by_liquidity_and_an_account_may_have_rates_of_its_own() -> None:
    own = AccountTerms(maker_rate=Decimal(0), taker_rate=Decimal("0.0003"), fee_discount=Decimal("0.1"))
    bnb = AccountTerms(fee_discount=Decimal("0.25"))

    assert coin_fee(FREE, Liquidity.MAKER, Product.PERPETUAL) == Decimal(2)
    assert coin_fee(FREE, Liquidity.TAKER, Product.PERPETUAL) == Decimal(5)
    assert coin_fee(FREE, Liquidity.TAKER, Product.SPOT) == Decimal(10)
    assert coin_fee(bnb, Liquidity.TAKER, Product.SPOT) == Decimal("7.5")
    assert coin_fee(own, Liquidity.TAKER, Product.PERPETUAL) == Decimal("2.7")


def test_forex_pays_dollars_per_lot_whatever_the_pair_is_quoted_in() -> None:
    yen = Execution(
        side=Side.SELL, turnover=Decimal(7_500_000), contracts=Decimal("0.5"), currency=Currency("JPY")
    )
    rates = BOOK.in_force(Venue.MT5, Product.FOREX, TODAY)

    assert charges_of(yen, rates, FREE) == (
        ChargeLine(charge=Charge.COMMISSION, amount=Decimal("1.75"), currency=USD, is_confirmed=False),
    )
    [own] = charges_of(yen, rates, AccountTerms(commission=Decimal(3)))
    assert (own.amount, own.is_confirmed) == (Decimal("1.5"), True)
    assert charges_of(yen, rates, AccountTerms(commission=Decimal(0))) == ()


def test_what_a_position_pays_overnight() -> None:
    assert funding_cash(Decimal("0.5"), Decimal(100_000), Decimal("0.0001")) == Decimal(-5)
    assert funding_cash(Decimal("-0.5"), Decimal(100_000), Decimal("0.0001")) == Decimal(5)
    terms = {"point": Decimal("0.00001"), "contract_size": Decimal(100_000), "lots": Decimal("0.2")}
    assert swap_cash(Decimal("-7.2"), days=3, **terms) == Decimal("-4.32")
    # Friday to Sunday: the triple day, a Wednesday, stands for the weekend.
    assert [swap_days(date(2026, 11, d), triple_weekday=2) for d in (24, 25, 26, 27, 28, 29)] == [
        1,
        3,
        1,
        1,
        0,
        0,
    ]


def test_sums_keep_currencies_apart_and_say_how_they_are_known() -> None:
    bnb = reported([ChargeLine(charge=Charge.TRADE_FEE, amount=Decimal("0.002"), currency=Currency("BNB"))])
    line = ChargeLine(charge=Charge.STT, amount=Decimal(5), currency=INR, is_confirmed=False)

    total = add_charges([bnb, modeled([line, line]), modeled([line]), ChargeSum(uncharged=1)])

    assert total.currencies == {"BNB", "INR"}
    assert (total.total(INR), total.total(Currency("BNB"))) == (Decimal(15), Decimal("0.002"))
    assert (total.modeled, total.reported, total.uncharged) == (2, 1, 1)
    assert total.unconfirmed == {Charge.STT}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [("36.085", INR, "36.09"), ("0.004", USDT, "0"), ("0.000000015", Currency("BTC"), "0.00000002")],
)
def test_the_report_rounds_half_up(amount: str, currency: Currency, shown: str) -> None:
    assert round_for_report(Decimal(amount), currency) == Decimal(shown)


def test_terms_are_read_from_settings_and_floats_are_refused() -> None:
    settings = {"brokerage": "20", "fee_discount": "0.25", "capital": "1000", "maker_rate": None}

    assert AccountTerms.from_mapping(settings) == AccountTerms(
        brokerage=Decimal(20), fee_discount=Decimal("0.25")
    )
    for bad in (0.25, True, "much", "NaN", "-1"):
        with pytest.raises(InvalidInputError, match="brokerage: expected"):
            AccountTerms.from_mapping({"brokerage": bad})
    with pytest.raises(InvalidInputError, match=r"fee_discount: expected a part from 0 to 1, got 1\.5"):
        AccountTerms(fee_discount=Decimal("1.5"))


def test_impossible_rates_and_executions_are_refused() -> None:
    rate = BOOK.rates[0]
    with pytest.raises(InvalidInputError, match="from zero, got -1"):
        replace(rate, amount=Decimal(-1))
    with pytest.raises(InvalidInputError, match="a currency for money per contract"):
        replace(rate, basis=Basis.CONTRACT)
    with pytest.raises(InvalidInputError, match="execution: expected"):
        Execution(side=Side.BUY, turnover=Decimal(-1), contracts=Decimal(1), currency=INR)


def test_a_book_answers_for_its_own_market_only() -> None:
    rate = Rate(
        charge=Charge.STT,
        venue=Venue.NSE,
        product=Product.OPTION,
        basis=Basis.TURNOVER,
        amount=Decimal("0.1"),
        valid_from=TODAY,
        source="test",
    )

    assert RateBook(rates=(rate,)).in_force(Venue.NSE, Product.OPTION, TODAY) == (rate,)
    with pytest.raises(NoRatesError):
        RateBook(rates=(rate,)).in_force(Venue.BSE, Product.OPTION, TODAY)
