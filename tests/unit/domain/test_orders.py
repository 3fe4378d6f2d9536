"""Check the order state table and what an intent must look like."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.orders import (
    TERMINAL,
    InvalidTransitionError,
    OrderEventKind,
    OrderIntent,
    OrderRole,
    OrderStatus,
    OrderType,
    ProtectionTerms,
    Side,
    next_status,
)
from tests.builders import intent

S, K = OrderStatus, OrderEventKind
LETTERS = {
    "D": S.DENIED,
    "S": S.SUBMITTED,
    "A": S.ACCEPTED,
    "T": S.TRIGGERED,
    "U": S.PENDING_UPDATE,
    "K": S.PENDING_CANCEL,
    "C": S.CANCELED,
    "R": S.REJECTED,
    "E": S.EXPIRED,
}
COLUMNS = {
    "deny": K.DENIED,
    "send": K.SUBMITTED,
    "nots": K.NOT_SENT,
    "unkn": K.OUTCOME_UNKNOWN,
    "acc": K.ACCEPTED,
    "rej": K.REJECTED,
    "trig": K.TRIGGERED,
    "upd?": K.UPDATE_REQUESTED,
    "upd": K.UPDATED,
    "can?": K.CANCEL_REQUESTED,
    "refu": K.REQUEST_REFUSED,
    "canc": K.CANCELED,
    "expi": K.EXPIRED,
}
# "-" raises, "=" stays, a letter is the state after.
TABLE = """
                  deny send nots unkn acc  rej  trig upd? upd  can? refu canc expi
