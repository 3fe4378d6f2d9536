"""Check the laws of baskets in any order of events: nothing stays uncovered, nothing stays half done."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from hypothesis import given
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

    def act(self, what: str, number: int) -> None:
        """Let something happen to one order or leg, if it can."""
        parts = [(leg.index, part) for leg in self.basket.legs for part in leg.parts]
        index, part = parts[number % len(parts)]
        is_live = not part.status.is_terminal and not part.is_unsent
        if what == "look":
            self.look()
        elif what == "exit" and self.basket.legs[index].is_asked_flat:
            self.held[index] = 0
        elif what == "send" and part.is_unsent and self.basket.why_held(index) is None:
            self._put(index, replace(part, status=_S.SUBMITTED, sent_ago_s=0.0))
        elif what == "fill" and is_live:
            self.held[index] += 1
            filled = part.filled + 1
            status = _S.FILLED if filled == part.quantity else _S.PARTIALLY_FILLED
            self._put(index, replace(part, filled=filled, status=status))
        elif what == "end" and is_live:
            self._put(index, replace(part, status=_S.CANCELED))
        elif what == "wait":
            for leg_index, each in parts:
                age = None if each.sent_ago_s is None else each.sent_ago_s + 4
                self._put(leg_index, replace(each, sent_ago_s=age))

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
    """Two to four legs of one to three slices of one or two units."""
    shapes = draw(
        st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(1, 2)), min_size=2, max_size=4)
    )
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


acts = st.tuples(
    st.sampled_from(("look", "send", "send", "fill", "fill", "fill", "end", "wait", "exit")),
    st.integers(0, 11),
)


@given(worlds(), st.lists(acts, max_size=80))
def test_nothing_is_ever_held_without_its_whole_hedge(world: World, history: list[Act]) -> None:
    for what, number in history:
        world.act(what, number)
        assert not world.is_uncovered()


@given(worlds(), st.lists(acts, max_size=80))
def test_ends_whole_or_flat_once_orders_end_and_exits_are_done(world: World, history: list[Act]) -> None:
    for what, number in history:
        world.act(what, number)
    for _ in range(4):
        world.look()
        for number in range(12):
            world.act("end", number)
            world.act("exit", number)
    world.look()
    unsent = [p for leg in world.basket.legs for p in leg.parts if p.is_unsent]

    if world.result is BasketResult.COMPLETE:
        assert world.held == [sum(part.quantity for part in leg.parts) for leg in world.basket.legs]
    elif world.result is not None:
        assert (world.held, unsent) == ([0] * len(world.held), [])
    else:
        assert unsent, "it is still open only because something may still be sent"


@given(worlds(), st.lists(acts, max_size=80))
def test_a_failed_basket_sends_nothing(world: World, history: list[Act]) -> None:
    for what, number in history:
        world.act(what, number)
        if world.basket.has_failed:
            assert all(world.basket.why_held(leg.index) for leg in world.basket.legs)
