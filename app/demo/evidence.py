"""Compare our ledger with the books of the simulated broker, which knows nothing of us. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.db.outcomes import OrderOutcome

_PAISA = Decimal("0.01")
_PREFIX = "ob"


@dataclass(slots=True, kw_only=True)
class Comparison:
    """Hold each difference as a sentence; empty lists mean that both books agree."""

    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    open_at_end: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    """Orders that a person placed in the broker's app: no difference, if the platform noticed them."""


Book = Sequence[Mapping[str, Any]]
Traded = Mapping[tuple[int, str], tuple[Decimal, Decimal]]
Totals = Mapping[tuple[str, str], tuple[Decimal, Decimal]]
"""Bought and sold by client and symbol."""


def compare(
    ours: Sequence[OrderOutcome],
    traded: Traded,
    *,
    orders: Book,
    positions: Book,
    clients: Mapping[int, str],
    noticed: Collection[tuple[str, str]] = (),
    claimed: Traded | None = None,
) -> Comparison:
    """Return every difference.

    Args:
        ours: our orders.
        traded: our quantities (bought, sold) by account and symbol, from the fills.
        orders: the broker's orders.
        positions: the broker's day positions.
        clients: the name of each account in the broker's books.
        noticed: client and broker order id of each order for which an alarm says that we did not send it.
        claimed: quantities by which such orders closed positions of ours, like `traded`: they belong to both
            sides, or what we rightly left alone would seem to be open.
    """
    found = Comparison()
    by_hand = [order for order in orders if _is_by_hand(order, noticed)]
    found.by_hand += [f"{order['client']}: order {order['broker_order_id']}" for order in by_hand]
    _compare_orders(ours, [order for order in orders if order not in by_hand], clients, found)
    both = {(clients[i], symbol): totals for (i, symbol), totals in (claimed or {}).items()}
    ours_traded = {(clients[i], symbol): totals for (i, symbol), totals in traded.items()}
    theirs_traded = {
        (row["client"], row["symbol"]): (Decimal(row["bought"]), Decimal(row["sold"]))
        for row in _without(positions, by_hand)
    }
    _compare_positions(_plus(ours_traded, both), _plus(theirs_traded, both), found)
    return found


def _is_by_hand(order: Mapping[str, Any], noticed: Collection[tuple[str, str]]) -> bool:
    """Whether a person placed it and the platform said so; what bears our tag is ours, whatever we say."""
    is_tagged = str(order["tag"]).startswith(_PREFIX)
    return not is_tagged and (order["client"], order["broker_order_id"]) in noticed


def _without(positions: Book, by_hand: Book) -> Book:
    """Return the positions as they would be without what a person traded."""
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for order in by_hand:
        sums[order["client"], order["symbol"], order["side"]] += Decimal(order["filled"])
    return [
        {
            **row,
            "bought": Decimal(row["bought"]) - sums[row["client"], row["symbol"], "BUY"],
            "sold": Decimal(row["sold"]) - sums[row["client"], row["symbol"], "SELL"],
        }
        for row in positions
    ]


def _compare_orders(
    ours: Sequence[OrderOutcome], theirs: Book, clients: Mapping[int, str], found: Comparison
) -> None:
    by_tag: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for order in theirs:
        by_tag[order["client"], order["tag"]].append(order)
    known = {(clients[order.account_id], order.client_order_id): order for order in ours}
    for (client, tag), orders in by_tag.items():
        numbers = ", ".join(order["broker_order_id"] for order in orders)
        if len(orders) > 1:
            found.duplicates.append(f"{client}: one intent {tag} became {len(orders)} orders: {numbers}")
        if (client, tag) not in known:
            unknown = found.duplicates if tag.startswith(_PREFIX) else found.lost
            unknown.append(f"{client}: the broker has order {numbers} with tag {tag!r}, our ledger has not")
    for key, our_order in known.items():
        _compare_order(our_order, key, by_tag.get(key, []), found)


def _compare_order(ours: OrderOutcome, key: tuple[str, str], theirs: Book, found: Comparison) -> None:
    client, tag = key
    if not theirs:
        if ours.broker_order_id is not None or ours.filled_qty:
            found.lost.append(
                f"{client}: {tag} is {ours.broker_order_id} {ours.status} here, the broker never saw it"
            )
        return
    order = theirs[0]
    if ours.broker_order_id not in {None, order["broker_order_id"]}:
        found.lost.append(f"{client}: {tag} is {order['broker_order_id']} there, {ours.broker_order_id} here")
    filled = Decimal(order["filled"])
    if ours.filled_qty != filled:
        found.mismatched.append(
            f"{client}: {tag} filled {filled} there, {ours.filled_qty} here ({ours.status})"
        )
    elif filled and abs((ours.avg_px or Decimal(0)) - Decimal(order["avg_px"])) > _PAISA:
        found.mismatched.append(f"{client}: {tag} at {order['avg_px']} there, {ours.avg_px} here")


def _plus(totals: Totals, more: Totals) -> Totals:
    nothing = (Decimal(0), Decimal(0))
    return {
        key: (
            totals.get(key, nothing)[0] + more.get(key, nothing)[0],
            totals.get(key, nothing)[1] + more.get(key, nothing)[1],
        )
        for key in totals.keys() | more.keys()
    }


def _compare_positions(ours: Totals, theirs: Totals, found: Comparison) -> None:
    nothing = (Decimal(0), Decimal(0))
    for key in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key, nothing), theirs.get(key, nothing)
        name = " ".join(map(str, key))
        if here != there:
            found.mismatched.append(
                f"{name}: bought {there[0]} sold {there[1]} there, {here[0]} and {here[1]} here"
            )
        if there[0] != there[1]:
            found.open_at_end.append(f"{name}: {there[0] - there[1]} open at the broker")
        elif here[0] != here[1]:
            found.open_at_end.append(f"{name}: {here[0] - here[1]} open in our ledger")
