"""Paper fills are never better than the market would have given."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from brokers.paper.exchange.refusals import RefusedError
from brokers.paper.exchange.rules import Rules
from tests.unit.paper.books import CONTRACT, Book, terms

MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT
STOP_MARKET, STOP_LIMIT = OrderType.STOP_MARKET, OrderType.STOP_LIMIT


def prices(book: Book) -> list[Decimal]:
    return [row.fill.price for row in book.fills()]


@pytest.mark.parametrize(
    ("side", "last", "bid", "ask", "price"),
    [
        (Side.BUY, "100", "99", "101", "101.10"),  # the ask is worse than the last price
        (Side.BUY, "102", "99", "101", "102.10"),  # the last price is worse than the ask
        (Side.BUY, "100", None, None, "100.10"),
        (Side.SELL, "100", "99", "101", "98.90"),
        (Side.SELL, "98", "99", "101", "97.90"),
        (Side.SELL, "100", None, None, "99.90"),
        (Side.SELL, "0.05", "0.05", "0.10", "0.05"),  # no price is below the first tick
        (Side.BUY, "100.02", None, None, "100.15"),  # off the grid: onto the worse side
    ],
)
def test_market_order_pays_the_worse_of_last_and_quote_and_slippage(
    book: Book, side: Side, last: str, bid: str | None, ask: str | None, price: str
) -> None:
    book.quote(last, bid, ask)

    order = book.submit("a", side, terms(MARKET))

    assert order.status is OrderStatus.FILLED
    assert prices(book) == [Decimal(price)]


def test_marketable_limit_slips_up_to_its_limit_only(book: Book) -> None:
    book.quote("100", "99", "101")

    book.submit("wide", Side.BUY, terms(price="105"))
    book.submit("tight", Side.BUY, terms(price="101.05"))

    assert prices(book) == [Decimal("101.10"), Decimal("101.05")]


def test_resting_limit_waits_for_a_price_beyond_it(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.BUY, terms(price="95"))
    assert order.status is OrderStatus.ACCEPTED

    book.quote("95", "94.95", "95")
    assert book.order(order.number).filled == 0

    book.quote("94.95", "94.90", "94.95")
    assert book.order(order.number).status is OrderStatus.FILLED
    assert prices(book) == [Decimal(95)]


def test_resting_sale_waits_for_a_price_beyond_it(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.SELL, terms(price="105"))

    book.quote("105", "105", "105.05")
    assert book.order(order.number).filled == 0

    book.quote("105.05", "105", "105.10")
    assert prices(book) == [Decimal(105)]


def test_resting_limit_is_not_filled_while_the_quote_has_left_it(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.BUY, terms(price="95"))

    book.quote("94", "99", "101")  # a print below, but nobody offers there

    assert book.order(order.number).filled == 0


def test_stop_market_waits_for_the_last_price_then_takes(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.BUY, terms(STOP_MARKET, trigger="110"))
    assert order.status is OrderStatus.ACCEPTED

    book.quote("109.95", "112", "113")  # the quote is beyond the trigger, the last price is not
    assert book.order(order.number).filled == 0

    book.quote("110", "110", "111")
    assert prices(book) == [Decimal("111.10")]


def test_stop_limit_gapped_over_rests_as_triggered(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.SELL, terms(STOP_LIMIT, price="89", trigger="90"))

    book.quote("85", "84", "86")
    assert book.order(order.number).status is OrderStatus.TRIGGERED

    book.quote("89", "89", "90")
    assert book.order(order.number).filled == 0

    book.quote("89.05", "89", "90")
    assert prices(book) == [Decimal(89)]


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
def test_at_once_or_never(book: Book, tif: TimeInForce) -> None:
    book.quote("100", "99", "101")

    missed = book.submit("a", Side.BUY, terms(price="100.95", tif=tif))
    taken = book.submit("b", Side.BUY, terms(price="101", tif=tif))

    assert (missed.status, missed.filled) == (OrderStatus.CANCELED, Decimal(0))
    assert taken.status is OrderStatus.FILLED


@pytest.fixture
def thin(tmp_path: Path) -> Iterator[Book]:
    """A book where two lots are to be had between two ticks."""
    opened = Book(tmp_path / "thin", Rules(max_lots_per_tick=2))
    yield opened
    opened.store.close()


def test_a_big_order_fills_in_parts(thin: Book) -> None:
    thin.quote("100", "99", "101")
    order = thin.submit("a", Side.BUY, terms(MARKET, lots=5))
    assert (order.status, order.filled) == (OrderStatus.PARTIALLY_FILLED, Decimal(130))

    thin.quote("101", "100", "102")
    thin.quote("102", "101", "103")

    assert thin.order(order.number).status is OrderStatus.FILLED
    assert [row.fill.quantity for row in thin.fills()] == [130, 130, 65]
    assert prices(thin) == [Decimal("101.05"), Decimal("102.05"), Decimal("103.05")]


def test_many_small_orders_get_no_more_than_one_big_one(thin: Book) -> None:
    thin.quote("100", "99", "101")

    orders = [thin.submit(f"a{number}", Side.BUY, terms(MARKET)) for number in range(3)]

    assert [order.filled for order in orders] == [65, 65, 0]


def test_ioc_keeps_its_part_and_fok_takes_none(thin: Book) -> None:
    thin.quote("100", "99", "101")
    fok = thin.submit("f", Side.BUY, terms(MARKET, lots=3, tif=TimeInForce.FOK))
    ioc = thin.submit("i", Side.BUY, terms(MARKET, lots=3, tif=TimeInForce.IOC))

    assert (fok.status, fok.filled) == (OrderStatus.CANCELED, Decimal(0))
    assert (ioc.status, ioc.filled) == (OrderStatus.CANCELED, Decimal(130))


def test_an_order_without_a_quote_is_rejected_and_says_so(book: Book) -> None:
    order = book.submit("a", Side.BUY, terms(MARKET))

    assert (order.status, order.code) == (OrderStatus.REJECTED, "no_fresh_quote")
    assert "no quote of NIFTY-20261201-26000-CE.NSE has come yet" in order.reason


@pytest.mark.parametrize(("age_s", "is_taken"), [(15, True), (15.001, False), (-15.001, False)])
def test_a_quote_is_good_for_its_age_only(book: Book, age_s: float, *, is_taken: bool) -> None:
    book.quote("100", "99", "101")
    book.clock.pass_by(age_s)

    order = book.submit("a", Side.BUY, terms(MARKET))

    assert (order.status is OrderStatus.FILLED) is is_taken
    assert is_taken or "expected one at most 15 s old" in order.reason


def test_an_older_quote_is_no_news(book: Book) -> None:
    book.quote("100", "99", "101")
    book.clock.pass_by(-1)

    book.quote("50", "49", "51")
    book.submit("a", Side.BUY, terms(MARKET))

    assert prices(book) == [Decimal("101.10")]


def test_the_same_client_order_id_returns_the_first_order(book: Book) -> None:
    book.quote("100", "99", "101")
    first = book.submit("a", Side.BUY, terms(price="90"))

    second = book.submit("a", Side.SELL, terms(MARKET, lots=3))

    assert second == first
    assert book.net() == 0


def test_changed_terms_count_as_new(book: Book) -> None:
    """A stop that becomes the exit takes the touch, and does not wait to be traded through."""
    book.quote("100", "99", "101")
    order = book.submit("a", Side.BUY, terms(STOP_LIMIT, price="121", trigger="120"))

    with book.store.transaction():
        changed = book.exchange.modify(order, terms(price="105"))

    assert changed.status is OrderStatus.FILLED
    assert prices(book) == [Decimal("101.10")]
    assert changed.version > order.version


def test_ended_orders_cannot_be_changed(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.BUY, terms(MARKET))

    with pytest.raises(RefusedError, match="has ended"):
        book.exchange.cancel(order)
    with pytest.raises(RefusedError, match="has ended"):
        book.exchange.modify(order, terms(price="90"))


def test_reducing_order_never_opens(book: Book) -> None:
    book.quote("100", "99", "101")
    refused = book.submit("r", Side.SELL, terms(MARKET), reduces_only=True)
    book.submit("a", Side.BUY, terms(MARKET))
    rests = book.submit("b", Side.SELL, terms(STOP_MARKET, trigger="95"), reduces_only=True)
    book.submit("c", Side.SELL, terms(MARKET))

    book.quote("94", "93", "95")

    assert (refused.status, refused.code) == (OrderStatus.REJECTED, "invalid")
    assert (book.order(rests.number).status, book.net()) == (OrderStatus.CANCELED, Decimal(0))


def test_the_session_ends_orders_for_the_day_of_its_venue_only(book: Book) -> None:
    book.quote("100", "99", "101")
    day = book.submit("d", Side.BUY, terms(price="90"))
    lasting = book.submit("g", Side.BUY, terms(price="90", tif=TimeInForce.GTC))

    with book.store.transaction():
        assert book.exchange.close_session("BINANCE") == 0
        assert book.exchange.close_session("NSE") == 1

    assert book.order(day.number).status is OrderStatus.EXPIRED
    assert book.order(lasting.number).status is OrderStatus.ACCEPTED


def test_the_money_of_a_working_order_is_bound_and_what_is_too_much_is_rejected(book: Book) -> None:
    book.quote("100", "99", "101")
    order = book.submit("a", Side.BUY, terms(price="90", lots=100))  # binds 585,000 of 1,000,000

    too_much = book.submit("b", Side.BUY, terms(price="90", lots=100))

    assert (too_much.status, too_much.code) == (OrderStatus.REJECTED, "funds")
    assert book.exchange.money(book.account).used == 585_000
    with book.store.transaction():
        book.exchange.cancel(order)
    assert book.exchange.money(book.account).available == 1_000_000


def test_an_exit_is_never_turned_away_for_money(book: Book) -> None:
    book.quote("100", "99", "101")
    book.submit("a", Side.SELL, terms(MARKET, lots=150))
    book.quote("900", "899", "901")

    back = book.submit("b", Side.BUY, terms(MARKET, lots=150))

    assert back.status is OrderStatus.FILLED
    assert book.net() == 0
    assert book.exchange.money(book.account).available < 0


def test_coins_are_sold_once(book: Book) -> None:
    """What is held outright cannot be sold short, and not twice either."""
    coin = replace(CONTRACT, kind=InstrumentKind.SPOT)
    book.quote("100", "99", "101")
    short = book.submit("s", Side.SELL, terms(MARKET), contract=coin)
    book.submit("b", Side.BUY, terms(MARKET, lots=2), contract=coin)
    first = book.submit("1", Side.SELL, terms(price="120", lots=2), contract=coin)
    second = book.submit("2", Side.SELL, terms(MARKET), contract=coin)

    assert (short.status, short.code) == (OrderStatus.REJECTED, "funds")
    assert first.status is OrderStatus.ACCEPTED
    assert (second.status, second.code) == (OrderStatus.REJECTED, "funds")
    assert "at most the 0 " in second.reason


def test_the_same_quote_again_brings_no_new_liquidity(thin: Book) -> None:
    for _ in range(3):
        thin.quote("100", "99", "101")
    order = thin.submit("a", Side.BUY, terms(MARKET, lots=5))

    thin.quote("100", "99", "101")

    assert thin.order(order.number).filled == 130


def test_fees_are_those_of_the_contract_note(book: Book) -> None:
    """Source: the test vectors of NSE's charges at zero brokerage, 65 units sold at 100 and bought at 80."""
    fees = book.rules.fees["INR"]

    sold = fees.fee(Side.SELL, 65 * Decimal(100), is_first=True)
    bought = fees.fee(Side.BUY, 65 * Decimal(80), is_first=True)

    assert (round(sold, 2), round(bought, 2)) == (Decimal("12.48"), Decimal("2.34"))
    assert CONTRACT.lot_size == 65
