"""Search for an order in which a concurrent history makes sense one operation after the other.

The search is Wing and Gong's (Testing and Verifying Concurrent Objects, 1993): an operation may come next
when no other one had ended before it began. Points that were reached once, as the set of operations done and
the state, are not tried again (Lowe, Testing for Linearizability, 2017).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State")
Call = TypeVar("Call")
Step = Callable[[State, Call], "State | Refused"]
_MOST_POINTS = 2_000_000


@dataclass(frozen=True, slots=True)
class Refused:
    """Say why the model does not allow a call in a state."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Call]):
    """Hold one call that returned, between two moments of one monotonic clock."""

    writer: str
    start: float
    end: float
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Generic[Call]):
    """Hold the order that was found; without one, the longest beginning and why none of the next fits."""

    order: tuple[Operation[Call], ...]
    is_linearizable: bool
    objections: tuple[str, ...] = ()


def linearize(history: Sequence[Operation[Call]], step: Step[State, Call], initial: State) -> Verdict[Call]:
    """Return an order of the whole history that the model allows, or where every order ends.

    Args:
        history: operations in any order.
        step: the sequential model; states must be hashable.
        initial: the state before the first operation.
    """
    operations = sorted(history, key=lambda o: o.start)
    everything = (1 << len(operations)) - 1
    path: list[tuple[int, State, Iterator[int]]] = [(0, initial, _next(operations, 0))]
    seen: set[tuple[int, State]] = {(0, initial)}
    deepest: tuple[int, ...] = ()
    objections: tuple[str, ...] = ()
    chosen: list[int] = []
    while path:
        done, state, untried = path[-1]
        if done == everything:
            return Verdict(order=tuple(operations[i] for i in chosen), is_linearizable=True)
        if len(seen) > _MOST_POINTS:
            raise RuntimeError(f"the search gave up after {len(seen)} points: too many writers at once")
        index = next(untried, None)
        if index is None:
            if len(chosen) >= len(deepest):
                deepest, objections = tuple(chosen), _objections(operations, done, state, step)
            path.pop()
            if chosen:
                chosen.pop()
            continue
        after = step(state, operations[index].call)
        point = (done | 1 << index, after)
        if isinstance(after, Refused) or point in seen:
            continue
        seen.add((point[0], after))
        path.append((point[0], after, _next(operations, point[0])))
        chosen.append(index)
    return Verdict(order=tuple(operations[i] for i in deepest), is_linearizable=False, objections=objections)


def _next(operations: Sequence[Operation[Call]], done: int) -> Iterator[int]:
    """Yield the operations that may come next: none that is left had ended before they began."""
    first_end = float("inf")
    found = []
    for index, operation in enumerate(operations):
        if done >> index & 1:
            continue
        if operation.start > first_end:
            break
        first_end = min(first_end, operation.end)
        found.append(index)
    return (index for index in found if operations[index].start <= first_end)


def _objections(
    operations: Sequence[Operation[Call]], done: int, state: State, step: Step[State, Call]
) -> tuple[str, ...]:
    found = []
    for index in _next(operations, done):
        after = step(state, operations[index].call)
        if isinstance(after, Refused):
            found.append(f"{operations[index].writer}: {operations[index].call}: {after.why}")
    return tuple(found)
