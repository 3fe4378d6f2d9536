"""Know how USD-M futures are asked: methods of the SDK, weights, and what the answers mean."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from app.domain.ids import BrokerOrderId
from app.domain.ports import OrderRequest
from app.domain.reports import Balance, FillReport, FundingReport, OrderReport, PositionReport
from brokers.binance import algo, mapping
from brokers.binance.budget import Limits
from brokers.binance.egress import Lane
from brokers.binance.instruments import FUTURES_SEGMENT
from brokers.binance.reads import Listing, Reader
from brokers.binance.refs import OrderRef, parse_ref
from brokers.binance.requests import is_algo
from brokers.binance.values import Row, whole

FUTURES_LIMITS = Limits(weight=2400, orders={"10s": 300, "1m": 1200})
"""What brokers.md 2.6 says; exchangeInfo tells the numbers of the day."""

_ORDERS = Listing(method="futures_get_all_orders", weight=5, id_field="orderId", cursor="orderId")
_ALGOS = Listing(method="futures_get_all_algo_orders", weight=5, id_field="algoId", cursor="algoId")
_TRADES = Listing(method="futures_account_trades", weight=5, id_field="id", cursor="fromId")
_ALL_OPEN_WEIGHT = 40
_INCOME_WEIGHT = 30
# A symbol has 24 fundings a day at most, and an account few symbols.
_MOST_FUNDINGS = 1000


class AlgoNames:
    """Remember which ordinary order a triggered conditional one became. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._algos: dict[BrokerOrderId, OrderReport] = {}
        self._by_actual: dict[BrokerOrderId, BrokerOrderId] = {}

    def note(self, report: OrderReport, actual: BrokerOrderId | None) -> None:
        """Remember a conditional order and what it became."""
        with self._lock:
            known = self._algos.get(report.broker_order_id)
            if known is None or report.version >= known.version:
                self._algos[report.broker_order_id] = report
            if actual is not None:
                self._by_actual[actual] = report.broker_order_id

    def name_of(self, broker_order_id: BrokerOrderId) -> BrokerOrderId:
        """Return the conditional order's name for an ordinary one, else the given name."""
        with self._lock:
            return self._by_actual.get(broker_order_id, broker_order_id)

    def successor_of(self, ref: OrderRef) -> OrderRef | None:
        """Return the ordinary order that a conditional one became, None before it triggered."""
        with self._lock:
            found = next((a for a, name in self._by_actual.items() if name == ref.broker_order_id), None)
        return None if found is None else parse_ref(found)

    def merged(self, actual: OrderReport) -> OrderReport:
        """Return news of an ordinary order under the name of the conditional one that it came from.

        Where the news of the trigger has not come yet, the client id tells: a triggered order carries
        the one of the conditional order.
        """
        with self._lock:
            name = self._by_actual.get(actual.broker_order_id)
            source = self._algos.get(name) if name is not None else self._with_tag(actual.tag)
        if source is None:
            return actual
        return algo.merged(replace(source, status=algo.STATUSES["TRIGGERED"]), actual)

    def _with_tag(self, tag: str) -> OrderReport | None:
        return next((found for found in self._algos.values() if tag and found.tag == tag), None)


