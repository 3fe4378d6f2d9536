"""Check a spot order as the venue would: filters first, then balance and what the book says."""

from decimal import Decimal

from brokers.simulators.binance import matching
from brokers.simulators.binance.exchange import Exchange
from brokers.simulators.binance.ledger import Ledger
from brokers.simulators.binance.orders import Order
from brokers.simulators.binance.replies import Refused, filter_failure
from brokers.simulators.binance.symbols import BASE, QUOTE, SPOT, Symbol
from brokers.simulators.binance.tape import Quote


def check_symbol(symbol: Symbol) -> None:
    """Check that the symbol trades. Raises: Refused -1013."""
    if symbol.status != "TRADING":
        raise Refused(-1013, "Market is closed.")


def check_client_id(ledger: Ledger, client_id: str) -> None:
    """Check that no open order has the client id. Raises: Refused -2010."""
    if any(order.client_id == client_id for order in ledger.open_orders(SPOT)):
        raise Refused(-2010, "Duplicate order sent.")


def check_filters(symbol: Symbol, order: Order, qty: Decimal, price: Decimal, quote: Quote) -> None:  # noqa: PLR0917
    """Check price, quantity and notional. Raises: Refused -1013."""
    for value in (price, order.stop):
        if value % symbol.tick:
            raise filter_failure("PRICE_FILTER")
    if price:
        up, down = quote.last * symbol.band_up, quote.last * symbol.band_down
        if not down <= price <= up:
            raise filter_failure("PERCENT_PRICE_BY_SIDE")
    if not symbol.min_qty <= qty <= symbol.max_qty or qty % symbol.step:
        raise filter_failure("LOT_SIZE")
    if not price and qty > symbol.max_market_qty:
        raise filter_failure("MARKET_LOT_SIZE")
    if qty * (price or quote.last) < symbol.min_notional:
        raise filter_failure("NOTIONAL")


def check_counts(symbol: Symbol, ledger: Ledger, *, is_stop: bool) -> None:
    """Check how many orders are open. Raises: Refused -1013."""
    resting = list(ledger.open_orders(SPOT))
    if len(resting) >= symbol.max_orders:
        raise filter_failure("MAX_NUM_ORDERS")
    if is_stop and sum(order.stop > 0 for order in resting) >= symbol.max_algo_orders:
        raise filter_failure("MAX_NUM_ALGO_ORDERS")


def check_balance(ledger: Ledger, order: Order, qty: Decimal, price: Decimal, quote: Quote) -> None:  # noqa: PLR0917
    """Check that the account can pay. Raises: Refused -2010."""
    if order.side == "SELL":
        needed, asset = qty, BASE
    else:
        needed, asset = qty * (price or order.stop or quote.ask), QUOTE
    if needed > ledger.free(asset):
        raise Refused(-2010, "Account has insufficient balance for requested action.")


def check_book(order: Order, price: Decimal, quote: Quote) -> None:
    """Check a maker-only price and a trigger against the market. Raises: Refused -2010."""
    if order.kind == "LIMIT_MAKER" and matching.crosses(order.side, price, quote):
        raise Refused(-2010, "Order would immediately match and take.")
    if order.stop and matching.triggers(order.kind, order.side, order.stop, quote.last):
        raise Refused(-2010, "Stop price would trigger immediately.")


def check_all(exchange: Exchange, order: Order, *, qty: Decimal, price: Decimal) -> None:
    """Check everything about one order. Raises: Refused."""
    symbol = exchange.tape.symbols[SPOT, order.symbol]
    ledger = exchange.ledgers[order.account]
    quote = exchange.quote(SPOT, order.symbol)
    check_symbol(symbol)
    check_filters(symbol, order, qty, price, quote)
    check_client_id(ledger, order.client_id)
    check_counts(symbol, ledger, is_stop=order.stop > 0)
    check_book(order, price, quote)
    check_balance(ledger, order, qty, price, quote)
