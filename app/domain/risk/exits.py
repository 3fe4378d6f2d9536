"""Decide the next step that brings a leg to its stop, or out: one live exit order per leg, ever.

A leg above the venue's freeze quantity leaves in parts: each has one exit order of its own.

The stop order itself becomes the exit: it is changed into a marketable limit and its price follows
the market until it fills. So there is no moment with two exits and none between cancel and exit.
Where a venue cannot change an order in place, it is canceled first and the next pass places the new
one; where a stop cannot rest, we watch the price. Source of the chase: market orders of Indian API
users become limits that may rest (markets.md 1.6).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

from app.domain.errors import InvariantError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market_data import Tick
from app.domain.numbers import ZERO
from app.domain.orders import OrderStatus, OrderType, Side
from app.domain.positions import Leg
from app.domain.pricing import marketable_limit, protected_distance, stop_terms

CHASE_STEPS = 5
CHASE_AFTER_S = 1.5
CHASE_SLOWLY_AFTER_S = 3.0
STOP_STUCK_AFTER_S = 2.0
REPEAT_CANCEL_AFTER_S = 2.0
WATCH_AFTER_S = 1.0
MOVE_AFTER_S = 3.0
"""How long a resting stop stays where it is at least, so that a trail leaves the order budget to others."""
REPLACE_AFTER_S = 15.0
"""The same where a move is a cancel and a new order, between which the leg is bare."""

_AT_VENUE = (OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveExit:
    """Show the leg's one live exit order. `age_s`: real seconds since it was last sent or changed."""

    status: OrderStatus
    side: Side
    order_type: OrderType
    quantity: Decimal
    filled: Decimal
    price: Decimal
    trigger_price: Decimal | None
    chase_step: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceExit:
    """Send a new exit order; `price` is None at market."""

    order_type: OrderType
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeExit:
    """Change the live exit order; every field is the new full value."""

    order_type: OrderType
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal | None
    chase_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelExit:
    """Cancel the live exit order: there is nothing left to close, or it would make the position larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchExit:
    """Keep watching the price: the venue takes no stop so far away, or has not said whether it took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitExit:
    """Send nothing, the leg is bare: the market has reached a stop that may or may not be at the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedStop:
    """Say where the stop shall be: at a fraction of the average entry, or where an exit rule has moved it.

    `due_s` says for how many seconds the price is known to have been there: the leg leaves even if the
    market has turned, at once where no order rests at the level, else if the venue does not trigger it.
    """

    fraction: Decimal
    moved_to: Decimal | None = None
    due_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitMeans:
    """Say what the account's venue can do with exits, see Capabilities."""

    changes_in_place: bool = True
    rests_stops: bool = True


ANY_MEANS = ExitMeans()
ExitStep = PlaceExit | ChangeExit | CancelExit | WatchExit | AwaitExit


def exit_side(leg: Leg) -> Side:
    """Return the side that closes a leg; raises InvariantError for a flat one."""
    if leg.exit_side is None:
        raise InvariantError("a flat leg has no exit side")
    return leg.exit_side


def exit_shares(
    net_qty: Decimal, live: Mapping[int, LiveExit], *, most: Decimal | None
) -> dict[int, Decimal]:
    """Return how much of a position the exit of each part closes; signed like the position.

    What lives keeps what it can still close, so that no quantity moves from one order to another and both
    could fill; growth goes to live orders that have room, then to new parts.

    Args:
        net_qty: the leg's position.
        live: its live exit orders by part.
        most: the largest order that the venue takes, None without a limit.
    """
    left = abs(net_qty)
    shares = dict.fromkeys(sorted(live), ZERO)
    for part in shares:
        shares[part] = min(left, live[part].quantity - live[part].filled)
        left -= shares[part]
    for part in shares:
        room = left if most is None else max(most - live[part].filled - shares[part], ZERO)
        grown = min(left, room)
        shares[part] += grown
        left -= grown
    free = (part for part in count() if part not in shares)
    while left > 0:
        part = next(free)
        shares[part] = left if most is None else min(left, most)
        left -= shares[part]
    return {part: share.copy_sign(net_qty) for part, share in shares.items()}


