"""The search accepts what one register could have answered, and nothing else."""

from collections.abc import Sequence
from itertools import permutations
from random import Random

import pytest

from tests.linearizability.search import Operation, Refused, linearize

Call = tuple[str, int]


def _register(state: int, call: Call) -> int | Refused:
    kind, value = call
    if kind == "write":
        return value
    return state if value == state else Refused(f"read {value}, it holds {state}")


def _at(start: float, end: float, kind: str, value: int) -> Operation[Call]:
    return Operation(writer=f"{start}", start=start, end=end, call=(kind, value))


GOOD = {
    "a read beside a write sees the old value": [_at(0, 9, "write", 1), _at(1, 2, "read", 0)],
    "a read beside a write sees the new value": [_at(0, 9, "write", 1), _at(1, 2, "read", 1)],
    "two writes at once end in either order": [
        _at(0, 5, "write", 1),
        _at(0, 5, "write", 2),
        _at(6, 7, "read", 1),
    ],
    "nothing happened": [],
}
BAD = {
    "a read after a write sees the old value": [_at(0, 1, "write", 1), _at(2, 3, "read", 0)],
    "a value goes back": [_at(0, 9, "write", 1), _at(1, 2, "read", 1), _at(3, 4, "read", 0)],
    "two readers disagree about the order": [
        *(_at(0, 9, "write", 1), _at(0, 9, "write", 2)),
        *(_at(10, 11, "read", 1), _at(12, 13, "read", 2)),
    ],
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD.keys())
def test_a_possible_history_is_accepted(history: list[Operation[Call]]) -> None:
    assert linearize(history, _register, 0).is_linearizable


@pytest.mark.parametrize("history", BAD.values(), ids=BAD.keys())
def test_an_impossible_history_is_refused_with_the_reason(history: list[Operation[Call]]) -> None:
    verdict = linearize(history, _register, 0)

    assert not verdict.is_linearizable
    assert "it holds" in verdict.objections[0]


def test_it_agrees_with_trying_every_order() -> None:
    """Small random histories, about half of them impossible."""
    random = Random(7)
    verdicts = []
    for _ in range(400):
        history = []
        for _ in range(5):
            start = random.uniform(0, 10)
            kind = random.choice(["read", "write"])
            history.append(_at(start, start + random.uniform(0, 6), kind, random.randrange(3)))
        verdict = linearize(history, _register, 0)
        assert verdict.is_linearizable == any(_makes_sense(order) for order in permutations(history))
        assert not verdict.is_linearizable or _makes_sense(verdict.order)
        verdicts.append(verdict.is_linearizable)
    assert 100 < sum(verdicts) < 300


def _makes_sense(order: Sequence[Operation[Call]]) -> bool:
    state = 0
    for position, operation in enumerate(order):
        if any(later.end < operation.start for later in order[position + 1 :]):
            return False
        after = _register(state, operation.call)
        if isinstance(after, Refused):
            return False
        state = after
    return True