INITIALIZED       D    S    -    -    -    -    -    -    -    -    -    C    E
DENIED            -    -    -    -    -    -    -    -    -    -    -    -    -
SUBMITTED         -    -    R    =    A    R    T    -    -    K    -    C    E
ACCEPTED          -    -    -    =    =    R    T    U    =    K    =    C    E
TRIGGERED         -    -    -    =    =    R    =    U    =    K    =    C    E
PENDING_UPDATE    -    -    -    =    =    R    T    =    A    K    A    C    E
PENDING_CANCEL    -    -    -    =    =    R    =    -    =    =    A    C    E
PARTIALLY_FILLED  -    -    -    =    =    R    =    U    =    K    =    C    E
FILLED            -    -    -    =    =    -    =    -    =    -    =    =    =
CANCELED          -    -    -    =    =    -    =    -    =    -    =    =    =
EXPIRED           -    -    -    =    =    -    =    -    =    -    =    =    =
REJECTED          -    -    =    =    =    =    =    -    =    =    =    C    E
"""


def _cases() -> list[tuple[OrderStatus, OrderEventKind, OrderStatus | None]]:
    header, *lines = TABLE.strip().splitlines()
    cases = []
    for line in lines:
        name, *cells = line.split()
        status = OrderStatus(name)
        for column, cell in zip(header.split(), cells, strict=True):
            cases.append((status, COLUMNS[column], status if cell == "=" else LETTERS.get(cell)))
    return cases


def test_the_table_covers_every_state_and_event() -> None:
    pairs = {(status, kind) for status, kind, _ in _cases()}

    assert pairs == {(status, kind) for status in S for kind in K if kind is not K.FILLED}


@pytest.mark.parametrize(("status", "kind", "after"), _cases())
def test_each_pair_moves_as_the_table_says_or_raises(
    status: OrderStatus, kind: OrderEventKind, after: OrderStatus | None
) -> None:
    if after is None:
        with pytest.raises(
            InvalidTransitionError, match=f"an order in {status} cannot take the event {kind}"
        ):
            next_status(status, kind, filled=Decimal(0), quantity=Decimal(65))
    else:
        assert next_status(status, kind, filled=Decimal(0), quantity=Decimal(65)) is after


@pytest.mark.parametrize(
    ("status", "partial", "complete"),
    [
        (S.SUBMITTED, S.PARTIALLY_FILLED, S.FILLED),
        (S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED),
        (S.TRIGGERED, S.PARTIALLY_FILLED, S.FILLED),
        (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.FILLED),
        (S.PENDING_UPDATE, S.PENDING_UPDATE, S.FILLED),
        (S.PENDING_CANCEL, S.PENDING_CANCEL, S.FILLED),
        (S.CANCELED, S.CANCELED, S.FILLED),
        (S.EXPIRED, S.EXPIRED, S.FILLED),
        (S.REJECTED, S.REJECTED, S.FILLED),
        (S.FILLED, S.FILLED, S.FILLED),
    ],
)
def test_fills_are_believed_in_every_state_that_was_sent(
    status: OrderStatus, partial: OrderStatus, complete: OrderStatus
) -> None:
    assert next_status(status, K.FILLED, filled=Decimal(1), quantity=Decimal(65)) is partial
    assert next_status(status, K.FILLED, filled=Decimal(65), quantity=Decimal(65)) is complete


@pytest.mark.parametrize("status", [S.INITIALIZED, S.DENIED])
def test_what_was_never_sent_cannot_fill(status: OrderStatus) -> None:
    with pytest.raises(InvalidTransitionError, match="cannot be filled"):
        next_status(status, K.FILLED, filled=Decimal(1), quantity=Decimal(65))


@pytest.mark.parametrize("filled", [0, 66])
def test_a_fill_lies_between_nothing_and_the_quantity(filled: int) -> None:
    with pytest.raises(InvalidTransitionError, match="expected above 0 and up to 65"):
        next_status(S.ACCEPTED, K.FILLED, filled=Decimal(filled), quantity=Decimal(65))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(S.PENDING_CANCEL, K.REQUEST_REFUSED), (S.PENDING_UPDATE, K.UPDATED), (S.SUBMITTED, K.ACCEPTED)],
)
def test_a_working_order_with_fills_is_partially_filled(status: OrderStatus, kind: OrderEventKind) -> None:
    assert next_status(status, kind, filled=Decimal(1), quantity=Decimal(65)) is S.PARTIALLY_FILLED


def test_working_is_sent_and_not_ended() -> None:
    assert {s for s in S if s.is_working} == set(S) - TERMINAL - {S.INITIALIZED}
    assert {s for s in S if s.is_terminal} == TERMINAL


def test_sides_and_roles() -> None:
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert {role for role in OrderRole if role.is_exit} == {OrderRole.STOP, OrderRole.EXIT}


@pytest.mark.parametrize("fraction", ["0", "-0.1", "10"])
def test_a_stop_lies_within_reason(fraction: str) -> None:
    with pytest.raises(InvalidInputError, match="expected between 0 and 10"):
        ProtectionTerms(stop_fraction=Decimal(fraction))


def with_prices(kind: OrderType, price: str | None, trigger: str | None) -> OrderIntent:
    return replace(
        intent(),
        order_type=kind,
        price=None if price is None else Decimal(price),
        trigger_price=None if trigger is None else Decimal(trigger),
    )


@pytest.mark.parametrize("kind", OrderType)
@pytest.mark.parametrize("price", [None, "100"])
@pytest.mark.parametrize("trigger", [None, "100"])
def test_each_order_type_has_exactly_its_prices(
    kind: OrderType, price: str | None, trigger: str | None
) -> None:
    wanted = {
        OrderType.MARKET: (False, False),
        OrderType.LIMIT: (True, False),
        OrderType.STOP_MARKET: (False, True),
        OrderType.STOP_LIMIT: (True, True),
    }[kind]
    if wanted == (price is not None, trigger is not None):
        assert with_prices(kind, price, trigger).order_type is kind
    else:
        with pytest.raises(InvalidInputError, match=f"{kind}: expected price"):
            with_prices(kind, price, trigger)


@pytest.mark.parametrize("quantity", ["0", "-65", "NaN", "Infinity"])
def test_an_intent_has_a_positive_quantity(quantity: str) -> None:
    with pytest.raises(InvalidInputError, match="quantity: expected a positive number"):
        replace(intent(), quantity=Decimal(quantity))


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_an_intent_has_positive_prices(price: str) -> None:
    with pytest.raises(InvalidInputError, match="price: expected a positive number"):
        with_prices(OrderType.STOP_LIMIT, price, "100")
    with pytest.raises(InvalidInputError, match="trigger_price: expected a positive number"):
        with_prices(OrderType.STOP_LIMIT, "100", price)
