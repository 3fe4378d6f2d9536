"""Hold the documented payloads with the fields that matter, to be changed by a test."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import requests
from hypothesis import strategies as st

from app.domain.instruments import Instrument
from brokers.binance.client import Reply
from brokers.binance.egress import Wire
from brokers.binance.instruments import FUTURES_SEGMENT, SPOT_SEGMENT, parse_exchange
from brokers.binance.sdk import load_sdk
from brokers.binance.spot import SPOT_LIMITS

NOW_MS = 1_733_133_600_000

# binance/binance-spot-api-docs (MIT), rest-api.md, shortened.
SPOT_ORDER: Mapping[str, object] = {
    "symbol": "BTCUSDT",
    "orderId": 12569099453,
    "orderListId": -1,
    "clientOrderId": "ob0123456789abcdef",
    "price": "23416.10000000",
    "origQty": "0.00847000",
    "executedQty": "0.00847000",
    "cummulativeQuoteQty": "198.33521500",
    "status": "FILLED",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "SELL",
    "stopPrice": "0.00000000",
    "updateTime": NOW_MS,
    "isWorking": True,
}
SPOT_TRADE: Mapping[str, object] = {
    "symbol": "BTCUSDT",
    "id": 28457,
    "orderId": 100234,
    "price": "4.00000100",
    "qty": "12.00000000",
    "time": NOW_MS,
    "isBuyer": True,
}
SPOT_ACCOUNT: Mapping[str, object] = {
    "balances": [
        {"asset": "BTC", "free": "1.0", "locked": "0"},
        {"asset": "USDT", "free": "99.50", "locked": "0.50"},
    ]
}
EXECUTION: Mapping[str, object] = {
    "e": "executionReport",
    "s": "ETHBTC",
    "c": "mUvoqJxFIILMdfAW5iGSOW",
    "S": "BUY",
    "o": "LIMIT",
    "q": "1.00000000",
    "p": "0.10264410",
    "P": "0.00000000",
    "C": "",
    "x": "NEW",
    "X": "NEW",
    "r": "NONE",
    "i": 4293153,
    "z": "0.00000000",
    "T": NOW_MS,
    "w": True,
    "Z": "0.00000000",
}
# Binance USD-M futures documentation, shortened.
FUTURES_ORDER: Mapping[str, object] = {
    "avgPrice": "0.00000",
    "clientOrderId": "abc",
    "executedQty": "0",
    "orderId": 1917641,
    "origQty": "0.40",
    "price": "5000",
    "side": "BUY",
    "status": "NEW",
    "stopPrice": "0",
    "symbol": "BTCUSDT",
    "type": "LIMIT",
    "updateTime": NOW_MS,
}
FUTURES_TRADE: Mapping[str, object] = {
    "id": 698759,
    "orderId": 25851813,
    "price": "7819.01",
    "qty": "0.002",
    "side": "SELL",
    "symbol": "BTCUSDT",
    "time": NOW_MS,
}
FUNDING: Mapping[str, object] = {
    "symbol": "BTCUSDT",
    "incomeType": "FUNDING_FEE",
    "income": "-0.37500000",
    "asset": "USDT",
    "info": "FUNDING_FEE",
    "time": NOW_MS,
    "tranId": 9689322392,
    "tradeId": "",
}
POSITION: Mapping[str, object] = {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.010"}
FUTURES_BALANCE: Mapping[str, object] = {"asset": "USDT", "balance": "122.5", "availableBalance": "23.5"}
ALGO: Mapping[str, object] = {
    "algoId": 2146760,
    "clientAlgoId": "6B2I9XVcJpCjqPAJ4YoFX7",
    "orderType": "STOP",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.01",
    "algoStatus": "NEW",
    "actualOrderId": "",
    "triggerPrice": "750.000",
    "price": "740.000",
    "updateTime": NOW_MS,
}
TRADE_UPDATE: Mapping[str, object] = {
    "s": "BTCUSDT",
    "c": "TEST",
    "S": "SELL",
    "o": "LIMIT",
    "q": "0.001",
    "p": "9910",
    "ap": "0",
    "sp": "0",
    "x": "NEW",
    "X": "NEW",
    "i": 8886774,
    "z": "0",
    "T": NOW_MS,
}
ALGO_UPDATE: Mapping[str, object] = {
    "caid": "Q5xaq5EGKgXXa0fD7fs0Ip",
    "aid": 2148719,
    "o": "STOP_MARKET",
    "s": "BTCUSDT",
    "S": "SELL",
    "q": "0.01",
    "X": "NEW",
    "ai": "",
    "ap": "0.00000",
    "aq": "0.00000",
    "tp": "750",
    "p": "0",
    "rm": "",
}
SPOT_SYMBOL: Mapping[str, object] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00010", "maxQty": "9000.0", "stepSize": "0.00001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.0", "maxQty": "100.0", "stepSize": "0.0"},
        {"filterType": "NOTIONAL", "minNotional": "5.0"},
    ],
}
FUTURES_SYMBOL: Mapping[str, object] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "contractType": "PERPETUAL",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "261.1", "maxPrice": "809484", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ],
}
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 4000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 70},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]


class HandClock:
    """Stand still until moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2024, 12, 2, 10, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return self.at


