"""Hold futures conditional orders until their trigger is reached, then make ordinary orders of them."""

import time
from collections.abc import Callable
from decimal import Decimal

from brokers.simulators.binance import matching
from brokers.simulators.binance.exchange import Exchange
from brokers.simulators.binance.ledger import Ledger
from brokers.simulators.binance.orders import ZERO, AlgoOrder, Order
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.symbols import FUTURES


class Algos:
    """Watch the triggers of every account's algo orders."""

    def __init__(self, exchange: Exchange, settings: Settings, on_algo: Callable[[AlgoOrder], None]) -> None:
        self._exchange = exchange
        self._settings = settings
        self._on_algo = on_algo
        self._waiting: dict[int, AlgoOrder] = {}
        self._following: dict[int, AlgoOrder] = {}  # by the number of the order that it became

    def place(self, algo: AlgoOrder) -> None:
        """Take a checked algo order in."""
        algo.created_ms = self._exchange.clock.now_ms()
        self._exchange.ledgers[algo.account].algos[algo.number] = algo
        self._waiting[algo.number] = algo
        self._change(algo, "NEW")

    def cancel(self, algo: AlgoOrder) -> None:
        """End one that waits."""
        self._waiting.pop(algo.number, None)
        self._change(algo, "CANCELED")

    def on_tick(self) -> None:
        """Trigger what is due; drop what would close a position that is gone; finish what has ended."""
        for algo in list(self._waiting.values()):
            last = self._exchange.quote(FUTURES, algo.symbol).last
            if matching.triggers(algo.kind, algo.side, algo.trigger, last):
                self._trigger(algo)
        for algo in list(self._following.values()):
            if algo.order is not None and algo.order.done:
                self.finish(algo.order)

    def expire_closing(self, ledger: Ledger, symbol: str) -> None:
        """Drop the waiting close-position orders of a position that has just been closed."""
        for algo in list(self._waiting.values()):
            mine = algo.account == ledger.account and algo.symbol == symbol
            if mine and algo.close_position and self._settings.close_position_orders_expire:
                self._waiting.pop(algo.number)
                self._change(algo, "EXPIRED")

    def finish(self, order: Order) -> None:
        """Finish the algo order that became this order."""
        algo = self._following.pop(order.number, None)
        if algo is not None:
            self._change(algo, "FINISHED")

    def _trigger(self, algo: AlgoOrder) -> None:
        self._waiting.pop(algo.number)
        algo.triggered_ms = self._exchange.clock.now_ms()
        self._change(algo, "TRIGGERING")
        ledger = self._exchange.ledgers[algo.account]
        held = ledger.position(algo.symbol).qty
        reducible = max(ZERO, held if algo.side == "SELL" else -held)
        closes = algo.close_position or algo.reduce_only
        qty = reducible if algo.close_position else algo.qty
        if closes and reducible == 0:
            self._change(algo, "EXPIRED", "ReduceOnly Order is rejected.")
            return
        if not closes and self._lacks_margin(ledger, algo, qty):
            self._change(algo, "REJECTED", "Margin is insufficient.")
            return
        algo.order = self._order(algo, closes=closes)
        self._following[algo.order.number] = algo
        self._exchange.place(algo.order, qty=qty, price=algo.price)
        if algo.status == "TRIGGERING":
            self._change(algo, "TRIGGERED")
        if algo.order.done:
            self.finish(algo.order)

    def _lacks_margin(self, ledger: Ledger, algo: AlgoOrder, qty: Decimal) -> bool:
        marks = self._exchange.marks()
        needed = qty * (algo.price or marks[algo.symbol]) / ledger.leverage_of(algo.symbol)
        return needed > ledger.available(marks)

    def _order(self, algo: AlgoOrder, *, closes: bool) -> Order:
        number = self._exchange.next_number()
        follows = self._settings.algo_client_id_follows
        return Order(
            account=algo.account,
            market=FUTURES,
            symbol=algo.symbol,
            number=number,
            client_id=algo.client_id if follows else f"algo-{number}",
            side=algo.side,
            kind="MARKET" if algo.kind.endswith("_MARKET") else "LIMIT",
            tif=algo.tif,
            reduce_only=closes,
            close_position=algo.close_position,
            working_type=algo.working_type,
        )

    def _change(self, algo: AlgoOrder, status: str, reason: str = "") -> None:
        algo.status, algo.reason = status, reason
        algo.updated_ms = self._exchange.clock.now_ms()
        algo.real = algo.real or time.monotonic()
        self._on_algo(algo)