class FuturesBooks:
    """Read the books of one USD-M futures account."""

    segment = FUTURES_SEGMENT
    quote_method = "futures_orderbook_ticker"
    place_weight = 0
    has_algos = True

    def __init__(self, reader: Reader, names: AlgoNames) -> None:
        self._reader = reader
        self._names = names

    def place_method(self, request: OrderRequest) -> str:
        """Return the SDK's method for a new order; stops go the algo route by name, not by its guess."""
        return "futures_create_algo_order" if is_algo(request) else "futures_create_order"

    def cancel_call(self, ref: OrderRef) -> tuple[str, dict[str, str]]:
        """Return the SDK's method and arguments that cancel an order."""
        if ref.is_algo:
            return "futures_cancel_algo_order", {"symbol": ref.symbol, "algoId": str(ref.number)}
        return "futures_cancel_order", {"symbol": ref.symbol, "orderId": str(ref.number)}

    def successor(self, ref: OrderRef) -> OrderRef | None:
        """Return what a triggered conditional order became: that is what can still be canceled."""
        return self._names.successor_of(ref) if ref.is_algo else None

    def orders(self, symbol: str, since_ms: int) -> tuple[tuple[OrderReport, ...], bool]:
        """Read a symbol's orders of both kinds: those of the day and those still open."""
        rows, is_whole = self._reader.listing(_ORDERS, symbol=symbol, since_ms=since_ms)
        shown = {whole(row, "orderId") for row in rows}
        older = [row for row in self.open_rows(symbol) if whole(row, "orderId") not in shown]
        algos, are_algos_whole = self._algo_rows(symbol, since_ms)
        orders = [mapping.order_report(row) for row in (*rows, *older)]
        return algo.merged_book(orders, algos), is_whole and are_algos_whole

    def open_rows(self, symbol: str, *, lane: Lane = Lane.READS) -> tuple[Row, ...]:
        """Read a symbol's open ordinary orders as they come."""
        return self._reader.rows("futures_get_open_orders", 1, {"symbol": symbol}, lane=lane)

    def _algo_rows(self, symbol: str, since_ms: int) -> tuple[tuple[Row, ...], bool]:
        rows, is_whole = self._reader.listing(_ALGOS, symbol=symbol, since_ms=since_ms)
        shown = {whole(row, "algoId") for row in rows}
        opened = self._reader.rows("futures_get_open_algo_orders", 1, {"symbol": symbol})
        rows = (*rows, *(row for row in opened if whole(row, "algoId") not in shown))
        for row in rows:
            self._names.note(algo.algo_report(row), algo.actual_order(row))
        return rows, is_whole

    def open_symbols(self) -> frozenset[str]:
        """Return every symbol with an open order of either kind, or a position."""
        plain = self._reader.rows("futures_get_open_orders", _ALL_OPEN_WEIGHT)
        algos = self._reader.rows("futures_get_open_algo_orders", _ALL_OPEN_WEIGHT)
        held = self._reader.rows("futures_position_information", 5)
        return frozenset(mapping.symbol(row, "symbol") for row in (*plain, *algos, *held))

    def order(self, ref: OrderRef, *, is_for_exit: bool = False) -> OrderReport | None:
        """Read one order; of a triggered conditional one also what it became."""
        if not ref.is_algo:
            return self._plain(ref, is_for_exit=is_for_exit)
        row = self._reader.order(
            "futures_get_algo_order", 1, {"symbol": ref.symbol, "algoId": ref.number}, is_for_exit=is_for_exit
        )
        if row is None:
            return None
        report, actual_id = algo.algo_report(row), algo.actual_order(row)
        self._names.note(report, actual_id)
        actual = None if actual_id is None else parse_ref(actual_id)
        return report if actual is None else algo.merged(report, self._plain(actual, is_for_exit=is_for_exit))

    def _plain(self, ref: OrderRef, *, is_for_exit: bool) -> OrderReport | None:
        row = self._reader.order(
            "futures_get_order", 1, {"symbol": ref.symbol, "orderId": ref.number}, is_for_exit=is_for_exit
        )
        return None if row is None else mapping.order_report(row)

    def fills(self, symbol: str, since_ms: int) -> tuple[tuple[FillReport, ...], bool]:
        """Read a symbol's fills of the day under the names of their orders, and whether these are all."""
        rows, is_whole = self._reader.listing(_TRADES, symbol=symbol, since_ms=since_ms)
        fills = tuple(mapping.fill_report(row) for row in rows)
        if fills:
            # A fill of a triggered order carries a number that only the algo list leads back.
            self._algo_rows(symbol, since_ms)
        return tuple(
            replace(fill, broker_order_id=self._names.name_of(fill.broker_order_id)) for fill in fills
        ), is_whole

    def positions(self, fills: Sequence[FillReport]) -> tuple[PositionReport, ...]:  # noqa: ARG002
        """Read net positions; the fills are not needed."""
        return mapping.futures_positions(self._reader.rows("futures_position_information", 5))

    def fundings(self, since_ms: int) -> tuple[FundingReport, ...]:
        """Read what was taken and given for holding since a time."""
        wanted = {"incomeType": mapping.FUNDING, "startTime": since_ms, "limit": _MOST_FUNDINGS}
        rows = self._reader.rows("futures_income_history", _INCOME_WEIGHT, wanted)
        return tuple(mapping.funding(row) for row in rows)

    def balance(self) -> Balance:
        """Read the account's money."""
        return mapping.futures_balance(self._reader.rows("futures_account_balance", 5))
