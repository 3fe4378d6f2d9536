"""Check the laws of sizing for any model and signal: nothing or whole lots, never above cap or budget."""

from collections.abc import Callable
from decimal import Decimal
from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from app.domain.markets import INR, Money
from app.domain.position_sizing import LegFacts, Sized, Sizing, SizingModel, size
from tests.builders import CALL

money = st.integers(1, 10**7).map(lambda n: Decimal(n) / 100)
legs = st.lists(
    st.builds(
        LegFacts,
        instrument_id=st.just(CALL.instrument_id),
        lots=st.integers(1, 60),
        lot_size=st.sampled_from([Decimal(65), Decimal(1), Decimal("0.00001")]),
        currency=st.just("INR"),
        price=money,
        risk=money,
        atr=money,
    ),
    min_size=1,
    max_size=4,
)
numbers = {
    SizingModel.FIXED_LOTS: st.integers(1, 10_000).map(Decimal),
    SizingModel.MULTIPLIER: st.integers(1, 10**6).map(lambda n: Decimal(n) / 1000),
}
sizings = st.sampled_from(SizingModel).flatmap(
    lambda model: st.builds(
        Sizing,
        model=st.just(model),
        number=numbers.get(model, st.integers(1, 1000).map(lambda n: Decimal(n) / 1000)),
        max_lots=st.none() | st.integers(1, 500).map(Decimal),
    )
)
capitals = st.integers(1, 10**9).map(lambda n: Money(amount=Decimal(n), currency=INR))
COSTS: dict[SizingModel, Callable[[LegFacts], Decimal | None]] = {
    SizingModel.FIXED_RISK: lambda leg: leg.risk,
    SizingModel.PERCENT_OF_CAPITAL: lambda leg: leg.price,
    SizingModel.VOLATILITY_TARGET: lambda leg: leg.atr,
}


@given(sizings, legs, capitals)
def test_every_size_is_nothing_or_whole_lots_in_the_wished_ratio_within_cap_and_budget(
    sizing: Sizing, wished: list[LegFacts], capital: Money
) -> None:
    found = size(sizing, wished, capital=capital)

    if not isinstance(found, Sized):
        return
    divisor = gcd(*(leg.lots for leg in wished))
    assert min(found.lots) >= 1
    assert {lots * divisor / leg.lots for lots, leg in zip(found.lots, wished, strict=True)} == {
        found.lots[0] * divisor / wished[0].lots
    }
    assert sizing.max_lots is None or max(found.lots) <= sizing.max_lots
    if sizing.model in COSTS:
        of = COSTS[sizing.model]
        spent = sum(
            lots * leg.lot_size * (of(leg) or 0) for lots, leg in zip(found.lots, wished, strict=True)
        )
        assert spent <= capital.amount * sizing.number
    if sizing.model is SizingModel.MULTIPLIER:
        assert all(lots <= leg.lots * sizing.number for lots, leg in zip(found.lots, wished, strict=True))


@given(sizings, legs, capitals, st.integers(1, 10))
def test_more_capital_never_makes_it_smaller(
    sizing: Sizing, wished: list[LegFacts], capital: Money, times: int
) -> None:
    more = Money(amount=capital.amount * times, currency=INR)
    before, after = size(sizing, wished, capital=capital), size(sizing, wished, capital=more)

    if isinstance(before, Sized):
        assert isinstance(after, Sized)
        assert all(a >= b for a, b in zip(after.lots, before.lots, strict=True))
