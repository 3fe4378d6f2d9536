"""What a broker answered is kept until the ledger has it."""

import queue
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy.exc import OperationalError

from app.domain.ids import AccountId
from app.domain.reports import OrderReport
from app.services.execution import Execution
from app.services.lanes.answers import Answers
from app.services.lanes.catch_ups import CatchUps
from app.services.lanes.exits import ExitLane
from app.services.lanes.streams import AccountStreams


class _Ledger:
    def __init__(self) -> None:
        self.is_away = False
        self.written: list[int] = []
        self.held: set[int] = set()

    def write(self, answers: Sequence[int]) -> Sequence[int]:
        if self.is_away:
            raise OperationalError("UPDATE", None, ConnectionError("away"))
        self.written += [answer for answer in answers if answer not in self.held]
        return [answer for answer in answers if answer in self.held]


@pytest.fixture
def ledger() -> _Ledger:
    return _Ledger()


def test_answers_wait_for_a_ledger_that_is_away(ledger: _Ledger) -> None:
    answers = Answers[int]()
    answers.put(1)
    answers.put(2)
    ledger.is_away = True
    assert not answers.record(ledger.write)

    answers.put(3)
    ledger.is_away = False
    assert answers.record(ledger.write) == ledger.written == [1, 2, 3]


def test_an_answer_whose_rows_somebody_holds_waits_alone(ledger: _Ledger) -> None:
    answers = Answers[int]()
    for number in (1, 2, 3):
        answers.put(number)
    ledger.held = {2}
    assert answers.record(ledger.write) == [1, 3]
    assert answers.record(ledger.write, tries=3) == []

    ledger.held = set()
    assert answers.record(ledger.write) == [2]
    assert ledger.written == [1, 3, 2]


def test_without_answers_nothing_is_written(ledger: _Ledger) -> None:
    ledger.is_away = True
    assert not Answers[int]().record(ledger.write)


def test_what_no_ledger_can_take_is_not_swallowed() -> None:
    def refuse(_: Sequence[int]) -> Sequence[int]:
        raise ValueError("impossible")

    answers = Answers[int]()
    answers.put(1)
    with pytest.raises(ValueError, match="impossible"):
        answers.record(refuse)


def test_news_of_all_accounts_wait_when_the_first_could_not_be_written() -> None:
    """Each would wait as long, and the exits behind them all; the next pass begins with others."""
    tried: list[tuple[int, ...]] = []

    def away(reports: Mapping[AccountId, Sequence[OrderReport]], *, source: str) -> None:
        tried.append(tuple(map(int, reports)))
        raise OperationalError("UPDATE", None, ConnectionError(source))

    lane = object.__new__(ExitLane)
    lane._execution = cast("Execution", SimpleNamespace(apply_news=away))
    streams = cast("AccountStreams", SimpleNamespace(news=queue.SimpleQueue()))
    for number in range(1, 12):
        streams.news.put((AccountId(number), object.__new__(OrderReport)))

    for _ in range(2):
        lane._apply_news(streams, cast("CatchUps", None))

    assert tried == [(1, 2, 3, 4, 5, 6, 7, 8), (9, 10, 11, 1, 2, 3, 4, 5)]
    assert streams.news.qsize() == 11
