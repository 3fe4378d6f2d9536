"""Read exchangeInfo: what can be traded, by which rules, and how much may be asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import ProtocolError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, Venue
from app.domain.numbers import ZERO
from brokers.binance.budget import Limits
from brokers.binance.mapping import symbol
from brokers.binance.values import Row, amount, optional_amount, text, whole

SPOT_SEGMENT = "spot"
FUTURES_SEGMENT = "um_futures"
_PERIODS = {("SECOND", 10): "10s", ("MINUTE", 1): "1m", ("DAY", 1): "1d"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Hold a symbol's filters; zero switches a bound off, as Binance does. Source: brokers.md 2.5."""

    is_trading: bool
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    step: Decimal
    min_qty: Decimal
    max_qty: Decimal
    market_step: Decimal
    market_min_qty: Decimal
    market_max_qty: Decimal
    min_notional: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Hold what one exchangeInfo said."""

    instruments: tuple[Instrument, ...]
    rules: Mapping[str, Rules]
    limits: Limits


def parse_exchange(body: Row, *, segment: str, fallback: Limits) -> Exchange:
    """Return the tradable instruments of a segment with their rules, and the rate limits.

    Symbols that do not trade today get rules, so that an order can be refused, but are no instruments;
    of futures only perpetual contracts count.

    Raises:
        ProtocolError: the reply cannot be read.
    """
    rules: dict[str, Rules] = {}
    instruments = []
    for row in _rows(body, "symbols"):
        if segment == FUTURES_SEGMENT and row.get("contractType") != "PERPETUAL":
            continue
        name = symbol(row, "symbol")
        rules[name] = _rules(row)
        if rules[name].is_trading:
            instruments.append(_instrument(row, rules[name], segment))
    if not rules:
        raise ProtocolError("exchangeInfo: expected symbols, found none")
    return Exchange(instruments=tuple(instruments), rules=rules, limits=parse_limits(body, fallback))


def parse_limits(body: Row, fallback: Limits) -> Limits:
    """Return the limits of weight and orders; what the reply does not tell stays as it was."""
    weight, orders = fallback.weight, dict(fallback.orders)
    for row in _rows(body, "rateLimits"):
        kind, most = text(row, "rateLimitType"), whole(row, "limit")
        period = _PERIODS.get((text(row, "interval"), whole(row, "intervalNum")))
        if kind == "REQUEST_WEIGHT" and period == "1m":
            weight = most
        elif kind == "ORDERS" and period is not None:
            orders[period] = most
    return Limits(weight=weight, orders=orders)


def _rows(body: Row, key: str) -> Iterator[Row]:
    rows = body.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"{key}: expected a list of objects, got {type(rows).__name__}")
    yield from rows


def _rules(row: Row) -> Rules:
    filters = {text(item, "filterType"): item for item in _rows(row, "filters")}
    price, lot = _filter(filters, "PRICE_FILTER"), _filter(filters, "LOT_SIZE")
    market = filters.get("MARKET_LOT_SIZE", lot)
    return Rules(
        # Spot says "status", futures too; before a listing "PENDING_TRADING", in a halt "HALT" or "BREAK".
        is_trading=text(row, "status") == "TRADING",
        tick=amount(price, "tickSize"),
        min_price=amount(price, "minPrice"),
        max_price=amount(price, "maxPrice"),
        step=amount(lot, "stepSize"),
        min_qty=amount(lot, "minQty"),
        max_qty=amount(lot, "maxQty"),
        # Spot tells a market step of zero where the ordinary one holds.
        market_step=optional_amount(market, "stepSize") or amount(lot, "stepSize"),
        market_min_qty=optional_amount(market, "minQty") or amount(lot, "minQty"),
        market_max_qty=optional_amount(market, "maxQty") or amount(lot, "maxQty"),
        min_notional=_min_notional(filters),
    )


def _filter(filters: Mapping[str, Row], name: str) -> Row:
    found = filters.get(name)
    if found is None:
        raise ProtocolError(f"filters: expected {name}, found {', '.join(sorted(filters)) or 'none'}")
    return found


def _min_notional(filters: Mapping[str, Row]) -> Decimal:
    """Spot says NOTIONAL.minNotional (earlier MIN_NOTIONAL.minNotional), futures MIN_NOTIONAL.notional."""
    if "NOTIONAL" in filters:
        return amount(filters["NOTIONAL"], "minNotional")
    found = filters.get("MIN_NOTIONAL")
    if found is None:
        return ZERO
    return amount(found, "notional" if "notional" in found else "minNotional")


def _instrument(row: Row, rules: Rules, segment: str) -> Instrument:
    name = symbol(row, "symbol")
    is_spot = segment == SPOT_SEGMENT
    if rules.tick == 0 or rules.step == 0:
        raise ProtocolError(f"{name}: expected a tick and a step, got {rules.tick} and {rules.step}")
    return Instrument(
        instrument_id=InstrumentId(f"{name}.{Venue.BINANCE}" if is_spot else f"{name}-PERP.{Venue.BINANCE}"),
        venue=Venue.BINANCE,
        kind=InstrumentKind.SPOT if is_spot else InstrumentKind.PERPETUAL,
        segment=segment,
        broker_symbol=name,
        broker_token=name,
        tick_size=rules.tick,
        lot_size=rules.step,
        freeze_qty=min(rules.max_qty, rules.market_max_qty) or rules.max_qty,
        min_notional=rules.min_notional,
        currency=text(row, "quoteAsset"),
    )
