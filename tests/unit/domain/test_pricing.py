"""Check prices of entries, exits and stops."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.orders import Side
from app.domain.pricing import chased_limit, marketable_limit, protection_band, stop_terms
from tests.builders import CALL, PERPETUAL, index, tick


@pytest.mark.parametrize(
    ("price", "band"),
    [
        ("0.05", "0.10"),
        ("0.95", "0.10"),
        ("1", "0.1"),
        ("4.95", "0.495"),
        ("5", "0.25"),
        ("10", "0.30"),
        ("100", "2"),
        ("499.95", "9.999"),
        ("500", "5"),
    ],
)
def test_band_follows_the_venue_grid(price: str, band: str) -> None:
    assert protection_band(Decimal(price)) == Decimal(band)


@pytest.mark.parametrize(
    ("side", "last", "bid", "ask", "step", "limit"),
    [
        (Side.BUY, "100", None, None, 0, "102"),
        (Side.SELL, "100", None, None, 0, "98"),
        (Side.BUY, "100", "99.5", "101", 0, "103"),
        (Side.SELL, "100", "99", "101", 0, "97"),
        (Side.BUY, "100", "98", "99", 0, "102"),  # a quote on our side of the last price does not shorten it
        (Side.SELL, "100", "101", "102", 0, "98"),
        (Side.BUY, "100", "0", "0", 0, "102"),  # an empty book
        (Side.BUY, "100", None, None, 1, "104"),
        (Side.SELL, "100", None, None, 4, "90"),
        (Side.BUY, "33.33", None, None, 0, "34.30"),  # 34.3299 down: never pay more
        (Side.SELL, "33.33", None, None, 0, "32.35"),  # 32.3301 up: never sell lower
        (Side.SELL, "0.05", None, None, 0, "0.05"),  # never zero
        (Side.BUY, "0.05", None, None, 0, "0.15"),
        (Side.BUY, "100", None, "150", 0, "140"),  # price protection: 40 % above 50 rupees
        (Side.SELL, "100", "50", None, 0, "60"),
        (Side.BUY, "50", None, "90", 0, "70"),  # 20 rupees up to 50
        (Side.SELL, "50", "10", None, 0, "30"),
    ],
)
def test_marketable_limit(
    side: Side, last: str, bid: str | None, ask: str | None, step: int, limit: str
) -> None:
    price = marketable_limit(side, tick(last, bid=bid, ask=ask), instrument=CALL, step=step)

    assert price == Decimal(limit)


def test_refuses_to_price_an_index_or_without_a_price() -> None:
    with pytest.raises(InvalidInputError, match="expected something to trade, got an index"):
        marketable_limit(Side.BUY, tick("26000"), instrument=index())
    with pytest.raises(InvalidInputError, match="got 0 and 0"):
        marketable_limit(Side.BUY, tick("0"), instrument=CALL)
    with pytest.raises(InvalidInputError, match="got 100 and -1"):
        marketable_limit(Side.BUY, tick("100"), instrument=CALL, step=-1)


@pytest.mark.parametrize(
    ("avg_px", "side", "fraction", "trigger", "limit"),
    [
        ("100", Side.BUY, "0.25", "125", "127.50"),
        ("95", Side.BUY, "0.25", "118.75", "121.10"),
        ("101.03", Side.BUY, "0.25", "126.25", "128.75"),  # 126.2875: the lower trigger is the earlier exit
        ("100", Side.SELL, "0.30", "70", "67.90"),
        ("101.03", Side.SELL, "0.30", "70.75", "68.65"),  # 70.721: the higher trigger is the earlier exit
        ("0.05", Side.BUY, "0.25", "0.10", "0.20"),  # never on the fill itself
        ("0.10", Side.SELL, "0.25", "0.05", "0.05"),
        ("0.05", Side.SELL, "0.25", "0.05", "0.05"),  # nothing lies below
        ("100", Side.SELL, "2", "0.05", "0.05"),
        ("1", Side.BUY, "0.05", "1.05", "1.15"),
        ("600", Side.BUY, "0.25", "750", "757.5"),
    ],
)
def test_stop_terms(avg_px: str, side: Side, fraction: str, trigger: str, limit: str) -> None:
    terms = stop_terms(Decimal(avg_px), side, stop_fraction=Decimal(fraction), instrument=CALL)

    assert terms == (Decimal(trigger), Decimal(limit))


def test_a_stop_limit_lies_at_least_two_ticks_beyond_its_trigger() -> None:
    coarse = replace(CALL, tick_size=Decimal("0.25"))

    terms = stop_terms(Decimal(2), Side.BUY, stop_fraction=Decimal("0.25"), instrument=coarse)

    assert terms == (Decimal("2.50"), Decimal("3.00"))


@pytest.mark.parametrize(("avg_px", "fraction"), [("0", "0.25"), ("100", "0")])
def test_stop_needs_positive_numbers(avg_px: str, fraction: str) -> None:
    with pytest.raises(InvalidInputError, match="expected a positive average price"):
        stop_terms(Decimal(avg_px), Side.BUY, stop_fraction=Decimal(fraction), instrument=CALL)


@pytest.mark.parametrize(
    ("side", "last", "ask", "limit"),
    [
        (Side.BUY, "50000", None, "50100.00"),  # 0.2 %
        (Side.SELL, "50000", None, "49900.00"),
        (Side.BUY, "50000", "60000", "52000.00"),  # never beyond 4 %, inside the venue's own 5 %
    ],
)
def test_coins_trade_inside_a_narrow_band(side: Side, last: str, ask: str | None, limit: str) -> None:
    price = marketable_limit(side, tick(last, ask=ask), instrument=PERPETUAL)

    assert price == Decimal(limit)


@pytest.mark.parametrize(
    ("side", "limit", "last", "chased"),
    [
        (Side.SELL, "110", "100", "107.80"),  # one band of two percent of the limit
        (Side.SELL, "99", "100", "98.00"),
        (Side.SELL, "98", "100", None),
        (Side.SELL, "90", "100", None),  # the market came to it: nothing is given away
        (Side.BUY, "95", "100", "97.85"),
        (Side.BUY, "101", "100", "102.00"),
        (Side.BUY, "102", "100", None),
    ],
)
def test_a_chased_limit_moves_towards_the_market_by_a_band_at_most(
    side: Side, limit: str, last: str, chased: str | None
) -> None:
    assert chased_limit(side, Decimal(limit), tick(last), instrument=CALL) == (
        None if chased is None else Decimal(chased)
    )


def test_a_converted_limit_goes_all_the_way_to_the_market() -> None:
    to = chased_limit(Side.SELL, Decimal(110), tick("100"), instrument=CALL, is_bounded=False)

    assert to == Decimal("98.00")
