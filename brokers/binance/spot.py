"""Know how spot is asked: methods of the SDK, weights, and what the answers mean."""

from collections.abc import Sequence

from app.domain.ports import OrderRequest
from app.domain.reports import Balance, FillReport, FundingReport, OrderReport, PositionReport
from brokers.binance import mapping
from brokers.binance.budget import Limits
from brokers.binance.egress import Lane
from brokers.binance.instruments import SPOT_SEGMENT
from brokers.binance.reads import Listing, Reader
from brokers.binance.refs import OrderRef
from brokers.binance.values import Row, whole

SPOT_LIMITS = Limits(weight=6000, orders={"10s": 50, "1d": 160_000})
"""What brokers.md 2.6 says; exchangeInfo tells the numbers of the day."""

_ORDERS = Listing(method="get_all_orders", weight=20, id_field="orderId", cursor="orderId")
_TRADES = Listing(method="get_my_trades", weight=20, id_field="id", cursor="fromId")
_ALL_OPEN_WEIGHT = 80


class SpotBooks:
    """Read the books of one spot account."""

    segment = SPOT_SEGMENT
    quote_method = "get_orderbook_ticker"
    place_weight = 1
    has_algos = False

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def place_method(self, request: OrderRequest) -> str:  # noqa: ARG002  # futures need it
        """Return the SDK's method for a new order."""
        return "create_order"

    def cancel_call(self, ref: OrderRef) -> tuple[str, dict[str, str]]:
        """Return the SDK's method and arguments that cancel an order."""
        return "cancel_order", {"symbol": ref.symbol, "orderId": str(ref.number)}

    def successor(self, ref: OrderRef) -> OrderRef | None:  # noqa: ARG002  # futures need it
        """Return None: a triggered stop of spot keeps its number."""
        return None

    def orders(self, symbol: str, since_ms: int) -> tuple[tuple[OrderReport, ...], bool]:
        """Read a symbol's orders of the day and those still open, and whether that is all."""
        rows, is_whole = self._reader.listing(_ORDERS, symbol=symbol, since_ms=since_ms)
        shown = {whole(row, "orderId") for row in rows}
        older = [row for row in self.open_rows(symbol) if whole(row, "orderId") not in shown]
        return tuple(mapping.order_report(row) for row in (*rows, *older)), is_whole

    def open_rows(self, symbol: str, *, lane: Lane = Lane.READS) -> tuple[Row, ...]:
        """Read a symbol's open orders as they come."""
        return self._reader.rows("get_open_orders", 6, {"symbol": symbol}, lane=lane)

    def open_symbols(self) -> frozenset[str]:
        """Return every symbol in which the account has an open order, whoever placed it."""
        rows = self._reader.rows("get_open_orders", _ALL_OPEN_WEIGHT)
        return frozenset(mapping.symbol(row, "symbol") for row in rows)

    def order(self, ref: OrderRef, *, is_for_exit: bool = False) -> OrderReport | None:
        """Read one order."""
        row = self._reader.order(
            "get_order", 4, {"symbol": ref.symbol, "orderId": ref.number}, is_for_exit=is_for_exit
        )
        return None if row is None else mapping.order_report(row)

    def fills(self, symbol: str, since_ms: int) -> tuple[tuple[FillReport, ...], bool]:
        """Read a symbol's fills of the day, and whether these are all."""
        rows, is_whole = self._reader.listing(_TRADES, symbol=symbol, since_ms=since_ms)
        return tuple(mapping.fill_report(row) for row in rows), is_whole

    def positions(self, fills: Sequence[FillReport]) -> tuple[PositionReport, ...]:
        """Return what today's fills leave."""
        return mapping.bought_today(fills)

    def fundings(self, since_ms: int) -> tuple[FundingReport, ...]:  # noqa: ARG002  # futures need it
        """Return none: who holds coins pays nothing for it."""
        return ()

    def balance(self) -> Balance:
        """Read the account's money."""
        return mapping.spot_balance(self._reader.body("get_account", 20))
