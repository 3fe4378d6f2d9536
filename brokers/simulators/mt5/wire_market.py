"""Answer the reads of symbols, ticks, bars and depth of market."""

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.bars import BarBuilder, FrameBar, is_known
from brokers.simulators.mt5.calls import Call, Failed, Handler
from brokers.simulators.mt5.hours import epoch
from brokers.simulators.mt5.market import Quote
from brokers.simulators.mt5.rows import Row, symbol_row, tick_row, units
from brokers.simulators.mt5.symbols import Symbol
from brokers.simulators.mt5.wire_books import matches_group

_LONGEST_TICKS_S = 7 * 24 * 3600


def _symbol(call: Call) -> Symbol:
    symbol = call.sim.symbols.get(call.text("symbol"))
    if symbol is None:
        raise Failed(mt5.RES_E_NOT_FOUND)
    return symbol


def _row(call: Call, symbol: Symbol) -> Row:
    quote, clock = call.sim.quote(), call.time
    row = symbol_row(symbol, quote, clock)
    return row | {"select": symbol.name in call.terminal.selected}


def _symbols(call: Call) -> list[Row]:
    group = call.text("group") or "*"
    return [_row(call, symbol) for symbol in call.sim.symbols.values() if matches_group(symbol.name, group)]


def _select(call: Call) -> bool:
    name = _symbol(call).name
    if call.arguments.get("enable", True):
        call.terminal.selected.add(name)
        return True
    if call.book.of_symbol(name):
        raise Failed(mt5.RES_E_FAIL)
    call.terminal.selected.discard(name)
    return True


def _tick(call: Call) -> Row:
    _symbol(call)
    return tick_row(call.sim.quote(), call.time)


def _rates(call: Call) -> list[list[object]]:
    _symbol(call)
    timeframe, clock, now = call.number("timeframe"), call.time, call.sim.clock.now()
    if not is_known(timeframe):
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    builder = BarBuilder(market=call.sim.market, clock=clock, until=now)
    if call.function == "copy_rates_range":
        bars = builder.between(timeframe, call.number("date_from"), call.number("date_to"))
        return [_bar(bar) for bar in bars]
    count = call.number("count")
    if count <= 0:
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    if call.function == "copy_rates_from":
        return [_bar(bar) for bar in builder.newest(timeframe, call.number("date_from"), count)]
    skipped = call.number("start_pos")
    bars = builder.newest(timeframe, clock.seconds(epoch(now)), count + skipped)
    return [_bar(bar) for bar in (bars[:-skipped] if skipped else bars)]


def _bar(bar: FrameBar) -> list[object]:
    prices = [units(points) for points in (bar.open, bar.high, bar.low, bar.close)]
    return [bar.at, *prices, bar.ticks, bar.spread, 0]


def _ticks(call: Call) -> list[list[object]]:
    _symbol(call)
    clock, market = call.time, call.sim.market
    start = clock.utc(call.number("date_from"))
    end = epoch(call.sim.clock.now())
    if call.function == "copy_ticks_range":
        end = min(end, clock.utc(call.number("date_to")))
        count = _LONGEST_TICKS_S
    else:
        count = call.number("count")
    rows: list[list[object]] = []
    if call.number("flags", mt5.COPY_TICKS_ALL) == mt5.COPY_TICKS_TRADE:
        return rows  # no trades are reported for forex
    for tick in market.ticks(start - 1, min(end, start + _LONGEST_TICKS_S)):
        if len(rows) >= count:
            break
        rows.append(list(tick_row(tick, clock).values()))
    return rows


def _book_add(call: Call) -> bool:
    call.terminal.books.add(_symbol(call).name)
    return True


def _book_release(call: Call) -> bool:
    call.terminal.books.discard(_symbol(call).name)
    return True


def _book(call: Call) -> list[Row]:
    if _symbol(call).name not in call.terminal.books:
        raise Failed(mt5.RES_E_FAIL)
    quote = call.sim.quote()
    return [*(_level(quote, step, mt5.BOOK_TYPE_SELL) for step in (2, 1, 0))] + [
        _level(quote, step, mt5.BOOK_TYPE_BUY) for step in (0, 1, 2)
    ]


def _level(quote: Quote, step: int, side: int) -> Row:
    price = quote.ask + step if side == mt5.BOOK_TYPE_SELL else quote.bid - step
    volume = 10 * (step + 1)
    return {"type": side, "price": units(price), "volume": volume, "volume_dbl": float(volume)}


MARKET_HANDLERS: dict[str, Handler] = {
    "symbols_total": lambda call: len(call.sim.symbols),
    "symbols_get": _symbols,
    "symbol_info": lambda call: _row(call, _symbol(call)),
    "symbol_info_tick": _tick,
    "symbol_select": _select,
    "market_book_add": _book_add,
    "market_book_get": _book,
    "market_book_release": _book_release,
    "copy_rates_from": _rates,
    "copy_rates_from_pos": _rates,
    "copy_rates_range": _rates,
    "copy_ticks_from": _ticks,
    "copy_ticks_range": _ticks,
}
