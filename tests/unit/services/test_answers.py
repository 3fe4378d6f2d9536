"""What a broker answered is kept until the ledger has it."""

from collections.abc import Sequence

import pytest
from sqlalchemy.exc import OperationalError

from app.services.lanes.answers import Answers


class _Ledger:
    def __init__(self) -> None:
        self.is_away = False
        self.written: list[int] = []

    def write(self, answers: Sequence[int]) -> None:
        if self.is_away:
            raise OperationalError("UPDATE", None, ConnectionError("away"))
        self.written += answers


@pytest.fixture
def ledger() -> _Ledger:
    return _Ledger()


def test_answers_wait_for_a_ledger_that_is_away(ledger: _Ledger) -> None:
    answers = Answers[int]()
    answers.put(1)
    answers.put(2)
    ledger.is_away = True
    assert answers.record(ledger.write) == ()

    answers.put(3)
    ledger.is_away = False
    assert answers.record(ledger.write) == ledger.written == [1, 2, 3]


def test_without_answers_nothing_is_written(ledger: _Ledger) -> None:
    ledger.is_away = True
    assert Answers[int]().record(ledger.write) == ()


def test_what_no_ledger_can_take_is_not_swallowed() -> None:
    def refuse(_: Sequence[int]) -> None:
        raise ValueError("impossible")

    answers = Answers[int]()
    answers.put(1)
    with pytest.raises(ValueError, match="impossible"):
        answers.record(refuse)
