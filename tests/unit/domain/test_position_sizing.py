"""Golden tables of the sizing models: what is entered, what is not, and why."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.account_settings import AccountSettings
from app.domain.charges import AccountTerms
from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.markets import INR, USDT, Money
from app.domain.orders import Side
from app.domain.position_sizing import (
    LegFacts,
    NotSized,
    Share,
    Sized,
    Sizing,
    SizingFault,
    SizingModel,
    facts_of,
    size,
    size_signal,
    widest_first,
    wished_lots,
)
from app.domain.signals import Signal
from tests.builders import CALL, FOREX, PERPETUAL, PUT, Market, enter, market, signal_leg, tick

LAKHS_FIVE = Money(amount=Decimal(500_000), currency=INR)


def leg(
    *,
    lots: int = 1,
    price: str | None = "100",
    risk: str | None = "25",
    atr: str | None = "10",
    lot_size: int = 65,
) -> LegFacts:
    def known(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return LegFacts(
        instrument_id=CALL.instrument_id,
        lots=lots,
        lot_size=Decimal(lot_size),
        currency="INR",
        price=known(price),
        risk=known(risk),
        atr=known(atr),
    )


def sized(settings: dict[str, object], *legs: LegFacts, capital: Money | None = LAKHS_FIVE) -> object:
    sizing = Sizing.from_mapping(settings)
    assert sizing is not None
    found = size(sizing, legs or (leg(),), capital=capital)
    return found.lots if isinstance(found, Sized) else found.fault


@pytest.mark.parametrize(
    ("settings", "legs", "lots"),
    [
        ({"model": "fixed_lots", "lots": 3}, (leg(lots=5),), (3,)),
        ({"model": "fixed_lots", "lots": 3}, (leg(lots=1), leg(lots=2)), (3, 6)),
        ({"model": "fixed_lots", "lots": 3}, (leg(lots=10), leg(lots=10)), (3, 3)),
        # 500,000 at 1 %: 5,000 to lose; a lot loses 65 * 25 = 1,625.
        ({"model": "fixed_risk", "fraction": "0.01"}, (leg(),), (3,)),
        # Two legs that lose 1,625 each are stopped out together.
        ({"model": "fixed_risk", "fraction": "0.01"}, (leg(), leg()), (1, 1)),
        ({"model": "fixed_risk", "fraction": "0.01"}, (leg(risk="76.92"),), (1,)),
        ({"model": "fixed_risk", "fraction": "0.01"}, (leg(risk="76.93"),), SizingFault.BELOW_ONE_LOT),
        # A lot is worth 6,500.
        ({"model": "percent_of_capital", "fraction": "0.1"}, (leg(),), (7,)),
        ({"model": "percent_of_capital", "fraction": 1}, (leg(price="7692.30"),), (1,)),
        ({"model": "percent_of_capital", "fraction": 1}, (leg(price="7692.31"),), SizingFault.BELOW_ONE_LOT),
        # A lot moves 650 in one true range.
        ({"model": "volatility_target", "fraction": "0.005"}, (leg(),), (3,)),
        ({"model": "volatility_target", "fraction": "0.01"}, (leg(lots=2), leg(lots=1)), (4, 2)),
        ({"model": "multiplier", "factor": "1.5"}, (leg(lots=1),), (1,)),
        ({"model": "multiplier", "factor": "1.5"}, (leg(lots=2), leg(lots=4)), (3, 6)),
        ({"model": "multiplier", "factor": "0.5"}, (leg(lots=1),), SizingFault.BELOW_ONE_LOT),
        ({"model": "multiplier", "factor": "0.5"}, (leg(lots=3),), (1,)),
        ({"model": "multiplier", "factor": 10, "max_lots": 7}, (leg(lots=1),), (7,)),
        ({"model": "multiplier", "factor": 10, "max_lots": 7}, (leg(lots=1), leg(lots=2)), (3, 6)),
        (
            {"model": "fixed_lots", "lots": 1, "max_lots": 1},
            (leg(lots=1), leg(lots=2)),
            SizingFault.BELOW_ONE_LOT,
        ),
    ],
)
def test_models(settings: dict[str, object], legs: tuple[LegFacts, ...], lots: object) -> None:
    assert sized(settings, *legs) == lots


@pytest.mark.parametrize(
    ("model", "legs", "capital", "message"),
    [
        ("fixed_risk", (leg(),), None, "expected the account's setting capital, got none"),
        ("fixed_risk", (leg(risk=None),), LAKHS_FIVE, "expected a stop and a price for"),
        ("percent_of_capital", (leg(), leg(price=None)), LAKHS_FIVE, "expected a price for"),
        ("volatility_target", (leg(atr=None),), LAKHS_FIVE, "expected an average true range on the signal"),
        ("volatility_target", (leg(atr="0"),), LAKHS_FIVE, "expected an average true range on the signal"),
        (
            "fixed_risk",
            (leg(),),
            Money(amount=Decimal(1000), currency=USDT),
            "quoted in USDT like the account's capital, got INR",
        ),
    ],
)
def test_nothing_is_guessed(
    model: str, legs: tuple[LegFacts, ...], capital: Money | None, message: str
) -> None:
    sizing = Sizing.from_mapping({"model": model, "fraction": "0.5"})
    assert sizing is not None

    found = size(sizing, legs, capital=capital)

    assert isinstance(found, NotSized)
    assert found.fault is SizingFault.INPUT_MISSING
    assert message in found.message


def test_a_refusal_says_how_far_it_was_from_one_lot() -> None:
    capped = size(
        Sizing(model=SizingModel.FIXED_LOTS, number=Decimal(2), max_lots=Decimal(1)),
        [leg(lots=1), leg(lots=2)],
        capital=None,
    )
    short = size(Sizing(model=SizingModel.MULTIPLIER, number=Decimal("0.4")), [leg()], capital=None)

    assert isinstance(capped, NotSized)
    assert capped.message.endswith("for 2 lot(s) of a leg, got 2.0000 of that and a cap of 1 lots")
    assert isinstance(short, NotSized)
    assert short.message.endswith("got 0.4000 of that and no cap")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "martingale"}, "model: expected one of fixed_lots, .*, got 'martingale'"),
        ({"lots": 1}, "model: expected one of .*, got None"),
        ({"model": "fixed_lots"}, "expected lots for fixed_lots, got none"),
        ({"model": "fixed_lots", "lots": "1.5"}, r"lots: expected a whole number, got 1\.5"),
        ({"model": "fixed_lots", "lots": 0}, "lots: expected above 0 and up to 10000, got 0"),
        (
            {"model": "fixed_lots", "lots": 1, "fraction": 1},
            "expected model, lots and max_lots .*, got fraction",
        ),
        ({"model": "fixed_risk", "fraction": "1.01"}, r"fraction: expected above 0 and up to 1, got 1\.01"),
        (
            {"model": "fixed_risk", "fraction": 0.01},
            "fraction: expected a whole number or a decimal in quotes",
        ),
        ({"model": "multiplier", "factor": "NaN"}, "factor: expected a finite number"),
        ({"model": "multiplier", "factor": 1, "max_lots": "0.5"}, "max_lots: expected a whole number"),
    ],
)
def test_a_model_that_says_something_impossible_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Sizing.from_mapping(settings)


def wish(settings: dict[str, object], signal: Signal, of: Market | None = None) -> Signal | NotSized:
    return size_signal(signal, settings, market=of or market(), capital=LAKHS_FIVE)


def test_without_a_model_the_lots_are_as_the_strategy_wished() -> None:
    assert wish({}, enter()) == enter()
    # Sizing cannot mend a wish without lots; the next step refuses it.
    empty = enter(signal_leg(lots=0))
    assert wish({"model": "fixed_lots", "lots": 3}, empty) == empty


def test_a_straddle_is_sized_by_the_stops_of_both_legs() -> None:
    # Call 100 and put 95 with stops of 25 %: 65 * 48.75 = 3,168.75 of 12,500.
    found = wish({"model": "fixed_risk", "fraction": "0.025"}, enter())

    assert isinstance(found, Signal)
    assert [leg.lots for leg in found.legs] == [3, 3]
    assert replace(found, legs=enter().legs) == enter()


def test_a_bought_option_without_a_stop_risks_its_price_and_a_sold_one_is_not_sized() -> None:
    hedge = replace(signal_leg(PUT, side=Side.BUY, is_hedge=True), protection=None)
    naked = replace(signal_leg(), protection=None)

    assert facts_of(hedge, market()).risk == Decimal(95)
    assert facts_of(naked, market()).risk is None
    assert facts_of(signal_leg(), market(tick("95", instrument=PUT))).price is None


def test_a_model_that_cannot_be_read_denies() -> None:
    found = wish({"model": "martingale"}, enter())

    assert isinstance(found, NotSized)
    assert found.fault is SizingFault.INPUT_MISSING


def test_coins_need_capital_in_their_own_currency() -> None:
    both = Market({i.instrument_id: i for i in (PERPETUAL, FOREX)}, {PERPETUAL.instrument_id: tick("100")})

    assert isinstance(
        wish({"model": "fixed_risk", "fraction": "0.01"}, enter(signal_leg(PERPETUAL)), both), NotSized
    )


def test_who_drifted_furthest_from_the_wish_comes_first() -> None:
    shares = [
        Share(account="a", wished=Decimal("1.5"), got=Decimal(1)),
        Share(account="b", wished=Decimal(2), got=Decimal(0)),
        Share(account="c", wished=Decimal(3), got=Decimal(3)),
        Share(account="d", wished=Decimal(0), got=Decimal(0)),
    ]

    assert [(s.account, s.drift) for s in widest_first(shares)] == [
        ("b", Decimal(-2)),
        ("a", Decimal("-0.5")),
        ("c", Decimal(0)),
        ("d", Decimal(0)),
    ]
    assert shares[3].drift_fraction is None


def test_the_wish_of_an_account_is_exact_where_it_is_a_multiple() -> None:
    assert wished_lots({"model": "multiplier", "factor": "1.5"}, 3, sized=Decimal(4)) == Decimal("4.5")
    assert wished_lots({"model": "fixed_lots", "lots": 2}, 3, sized=Decimal(2)) == Decimal(2)
    assert wished_lots({}, 3, sized=Decimal(3)) == Decimal(3)
    assert wished_lots({"model": "?"}, 3, sized=Decimal(3)) == Decimal(3)


def test_settings_of_an_account_are_known_and_exact() -> None:
    assert AccountSettings.from_mapping({"capital": "500000", "brokerage": 20}) == AccountSettings(
        capital=Decimal(500_000), terms=AccountTerms(brokerage=Decimal(20))
    )
    assert AccountSettings.from_mapping({}).capital is None
    with pytest.raises(InvalidInputError, match=r"expected names out of capital, .*, got margin"):
        AccountSettings.from_mapping({"margin": 1})
    with pytest.raises(InvalidInputError, match="capital: expected a positive amount, got 0"):
        AccountSettings.from_mapping({"capital": 0})


def test_an_unknown_instrument_is_named() -> None:
    unknown = LegFacts(
        instrument_id=InstrumentId("X.NSE"),
        lots=1,
        lot_size=Decimal(1),
        currency="INR",
        price=None,
        risk=None,
        atr=None,
    )
    sizing = Sizing(model=SizingModel.PERCENT_OF_CAPITAL, number=Decimal(1))

    found = size(sizing, [unknown], capital=LAKHS_FIVE)

    assert isinstance(found, NotSized)
    assert "expected a price for X.NSE, got none" in found.message
