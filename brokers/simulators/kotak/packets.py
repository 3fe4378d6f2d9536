"""Pack the market feed's binary packets: little endian, packed, prices in paise (divider 100).

Source: the layout that the client library 3.0.9 decodes, brokers reference 1.10.
"""

import struct
from datetime import datetime

from brokers.simulators.kotak.contracts import INDEX_NAME, INDEX_TOKEN, LOT_SIZE, Contract
from brokers.simulators.kotak.minutes import TICK
from brokers.simulators.kotak.pricing import Quote
from brokers.simulators.kotak.tape import DayStats

NSE_CM = 1
NSE_FO = 2
MARKET_OPEN = 6511
MARKET_CLOSE = 6521
_INDEX = 7207
_PICTURE = 7208
_STATUS = 105

_HEADER = struct.Struct("<HHbBBBB")
_INDEX_BODY = struct.Struct("<IiiiiiQiiidBi21s")
_MINI_BODY = struct.Struct("<IqIqIiiIBI")
_PICTURE_BODY = struct.Struct("<IqqqqqIIIIIqIIIIhiIdiIIIIIBI")
_DEPTH_ROW = struct.Struct("<qii")
_STATUS_BODY = struct.Struct("<H5s")
DEPTH_ROWS = {4: 1, 8: 5, 16: 20}


def _packet(code: int, body: bytes, *, exchange: int, level: int, seq: int) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), code, exchange, level, 0, seq & 0xFF, 0) + body


def _change_percent(price: int, close: int) -> int:
    return round((price - close) * 10_000 / close) if close else 0


def pack_index(stats: DayStats, close: int, at: datetime, seq: int) -> bytes:
    """Pack the index; close is the previous close, paise."""
    body = _INDEX_BODY.pack(
        INDEX_TOKEN,
        stats.open,
        close,
        stats.high,
        stats.low,
        stats.last,
        int(at.timestamp()),
        max(stats.high, close),
        min(stats.low, close),
        _change_percent(stats.last, close),
        0.0,
        2,
        100,
        INDEX_NAME.encode(),
    )
    return _packet(_INDEX, body, exchange=NSE_CM, level=0, seq=seq)


def pack_mini(contract: Contract, quote: Quote, *, close: int, at: datetime, seq: int) -> bytes:
    """Pack the mini touch line, level 1."""
    change = quote.ltp - close
    percent = _change_percent(quote.ltp, close)
    when = int(at.timestamp())
    body = _MINI_BODY.pack(
        contract.token, when, quote.ltp, quote.last_qty, close, percent, change, LOT_SIZE, 2, 1
    )
    return _packet(_PICTURE, body, exchange=NSE_FO, level=1, seq=seq)


def depth_rows(quote: Quote, count: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Return bids and asks, best first, as (quantity, paise, orders); deeper levels one tick apart."""
    bids = [(quote.bid_qty * (n + 1), quote.bid - n * TICK, 3 + n) for n in range(count)]
    asks = [(quote.ask_qty * (n + 1), quote.ask + n * TICK, 3 + n) for n in range(count)]
    return [row for row in bids if row[1] > 0], asks


def pack_picture(
    contract: Contract, quote: Quote, stats: DayStats, *, close: int, at: datetime, seq: int, level: int
) -> bytes:
    """Pack a market picture of level 4, 8 or 16 with its depth rows."""
    bids, asks = depth_rows(quote, DEPTH_ROWS[level])
    when = int(at.timestamp())
    average = (stats.high + stats.low) // 2
    body = _PICTURE_BODY.pack(
        contract.token,
        sum(row[0] for row in bids),
        sum(row[0] for row in asks),
        stats.volume,
        when,
        when,
        stats.open,
        close,
        stats.high,
        stats.low,
        quote.ltp,
        quote.last_qty,
        average,
        0,
        len(bids),
        len(asks),
        2,
        _change_percent(quote.ltp, close),
        0,
        float(stats.volume) * average,
        quote.ltp - close,
        close * 20,
        TICK,
        max(stats.high, close),
        min(stats.low, close),
        LOT_SIZE,
        2,
        1,
    )
    rows = b"".join(_DEPTH_ROW.pack(*row) for row in (*bids, *asks))
    return _packet(_PICTURE, body + rows, exchange=NSE_FO, level=level, seq=seq)


def pack_session(code: int, seq: int) -> bytes:
    """Pack the header-only open or close message of the derivatives segment."""
    return _packet(code, b"", exchange=NSE_FO, level=0, seq=seq)


def pack_status(exchange: int, status: int, text: str, seq: int) -> bytes:
    """Pack a market status for `subscribeExchange`; 1 is open, 2 closed."""
    return _packet(_STATUS, _STATUS_BODY.pack(status, text.encode()[:5]), exchange=exchange, level=0, seq=seq)
