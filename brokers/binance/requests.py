"""Turn our order requests into the fields that Binance takes, after checking all that it would refuse."""

import re
from collections.abc import Collection
from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.ports import OrderRequest
from brokers.binance.instruments import FUTURES_SEGMENT, Rules

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
_TIMES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
_SPOT_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_MARKET: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
}
_FUTURES_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_MARKET: "STOP_MARKET",
    OrderType.STOP_LIMIT: "STOP",
}
_MOST_DIGITS = 15
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_STOPPED = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)


def is_algo(request: OrderRequest) -> bool:
    """Whether the order goes the conditional route of futures (brokers.md 2.2)."""
    return request.instrument.segment == FUTURES_SEGMENT and request.order_type in _STOPPED


def place_fields(
    request: OrderRequest, *, segment: str, symbols: Collection[str], rules: Rules | None
) -> dict[str, str]:
    """Return the arguments of the SDK's `create_order` or `futures_create_order`.

    Args:
        request: the order; its numbers are only checked, never rounded here.
        segment: that of the account.
        symbols: what the account may trade.
        rules: today's filters of the symbol, None while they are not known.

    Raises:
        InvalidInputError: the order breaks a rule of the venue; nothing may be sent.
    """
    instrument = request.instrument
    if instrument.segment != segment or instrument.broker_symbol not in symbols:
        raise InvalidInputError(
            f"{instrument.instrument_id}: expected one of {segment} {', '.join(sorted(symbols))}, "
            f"got {instrument.segment} {instrument.broker_symbol}"
        )
    if _CLIENT_ID.fullmatch(request.client_order_id) is None:
        raise InvalidInputError(
            f"client_order_id: expected 1-36 of [A-Za-z0-9_-], got {request.client_order_id!r}"
        )
    _check_shape(request)
    _check_amounts(request)
    if rules is not None:
        _check_rules(request, rules)
    fields = {
        "symbol": instrument.broker_symbol,
        "side": _SIDES[request.side],
        "quantity": f"{request.quantity:f}",
    }
    if segment == FUTURES_SEGMENT:
        return fields | _futures_terms(request)
    return fields | _spot_terms(request)


def _spot_terms(request: OrderRequest) -> dict[str, str]:
    return {
        "type": _SPOT_TYPES[request.order_type],
        "newClientOrderId": request.client_order_id,
        "newOrderRespType": "RESULT",
        **_prices(request, trigger="stopPrice"),
    }


def _futures_terms(request: OrderRequest) -> dict[str, str]:
    # The SDK drops newClientOrderId on the algo route and invents an id of its own (brokers.md 2.2).
    own = (
        {"clientAlgoId": request.client_order_id, "workingType": "CONTRACT_PRICE"}
        if is_algo(request)
        else {"newClientOrderId": request.client_order_id, "newOrderRespType": "RESULT"}
    )
    terms = {"type": _FUTURES_TYPES[request.order_type], **own, **_prices(request, trigger="triggerPrice")}
    return terms | {"reduceOnly": "true"} if request.reduces_only else terms


def _prices(request: OrderRequest, *, trigger: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    if request.price is not None:
        fields |= {"price": f"{request.price:f}", "timeInForce": _TIMES[request.time_in_force]}
    if request.trigger_price is not None:
        fields[trigger] = f"{request.trigger_price:f}"
    return fields


def _check_shape(request: OrderRequest) -> None:
    kind = request.order_type
    if (request.price is not None) != (kind in _LIMITED):
        raise InvalidInputError(f"price: expected for LIMIT and STOP_LIMIT only, got {request.price}")
    if (request.trigger_price is not None) != (kind in _STOPPED):
        raise InvalidInputError(
            f"trigger_price: expected for stops only, got {request.trigger_price} for {kind}"
        )
    if request.price is not None and request.time_in_force not in _TIMES:
        raise InvalidInputError(
            f"time_in_force: expected one of {', '.join(_TIMES)}, got {request.time_in_force}"
        )
    if request.position_ref:
        raise InvalidInputError(f"position_ref: expected none at Binance, got {request.position_ref!r}")


def _check_amounts(request: OrderRequest) -> None:
    instrument, quantity = request.instrument, request.quantity
    most = instrument.max_order_qty
    if not _lies_on(quantity, instrument.lot_size) or (most is not None and quantity > most):
        raise InvalidInputError(
            f"quantity: expected a multiple of {instrument.lot_size} up to {most or 'any'}, got {quantity}"
        )
    for name, price in (("price", request.price), ("trigger_price", request.trigger_price)):
        if price is not None and not _lies_on(price, instrument.tick_size):
            raise InvalidInputError(
                f"{name}: expected a positive multiple of {instrument.tick_size}, got {price}"
            )
    _check_notional(request, instrument, instrument.min_notional)


def _check_notional(request: OrderRequest, instrument: Instrument, least: Decimal) -> None:
    # Futures take a smaller order when it only reduces; spot knows no such order.
    is_exempt = request.reduces_only and instrument.segment == FUTURES_SEGMENT
    price = request.price if request.price is not None else request.trigger_price
    if price is not None and not is_exempt and price * request.quantity < least:
        raise InvalidInputError(
            f"notional: expected {least} {instrument.currency} or more, got {price * request.quantity}"
        )


def _check_rules(request: OrderRequest, rules: Rules) -> None:
    name = request.instrument.broker_symbol
    if not rules.is_trading:
        raise InvalidInputError(f"{name}: expected a symbol that trades, it is halted or not listed yet")
    is_market = request.order_type in (OrderType.MARKET, OrderType.STOP_MARKET)
    step = rules.market_step if is_market else rules.step
    least = rules.market_min_qty if is_market else rules.min_qty
    most = rules.market_max_qty if is_market else rules.max_qty
    # The lot size filter holds for every type, the market one on top of it.
    least = max(least, rules.min_qty)
    is_fitting = _lies_on(request.quantity, rules.step) and _lies_on(request.quantity, step)
    if not is_fitting or request.quantity < least or (most and request.quantity > most):
        raise InvalidInputError(
            f"quantity: expected a multiple of {step} from {least} to {most or 'any'}, got {request.quantity}"
        )
    for field, price in (("price", request.price), ("trigger_price", request.trigger_price)):
        if price is not None:
            _check_price(field, price, rules)
    _check_notional(request, request.instrument, rules.min_notional)


def _check_price(field: str, price: Decimal, rules: Rules) -> None:
    is_fitting = rules.tick == 0 or _lies_on(price, rules.tick)
    if not is_fitting or price < rules.min_price or (rules.max_price and price > rules.max_price):
        raise InvalidInputError(
            f"{field}: expected a multiple of {rules.tick} from {rules.min_price} to "
            f"{rules.max_price or 'any'}, got {price}"
        )


def _lies_on(value: Decimal, step: Decimal) -> bool:
    # Beyond 1e15 the remainder cannot be told exactly, and nobody can own as much.
    if not value.is_finite() or value <= 0 or value.adjusted() > _MOST_DIGITS:
        return False
    return step == 0 or value % step == 0
