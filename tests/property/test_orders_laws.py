"""Check the laws of the order states under any sequence of events."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.orders import InvalidTransitionError, OrderEventKind, OrderStatus, next_status

QUANTITY = Decimal(65)
EVENTS = st.lists(st.tuples(st.sampled_from(OrderEventKind), st.integers(min_value=0, max_value=65)))


def _live(status: OrderStatus, events: list[tuple[OrderEventKind, int]]) -> list[tuple[OrderStatus, Decimal]]:
    """States and fills after each event; forbidden events change nothing, fills only grow."""
    filled, seen = Decimal(0), [(status, Decimal(0))]
    for kind, reported in events:
        after_fill = max(filled, Decimal(reported)) if kind is OrderEventKind.FILLED else filled
        try:
            status = next_status(status, kind, filled=after_fill, quantity=QUANTITY)
        except InvalidTransitionError:
            continue
        filled = after_fill
        seen.append((status, filled))
    return seen


@given(EVENTS)
def test_an_ended_order_never_lives_again(events: list[tuple[OrderEventKind, int]]) -> None:
    seen = [status for status, _ in _live(OrderStatus.INITIALIZED, events)]

    ends = [status.is_terminal for status in seen]
    assert ends == sorted(ends)


@given(EVENTS)
def test_filled_and_denied_are_final(events: list[tuple[OrderEventKind, int]]) -> None:
    seen = [status for status, _ in _live(OrderStatus.INITIALIZED, events)]

    for final in (OrderStatus.FILLED, OrderStatus.DENIED):
        if final in seen:
            assert set(seen[seen.index(final) :]) == {final}


@given(EVENTS)
def test_an_order_is_filled_exactly_when_its_quantity_is(events: list[tuple[OrderEventKind, int]]) -> None:
    for status, filled in _live(OrderStatus.INITIALIZED, events):
        assert (status is OrderStatus.FILLED) == (filled == QUANTITY)
        assert status is not OrderStatus.PARTIALLY_FILLED or filled > 0
        assert status is not OrderStatus.ACCEPTED or filled == 0


@given(EVENTS)
def test_an_order_is_sent_at_most_once(events: list[tuple[OrderEventKind, int]]) -> None:
    status, sent = OrderStatus.INITIALIZED, 0
    for kind, _ in events:
        try:
            status = next_status(status, kind, filled=Decimal(1), quantity=QUANTITY)
        except InvalidTransitionError:
            continue
        sent += kind is OrderEventKind.SUBMITTED

    assert sent <= 1


@given(st.sampled_from(OrderStatus), st.sampled_from(OrderEventKind), st.sampled_from(["0", "1", "65"]))
def test_news_that_comes_twice_changes_nothing_the_second_time(
    status: OrderStatus, kind: OrderEventKind, filled: str
) -> None:
    if kind in (OrderEventKind.SUBMITTED, OrderEventKind.DENIED):
        return  # our own acts happen once
    try:
        once = next_status(status, kind, filled=Decimal(filled), quantity=QUANTITY)
    except InvalidTransitionError:
        return
    if once is OrderStatus.CANCELED and status is OrderStatus.INITIALIZED:
        return  # our own act, before anything was sent

    assert next_status(once, kind, filled=Decimal(filled), quantity=QUANTITY) is once
