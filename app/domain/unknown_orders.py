"""Weigh what is seen of an order whose outcome is unknown, and what a person says became of it (I3)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from app.domain.errors import InvalidInputError
from app.domain.ids import BrokerOrderId
from app.domain.orders import Side
from app.domain.reconciliation import CLEAN_MISSES_NEEDED
from app.domain.reports import FillReport, OrderReport

REASON_LENGTH: Final = 10
"""The fewest characters of a reason: what a person says is believed for ever."""
PROOF_LASTS: Final = timedelta(minutes=1)
"""How old a clean read without the order may be when a person says that it was not placed."""
_SECOND: Final = timedelta(seconds=1)
_READS_STOPPED_AFTER: Final = timedelta(seconds=15)


class EvidenceSource(StrEnum):
    """Say where a look found its answer: books and trades by what they list, the stream by what it told."""

    TAG = "TAG"
    ORDERS = "ORDERS"
    TRADES = "TRADES"
    STREAM = "STREAM"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Answer one question about an order: what was `seen`, in words, and the broker's ids of it.

    Only a `clean` answer may be taken as proof that something is absent.
    """

    source: EvidenceSource
    is_clean: bool
    seen: str
    broker_order_ids: tuple[BrokerOrderId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Describe the order that is looked for; `broker_symbol` is None when its contract is not listed."""

    broker_symbol: str | None
    side: Side
    quantity: Decimal


class Entry(Protocol):
    """What a standing needs of a recorded look; equal looks in a row are one entry."""

    @property
    def source(self) -> str: ...
    @property
    def is_clean(self) -> bool: ...
    @property
    def is_proof(self) -> bool: ...
    @property
    def broker_order_ids(self) -> Sequence[str]: ...
    @property
    def provable_from(self) -> datetime | None: ...
    @property
    def last_wall(self) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Say how far the proof is. Times are the machine's.

    `provable_from` is the deadline: two clean reads after it prove absence. `lookalikes` are orders of
    unknown origin in the newest books that may be ours without its tag.
    """

    clean_misses: int
    provable_from: datetime | None
    looked_at: datetime | None
    was_clean: bool
    missed_at: datetime | None
    lookalikes: frozenset[BrokerOrderId]


class Fate(StrEnum):
    """Say what became of an order, as a person knows it."""

    PLACED = "PLACED"
    NOT_PLACED = "NOT_PLACED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Hold what a person says: the fate, and the broker's number of a placed order.

    `is_confirmed` says for the second time that the person has asked the broker and answers for it.
    """

    fate: Fate
    reason: str
    broker_order_id: BrokerOrderId | None = None
    is_confirmed: bool = False

    def __post_init__(self) -> None:
        number = self.broker_order_id
        if (self.fate is Fate.PLACED) != (number is not None):
            raise InvalidInputError(
                f"expected the broker's order number for {Fate.PLACED} and none for {Fate.NOT_PLACED}, "
                f"got {self.fate} with {number!r}"
            )
        if number is not None and (not number or number != number.strip()):
            raise InvalidInputError(f"expected the broker's order number without blanks, got {number!r}")
        if len(self.reason.strip()) < REASON_LENGTH:
            raise InvalidInputError(
                f"reason: expected at least {REASON_LENGTH} characters, got {self.reason!r}"
            )


def look_for_tag(*, is_clean: bool) -> Look:
    """Return what a read of the orders book says about an order that no report in it belongs to."""
    seen = "No order in the broker's book carries its tag."
    if not is_clean:
        seen = "The broker's book may be incomplete; no order in it carries the tag."
    return Look(source=EvidenceSource.TAG, is_clean=is_clean, seen=seen)


def look_at_strangers(sought: Sought, strangers: Iterable[OrderReport], *, is_clean: bool) -> Look:
    """Return which orders that we did not send might be the one that is looked for, its tag lost."""
    alike = sorted(
        report.broker_order_id
        for report in strangers
        if (report.broker_symbol, report.side, report.quantity)
        == (sought.broker_symbol, sought.side, sought.quantity)
    )
    return _look(EvidenceSource.ORDERS, alike, is_clean=is_clean, what="order")


def look_at_trades(
    sought: Sought, fills: Iterable[FillReport], *, known: Collection[BrokerOrderId], is_clean: bool
) -> Look:
    """Return which orders have trades like ours although we know none of them; `known` are our orders."""
    alike = {
        fill.broker_order_id
        for fill in fills
        if (fill.broker_symbol, fill.side) == (sought.broker_symbol, sought.side)
        and fill.quantity <= sought.quantity
        and fill.broker_order_id not in known
    }
    return _look(EvidenceSource.TRADES, sorted(alike), is_clean=is_clean, what="trade")


def _look(source: EvidenceSource, alike: Sequence[BrokerOrderId], *, is_clean: bool, what: str) -> Look:
    seen = f"No {what} of unknown origin resembles it."
    if alike:
        seen = f"A {what} of unknown origin resembles it: broker order {', '.join(alike)}."
    return Look(source=source, is_clean=is_clean, seen=seen, broker_order_ids=tuple(alike))


def standing_of(entries: Sequence[Entry], *, clean_misses: int) -> Standing:
    """Return how far the proof is, from every recorded look of one order in any order."""
    looks = [entry for entry in entries if entry.source == EvidenceSource.TAG]
    newest = max(looks, key=lambda entry: entry.last_wall, default=None)
    return Standing(
        clean_misses=clean_misses,
        provable_from=max((e.provable_from for e in looks if e.provable_from is not None), default=None),
        looked_at=None if newest is None else newest.last_wall,
        was_clean=newest is not None and newest.is_clean,
        missed_at=max((e.last_wall for e in looks if e.is_proof), default=None),
        lookalikes=_newest_ids(entries, EvidenceSource.ORDERS) | _newest_ids(entries, EvidenceSource.TRADES),
    )


def _newest_ids(entries: Iterable[Entry], source: EvidenceSource) -> frozenset[BrokerOrderId]:
    found = [entry for entry in entries if entry.source == source]
    newest = max(found, key=lambda entry: entry.last_wall, default=None)
    return frozenset() if newest is None else frozenset(map(BrokerOrderId, newest.broker_order_ids))


def next_step(standing: Standing, *, wall: datetime) -> str:
    """Return in words what the resolver does next, or what keeps it from going on."""
    if standing.looked_at is None:
        return "It waits for the first read of the account's books since the order was sent."
    silence = wall - standing.looked_at
    if silence > _READS_STOPPED_AFTER:
        return f"Nobody has read the account's books for {silence // _SECOND} s; it stays unknown until then."
    if not standing.was_clean:
        return "It waits for a clean read: the last one proves nothing about what it does not show."
    if standing.provable_from is not None and wall < standing.provable_from:
        left = (standing.provable_from - wall) // _SECOND + 1
        return f"It looks on: the order may still appear, and its absence counts as proof in {left} s."
    missing = CLEAN_MISSES_NEEDED - standing.clean_misses
    return f"It ends the order as not placed after {max(missing, 1)} more clean read(s) without it."


def objection_to(settlement: Settlement, standing: Standing, *, wall: datetime) -> str | None:
    """Return what the evidence says against a person's word, or None; a confirmed word overrules it."""
    number = settlement.broker_order_id
    if number is not None:
        if number in standing.lookalikes:
            return None
        return f"the books show no order {number} of unknown origin with this contract, side and quantity"
    if standing.lookalikes:
        return f"the books show {', '.join(sorted(standing.lookalikes))}, which may be this order"
    if standing.missed_at is None or wall - standing.missed_at > PROOF_LASTS:
        return (
            "no clean read of the books within the last "
            f"{PROOF_LASTS // _SECOND} s has missed it after the deadline for late orders"
        )
    return None