def next_exit_step(
    leg: Leg,
    live: LiveExit | None,
    *,
    instrument: Instrument,
    tick: Tick | None,
    stop: WantedStop | None,
    wants_flat: bool,
    means: ExitMeans = ANY_MEANS,
) -> ExitStep | None:
    """Return what to do now for one leg, or None to leave things as they are.

    Args:
        leg: the position as far as the broker's book holds it, or the part of it that one order closes.
        live: the exit order of that part that has not ended, if any.
        instrument: tick and lot.
        tick: the latest price; without one an exit cannot be priced, a stop can.
        stop: the protection asked for with the entry, as its exit rules have moved it.
        wants_flat: whether the leg shall be closed now.
        means: what the venue can do.
    """
    if leg.net_qty == 0 or (live is not None and live.side is not exit_side(leg)):
        return _withdraw(live)
    if live is None:
        wanted = None if wants_flat else stop
        return _first_exit(leg, instrument, tick=tick, stop=wanted, is_leaving=wants_flat, means=means)
    if live.status is OrderStatus.SUBMITTED:
        return _watch_unanswered(live, tick, _level_of(leg, live, stop, instrument))
    rest_s = MOVE_AFTER_S if means.changes_in_place else REPLACE_AFTER_S
    step = _next_change(leg, live, instrument, tick=tick, stop=stop, wants_flat=wants_flat, rest_s=rest_s)
    return CancelExit() if isinstance(step, ChangeExit) and not means.changes_in_place else step


def is_short_of_stop(leg: Leg, *, instrument: Instrument, tick: Tick | None, stop: WantedStop | None) -> bool:
    """Whether the market is known not to have reached the stop, so that no order could do anything yet.

    Args:
        leg: the position that the stop protects.
        instrument: tick and lot.
        tick: the latest price; without one nothing is known.
        stop: the protection asked for with the entry, as its exit rules have moved it.
    """
    if leg.net_qty == 0 or tick is None or stop is None:
        return False
    trigger, _ = _stop_terms(leg, stop, instrument)
    return not _is_due(stop, trigger, exit_side(leg), tick)


def _next_change(
    leg: Leg,
    live: LiveExit,
    instrument: Instrument,
    *,
    tick: Tick | None,
    stop: WantedStop | None,
    wants_flat: bool,
    rest_s: float,
) -> ChangeExit | CancelExit | None:
    if live.status not in _AT_VENUE:
        return CancelExit() if _is_cancel_stuck(live) else None
    quantity = live.filled + abs(leg.net_qty)
    if live.quantity > quantity and (tick is None or live.status is not OrderStatus.ACCEPTED):
        # Somebody else closed a part, and the order may fill any moment: first of all it must be smaller.
        return _shrink(live, quantity)
    if live.order_type in (OrderType.LIMIT, OrderType.MARKET):
        return _chase(leg, live, instrument, tick=tick, quantity=quantity)
    if wants_flat or _is_stop_stuck(leg, live, tick):
        return _to_marketable(leg, instrument, tick=tick, quantity=quantity, chase_step=0)
    if stop is None or live.status is not OrderStatus.ACCEPTED:
        return None
    return _follow_stop(leg, live, instrument, tick=tick, stop=stop, quantity=quantity, rest_s=rest_s)


def _watch_unanswered(
    live: LiveExit, tick: Tick | None, level: Decimal | None
) -> WatchExit | AwaitExit | None:
    """Watch the price of an exit that the venue does not answer for, until the books tell its fate."""
    if level is None or tick is None or live.age_s < WATCH_AFTER_S:
        return None
    return AwaitExit() if _has_passed(tick, live.side, level) else WatchExit()


def _level_of(leg: Leg, live: LiveExit, stop: WantedStop | None, instrument: Instrument) -> Decimal | None:
    """Return where the leg's stop stands; on its way out it is still the one wished with the entry."""
    if live.trigger_price is not None or stop is None:
        return live.trigger_price
    return _stop_terms(leg, stop, instrument)[0]


def _withdraw(live: LiveExit | None) -> CancelExit | None:
    if live is None:
        return None
    return CancelExit() if live.status in _AT_VENUE or _is_cancel_stuck(live) else None


def _is_cancel_stuck(live: LiveExit) -> bool:
    return live.status is OrderStatus.PENDING_CANCEL and live.age_s >= REPEAT_CANCEL_AFTER_S


def _first_exit(
    leg: Leg,
    instrument: Instrument,
    *,
    tick: Tick | None,
    stop: WantedStop | None,
    is_leaving: bool,
    means: ExitMeans,
) -> PlaceExit | WatchExit | None:
    if is_leaving:
        return _leave(leg, instrument, tick)
    if stop is None:
        return None
    side = exit_side(leg)
    trigger, limit = _stop_terms(leg, stop, instrument)
    if _is_due(stop, trigger, side, tick):
        out = _leave(leg, instrument, tick)
        if out is not None:
            return out
    if not means.rests_stops:
        return None if tick is None else WatchExit()
    if tick is not None and _is_too_far(limit, tick, instrument):
        return WatchExit()
    return PlaceExit(
        order_type=OrderType.STOP_LIMIT, quantity=abs(leg.net_qty), price=limit, trigger_price=trigger
    )


