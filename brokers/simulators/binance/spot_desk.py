"""Take spot requests, whichever way they came: place, cancel, replace, pairs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from brokers.simulators.binance import matching, spot_rules
from brokers.simulators.binance.exchange import Exchange
from brokers.simulators.binance.faults import FaultPlan
from brokers.simulators.binance.ledger import Ledger, OrderList
from brokers.simulators.binance.limits import Limits
from brokers.simulators.binance.orders import ZERO, Order
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.replies import Refused, filter_failure, missing, unknown_order
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.spot_rows import canceled_row, list_row, placed_row
from brokers.simulators.binance.symbols import SPOT, Row, eight

SIDES = frozenset({"BUY", "SELL"})
LIMITS = frozenset({"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
KINDS = LIMITS | STOPS | {"MARKET", "LIMIT_MAKER"}
TIFS = frozenset({"GTC", "IOC", "FOK"})


@dataclass(slots=True, kw_only=True)
class SpotDesk:
    """Check and carry out what customers ask of the spot market. All methods may raise Refused."""

    exchange: Exchange
    settings: Settings
    limits: Limits
    faults: FaultPlan

    def symbol(self, params: Parameters) -> str:
        """Return a known symbol."""
        name = params.text("symbol")
        if (SPOT, name) not in self.exchange.tape.symbols:
            raise Refused(-1121, "Invalid symbol.")
        return name

    def place(self, ledger: Ledger, params: Parameters, *, test: bool = False) -> Row:
        """Place an order and return its reply."""
        order = self._read(ledger, params)
        qty, price = self._size(order, params)
        spot_rules.check_all(self.exchange, order, qty=qty, price=price)
        reply = params.optional("newOrderRespType") or (
            "FULL" if order.kind in {"LIMIT", "MARKET"} else "ACK"
        )
        if reply not in {"ACK", "RESULT", "FULL"}:
            raise Refused(-1158, "Invalid newOrderRespType.")
        if test:
            return {}
        self.limits.take_order(SPOT, ledger.account)
        self.exchange.place(order, qty=qty, price=price)
        return placed_row(order, reply)

    def _read(self, ledger: Ledger, params: Parameters) -> Order:
        symbol = self.symbol(params)
        side = params.choice("side", SIDES, -1117, "side")
        kind = params.choice("type", KINDS, -1116, "orderType")
        if kind in LIMITS:
            tif = params.choice("timeInForce", TIFS, -1115, "timeInForce")
        else:
            params.none_of("timeInForce")
            tif = "GTC"
        if kind in STOPS:
            stop = params.number("stopPrice")
        else:
            params.none_of("stopPrice", "trailingDelta")
            stop = ZERO
        return self._order(ledger, params, symbol=symbol, side=side, kind=kind, tif=tif, stop=stop)

    def _order(self, ledger: Ledger, params: Parameters, **terms: object) -> Order:
        return self._named(ledger, params.optional("newClientOrderId"), **terms)

    def _named(self, ledger: Ledger, client_id: str | None, **terms: object) -> Order:
        number = self.exchange.next_number()
        name = client_id or f"auto-{number}"
        self.check_id("newClientOrderId", name)
        return Order(account=ledger.account, market=SPOT, number=number, client_id=name, **terms)  # type: ignore[arg-type]  # the callers name real fields

    def check_id(self, name: str, client_id: str) -> None:
        """Check the form of a client id."""
        pattern = self.settings.spot_client_id_pattern
        if not re.fullmatch(pattern, client_id):
            text = f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
            raise Refused(-1100, text)

    def _size(self, order: Order, params: Parameters) -> tuple[Decimal, Decimal]:
        price = params.number("price") if order.kind in LIMITS | {"LIMIT_MAKER"} else ZERO
        if not price:
            params.none_of("price")
        if order.kind != "MARKET" or "quoteOrderQty" not in params.values:
            return params.number("quantity"), price
        params.none_of("quantity")
        order.quote_qty = params.number("quoteOrderQty")
        quote = self.exchange.quote(SPOT, order.symbol)
        symbol = self.exchange.tape.symbols[SPOT, order.symbol]
        qty = matching.spend(order.quote_qty, symbol.step, quote.levels(order.side, symbol.tick))
        if not qty:
            raise filter_failure("NOTIONAL")
        return qty, price

    def open_order(self, ledger: Ledger, params: Parameters, number: str, client_id: str) -> Order:
        """Return the open order that the named parameters mean."""
        order_id, name = params.integer(number), params.optional(client_id)
        if order_id is None and name is None:
            raise missing(client_id)
        order = ledger.find_order(SPOT, order_id, name)
        if order is None or order.done:
            raise unknown_order()
        if name is not None and order.client_id != name:
            raise Refused(-2039, "Client order ID is not correct for this order ID.")
        return order

    def cancel(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel one order, or the whole pair that it belongs to."""
        self.symbol(params)
        order = self.open_order(ledger, params, "orderId", "origClientOrderId")
        return self._cancel(ledger, order, params.optional("newClientOrderId"))

    def _cancel(self, ledger: Ledger, order: Order, request_id: str | None) -> Row:
        if self.faults.draw("cancel_races_fill", "spot.cancel", ledger.account, order.client_id):
            self.exchange.fill_now(order)
            raise unknown_order()
        request_id = request_id or f"cancel-{self.exchange.next_number()}"
        self.exchange.cancel(order, request_id)
        return canceled_row(order, request_id)

    def amend(self, ledger: Ledger, params: Parameters) -> Row:
        """Lower the quantity of an open order, which keeps its place in the book."""
        symbol = self.exchange.tape.symbols[SPOT, self.symbol(params)]
        order = self.open_order(ledger, params, "orderId", "origClientOrderId")
        qty = params.number("newQty")
        if qty % symbol.step or not symbol.min_qty <= qty:
            raise filter_failure("LOT_SIZE")
        if not order.state.filled < qty < order.state.qty:
            raise Refused(-2038, "The requested amend decreases no quantity.")
        self.exchange.amend(order, qty=qty, price=order.state.price)
        row = canceled_row(order, order.client_id) | {"qty": eight(order.state.qty)}
        return {"transactTime": order.state.updated_ms, "executionId": order.number, "amendedOrder": row}

    def cancel_all(self, ledger: Ledger, params: Parameters) -> list[Row]:
        """Cancel every open order of a symbol."""
        symbol = self.symbol(params)
        orders = [order for order in ledger.open_orders(SPOT) if order.symbol == symbol]
        if not orders:
            raise unknown_order()
        rows = []
        for order in orders:
            request_id = f"cancel-{self.exchange.next_number()}"
            if not order.done:
                self.exchange.cancel(order, request_id)
            rows.append(canceled_row(order, request_id))
        return rows

    def replace(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel one order and place another; each half can fail.

        Raises: Refused -2021 with 409 when one half failed, -2022 when both did, with both halves' replies.
        """
        self.symbol(params)
        mode = params.choice(
            "cancelReplaceMode", {"STOP_ON_FAILURE", "ALLOW_FAILURE"}, -1102, "cancelReplaceMode"
        )
        canceled = self._half(lambda: self._cancel_old(ledger, params))
        if isinstance(canceled, Refused) and mode == "STOP_ON_FAILURE":
            placed: Row | Refused | None = None
        else:
            placed = self._half(lambda: self._place_new(ledger, params))
        both: Row = {
            "cancelResult": _result(canceled),
            "newOrderResult": _result(placed),
            "cancelResponse": _body(canceled),
            "newOrderResponse": _body(placed),
        }
        if not isinstance(canceled, Refused) and not isinstance(placed, Refused | None):
            return both
        if isinstance(canceled, Refused) and isinstance(placed, Refused | None):
            http = 400 if placed is None else 409
            raise Refused(-2022, "Order cancel-replace failed.", http, both)
        raise Refused(-2021, "Order cancel-replace partially failed.", 409, both)

    @staticmethod
    def _half(step: Callable[[], Row]) -> Row | Refused:
        try:
            return step()
        except Refused as refusal:
            return refusal

    def _cancel_old(self, ledger: Ledger, params: Parameters) -> Row:
        if self.faults.draw("replace_cancel_fails", "spot.replace", ledger.account):
            raise unknown_order()
        order = self.open_order(ledger, params, "cancelOrderId", "cancelOrigClientOrderId")
        return self._cancel(ledger, order, params.optional("cancelNewClientOrderId"))

    def _place_new(self, ledger: Ledger, params: Parameters) -> Row:
        if self.faults.draw("replace_new_fails", "spot.replace", ledger.account):
            raise Refused(-2010, "Account has insufficient balance for requested action.")
        return self.place(ledger, params)

    def place_pair(self, ledger: Ledger, params: Parameters) -> Row:
        """Place an OCO: one leg above the market, one below."""
        symbol = self.symbol(params)
        side = params.choice("side", SIDES, -1117, "side")
        qty = params.number("quantity")
        legs = [self._leg(ledger, params, which, symbol=symbol, side=side) for which in ("above", "below")]
        self._check_pair(legs)
        for order, price in legs:
            spot_rules.check_all(self.exchange, order, qty=qty, price=price)
        self.limits.take_order(SPOT, ledger.account, 2)
        number = self.exchange.next_number()
        pair = OrderList(
            account=ledger.account,
            number=number,
            client_id=params.optional("listClientOrderId") or f"list-{number}",
            symbol=symbol,
            legs=[order for order, _price in legs],
            created_ms=self.exchange.clock.now_ms(),
        )
        ledger.lists[number] = pair
        for order, price in legs:
            order.list_number = number
            self.exchange.place(order, qty=qty, price=price)
        self.exchange.listener.on_list(pair)
        return list_row(pair) | {"orderReports": [placed_row(leg, "RESULT") for leg in pair.legs]}

    def _leg(self, ledger: Ledger, params: Parameters, which: str, **terms: str) -> tuple[Order, Decimal]:
        kind = params.choice(f"{which}Type", STOPS | {"LIMIT_MAKER"}, -1116, "orderType")
        limited = kind not in {"STOP_LOSS", "TAKE_PROFIT"}
        price = params.number(f"{which}Price") if limited else ZERO
        stop = params.number(f"{which}StopPrice") if kind in STOPS else ZERO
        tif = params.text(f"{which}TimeInForce") if kind in LIMITS else "GTC"
        client_id = params.optional(f"{which}ClientOrderId")
        return self._named(ledger, client_id, kind=kind, tif=tif, stop=stop, **terms), price

    @staticmethod
    def _check_pair(legs: list[tuple[Order, Decimal]]) -> None:
        (above, above_price), (below, below_price) = legs
        stops = sum(order.kind.startswith("STOP_LOSS") for order, _price in legs)
        if stops != 1:
            raise Refused(-1165, "OCO orders need one STOP_LOSS leg and one LIMIT_MAKER or TAKE_PROFIT leg.")
        if (above.stop or above_price) <= (below.stop or below_price):
            raise Refused(-2010, "The relationship of the prices for the orders is not correct.")

    def cancel_pair(self, ledger: Ledger, params: Parameters) -> Row:
        """Cancel an OCO by its number or client id."""
        self.symbol(params)
        pair = self.find_pair(ledger, params.integer("orderListId"), params.optional("listClientOrderId"))
        if pair is None or pair.done:
            raise unknown_order()
        request_id = params.optional("newClientOrderId") or f"cancel-{self.exchange.next_number()}"
        self.exchange.cancel(next(leg for leg in pair.legs if not leg.done), request_id)
        return list_row(pair) | {"orderReports": [canceled_row(leg, request_id) for leg in pair.legs]}

    @staticmethod
    def find_pair(ledger: Ledger, number: int | None, client_id: str | None) -> OrderList | None:
        """Return the pair of a number, or the newest of a client id."""
        if number is not None:
            return ledger.lists.get(number)
        found = [pair for pair in ledger.lists.values() if pair.client_id == client_id]
        return max(found, key=lambda pair: pair.number, default=None)


def _result(half: Row | Refused | None) -> str:
    if half is None:
        return "NOT_ATTEMPTED"
    return "FAILURE" if isinstance(half, Refused) else "SUCCESS"


def _body(half: Row | Refused | None) -> Row | None:
    return half.body() if isinstance(half, Refused) else half