def exchange(*symbols: Mapping[str, object], limits: object = None) -> dict[str, object]:
    """Return an exchangeInfo of these symbols."""
    return {"symbols": [*symbols], "rateLimits": RATE_LIMITS if limits is None else limits}


def instrument(segment: str) -> Instrument:
    """Return the one instrument of a segment."""
    symbol = SPOT_SYMBOL if segment == SPOT_SEGMENT else FUTURES_SYMBOL
    return parse_exchange(exchange(symbol), segment=segment, fallback=SPOT_LIMITS).instruments[0]


SPOT, FUTURES = instrument(SPOT_SEGMENT), instrument(FUTURES_SEGMENT)


def api_error(code: object, text: str = "", status: int = 400) -> Exception:
    """Return what the SDK raises for a refusal."""
    load_sdk()
    from binance.exceptions import BinanceAPIException

    error = BinanceAPIException(requests.Response(), status, json.dumps({"code": code, "msg": text}))
    assert isinstance(error, Exception)
    return error


def answered(value: object, status: int = 200, **wire: object) -> Reply:
    """Return a reply that came over the wire."""
    return Reply(value=value, wire=Wire(attempts=1, status=status, **wire))  # type: ignore[arg-type]  # a test's


def refused(code: object, text: str = "", status: int = 400, **wire: object) -> Reply:
    """Return a refusal that came over the wire."""
    return answered(api_error(code, text, status), status=status, **wire)


def broken(fault: BaseException) -> Reply:
    """Return a reply whose exchange broke."""
    return Reply(value=fault, wire=Wire(attempts=1, fault=fault))


def every(root: type[BaseException]) -> set[type[BaseException]]:
    """Return a class with all its subclasses."""
    return {root}.union(*(every(sub) for sub in root.__subclasses__()))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "BUY",
            "NEW",
            "FILLED",
            "TRIGGERED",
            "STOP",
            "BTCUSDT",
            "A-B",
            "1e400",
            "0.05",
            "-1",
            "0E+9",
            "9" * 30,
        ]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["asset", "filterType", "s", "X"]), st.text(max_size=3), max_size=2),
)


@st.composite
def damaged(draw: st.DrawFn, row: Mapping[str, object]) -> dict[str, object]:
    """Return the row with some fields replaced by junk and some gone."""
    changed = dict(row)
    for key in draw(st.sets(st.sampled_from(sorted(row)), max_size=4)):
        changed[key] = draw(JUNK)
    for key in draw(st.sets(st.sampled_from(sorted(row)), max_size=2)):
        changed.pop(key)
    return changed