def _follow_stop(
    leg: Leg,
    live: LiveExit,
    instrument: Instrument,
    *,
    tick: Tick | None,
    stop: WantedStop,
    quantity: Decimal,
    rest_s: float,
) -> ChangeExit | None:
    """Keep the resting stop as large as the position, and bring it to where a rule has moved its level."""
    trigger, limit = _stop_terms(leg, stop, instrument)
    is_moved = stop.moved_to is not None and _is_tighter(trigger, live)
    if _is_due(stop, trigger, live.side, tick) if is_moved else _is_overdue(stop):
        # The market turned before the order could be moved, or the venue goes by another price than we do:
        # the level in force counts.
        out = _to_marketable(leg, instrument, tick=tick, quantity=quantity, chase_step=0)
        if out is not None:
            return out
    may_move = (
        is_moved and live.age_s >= rest_s and (tick is None or not _is_too_far(limit, tick, instrument))
    )
    if live.quantity == quantity and not may_move:
        return None
    return ChangeExit(
        order_type=OrderType.STOP_LIMIT,
        quantity=quantity,
        price=limit,
        trigger_price=trigger,
        chase_step=live.chase_step,
    )


def _stop_terms(leg: Leg, stop: WantedStop, instrument: Instrument) -> tuple[Decimal, Decimal]:
    return stop_terms(
        leg.entry_px,
        exit_side(leg),
        stop_fraction=stop.fraction,
        instrument=instrument,
        moved_to=stop.moved_to,
    )


def _is_due(stop: WantedStop, trigger: Decimal, side: Side, tick: Tick | None) -> bool:
    return stop.due_s is not None or (tick is not None and _has_passed(tick, side, trigger))


def _is_overdue(stop: WantedStop) -> bool:
    return stop.due_s is not None and stop.due_s >= STOP_STUCK_AFTER_S


def _is_tighter(trigger: Decimal, live: LiveExit) -> bool:
    return live.trigger_price is not None and live.side.sign * (live.trigger_price - trigger) > 0


def _leave(leg: Leg, instrument: Instrument, tick: Tick | None) -> PlaceExit | None:
    """Close the whole leg: by a limit that trades at once, in forex at market."""
    quantity = abs(leg.net_qty)
    if instrument.kind is InstrumentKind.FOREX:
        return PlaceExit(order_type=OrderType.MARKET, quantity=quantity, price=None, trigger_price=None)
    if tick is None:
        return None
    price = marketable_limit(exit_side(leg), tick, instrument=instrument)
    return PlaceExit(order_type=OrderType.LIMIT, quantity=quantity, price=price, trigger_price=None)


def _is_too_far(limit: Decimal, tick: Tick, instrument: Instrument) -> bool:
    return abs(limit - tick.last) > protected_distance(tick.last, instrument.kind)


def _has_passed(tick: Tick, side: Side, level: Decimal) -> bool:
    return tick.last >= level if side is Side.BUY else tick.last <= level


def _is_stop_stuck(leg: Leg, live: LiveExit, tick: Tick | None) -> bool:
    """Whether the market ran through the stop's limit and left it behind."""
    is_through = (
        tick is not None and tick.last != live.price and _has_passed(tick, exit_side(leg), live.price)
    )
    return is_through and live.age_s >= STOP_STUCK_AFTER_S


def _shrink(live: LiveExit, quantity: Decimal) -> ChangeExit:
    is_resting = live.order_type is OrderType.STOP_LIMIT and live.status is OrderStatus.ACCEPTED
    return ChangeExit(
        order_type=OrderType.STOP_LIMIT if is_resting else OrderType.LIMIT,
        quantity=quantity,
        price=live.price,
        trigger_price=live.trigger_price if is_resting else None,
        chase_step=live.chase_step,
    )


def _chase(
    leg: Leg, live: LiveExit, instrument: Instrument, *, tick: Tick | None, quantity: Decimal
) -> ChangeExit | None:
    patience_s = CHASE_AFTER_S if live.chase_step < CHASE_STEPS else CHASE_SLOWLY_AFTER_S
    if live.age_s < patience_s and live.quantity == quantity:
        return None
    return _to_marketable(leg, instrument, tick=tick, quantity=quantity, chase_step=live.chase_step + 1)


def _to_marketable(
    leg: Leg, instrument: Instrument, *, tick: Tick | None, quantity: Decimal, chase_step: int
) -> ChangeExit | None:
    if tick is None:
        return None
    price = marketable_limit(exit_side(leg), tick, instrument=instrument, step=min(chase_step, CHASE_STEPS))
    return ChangeExit(
        order_type=OrderType.LIMIT,
        quantity=quantity,
        price=price,
        trigger_price=None,
        chase_step=chase_step,
    )
