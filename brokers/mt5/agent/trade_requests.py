"""Turn an order of ours into a trade request of MT5. Pure; what the venue would misread is refused here."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.domain.orders import OrderType, Side, TimeInForce
from brokers.mt5.agent.market import Filling, SymbolMarket
from brokers.mt5.agent.refusals import RefusedError
from brokers.mt5.protocol import Refusal
from brokers.mt5.values import Row, number, whole

DEAL, PENDING, MODIFY, REMOVE = 1, 5, 7, 8
HEDGING = 2
_GTC, _DAY = 0, 1
_DEAL_TYPES = {Side.BUY: 0, Side.SELL: 1}
_PENDING_TYPES = {
    (OrderType.LIMIT, Side.BUY): 2,
    (OrderType.LIMIT, Side.SELL): 3,
    (OrderType.STOP_MARKET, Side.BUY): 4,
    (OrderType.STOP_MARKET, Side.SELL): 5,
}

TradeRequest = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOrder:
    """Ask for one order. `volume` in lots; `position` is the ticket of the position to close, or 0."""

    magic: int
    comment: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    volume: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduces_only: bool
    position: int

    @property
    def closes(self) -> bool:
        """Whether the order must not open exposure."""
        return self.reduces_only or self.position != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChange:
    """Ask for another price of a pending order; `volume` in lots is what it must have already."""

    ticket: int
    order_type: OrderType
    time_in_force: TimeInForce
    volume: Decimal
    price: Decimal | None
    trigger_price: Decimal | None


def submit_requests(
    asked: AskedOrder,
    market: SymbolMarket,
    *,
    positions: Sequence[Row],
    margin_mode: int,
    market_deviation_points: int,
) -> list[TradeRequest]:
    """Return the trade requests for one order: the same order in each filling policy, best first.

    An order that closes ends one position: as large as it may be, no larger than asked for. What a hedging
    account holds in several is closed by as many orders, each of which says how much it was for.
    A limit that the market has reached becomes a deal that may slip no further than the limit, because MT5
    refuses a pending limit beyond the market. Where the broker executes at market it may ignore that bound.

    Raises:
        RefusedError: the order breaks a rule of the symbol, or would open what it should close.
    """
    _check_volume(asked.volume, market)
    is_deal = _is_deal(asked, market)
    position, volume = _position_to_close(asked, positions) if is_deal else (0, asked.volume)
    if not is_deal and asked.closes and margin_mode == HEDGING:
        raise RefusedError(
            Refusal.PRICE_MOVED, "a pending order of a hedging account would open a second position"
        )
    base: TradeRequest = {
        "symbol": asked.symbol,
        "volume": _float(volume),
        "magic": asked.magic,
        "comment": asked.comment,
    }
    if is_deal:
        return _deals(asked, market, base, position=position, most_points=market_deviation_points)
    return [_pending(asked, market, base)]


def modify_request(asked: AskedChange, order: Row) -> TradeRequest:
    """Return the trade request that gives a pending order another price.

    Raises:
        RefusedError: another type or volume was asked for, which MT5 cannot change in place.
    """
    wanted = {code for (kind, _), code in _PENDING_TYPES.items() if kind is asked.order_type}
    if whole(order, "type") not in wanted or number(order, "volume_initial") != asked.volume:
        raise RefusedError(
            Refusal.INVALID, "MT5 changes the price of a pending order, never its type or volume"
        )
    price = asked.trigger_price if asked.order_type is OrderType.STOP_MARKET else asked.price
    if price is None:
        raise RefusedError(Refusal.INVALID, f"{asked.order_type}: expected a price, got none")
    return {
        "action": MODIFY,
        "order": asked.ticket,
        "symbol": order.get("symbol"),
        "price": _float(price),
        "sl": _float(number(order, "sl")),
        "tp": _float(number(order, "tp")),
        "type_time": _time_type(asked.time_in_force),
    }


def remove_request(ticket: int) -> TradeRequest:
    """Return the trade request that removes a pending order."""
    return {"action": REMOVE, "order": ticket}


def _is_deal(asked: AskedOrder, market: SymbolMarket) -> bool:
    touch = market.touch(asked.side)
    if touch <= 0:
        raise RefusedError(Refusal.PRICE_MOVED, f"{asked.symbol}: no price at the moment")
    if asked.order_type is OrderType.MARKET:
        return True
    if asked.order_type is not OrderType.LIMIT:
        return False
    if asked.price is None:
        raise RefusedError(Refusal.INVALID, "LIMIT: expected a price, got none")
    crosses = (asked.price - touch) * asked.side.sign >= 0
    is_immediate = asked.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
    if is_immediate and not crosses:
        raise RefusedError(Refusal.PRICE_MOVED, f"the market at {touch} does not reach {asked.price}")
    return crosses


def _position_to_close(asked: AskedOrder, positions: Sequence[Row]) -> tuple[int, Decimal]:
    """Return the ticket of the position that an order ends, and the lots that it closes of it."""
    if not asked.closes:
        return 0, asked.volume
    held = _DEAL_TYPES[asked.side.opposite]
    opposite = [
        item
        for item in positions
        if item.get("symbol") == asked.symbol
        and whole(item, "type") == held
        and asked.position in (0, whole(item, "ticket"), whole(item, "identifier"))
    ]
    if not opposite:
        raise RefusedError(Refusal.ALREADY_DONE, "there is no position that this order would close")
    enough = [whole(item, "ticket") for item in opposite if number(item, "volume") >= asked.volume]
    if enough:
        return min(enough), asked.volume
    if asked.position != 0:
        raise RefusedError(Refusal.INVALID, "the position is smaller than the volume that should be closed")
    largest = max(opposite, key=lambda item: (number(item, "volume"), -whole(item, "ticket")))
    return whole(largest, "ticket"), number(largest, "volume")


def _deals(
    asked: AskedOrder, market: SymbolMarket, base: TradeRequest, *, position: int, most_points: int
) -> list[TradeRequest]:
    touch = market.touch(asked.side)
    points = most_points
    if asked.price is not None and asked.order_type is OrderType.LIMIT:
        points = int(abs(asked.price - touch) / market.point)
    request: TradeRequest = {
        **base,
        "action": DEAL,
        "type": _DEAL_TYPES[asked.side],
        "price": _float(touch),
        "deviation": points,
        "type_time": _GTC,
    }
    if position:
        request["position"] = position
    return [{**request, "type_filling": int(filling)} for filling in _fillings(asked, market)]


def _fillings(asked: AskedOrder, market: SymbolMarket) -> tuple[Filling, ...]:
    allowed = market.fillings()
    wanted = {TimeInForce.IOC: Filling.IOC, TimeInForce.FOK: Filling.FOK}.get(asked.time_in_force)
    chosen = allowed if wanted is None else tuple(item for item in allowed if item is wanted)
    if not chosen:
        raise RefusedError(Refusal.INVALID, f"{asked.symbol}: the broker fills no deal {asked.time_in_force}")
    return chosen


def _pending(asked: AskedOrder, market: SymbolMarket, base: TradeRequest) -> TradeRequest:
    kind = _PENDING_TYPES.get((asked.order_type, asked.side))
    price = asked.price if asked.order_type is OrderType.LIMIT else asked.trigger_price
    if kind is None or price is None:
        raise RefusedError(Refusal.INVALID, f"{asked.order_type}: expected a type and price that MT5 takes")
    _check_distance(asked, price, market)
    return {
        **base,
        "action": PENDING,
        "type": kind,
        "price": _float(price),
        "type_filling": int(Filling.RETURN),
        "type_time": _time_type(asked.time_in_force),
    }


def _check_distance(asked: AskedOrder, price: Decimal, market: SymbolMarket) -> None:
    # A limit waits on the near side of the market, a stop on the far side.
    direction = asked.side.sign if asked.order_type is OrderType.STOP_MARKET else -asked.side.sign
    distance = (price - market.touch(asked.side)) * direction
    if distance < market.stops_distance or distance <= 0:
        raise RefusedError(
            Refusal.PRICE_MOVED,
            f"{asked.order_type} at {price}: expected at least {market.stops_distance} from the market at "
            f"{market.touch(asked.side)}, got {distance}",
        )


def _check_volume(volume: Decimal, market: SymbolMarket) -> None:
    is_whole = volume.is_finite() and volume % market.volume_step == 0
    if not is_whole or not market.volume_min <= volume <= market.volume_max:
        raise RefusedError(
            Refusal.INVALID,
            f"volume: expected {market.volume_min} to {market.volume_max} lots in steps of "
            f"{market.volume_step}, got {volume}",
        )


def _time_type(time_in_force: TimeInForce) -> int:
    match time_in_force:
        case TimeInForce.DAY:
            return _DAY
        case TimeInForce.GTC:
            return _GTC
        case TimeInForce.IOC | TimeInForce.FOK:
            raise RefusedError(Refusal.INVALID, f"{time_in_force}: a pending order waits")


def _float(value: Decimal) -> float:
    # The module takes floats; the shortest one that names this decimal is the one it would print again.
    return float(value)
