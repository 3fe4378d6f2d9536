"""An order keeps the tag it was placed with, whatever the venue shows later."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BrokerError, ProtocolError, UnavailableError
from app.domain.ids import BrokerOrderId
from brokers.kotak_neo import mapping
from brokers.kotak_neo.client import Reply
from brokers.kotak_neo.egress import Wire
from brokers.kotak_neo.errors import read_nested_rows
from brokers.kotak_neo.tags import OriginalTags
from tests.unit.kotak_neo.payloads import ORDER_ROW, answered, refusal
from tests.unit.kotak_neo.test_evidence import HandClock
from tests.unit.kotak_neo.test_mapping import damaged

ORDER = replace(mapping.order_report(ORDER_ROW), tag="ob1")
LOST = replace(ORDER, tag="000123456789-ADMINAPI")
LOST_AND_CANCELED = replace(ORDER, tag="000123456789-ADMINAPI-1737536281")
NEWEST = {**ORDER_ROW, "GuiOrdId": LOST.tag, "updRecvTm": 1737536281933015999}
OLDEST = {**ORDER_ROW, "GuiOrdId": "ob1"}

Rows = Sequence[Mapping[str, object]] | None


class History:
    """Answer the questions for histories, and count them."""

    def __init__(self, answer: Rows | BrokerError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, broker_order_id: BrokerOrderId) -> Rows:
        self.asked.append(broker_order_id)
        if isinstance(self.answer, BrokerError):
            raise self.answer
        return self.answer


def test_a_changed_order_keeps_the_tag_that_was_noted_when_it_was_placed() -> None:
    history = History(None)
    tags = OriginalTags(HandClock(), history)
    tags.note(ORDER.broker_order_id, "ob1")

    assert tags.restore([LOST, LOST_AND_CANCELED]) == ((ORDER, ORDER), True)
    assert not history.asked


def test_the_first_news_of_an_order_is_enough_to_know_it_later() -> None:
    tags = OriginalTags(HandClock(), History(None))
    assert tags.from_memory(ORDER) == ORDER

    assert tags.from_memory(LOST) == ORDER


def test_the_oldest_version_tells_a_tag_that_nobody_saw_and_is_asked_once() -> None:
    history = History([NEWEST, OLDEST])
    tags = OriginalTags(HandClock(), history)
    assert tags.from_memory(LOST) is None

    assert tags.restore([LOST]) == ((ORDER,), True)
    assert tags.restore([LOST]) == ((ORDER,), True)
    assert len(history.asked) == 1


def test_an_order_of_a_person_that_never_had_a_tag_is_known_to_have_none() -> None:
    tags = OriginalTags(HandClock(), History([NEWEST, {**OLDEST, "GuiOrdId": "NA"}]))

    assert tags.restore([LOST]) == ((replace(ORDER, tag=""),), True)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [NEWEST],
        [NEWEST, {**OLDEST, "nOrdNo": "250122000612877"}],
        [NEWEST, {**OLDEST, "updRecvTm": "soon"}],
        UnavailableError("down"),
        ProtocolError("nonsense"),
    ],
)
def test_a_book_with_an_order_of_unknown_tag_proves_nothing_and_is_asked_again(
    answer: Rows | BrokerError,
) -> None:
    history = History(answer)
    tags = OriginalTags(HandClock(), history)

    assert tags.restore([LOST]) == ((LOST,), False)
    history.answer = [NEWEST, OLDEST]
    assert tags.restore([LOST]) == ((ORDER,), True)


def test_one_read_asks_for_a_few_histories_only() -> None:
    history = History(None)
    orders = [replace(LOST, broker_order_id=BrokerOrderId(f"25012200061{n:04d}")) for n in range(9)]

    _, are_known = OriginalTags(HandClock(), history).restore(orders)

    assert not are_known
    assert len(history.asked) == 5


def test_yesterdays_tags_are_forgotten() -> None:
    clock = HandClock()
    tags = OriginalTags(clock, History(None))
    tags.note(ORDER.broker_order_id, "ob1")
    clock.at += timedelta(days=1)

    assert tags.from_memory(LOST) is None


def test_a_history_is_unpacked_once_more_and_its_refusals_are_errors() -> None:
    good = {"stat": "Ok", "stCode": 200, "data": [NEWEST, OLDEST]}

    assert read_nested_rows(answered({"data": good})) == [NEWEST, OLDEST]
    assert read_nested_rows(answered({"data": refusal(5203)})) is None
    with pytest.raises(ProtocolError):
        read_nested_rows(answered({"data": refusal(5202)}))
    with pytest.raises(UnavailableError):
        read_nested_rows(Reply(value={"error": ValueError()}, wire=Wire(attempts=1)))


@given(st.lists(damaged(OLDEST), max_size=3))
def test_any_history_gives_a_tag_or_a_typed_error(rows: list[dict[str, object]]) -> None:
    try:
        tag = mapping.first_tag(rows, ORDER.broker_order_id)
    except ProtocolError:
        return
    assert tag is None or isinstance(tag, str)
