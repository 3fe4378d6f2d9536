"""List what is traded and the filters an order must pass; both can be changed at run time."""

from dataclasses import dataclass
from decimal import Decimal

SPOT = "spot"
FUTURES = "futures"
BASE = "BTC"
QUOTE = "USDT"
NAME = "BTCUSDT"

Row = dict[str, object]


@dataclass(slots=True, kw_only=True)
class Symbol:
    """One pair or perpetual contract: prices in quote currency, quantities in base currency."""

    market: str
    name: str
    tick: Decimal
    step: Decimal
    min_qty: Decimal
    max_qty: Decimal
    max_market_qty: Decimal
    min_notional: Decimal
    band_up: Decimal
    band_down: Decimal
    status: str = "TRADING"
    max_orders: int = 200
    max_algo_orders: int = 5

    def change(self, name: str, value: object) -> None:
        """Change one field, as an exchange does with an announcement.

        Raises: ValueError for a field that cannot change.
        """
        if name == "status":
            self.status = str(value)
        elif name in {"max_orders", "max_algo_orders"}:
            setattr(self, name, int(str(value)))
        elif name in {"tick", "step", "min_qty", "max_qty", "max_market_qty", "min_notional"}:
            setattr(self, name, Decimal(str(value)))
        else:
            raise ValueError(f"unknown symbol field {name!r}")


def list_symbols() -> dict[tuple[str, str], Symbol]:
    """Return the pair and the perpetual, with the filters that Binance had for them.

    Source: exchangeInfo samples of both APIs in Binance's documentation; the values are settings.
    """
    spot = Symbol(
        market=SPOT,
        name=NAME,
        tick=Decimal("0.01"),
        step=Decimal("0.00001"),
        min_qty=Decimal("0.00001"),
        max_qty=Decimal(9000),
        max_market_qty=Decimal(100),
        min_notional=Decimal(5),
        band_up=Decimal(5),
        band_down=Decimal("0.2"),
    )
    futures = Symbol(
        market=FUTURES,
        name=NAME,
        tick=Decimal("0.10"),
        step=Decimal("0.001"),
        min_qty=Decimal("0.001"),
        max_qty=Decimal(1000),
        max_market_qty=Decimal(120),
        min_notional=Decimal(100),
        band_up=Decimal("1.05"),
        band_down=Decimal("0.95"),
        max_algo_orders=200,
    )
    return {(SPOT, NAME): spot, (FUTURES, NAME): futures}


def spot_filters(symbol: Symbol) -> list[Row]:
    """Return the filters as /api/v3/exchangeInfo lists them."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": eight(symbol.tick),
            "maxPrice": "1000000.00000000",
            "tickSize": eight(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": eight(symbol.min_qty),
            "maxQty": eight(symbol.max_qty),
            "stepSize": eight(symbol.step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": eight(symbol.max_market_qty),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": str(symbol.band_up),
            "bidMultiplierDown": str(symbol.band_down),
            "askMultiplierUp": str(symbol.band_up),
            "askMultiplierDown": str(symbol.band_down),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": eight(symbol.min_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": symbol.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": symbol.max_algo_orders},
    ]


def futures_filters(symbol: Symbol) -> list[Row]:
    """Return the filters as /fapi/v1/exchangeInfo lists them."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "261.10",
            "maxPrice": "809484",
            "tickSize": str(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": str(symbol.min_qty),
            "maxQty": str(symbol.max_qty),
            "stepSize": str(symbol.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": str(symbol.min_qty),
            "maxQty": str(symbol.max_market_qty),
            "stepSize": str(symbol.step),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": symbol.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": symbol.max_algo_orders},
        {"filterType": "MIN_NOTIONAL", "notional": str(symbol.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": str(symbol.band_up),
            "multiplierDown": str(symbol.band_down),
            "multiplierDecimal": "4",
        },
    ]


def eight(number: Decimal) -> str:
    """Return a spot number as the wire writes it: eight decimals."""
    return f"{number:.8f}"
