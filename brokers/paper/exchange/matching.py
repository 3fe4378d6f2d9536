"""Match one order against one quote, never optimistically. Pure.

An order that comes in fills at the touch, which is the worse of the last price and the quote, plus
slippage. A limit order that a quote has passed by fills only when the last price goes beyond its limit,
at its limit. A stop triggers on the last price and then counts as one that comes in.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from app.domain.orders import OrderStatus, Side, TimeInForce
from brokers.paper.exchange.orders import ZERO, Fill, Order, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bound a fill: units left of this tick (None: any), units that a reducing order may close."""

    liquidity: Decimal | None
    closable: Decimal
    slippage_ticks: int


def touch(side: Side, quote: Quote) -> Decimal:
    """Return the worse of the last price and the opposite best price."""
    if side is Side.BUY:
        return quote.last if quote.ask is None else max(quote.last, quote.ask)
    return quote.last if quote.bid is None else min(quote.last, quote.bid)


def is_reached(side: Side, trigger: Decimal, last: Decimal) -> bool:
    """Whether the last price has reached the trigger of a stop."""
    return last >= trigger if side is Side.BUY else last <= trigger


def taking_price(side: Side, quote: Quote, *, slippage_ticks: int, tick_size: Decimal) -> Decimal:
    """Return the touch, worsened by the slippage and onto the tick."""
    sign, rounding = (1, ROUND_CEILING) if side is Side.BUY else (-1, ROUND_FLOOR)
    at = touch(side, quote)
    slipped = at + sign * slippage_ticks * tick_size
    on_tick = (slipped / tick_size).to_integral_value(rounding) * tick_size
    # A price near zero cannot slip below the first tick; it is then sold at the touch at best.
    return on_tick if side is Side.BUY else min(at, max(on_tick, tick_size))


def fill_price(order: Order, quote: Quote, *, slippage_ticks: int) -> Decimal | None:
    """Return the price at which an active order fills now, or None."""
    side, limit = order.side, order.terms.price
    taken = taking_price(side, quote, slippage_ticks=slippage_ticks, tick_size=order.contract.tick_size)
    if not order.terms.is_limit or limit is None:
        return taken
    at = touch(side, quote)
    if (at > limit) if side is Side.BUY else (at < limit):
        return None
    if not order.is_resting:
        return min(taken, limit) if side is Side.BUY else max(taken, limit)
    is_through = quote.last < limit if side is Side.BUY else quote.last > limit
    return limit if is_through else None


def match(order: Order, quote: Quote, room: Room) -> tuple[Order, Fill | None]:
    """Return the order after this quote, and its fill if there was one; version and time stay as they are."""
    if order.status.is_terminal:
        return order, None
    if order.is_armed:
        trigger = order.terms.trigger_price
        if trigger is None or not is_reached(order.side, trigger, quote.last):
            return order, None
        order = replace(order, is_triggered=True, is_resting=False)
        order = replace(order, status=order.working_status())
    price = fill_price(order, quote, slippage_ticks=room.slippage_ticks)
    if price is None:
        return _unfilled(order, "nothing was offered at its price"), None
    quantity = order.leaves if room.liquidity is None else min(order.leaves, room.liquidity)
    if order.reduces_only:
        quantity = min(quantity, room.closable)
        if room.closable <= 0:
            return order.ended(
                OrderStatus.CANCELED, "nothing_to_reduce", "no position is left to reduce"
            ), None
    if quantity <= 0 or (order.terms.time_in_force is TimeInForce.FOK and quantity < order.leaves):
        return _at_once(order, "the tick does not hold its quantity"), None
    return _filled(order, Fill(quantity=quantity, price=price))


def _filled(order: Order, fill: Fill) -> tuple[Order, Fill]:
    order = replace(order, filled=order.filled + fill.quantity, amount=order.amount + fill.value)
    order = replace(order, status=order.working_status())
    return _at_once(order, "the rest found no taker at once") if order.leaves > ZERO else order, fill


def _unfilled(order: Order, reason: str) -> Order:
    return _at_once(replace(order, is_resting=True), reason)


def _at_once(order: Order, reason: str) -> Order:
    if order.terms.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        return order.ended(OrderStatus.CANCELED, "not_filled_at_once", reason)
    return order
