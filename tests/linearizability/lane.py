"""What an account's lane must look like from outside: one thing after the other, by simple rules.

The rules are written again here, from the invariants and not from the code: who may write (I11), one order
per intent (I1, I2), one live exit per leg that is never larger than the position (I6), nothing new while the
account may only close, and fills that only grow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tests.linearizability.search import Refused

Intent = tuple[int, str, int, int]
Leg = tuple[int, str]
_ZERO = Decimal(0)
_FENCED = {"RECORDED": "loops", "SUBMITTED:ENTRY": "entries", "SUBMITTED:EXIT": "exits"}
_FENCED |= {"UPDATE_REQUESTED": "exits", "CANCEL_REQUESTED": "exits"}
_LEAVES_OPEN = frozenset({"ACCEPTED", "TRIGGERED", "UPDATED", "OUTCOME_UNKNOWN", "REQUEST_REFUSED"})


class Phase(StrEnum):
    """Say how far an order is."""

    WAITING = "WAITING"
    SENT = "SENT"
    ENDED = "ENDED"


_AT_BROKER = (Phase.SENT, Phase.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Hold what never changes about an order; `intent` is deployment, signal, leg and part."""

    order_id: int
    intent: Intent
    leg: Leg
    is_exit: bool
    sign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Hold one thing that a transaction did to an order, and the phase that it left it in."""

    kind: str
    order_id: int
    phase: Phase
    quantity: Decimal = _ZERO
    filled: Decimal = _ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Hold what one transaction did, or saw: leases that it wrote, the account's state, orders, a look.

    `fence` is the number that its writer believes in. `look` is one statement's view of the whole account.
    """

    fence: int | None = None
    leases: tuple[tuple[str, int], ...] = ()
    may_enter: bool | None = None
    effects: tuple[Effect, ...] = ()
    look: frozenset[tuple[int, Phase]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The state: fencing numbers, orders, fills, positions and live exits."""

    fences: frozenset[tuple[str, int]] = frozenset()
    may_enter: bool = True
    phases: frozenset[tuple[int, Phase]] = frozenset()
    intents: frozenset[Intent] = frozenset()
    fills: frozenset[tuple[int, Decimal]] = frozenset()
    positions: frozenset[tuple[Leg, Decimal]] = frozenset()
    exits: frozenset[tuple[Leg, int]] = frozenset()


class LaneModel:
    """Apply a transaction to an account, or refuse it."""

    def __init__(self, orders: Mapping[int, Order]) -> None:
        self._orders = orders

    def __call__(self, state: Account, call: Transaction) -> Account | Refused:
        """Return the state after the transaction; its leases and its look come first."""
        if call.look is not None and call.look != state.phases:
            return Refused(f"it saw {sorted(call.look ^ state.phases)} otherwise")
        after: Account | Refused = _take_leases(state, call)
        for effect in call.effects:
            if isinstance(after, Refused):
                return after
            after = self._apply(after, effect, call.fence)
        if isinstance(after, Refused) or call.may_enter is None:
            return after
        return replace(after, may_enter=call.may_enter)

    def _apply(self, state: Account, effect: Effect, fence: int | None) -> Account | Refused:
        order = self._orders[effect.order_id]
        kind = effect.kind
        if kind == "SUBMITTED":
            kind = f"SUBMITTED:{'EXIT' if order.is_exit else 'ENTRY'}"
        lane = _FENCED.get(kind)
        if lane is not None and dict(state.fences).get(lane) != fence:
            return Refused(f"{kind} of order {order.order_id} with fence {fence}, it is {state.fences}")
        phase = dict(state.phases).get(order.order_id)
        after = self._objection(state, order, effect, kind, phase)
        if after is not None:
            return Refused(f"{kind} of order {order.order_id} in {phase}: {after}")
        return self._move(state, order, effect, kind)

    def _objection(
        self, state: Account, order: Order, effect: Effect, kind: str, phase: Phase | None
    ) -> str | None:
        match kind:
            case "RECORDED":
                if order.intent in state.intents:
                    return "its intent has an order"
                return None if state.may_enter else "the account may only close"
            case "SUBMITTED:ENTRY":
                return None if phase is Phase.WAITING else "only a waiting entry may leave"
            case "SUBMITTED:EXIT":
                return _objection_to_exit(state, order, effect, phase)
            case "FILLED":
                return _objection_to_fill(state, order, effect, phase)
            case "UPDATE_REQUESTED" | "CANCEL_REQUESTED":
                is_allowed = phase is Phase.SENT
            case "CANCELED" | "EXPIRED":
                is_allowed = phase is not None and effect.phase is Phase.ENDED
            case "REJECTED" | "NOT_SENT":
                is_allowed = phase in _AT_BROKER and effect.phase is Phase.ENDED
            case _:
                is_allowed = kind in _LEAVES_OPEN and phase in _AT_BROKER
        return None if is_allowed else f"it goes to {effect.phase}"

    @staticmethod
    def _move(state: Account, order: Order, effect: Effect, kind: str) -> Account:
        exits, intents = dict(state.exits), state.intents
        fills, positions = dict(state.fills), dict(state.positions)
        if kind == "RECORDED":
            intents |= {order.intent}
        if kind == "FILLED":
            step = effect.filled - fills.get(order.order_id, _ZERO)
            fills[order.order_id] = effect.filled
            positions[order.leg] = positions.get(order.leg, _ZERO) + step * order.sign
        if kind == "SUBMITTED:EXIT":
            exits[order.leg] = order.order_id
        if effect.phase is Phase.ENDED and exits.get(order.leg) == order.order_id:
            del exits[order.leg]
        return replace(
            state,
            phases=frozenset({**dict(state.phases), order.order_id: effect.phase}.items()),
            intents=intents,
            fills=frozenset(fills.items()),
            positions=frozenset(positions.items()),
            exits=frozenset(exits.items()),
        )


def _take_leases(state: Account, call: Transaction) -> Account | Refused:
    fences = dict(state.fences)
    for lane, fence in call.leases:
        known = fences.get(lane, 0)
        if fence not in (known, known + 1):
            return Refused(f"the fencing number of {lane} goes from {known} to {fence}")
        fences[lane] = fence
    return replace(state, fences=frozenset(fences.items()))


def _objection_to_exit(state: Account, order: Order, effect: Effect, phase: Phase | None) -> str | None:
    if phase is not None or order.leg in dict(state.exits):
        return "the leg has a live exit"
    position = dict(state.positions).get(order.leg, _ZERO)
    is_closing = position * order.sign < 0 and effect.quantity <= abs(position)
    return None if is_closing else f"{effect.quantity} does not close {position}"


def _objection_to_fill(state: Account, order: Order, effect: Effect, phase: Phase | None) -> str | None:
    if phase not in _AT_BROKER:
        return "it was never sent"
    known = dict(state.fills).get(order.order_id, _ZERO)
    step = effect.filled - known
    position = dict(state.positions).get(order.leg, _ZERO)
    if order.is_exit and step > abs(position):
        return f"{step} is more than the position, {position}"
    return None if step > 0 else f"fills go from {known} to {effect.filled}"
