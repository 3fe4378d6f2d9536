"""Check trade requests as the trade server does; answer with its return code, None for a good one."""

from dataclasses import dataclass
from datetime import datetime

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.hours import is_trading
from brokers.simulators.mt5.market import Quote
from brokers.simulators.mt5.records import (
    BUY,
    LIMIT_TYPES,
    PENDING_TYPES,
    SELL,
    STOP_LIMIT_TYPES,
    Position,
    opposite,
    side_of,
)
from brokers.simulators.mt5.symbols import Symbol
from brokers.simulators.mt5.trade_request import NOT_ON_GRID, TradeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a request meets: the book, the symbol, the quote, the virtual instant and the server's offset."""

    book: Book
    symbol: Symbol
    quote: Quote
    now: datetime
    offset_s: int

    def price(self, side: int) -> int:
        """Return the price at which a market order of a side is done."""
        return self.quote.ask if side == BUY else self.quote.bid


def check_permission(book: Book, *, expert: bool) -> int | None:
    """Return the code when account or terminal may not trade; a person needs no algo trading."""
    account = book.account
    if expert and not account.algo_trading:
        return mt5.TRADE_RETCODE_CLIENT_DISABLES_AT
    if expert and not account.trade_expert:
        return mt5.TRADE_RETCODE_SERVER_DISABLES_AT
    return None if account.trade_allowed else mt5.TRADE_RETCODE_TRADE_DISABLED


def check_deal(moment: Moment, request: TradeRequest) -> int | None:
    """Check a market order."""
    if request.type not in {BUY, SELL}:
        return mt5.TRADE_RETCODE_INVALID
    position = moment.book.positions.get(request.position)
    if request.position and position is None:
        return mt5.TRADE_RETCODE_POSITION_CLOSED
    closing = position is not None
    return (
        _check_symbol(moment, request.type, closing=closes(moment.book, request))
        or _check_volume(moment, request)
        or (_check_close(moment, request, position) if position is not None else None)
        or _check_filling(moment, request, pending=False)
        or _check_instant_price(moment, request)
        or _check_stops(moment, request.type, moment.price(opposite(request.type)), request)
        or (None if closing else _check_money(moment, request))
    )


def closes(book: Book, request: TradeRequest) -> bool:
    """Return whether a market order only reduces what is held."""
    if book.account.hedges:
        return request.position != 0
    return any(
        held.side != request.type and request.volume <= held.volume for held in book.of_symbol(request.symbol)
    )


def check_pending(moment: Moment, request: TradeRequest) -> int | None:
    """Check a new pending order."""
    if request.type not in PENDING_TYPES:
        return mt5.TRADE_RETCODE_INVALID_ORDER
    if len(moment.book.orders) >= moment.book.account.limit_orders:
        return mt5.TRADE_RETCODE_LIMIT_ORDERS
    side = side_of(request.type)
    return (
        _check_symbol(moment, side, closing=False)
        or _check_volume(moment, request)
        or _check_filling(moment, request, pending=True)
        or check_terms(moment, request)
    )


def check_terms(moment: Moment, request: TradeRequest) -> int | None:
    """Check prices, stops and expiration of a pending order, new or changed."""
    side = side_of(request.type)
    if not _stands_off(moment, request):
        return mt5.TRADE_RETCODE_INVALID_PRICE
    if request.type in STOP_LIMIT_TYPES:
        # The limit must not be worse than the price that releases it.
        gap = request.price - request.stoplimit if side == BUY else request.stoplimit - request.price
        if request.stoplimit <= 0 or gap < moment.symbol.stops_level:
            return mt5.TRADE_RETCODE_INVALID_PRICE
    entry = request.stoplimit if request.type in STOP_LIMIT_TYPES else request.price
    return _check_stops(moment, side, entry, request) or _check_expiration(moment, request)


def _stands_off(moment: Moment, request: TradeRequest) -> bool:
    side, level = side_of(request.type), moment.symbol.stops_level
    market = moment.price(side)
    below = (side == BUY) == (request.type in LIMIT_TYPES)
    distance = market - request.price if below else request.price - market
    return request.price > 0 and distance > 0 and distance >= level


def check_position_stops(moment: Moment, position: Position, request: TradeRequest) -> int | None:
    """Check new stops of an open position."""
    if not is_trading(moment.now):
        return mt5.TRADE_RETCODE_MARKET_CLOSED
    if (request.sl, request.tp) == (position.sl, position.tp):
        return mt5.TRADE_RETCODE_NO_CHANGES
    market = moment.price(opposite(position.side))
    old = (level for level in (position.sl, position.tp) if level)
    if any(abs(level - market) < moment.symbol.freeze_level for level in old):
        return mt5.TRADE_RETCODE_FROZEN
    return _check_stops(moment, position.side, market, request)


