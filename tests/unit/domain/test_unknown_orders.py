"""Check what a look proves, how far the proof is, and when a person's word may stand."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.ids import BrokerOrderId, TradeId
from app.domain.orders import Side
from app.domain.reports import FillReport
from app.domain.unknown_orders import (
    EvidenceSource,
    Fate,
    Settlement,
    Sought,
    Standing,
    look_at_strangers,
    look_at_trades,
    look_for_tag,
    next_step,
    objection_to,
    standing_of,
)
from tests.builders import NOW, report

SYMBOL = "NIFTY26NOV26000CE"
SOUGHT = Sought(broker_symbol=SYMBOL, side=Side.SELL, quantity=Decimal(65))
REASON = "the dealer read the book to me"


@dataclass(frozen=True)
class Entry:
    source: EvidenceSource
    last_wall: datetime = NOW
    is_clean: bool = True
    is_proof: bool = False
    broker_order_ids: tuple[str, ...] = ()
    provable_from: datetime | None = None


def ago(seconds: int) -> datetime:
    return NOW - timedelta(seconds=seconds)


def standing(**changes: object) -> Standing:
    usual = Standing(
        clean_misses=0,
        provable_from=ago(30),
        looked_at=ago(1),
        was_clean=True,
        missed_at=ago(1),
        lookalikes=frozenset(),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # fields by name


def fill(order: str, quantity: int = 65, symbol: str = SYMBOL) -> FillReport:
    return FillReport(
        trade_id=TradeId(f"t{order}"),
        broker_order_id=BrokerOrderId(order),
        broker_symbol=symbol,
        side=Side.SELL,
        quantity=Decimal(quantity),
        price=Decimal(100),
        ts_event=NOW,
    )


@pytest.mark.parametrize(("is_clean", "words"), [(True, "carries its tag"), (False, "may be incomplete")])
def test_a_look_says_what_kind_of_book_lacks_the_tag(is_clean: bool, words: str) -> None:  # noqa: FBT001
    look = look_for_tag(is_clean=is_clean)

    assert (look.source, look.is_clean) == (EvidenceSource.TAG, is_clean)
    assert words in look.seen


def test_only_an_order_of_same_contract_side_and_quantity_may_be_ours_without_its_tag() -> None:
    alike = replace(report("B2"), broker_symbol=SYMBOL, side=Side.SELL, quantity=Decimal(65))
    strangers = [
        alike,
        replace(alike, broker_order_id=BrokerOrderId("B3"), side=Side.BUY),
        replace(alike, broker_order_id=BrokerOrderId("B4"), quantity=Decimal(130)),
        replace(alike, broker_order_id=BrokerOrderId("B5"), broker_symbol="OTHER"),
    ]

    assert look_at_strangers(SOUGHT, strangers, is_clean=True).broker_order_ids == ("B2",)
    assert look_at_strangers(SOUGHT, strangers[1:], is_clean=True).broker_order_ids == ()


def test_trades_of_orders_that_we_know_or_of_more_than_was_asked_are_not_ours() -> None:
    fills = [fill("B1"), fill("B2", 40), fill("B2", 25), fill("B3", 130), fill("B4", symbol="OTHER")]

    look = look_at_trades(SOUGHT, fills, known={BrokerOrderId("B1")}, is_clean=False)

    assert (look.broker_order_ids, look.is_clean) == (("B2",), False)


def test_a_standing_rests_on_the_newest_looks() -> None:
    found = standing_of(
        [
            Entry(EvidenceSource.TAG, ago(9), is_proof=True, provable_from=ago(20)),
            Entry(EvidenceSource.TAG, ago(2), is_clean=False),
            Entry(EvidenceSource.ORDERS, ago(9), broker_order_ids=("B1",)),
            Entry(EvidenceSource.ORDERS, ago(2)),
            Entry(EvidenceSource.TRADES, ago(3), broker_order_ids=("B2",)),
        ],
        clean_misses=1,
    )

    assert found == Standing(
        clean_misses=1,
        provable_from=ago(20),
        looked_at=ago(2),
        was_clean=False,
        missed_at=ago(9),
        lookalikes=frozenset({BrokerOrderId("B2")}),
    )


def test_an_order_that_nobody_looked_for_has_no_standing() -> None:
    found = standing_of([], clean_misses=0)

    assert (found.looked_at, found.provable_from, found.was_clean) == (None, None, False)
    assert "first read" in next_step(found, wall=NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"looked_at": ago(16)}, "Nobody has read the account's books for 16 s"),
        ({"was_clean": False}, "waits for a clean read"),
        ({"provable_from": NOW + timedelta(seconds=30)}, "counts as proof in 31 s"),
        ({"provable_from": NOW}, "after 2 more clean"),
        ({"provable_from": None}, "after 2 more clean"),
        ({"clean_misses": 1}, "after 1 more clean"),
        ({"clean_misses": 2}, "after 1 more clean"),
    ],
)
def test_the_next_step_is_said_in_words(changes: dict[str, object], words: str) -> None:
    assert words in next_step(standing(**changes), wall=NOW)


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({}, None),
        ({"missed_at": ago(60)}, None),
        ({"missed_at": ago(61)}, "no clean read of the books within the last 60 s"),
        ({"missed_at": None}, "no clean read of the books within the last 60 s"),
        ({"lookalikes": frozenset({"B7", "B6"})}, "the books show B6, B7, which may be this order"),
    ],
)
def test_not_placed_needs_a_fresh_clean_miss_and_no_lookalike(
    changes: dict[str, object], objection: str | None
) -> None:
    said = objection_to(Settlement(fate=Fate.NOT_PLACED, reason=REASON), standing(**changes), wall=NOW)

    assert (said is None) if objection is None else (said or "").startswith(objection)


def test_placed_needs_a_lookalike_of_that_number() -> None:
    placed = Settlement(fate=Fate.PLACED, reason=REASON, broker_order_id=BrokerOrderId("B7"))

    assert objection_to(placed, standing(lookalikes=frozenset({"B7"})), wall=NOW) is None
    assert "no order B7" in (objection_to(placed, standing(lookalikes=frozenset({"B6"})), wall=NOW) or "")


@pytest.mark.parametrize(
    ("fate", "number", "reason", "words"),
    [
        (Fate.PLACED, None, REASON, "expected the broker's order number"),
        (Fate.PLACED, "", REASON, "without blanks"),
        (Fate.PLACED, " B1", REASON, "without blanks"),
        (Fate.NOT_PLACED, "B1", REASON, "none for NOT_PLACED"),
        (Fate.NOT_PLACED, None, "a" * 9 + "   ", "at least 10 characters"),
    ],
)
def test_a_settlement_is_complete(fate: Fate, number: str | None, reason: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Settlement(
            fate=fate, reason=reason, broker_order_id=None if number is None else BrokerOrderId(number)
        )
