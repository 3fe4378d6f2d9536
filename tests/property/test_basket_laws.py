"""Check the laws of baskets in any order of events: nothing stays uncovered, nothing stays half done."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.baskets import Basket, BasketLeg, BasketResult, Part, settle
from app.domain.orders import OrderStatus

_S = OrderStatus
_DONE = (BasketResult.COMPLETE, BasketResult.UNWOUND, BasketResult.NOT_FILLED)
Act = tuple[str, int]


@dataclass
class World:
    """A venue and two lanes around one basket; `held` is the position of each leg."""

    basket: Basket
    held: list[int] = field(init=False)
    result: BasketResult | None = None

    def __post_init__(self) -> None:
        self.held = [0] * len(self.basket.legs)

    def acts(self) -> list[Act]:
        """Return everything that can happen now: to an order (its number), a leg (its index), or to all."""
        can: list[Act] = [("look", 0), ("wait", 0)]
        for leg in self.basket.legs:
            can += [("exit", leg.index)] if leg.is_asked_flat and self.held[leg.index] else []
            for part in leg.parts:
                if part.is_unsent and self.basket.why_held(leg.index) is None:
                    can.append(("send", part.order_id))
                elif not part.is_unsent and not part.status.is_terminal:
                    can += [("fill", part.order_id)] * 3 + [("end", part.order_id)]
        return can

    def act(self, what: str, number: int) -> None:
        """Let one of `acts` happen."""
        if what == "look":
            self.look()
        elif what == "wait":
            for leg in self.basket.legs:
                for part in leg.parts:
                    age = None if part.sent_ago_s is None else part.sent_ago_s + 4
                    self._put(leg.index, replace(part, sent_ago_s=age))
        elif what == "exit":
            self.held[number] = 0
            self._leg(self.basket.legs[number])
        else:
            self._act_on_order(what, number)

    def _act_on_order(self, what: str, order_id: int) -> None:
        index = order_id // 10
        part = next(part for part in self.basket.legs[index].parts if part.order_id == order_id)
        if what == "send":
            self._put(index, replace(part, status=_S.SUBMITTED, sent_ago_s=0.0))
        elif what == "end":
            self._put(index, replace(part, status=_S.CANCELED))
        else:
            self.held[index] += 1
            filled = part.filled + 1
            status = _S.FILLED if filled == part.quantity else _S.PARTIALLY_FILLED
            self._put(index, replace(part, filled=filled, status=status))

    def look(self) -> None:
        """Settle, as the exits lane does."""
        if self.result in _DONE:
            return
        settlement = settle(self.basket)
        self.result = settlement.result
        for leg in self.basket.legs:
            asked = leg.is_asked_flat or leg.index in settlement.flatten
            self._leg(replace(leg, is_asked_flat=asked))
            for part in leg.parts:
                if part.order_id in settlement.withheld:
                    self._put(leg.index, replace(part, status=_S.DENIED))
        is_unwinding = self.result is BasketResult.UNWINDING
        self.basket = replace(self.basket, is_unwinding=is_unwinding)

    def _put(self, index: int, part: Part) -> None:
        leg = self.basket.legs[index]
        parts = tuple(part if each.order_id == part.order_id else each for each in leg.parts)
        self._leg(replace(leg, parts=parts))

    def _leg(self, leg: BasketLeg) -> None:
        legs = list(self.basket.legs)
        legs[leg.index] = leg
        self.basket = replace(self.basket, legs=tuple(legs))
        self.basket = replace(
            self.basket,
            legs=tuple(replace(each, holds=self.held[each.index] > 0) for each in self.basket.legs),
        )

    def is_uncovered(self) -> bool:
        """Whether something that a hedge covers is held, and not the whole hedge."""
        legs = self.basket.legs
        wanted = [sum(part.quantity for part in leg.parts) for leg in legs]
        is_bare = any(leg.is_hedge and self.held[leg.index] < wanted[leg.index] for leg in legs)
        return is_bare and any(self.held[leg.index] for leg in legs if not leg.is_hedge)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few legs, hedged or not, of one or two slices of one or two units."""
    shape = st.tuples(st.integers(1, 2), st.integers(1, 2))
    roles = draw(
        st.sampled_from(((True, False), (False, True, True), (True, True, False, False), (False, False)))
    )
    shapes = [(is_hedge, *draw(shape)) for is_hedge in roles]
    legs = tuple(
        BasketLeg(
            index=index,
            is_hedge=is_hedge,
            parts=tuple(
                Part(
                    order_id=index * 10 + number,
                    status=_S.INITIALIZED,
                    quantity=Decimal(quantity),
                    filled=Decimal(0),
                    sent_ago_s=None,
                )
                for number in range(slices)
            ),
            is_asked_flat=False,
            holds=False,
        )
        for index, (is_hedge, slices, quantity) in enumerate(shapes)
    )
    return World(Basket(legs=legs, timeout_s=10, is_unwinding=False))


choices = st.lists(st.integers(0, 1000), min_size=15, max_size=60)
long_lives = settings(max_examples=400)


def lives(world: World, chosen: list[int]) -> Iterator[World]:
    """Let one thing happen after the other, and show the world after each."""
    for choice in chosen:
        can = world.acts()
        world.act(*can[choice % len(can)])
        yield world


@long_lives
@given(worlds(), choices)
def test_nothing_is_ever_held_without_its_whole_hedge(world: World, chosen: list[int]) -> None:
    assert not any(each.is_uncovered() for each in lives(world, chosen))


@long_lives
@given(worlds(), choices)
def test_ends_whole_or_flat_once_orders_end_and_exits_are_done(world: World, chosen: list[int]) -> None:
    failed = [each.basket.is_unwinding for each in lives(world, chosen)]
    for _ in range(4):
        world.look()
        for act in world.acts():
            if act[0] in ("end", "exit"):
                world.act(*act)
    world.look()
    unsent = [p for leg in world.basket.legs for p in leg.parts if p.is_unsent]

    if world.result is BasketResult.COMPLETE:
        assert world.held == [sum(part.quantity for part in leg.parts) for leg in world.basket.legs]
        assert not any(failed), "what failed once is never completed"
    elif world.result is not None:
        assert (world.held, unsent) == ([0] * len(world.held), [])
    else:
        assert unsent, "it is still open only because something may still be sent"


@long_lives
@given(worlds(), choices)
def test_a_failed_basket_sends_nothing(world: World, chosen: list[int]) -> None:
    for each in lives(world, chosen):
        if each.basket.has_failed:
            assert not [act for act in each.acts() if act[0] == "send"]