def is_frozen(moment: Moment, side: int, price: int) -> bool:
    """Return whether an order stands too near the market to be changed or removed."""
    return abs(moment.price(side) - price) < moment.symbol.freeze_level


def _check_symbol(moment: Moment, side: int, *, closing: bool) -> int | None:
    mode = moment.symbol.trade_mode
    if mode == mt5.SYMBOL_TRADE_MODE_DISABLED:
        return mt5.TRADE_RETCODE_TRADE_DISABLED
    if not is_trading(moment.now):
        return mt5.TRADE_RETCODE_MARKET_CLOSED
    if closing or mode == mt5.SYMBOL_TRADE_MODE_FULL:
        return None
    if mode == mt5.SYMBOL_TRADE_MODE_CLOSEONLY:
        return mt5.TRADE_RETCODE_CLOSE_ONLY
    if mode == mt5.SYMBOL_TRADE_MODE_LONGONLY:
        return mt5.TRADE_RETCODE_LONG_ONLY if side == SELL else None
    return mt5.TRADE_RETCODE_SHORT_ONLY if side == BUY else None


def _check_volume(moment: Moment, request: TradeRequest) -> int | None:
    symbol, volume = moment.symbol, request.volume
    if not symbol.volume_min <= volume <= symbol.volume_max or volume % symbol.volume_step:
        return mt5.TRADE_RETCODE_INVALID_VOLUME
    if not symbol.volume_limit or closes(moment.book, request):
        return None
    total = moment.book.open_volume(symbol.name, side_of(request.type)) + volume
    return mt5.TRADE_RETCODE_LIMIT_VOLUME if total > symbol.volume_limit else None


def _check_close(moment: Moment, request: TradeRequest, position: Position) -> int | None:
    if position.symbol != request.symbol:
        return mt5.TRADE_RETCODE_INVALID
    if position.side == request.type:
        return mt5.TRADE_RETCODE_INVALID_ORDER if moment.book.account.hedges else None
    return mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME if request.volume > position.volume else None


def _check_filling(moment: Moment, request: TradeRequest, *, pending: bool) -> int | None:
    allowed = moment.symbol.allows_filling(request.type_filling, pending=pending)
    return None if allowed else mt5.TRADE_RETCODE_INVALID_FILL


def _check_instant_price(moment: Moment, request: TradeRequest) -> int | None:
    if request.price == NOT_ON_GRID:
        return mt5.TRADE_RETCODE_INVALID_PRICE
    if moment.symbol.execution > mt5.SYMBOL_TRADE_EXECUTION_INSTANT:
        return None  # market and exchange execution take the market's price whatever is asked
    if request.price <= 0:
        return mt5.TRADE_RETCODE_INVALID_PRICE
    slipped = abs(moment.price(request.type) - request.price) > request.deviation
    return mt5.TRADE_RETCODE_REQUOTE if slipped else None


def _check_stops(moment: Moment, side: int, entry: int, request: TradeRequest) -> int | None:
    level, sign = moment.symbol.stops_level, 1 if side == BUY else -1
    if NOT_ON_GRID in {request.sl, request.tp}:
        return mt5.TRADE_RETCODE_INVALID_STOPS
    loss, gain = sign * (entry - request.sl), sign * (request.tp - entry)
    if request.sl and (loss <= 0 or loss < level):
        return mt5.TRADE_RETCODE_INVALID_STOPS
    if request.tp and (gain <= 0 or gain < level):
        return mt5.TRADE_RETCODE_INVALID_STOPS
    return None


def _check_money(moment: Moment, request: TradeRequest) -> int | None:
    lacks = moment.book.lacks_money(request.symbol, request.type, request.volume, moment.quote)
    return mt5.TRADE_RETCODE_NO_MONEY if lacks else None


def _check_expiration(moment: Moment, request: TradeRequest) -> int | None:
    if request.type_time in {mt5.ORDER_TIME_GTC, mt5.ORDER_TIME_DAY}:
        return None
    if request.type_time not in {mt5.ORDER_TIME_SPECIFIED, mt5.ORDER_TIME_SPECIFIED_DAY}:
        return mt5.TRADE_RETCODE_INVALID_EXPIRATION
    passed = request.expiration - moment.offset_s <= moment.now.timestamp()
    return mt5.TRADE_RETCODE_INVALID_EXPIRATION if passed else None
