"""Triggers, fill prices, protection bands and refusals, without a clock or a wire."""

import pytest

from brokers.simulators.kotak import matching, rules
from brokers.simulators.kotak.draw import fraction, lognormal
from brokers.simulators.kotak.pricing import Quote
from tests.contract.simulator_kotak.market import terms

QUOTE = Quote(ltp=10_000, bid=9_990, ask=10_010, bid_qty=650, ask_qty=650, last_qty=65)


@pytest.mark.parametrize(
    ("side", "limit", "resting", "price"),
    [
        ("B", 10_010, False, 10_010),
        ("B", 10_500, False, 10_010),
        ("B", 10_500, True, 10_500),
        ("B", 10_005, False, None),
        ("S", 9_990, False, 9_990),
        ("S", 9_500, False, 9_990),
        ("S", 9_500, True, 9_500),
        ("S", 9_995, True, None),
    ],
)
def test_a_newcomer_takes_the_best_price_and_a_resting_order_gives_its_own(
    side: str,
    limit: int,
    resting: bool,  # noqa: FBT001  # a column of the table
    price: int | None,
) -> None:
    assert matching.fill_price(side, limit, QUOTE, resting=resting) == price


def test_a_stop_triggers_when_the_last_price_reaches_it() -> None:
    assert matching.triggers("B", 10_000, 10_000)
    assert not matching.triggers("B", 10_000, 9_995)
    assert matching.triggers("S", 10_000, 10_000)
    assert not matching.triggers("S", 10_000, 10_005)


@pytest.mark.parametrize(
    ("ltp", "band"), [(95, 10), (400, 40), (900, 45), (9_000, 270), (40_000, 800), (60_000, 600)]
)
def test_market_price_protection_follows_the_brokers_grid(ltp: int, band: int) -> None:
    assert rules.protection(ltp) == band
    assert rules.protected_limit("B", ltp) == (ltp + band) // 5 * 5
    assert rules.protected_limit("S", ltp) == -(-(ltp - band) // 5) * 5


@pytest.mark.parametrize(
    ("price", "reference", "outside"),
    [
        (14_000, 10_000, False),
        (14_005, 10_000, True),
        (5, 2_000, False),
        (4_005, 2_000, True),
        (5, 10_000, True),
    ],
)
def test_limit_price_protection_is_40_percent_or_20_rupees(
    price: int,
    reference: int,
    outside: bool,  # noqa: FBT001  # a parameter of the table
) -> None:
    assert rules.outside_band(price, reference) is outside


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (terms("SL-M", trigger=9_000), "Algo Id not allowed"),
        (terms("L", 10_000, qty=64), "lot size"),
        (terms("L", 10_000, qty=65 * 28), "freeze quantity"),
        (terms("L", 10_001), "tick size"),
        (terms("L", 20_000), "circuit limit"),
        (terms("SL", 9_000, trigger=9_500), "wrong side"),
    ],
)
def test_the_exchange_rejects_what_breaks_its_rules(asked: object, reason: str) -> None:
    assert reason in str(rules.reject_terms(asked, "B", 10_000))  # type: ignore[arg-type]


def test_good_orders_are_not_rejected() -> None:
    for asked in (terms("L", 10_000, qty=1_755), terms("MKT"), terms("SL", 11_000, trigger=10_500)):
        assert rules.reject_terms(asked, "B", 10_000) is None


def test_a_market_order_without_a_last_price_is_rejected() -> None:
    assert rules.reject_terms(terms("MKT"), "B", None) == "RMS:No LTP to protect a market order"


def test_draws_are_spread_evenly_and_latencies_have_their_median() -> None:
    draws = [fraction(7, "name", n) for n in range(2_000)]
    assert 0.47 < sum(draws) / len(draws) < 0.53
    latencies = sorted(lognormal(0.06, 0.3, 7, n) for n in range(2_000))
    assert 0.055 < latencies[1_000] < 0.065
    assert 0.2 < latencies[1_980] < 0.45
