"""Check a futures order as the venue would.

The codes of the -4xxx family are those of Binance's derivatives error list; not seen on the wire.
"""

from decimal import Decimal

from brokers.simulators.binance.exchange import Exchange
from brokers.simulators.binance.ledger import Ledger
from brokers.simulators.binance.orders import ZERO
from brokers.simulators.binance.replies import Refused
from brokers.simulators.binance.symbols import FUTURES, Symbol


def check_symbol(symbol: Symbol) -> None:
    """Check that the contract trades. Raises: Refused -4108."""
    if symbol.status != "TRADING":
        raise Refused(-4108, "This contract is being settled or pre-settled; reduce only.")


def check_quantity(symbol: Symbol, qty: Decimal, *, at_market: bool) -> None:
    """Check a quantity. Raises: Refused -4003 to -4005, -1111."""
    if qty <= 0:
        raise Refused(-4003, "Quantity less than or equal to zero.")
    if qty < symbol.min_qty:
        raise Refused(-4004, "Quantity less than min quantity.")
    if qty > (symbol.max_market_qty if at_market else symbol.max_qty):
        raise Refused(-4005, "Quantity greater than max quantity.")
    if qty % symbol.step:
        raise Refused(-1111, "Precision is over the maximum defined for this asset.")


def check_price(symbol: Symbol, price: Decimal, last: Decimal | None) -> None:
    """Check a price, and with a last price its band. Raises: Refused -4001, -4014, -4016, -4024."""
    if price <= 0:
        raise Refused(-4001, "Price less than 0.")
    if price % symbol.tick:
        raise Refused(-4014, "Price not increased by tick size.")
    if last is None:
        return
    if price > last * symbol.band_up:
        raise Refused(-4016, f"Limit price can't be higher than {last * symbol.band_up:.2f}.")
    if price < last * symbol.band_down:
        raise Refused(-4024, f"Limit price can't be lower than {last * symbol.band_down:.2f}.")


def check_notional(symbol: Symbol, notional: Decimal) -> None:
    """Check the size in USDT of an order that may open. Raises: Refused -4164."""
    if notional < symbol.min_notional:
        text = (
            f"Order's notional must be no smaller than {symbol.min_notional} (unless you choose reduce only)."
        )
        raise Refused(-4164, text)


def check_client_id(ledger: Ledger, client_id: str) -> None:
    """Check that no open order has the client id. Raises: Refused -4116."""
    if any(order.client_id == client_id for order in ledger.open_orders(FUTURES)):
        raise Refused(-4116, "ClientOrderId is duplicated.")


def check_algo_id(ledger: Ledger, client_id: str) -> None:
    """Check that no waiting algo order has the client id. Raises: Refused -4116."""
    if any(algo.client_id == client_id and algo.open for algo in ledger.algos.values()):
        raise Refused(-4116, "ClientOrderId is duplicated.")


def check_reduces(ledger: Ledger, symbol: str, side: str) -> None:
    """Check that a position is there to reduce. Raises: Refused -2022."""
    held = ledger.position(symbol).qty
    if (held if side == "SELL" else -held) <= 0:
        raise Refused(-2022, "ReduceOnly Order is rejected.")


def check_margin(exchange: Exchange, ledger: Ledger, symbol: str, side: str, notional: Decimal) -> None:  # noqa: PLR0917
    """Check that the account can back what an order would open. Raises: Refused -2019."""
    marks = exchange.marks()
    held = ledger.position(symbol).qty
    closing = max(ZERO, held if side == "SELL" else -held) * marks[symbol]
    needed = max(ZERO, notional - closing) / ledger.leverage_of(symbol)
    if needed > ledger.available(marks):
        raise Refused(-2019, "Margin is insufficient.")
