"""Write market data as streams and REST do."""

from datetime import datetime, timedelta

from brokers.simulators.binance.symbols import FUTURES, SPOT, Row, eight
from brokers.simulators.binance.tape import INTERVALS, Candle, Key, Quote, Tape

_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(instant: datetime) -> int:
    """Return an instant in milliseconds since the epoch."""
    return int(instant.timestamp() * 1000)


def stream_row(tape: Tape, market: str, name: str) -> list[Row]:
    """Return the events of one stream at the current tick; an unknown stream never has any."""
    pair, _at, kind = name.partition("@")
    key: Key = (market, pair.removesuffix("_perpetual").upper())
    if key not in tape.symbols or tape.instant is None:
        return []
    now_ms = milliseconds(tape.instant)
    quote = tape.quotes[key]
    if kind == "bookTicker":
        return [_book_ticker(key, quote, tape.seq, now_ms)]
    if kind in {"trade", "aggTrade"}:
        return [_trade(key, quote, kind, tape.seq, now_ms)]
    if kind.startswith("markPrice") and market == FUTURES:
        return [_mark_price(key, quote, now_ms)]
    for prefix, event in (("kline_", "kline"), ("continuousKline_", "continuous_kline")):
        interval = kind.removeprefix(prefix)
        if interval != kind and interval in INTERVALS:
            return _kline_events(tape, key, event, interval)
    return []


def _kline_events(tape: Tape, key: Key, event: str, interval: str) -> list[Row]:
    # The bar that has just ended is told once more, closed, before the new one begins.
    if tape.instant is None:
        return []
    now = tape.candle(key, interval, tape.instant)
    candles = [now]
    begins = tape.previous is not None and tape.previous < now.start
    if begins and tape.previous is not None:
        candles.insert(0, tape.candle(key, interval, tape.previous))
    return [kline_event(key, event, interval, candle, milliseconds(tape.instant)) for candle in candles]


def kline_event(key: Key, event: str, interval: str, candle: Candle, now_ms: int) -> Row:  # noqa: PLR0917
    """Return one candle as an event."""
    bar = candle.bar
    body: Row = {
        "t": milliseconds(candle.start),
        "T": milliseconds(candle.end - _MILLISECOND),
        "i": interval,
        "f": 100,
        "L": 200,
        "o": str(bar.open),
        "c": str(bar.close),
        "h": str(bar.high),
        "l": str(bar.low),
        "v": str(bar.volume),
        "n": bar.trades,
        "x": candle.closed,
        "q": str(bar.quote_volume),
        "V": str(bar.volume / 2),
        "Q": str(bar.quote_volume / 2),
        "B": "0",
    }
    head: Row = {"e": event, "E": now_ms}
    if event == "kline":
        return head | {"s": key[1], "k": body | {"s": key[1]}}
    return head | {"ps": key[1], "ct": "PERPETUAL", "k": body}


def kline_list(candle: Candle) -> list[object]:
    """Return one candle as the REST klines list it."""
    bar = candle.bar
    return [
        milliseconds(candle.start),
        str(bar.open),
        str(bar.high),
        str(bar.low),
        str(bar.close),
        str(bar.volume),
        milliseconds(candle.end - _MILLISECOND),
        str(bar.quote_volume),
        bar.trades,
        str(bar.volume / 2),
        str(bar.quote_volume / 2),
        "0",
    ]


def _book_ticker(key: Key, quote: Quote, seq: int, now_ms: int) -> Row:
    row: Row = {
        "u": seq,
        "s": key[1],
        "b": eight(quote.bid) if key[0] == SPOT else str(quote.bid),
        "B": eight(quote.bid_qty) if key[0] == SPOT else str(quote.bid_qty),
        "a": eight(quote.ask) if key[0] == SPOT else str(quote.ask),
        "A": eight(quote.ask_qty) if key[0] == SPOT else str(quote.ask_qty),
    }
    # Spot's event carries neither type nor time.
    return row if key[0] == SPOT else {"e": "bookTicker", "T": now_ms, "E": now_ms} | row


def _trade(key: Key, quote: Quote, kind: str, seq: int, now_ms: int) -> Row:  # noqa: PLR0917
    row: Row = {"e": kind, "E": now_ms, "s": key[1], "p": str(quote.last), "q": str(quote.last_qty)}
    if kind == "trade":
        return row | {"t": seq, "T": now_ms, "m": quote.last == quote.bid, "M": True}
    return row | {"a": seq, "f": seq, "l": seq, "T": now_ms, "m": quote.last == quote.bid, "M": True}


def _mark_price(key: Key, quote: Quote, now_ms: int) -> Row:
    price = eight(quote.last)
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": key[1],
        "p": price,
        "i": price,
        "P": price,
        "r": "0.00010000",
        "T": now_ms - now_ms % (8 * 3_600_000) + 8 * 3_600_000,
    }
