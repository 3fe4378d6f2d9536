"""Take futures requests: place, modify, cancel, and the conditional orders of the algo route."""

import re
from dataclasses import dataclass
from decimal import Decimal

from brokers.simulators.binance import futures_rules, matching
from brokers.simulators.binance.algos import Algos
from brokers.simulators.binance.exchange import Exchange
from brokers.simulators.binance.faults import FaultPlan
from brokers.simulators.binance.futures_rows import acknowledged_row, algo_row, order_row
from brokers.simulators.binance.ledger import Ledger
from brokers.simulators.binance.limits import Limits
from brokers.simulators.binance.orders import ZERO, AlgoOrder, Order
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Refused, missing, unknown_order
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.symbols import FUTURES, Row, Symbol

SIDES = frozenset({"BUY", "SELL"})
TIFS = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
ALGO_KINDS = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"})
UNSERVED_KINDS = frozenset({"TRAILING_STOP_MARKET"})
WORKING_TYPES = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})


@dataclass(slots=True, kw_only=True)
class FuturesDesk:
    """Check and carry out what customers ask of the futures market. All methods may raise Refused."""

    exchange: Exchange
    algos: Algos
    settings: Settings
    limits: Limits
    faults: FaultPlan

    def symbol(self, params: Parameters) -> str:
        """Return a known symbol."""
        name = params.text("symbol")
        if (FUTURES, name) not in self.exchange.tape.symbols:
            raise Refused(-1121, "Invalid symbol.")
        return name

    def place(self, ledger: Ledger, params: Parameters, *, test: bool = False) -> Row:
        """Place a LIMIT or MARKET order and return its reply."""
        order, qty, price = self._read(ledger, params)
        self._check(ledger, order, qty, price)
        result = (params.optional("newOrderRespType") or "ACK") == "RESULT"
        if not test:
            self.limits.take_order(FUTURES, ledger.account)
            self.exchange.place(order, qty=qty, price=price)
            return order_row(order, order.state) if result else acknowledged_row(order)
        return {}

    def _read(self, ledger: Ledger, params: Parameters) -> tuple[Order, Decimal, Decimal]:
        symbol = self.symbol(params)
        side = params.choice("side", SIDES, -1117, "side")
        kind = params.text("type")
        if kind in ALGO_KINDS | UNSERVED_KINDS:
            text = (
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
            )
            raise Refused(-4120, text)
        if kind not in {"LIMIT", "MARKET"}:
            raise Refused(-1116, "Invalid orderType.")
        self._check_side(ledger, params)
        limited = kind == "LIMIT"
        tif = params.choice("timeInForce", TIFS, -1115, "timeInForce") if limited else "GTC"
        good_till = params.integer("goodTillDate") or 0
        if (tif == "GTD") != (good_till > 0):
            raise missing("goodTillDate") if tif == "GTD" else Refused(-1106, "goodTillDate needs GTD.")
        number = self.exchange.next_number()
        client_id = params.optional("newClientOrderId") or f"auto-{number}"
        self.check_id("newClientOrderId", client_id)
        order = Order(
            account=ledger.account,
            market=FUTURES,
            symbol=symbol,
            number=number,
            client_id=client_id,
            side=side,
            kind=kind,
            tif=tif,
            reduce_only=params.flag("reduceOnly"),
            good_till_ms=good_till,
        )
        return order, params.number("quantity"), params.number("price") if limited else ZERO

    def check_id(self, name: str, client_id: str) -> None:
        """Check the form of a client id."""
        if not re.fullmatch(self.settings.futures_client_id_pattern, client_id):
            raise Refused(-4015, f"Client order id is not valid: {name}.")

    @staticmethod
    def _check_side(ledger: Ledger, params: Parameters) -> None:
        # Hedge mode is a flag only: nothing can be traded in it here.
        side = params.optional("positionSide") or "BOTH"
        if ledger.hedge or side != "BOTH":
            raise Refused(-4061, "Order's position side does not match user's setting.")

    def _check(self, ledger: Ledger, order: Order, qty: Decimal, price: Decimal) -> None:
        symbol = self.exchange.tape.symbols[FUTURES, order.symbol]
        quote = self.exchange.quote(FUTURES, order.symbol)
        futures_rules.check_symbol(symbol)
        futures_rules.check_quantity(symbol, qty, at_market=not price)
        if price:
            futures_rules.check_price(symbol, price, quote.last)
        futures_rules.check_client_id(ledger, order.client_id)
        if order.tif == "GTX" and matching.crosses(order.side, price, quote):
            text = "Due to the order could not be executed as maker, the Post Only order will be rejected."
            raise Refused(-5022, text)
        notional = qty * (price or quote.last)
        if order.reduce_only:
            futures_rules.check_reduces(ledger, order.symbol, order.side)
            return
        futures_rules.check_notional(symbol, notional)
        futures_rules.check_margin(self.exchange, ledger, order.symbol, order.side, notional)

    def place_batch(self, ledger: Ledger, orders: list[Parameters]) -> list[Row]:
        """Place up to five orders; each succeeds or fails alone."""
        if not 0 < len(orders) <= 5:
            raise Refused(-4082, "Invalid number of batch place orders.")
        return [self._alone(ledger, params) for params in orders]

    def _alone(self, ledger: Ledger, params: Parameters) -> Row:
        try:
            return self.place(ledger, params)
        except Refused as refusal:
            return refusal.body()

    def open_order(self, ledger: Ledger, params: Parameters) -> Order:
        """Return the open order that the parameters mean."""
        number, client_id = params.integer("orderId"), params.optional("origClientOrderId")
        if number is None and client_id is None:
            raise missing("origClientOrderId")
        order = ledger.find_order(FUTURES, number, client_id)
        if order is None or order.done:
            raise unknown_order()
        return order

    def modify(self, ledger: Ledger, params: Parameters) -> Row:
        """Change price and quantity of an open LIMIT order."""
        symbol = self.exchange.tape.symbols[FUTURES, self.symbol(params)]
        try:
            order = self.open_order(ledger, params)
        except Refused as refusal:
            if refusal.code != -2011:
                raise
            raise Refused(-2013, "Order does not exist.") from refusal
        if params.choice("side", SIDES, -1117, "side") != order.side:
            raise Refused(-1117, "Invalid side.")
        qty, price = params.number("quantity"), params.number("price")
        futures_rules.check_quantity(symbol, qty, at_market=False)
        futures_rules.check_price(symbol, price, self.exchange.quote(FUTURES, order.symbol).last)
        if (qty, price) == (order.state.qty, order.state.price):
            raise Refused(-5027, "No need to modify the order.")
        self.limits.take_order(FUTURES, ledger.account)
        if qty <= order.state.filled:
            self.exchange.cancel(order)  # the venue ends an order whose new quantity is filled already
        else:
            self.exchange.amend(order, qty=qty, price=price)
        return order_row(order, order.state)

    def cancel(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel one order."""
        self.symbol(params)
        order = self.open_order(ledger, params)
        if self.faults.draw("cancel_races_fill", "futures.cancel", ledger.account, order.client_id):
            self.exchange.fill_now(order)
            raise unknown_order()
        self.exchange.cancel(order)
        return order_row(order, order.state)

    def cancel_batch(self, ledger: Ledger, params: list[Parameters]) -> list[Row]:
        """Cancel several orders; each succeeds or fails alone."""
        rows = []
        for item in params:
            try:
                rows.append(self.cancel(ledger, item))
            except Refused as refusal:
                rows.append(refusal.body())
        return rows

    def cancel_all(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel every open order of a symbol; with none open this succeeds too."""
        self.cancel_symbol(ledger, self.symbol(params))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def cancel_symbol(self, ledger: Ledger, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        for order in list(ledger.open_orders(FUTURES)):
            if order.symbol == symbol:
                self.exchange.cancel(order)

    def place_algo(self, ledger: Ledger, params: Parameters) -> Row:
        """Place a conditional order."""
        params.choice("algoType", {"CONDITIONAL"}, -1116, "algoType")
        symbol = self.exchange.tape.symbols[FUTURES, self.symbol(params)]
        kind = params.text("type")
        if kind not in ALGO_KINDS:
            raise Refused(-1116, "Invalid orderType.")
        self._check_side(ledger, params)
        algo = self._read_algo(ledger, params, kind)
        self._check_algo(ledger, symbol, algo)
        self.limits.take_order(FUTURES, ledger.account)
        self.algos.place(algo)
        return algo_row(algo)

    def _read_algo(self, ledger: Ledger, params: Parameters, kind: str) -> AlgoOrder:
        closes = params.flag("closePosition")
        limited = not kind.endswith("_MARKET")
        if closes and (limited or "quantity" in params.values or params.flag("reduceOnly")):
            raise Refused(-4137, "closePosition goes with *_MARKET and without quantity and reduceOnly.")
        number = self.exchange.next_number()
        client_id = params.optional("clientAlgoId") or f"auto-{number}"
        self.check_id("clientAlgoId", client_id)
        return AlgoOrder(
            account=ledger.account,
            symbol=params.text("symbol"),
            number=number,
            client_id=client_id,
            side=params.choice("side", SIDES, -1117, "side"),
            kind=kind,
            tif=params.optional("timeInForce") or "GTC",
            qty=ZERO if closes else params.number("quantity"),
            price=params.number("price") if limited else ZERO,
            trigger=params.number("triggerPrice"),
            reduce_only=params.flag("reduceOnly"),
            close_position=closes,
            working_type=params.choice("workingType", WORKING_TYPES, -1116, "workingType")
            if "workingType" in params.values
            else "CONTRACT_PRICE",
        )

    def _check_algo(self, ledger: Ledger, symbol: Symbol, algo: AlgoOrder) -> None:
        if algo.tif not in TIFS:
            raise Refused(-1115, "Invalid timeInForce.")
        futures_rules.check_symbol(symbol)
        futures_rules.check_price(symbol, algo.trigger, None)
        if algo.price:
            futures_rules.check_price(symbol, algo.price, None)
        if not algo.close_position:
            futures_rules.check_quantity(symbol, algo.qty, at_market=not algo.price)
        if not algo.close_position and not algo.reduce_only:
            futures_rules.check_notional(symbol, algo.qty * (algo.price or algo.trigger))
        futures_rules.check_algo_id(ledger, algo.client_id)
        if sum(item.open for item in ledger.algos.values()) >= symbol.max_algo_orders:
            raise Refused(-4045, "Reach max stop order limit.")
        last = self.exchange.quote(FUTURES, algo.symbol).last
        if matching.triggers(algo.kind, algo.side, algo.trigger, last):
            raise Refused(-2021, "Order would immediately trigger.")

    def cancel_algo(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel one waiting algo order."""
        algo = ledger.find_algo(params.integer("algoId"), params.optional("clientAlgoId"))
        if algo is None or not algo.open:
            raise unknown_order()
        self.algos.cancel(algo)
        return {"algoId": algo.number, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}

    def cancel_all_algos(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel every waiting algo order of a symbol."""
        symbol = self.symbol(params)
        for algo in list(ledger.algos.values()):
            if algo.open and algo.symbol == symbol:
                self.algos.cancel(algo)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}
