"""Check the laws of charges for any trade: never negative, and slices cost what the whole costs."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.charges import (
    COIN_STEP,
    RUPEE_STEP,
    AccountTerms,
    Execution,
    Product,
    charges_of,
)
from app.domain.financing import share_out
from app.domain.instruments import Venue
from app.domain.markets import INR
from app.domain.orders import Side
from app.infra.charge_tables import load_charges

BOOK = load_charges()
MARKETS = sorted({(rate.venue, rate.product) for rate in BOOK.rates})
days = st.integers(0, 4_000).map(lambda n: date(2018, 1, 1) + timedelta(days=n))
turnovers = st.integers(0, 10**9).map(lambda n: Decimal(n) / 100)
terms = st.builds(
    AccountTerms,
    brokerage=st.integers(0, 50).map(Decimal),
    fee_discount=st.integers(0, 100).map(lambda n: Decimal(n) / 100),
)


def execution(side: Side, turnover: Decimal, *, orders: int = 1) -> Execution:
    return Execution(side=side, turnover=turnover, contracts=turnover / 1000, currency=INR, orders=orders)


@given(st.sampled_from(MARKETS), days, st.sampled_from(Side), turnovers, terms)
def test_charges_are_never_negative_and_have_four_decimals(
    market: tuple[Venue, Product], day: date, side: Side, turnover: Decimal, terms: AccountTerms
) -> None:
    for line in charges_of(execution(side, turnover), BOOK.in_force(*market, day), terms):
        assert line.amount > 0
        assert line.amount % RUPEE_STEP == 0


@given(
    st.sampled_from(MARKETS),
    days,
    st.sampled_from(Side),
    st.lists(turnovers, min_size=1, max_size=8),
    terms,
)
def test_slices_cost_what_the_whole_costs(
    market: tuple[Venue, Product], day: date, side: Side, parts: list[Decimal], terms: AccountTerms
) -> None:
    rates = BOOK.in_force(*market, day)
    whole = {
        line.charge: line.amount for line in charges_of(execution(side, sum(parts, Decimal(0))), rates, terms)
    }
    slices = [
        line
        for number, part in enumerate(parts)
        for line in charges_of(execution(side, part, orders=int(number == 0)), rates, terms)
    ]

    for charge in {*whole, *(line.charge for line in slices)}:
        summed = sum((line.amount for line in slices if line.charge is charge), Decimal(0))
        # Each slice is rounded once, and so is the whole.
        assert abs(summed - whole.get(charge, Decimal(0))) <= RUPEE_STEP / 2 * (len(parts) + 1)


amounts = st.integers(-(10**10), 10**10).map(lambda n: Decimal(n) / 10**8)
quantities = st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 1000)


@given(amounts, st.dictionaries(st.integers(1, 9), quantities, max_size=6))
def test_what_is_shared_out_adds_up_to_the_last_digit(taken: Decimal, held: dict[int, Decimal]) -> None:
    parts = share_out(taken, held, step=COIN_STEP)

    net = sum(held.values(), Decimal(0))
    assert bool(parts) == (net != 0)
    assert sum(parts.values(), Decimal(0)) == (taken if net else 0)
    assert parts.keys() <= {who for who, quantity in held.items() if quantity}
    for who, amount in parts.items():
        # Each part is rounded once; the largest holder takes what the others' roundings leave.
        assert abs(amount - taken * held[who] / net) <= COIN_STEP / 2 * len(parts)
