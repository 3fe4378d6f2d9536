"""Whatever orders and prices come: money and positions are conserved, and no fill flatters."""

import shutil
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from brokers.paper.exchange.matching import Room, match
from brokers.paper.exchange.orders import Order, Quote, Terms
from brokers.paper.exchange.refusals import RefusedError
from brokers.paper.exchange.rules import FeeSchedule, Rules
from tests.unit.paper.books import CONTRACT, START, Book, terms

LOTS_PER_TICK = 3
TICKS = st.integers(min_value=1997, max_value=2003)
FEES = FeeSchedule(flat=Decimal(20), buy_fraction=Decimal("0.0003"), sell_fraction=Decimal("0.0018"))


@dataclass(frozen=True, slots=True)
class Price:
    last: str
    bid: str | None
    ask: str | None

    def quote(self) -> Quote:
        return Quote(
            instrument_id=CONTRACT.instrument_id,
            last=Decimal(self.last),
            bid=None if self.bid is None else Decimal(self.bid),
            ask=None if self.ask is None else Decimal(self.ask),
            time=START,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    side: Side
    terms: Terms
    reduces_only: bool


def on_grid(ticks: int) -> str:
    return str(ticks * CONTRACT.tick_size)


@st.composite
def quotes(draw: st.DrawFn) -> Price:
    last = draw(TICKS)
    if draw(st.booleans()) and draw(st.booleans()):
        return Price(on_grid(last), None, None)
    bid = draw(TICKS)
    return Price(on_grid(last), on_grid(bid), on_grid(bid + draw(st.integers(min_value=1, max_value=2))))


@st.composite
def orders(draw: st.DrawFn) -> Wish:
    kind = draw(st.sampled_from((*OrderType, OrderType.LIMIT, OrderType.LIMIT)))
    asked = terms(
        kind,
        draw(st.integers(min_value=1, max_value=8)),
        on_grid(draw(TICKS)) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        on_grid(draw(TICKS)) if kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT) else None,
        draw(st.sampled_from((*TimeInForce, TimeInForce.DAY, TimeInForce.GTC))),
    )
    return Wish(draw(st.sampled_from(Side)), asked, draw(st.integers(min_value=0, max_value=4)) == 0)


STEPS = st.lists(
    st.one_of(quotes(), orders(), st.integers(min_value=0, max_value=9)), min_size=10, max_size=30
)


class Watch:
    """Play steps on a book and check each new fill against the quote in force."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.quote: Quote | None = None
        self.sent: list[int] = []
        self.judged = 0
        self.taken: dict[Side, Decimal] = {}

    def play(self, number: int, step: Price | Wish | int) -> None:
        if isinstance(step, Price):
            self.book.clock.pass_by(1)
            self.taken = {}
            resting = {order.number for order in self.book.store.working() if order.is_resting}
            self.quote = self.book.quote(step.last, step.bid, step.ask)
            self.judge(resting)
        elif isinstance(step, int):
            self.cancel(step)
        else:
            order = self.book.submit(f"t{number}", step.side, step.terms, reduces_only=step.reduces_only)
            self.sent.append(order.number)
            self.judge(set())

    def cancel(self, which: int) -> None:
        if which >= len(self.sent):
            return
        order = self.book.order(self.sent[which])
        try:
            with self.book.store.transaction():
                self.book.exchange.cancel(order)
        except RefusedError:
            assert order.status.is_terminal

    def judge(self, resting: set[int]) -> None:
        for row in self.book.fills()[self.judged :]:
            self.judged += 1
            assert self.quote is not None
            was_resting = row.order.number in resting and not row.order.terms.is_stop
            self.judge_fill(row.order, row.fill.price, was_resting=was_resting)
            self.taken[row.order.side] = self.taken.get(row.order.side, Decimal(0)) + row.fill.quantity
        assert all(taken <= LOTS_PER_TICK * CONTRACT.lot_size for taken in self.taken.values())

    def judge_fill(self, order: Order, price: Decimal, *, was_resting: bool) -> None:
        assert self.quote is not None
        last, limit, sign = self.quote.last, order.terms.price, order.side.sign
        against = self.quote.ask if order.side is Side.BUY else self.quote.bid
        for best in (last, against):
            assert best is None or sign * price >= sign * best  # never better than the touch
        assert limit is None or sign * price <= sign * limit  # never worse than the limit
        assert not was_resting or (limit is not None and sign * last < sign * limit)  # traded through


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_money_and_positions_are_conserved_and_no_fill_flatters(steps: list[Price | Wish | int]) -> None:
    home = Path(tempfile.mkdtemp())
    rules = Rules(max_lots_per_tick=LOTS_PER_TICK, fees=dict.fromkeys(("INR", "USDT", "USD"), FEES))
    book = Book(home / "book", rules)
    book.store._db.execute("PRAGMA synchronous=OFF")  # durability has a test of its own
    watch = Watch(book)
    try:
        for number, step in enumerate(steps):
            watch.play(number, step)
            check_books(book)
    finally:
        book.store.close()
        shutil.rmtree(home)


def check_books(book: Book) -> None:
    fills = book.fills()
    spent = sum((row.order.side.sign * row.fill.quantity * row.fill.price for row in fills), Decimal(0))
    fees = sum((row.fee for row in fills), Decimal(0))
    assert book.account.cash == book.rules.opening_balance["INR"] - spent - fees
    assert book.net() == sum((row.order.side.sign * row.fill.quantity for row in fills), Decimal(0))
    by_order: dict[int, Decimal] = {}
    for row in fills:
        by_order[row.order.number] = by_order.get(row.order.number, Decimal(0)) + row.fill.quantity
    for number, filled in by_order.items():
        order = book.order(number)
        assert order.filled == filled <= order.terms.quantity
    position = book.store.position("asha", CONTRACT.instrument_id)
    if position is not None:
        assert (position.net == 0) == (position.cost == 0)
        assert position.net * position.cost >= 0


@given(st.sampled_from(Side), TICKS, quotes())
def test_a_resting_limit_fills_at_its_limit_and_only_once_traded_through(
    side: Side, limit: int, price: Price
) -> None:
    order = Order(
        number=1,
        account="asha",
        client_order_id="a",
        contract=CONTRACT,
        side=side,
        terms=terms(price=on_grid(limit)),
        reduces_only=False,
        status=OrderStatus.ACCEPTED,
        updated_at=START,
        is_resting=True,
    )

    _after, fill = match(order, price.quote(), Room(liquidity=None, closable=Decimal(0), slippage_ticks=1))

    is_through = side.sign * Decimal(price.last) < side.sign * Decimal(on_grid(limit))
    assert fill is None or (is_through and fill.price == Decimal(on_grid(limit)))
    if price.bid is None:
        assert (fill is not None) == is_through
