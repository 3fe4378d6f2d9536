"""Match spot and futures orders against the tape, settle them and report what happened."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from brokers.simulators.binance import matching
from brokers.simulators.binance.clock import VirtualClock
from brokers.simulators.binance.draw import fraction
from brokers.simulators.binance.faults import FaultPlan
from brokers.simulators.binance.ledger import Funding, Ledger, OrderList
from brokers.simulators.binance.orders import MARKET_KINDS, ZERO, Fill, Order, OrderState, Report, Status
from brokers.simulators.binance.symbols import BASE, FUTURES, QUOTE, SPOT
from brokers.simulators.binance.tape import Quote, Tape

_SPOT_FEE = Decimal("0.001")
_TAKER_FEE = Decimal("0.0005")
_MAKER_FEE = Decimal("0.0002")
_SATOSHI = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whoever wants to hear of orders and order pairs."""

    on_report: Callable[[Report], None]
    on_list: Callable[[OrderList], None]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Own every account's ledger and the orders that rest."""

    clock: VirtualClock
    tape: Tape
    faults: FaultPlan
    seed: int
    listener: Listener
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    pending: int = 0  # steps under way in real time: nothing of ours is in flight at 0
    filled: Decimal = ZERO  # base currency, all accounts
    funding_rate: Decimal = Decimal("0.0001")
    _resting: dict[int, Order] = field(default_factory=dict)
    _numbers: int = 1_000_000
    _trades: int = 0

    def next_number(self) -> int:
        """Return a number for an order, a pair or an algo order."""
        self._numbers += 1
        return self._numbers

    def later(self, step: Callable[..., object], *args: object, delay_s: float) -> None:
        """Take a step after a delay in real seconds, as if it had been under way all that time."""
        self.pending += 1

        def run() -> None:
            self.pending -= 1
            step(*args)

        asyncio.get_running_loop().call_later(delay_s, run)

    def quote(self, market: str, symbol: str) -> Quote:
        """Return the current quote."""
        return self.tape.quotes[market, symbol]

    def marks(self) -> dict[str, Decimal]:
        """Return the mark price of every contract: its last price."""
        return {name: quote.last for (market, name), quote in self.tape.quotes.items() if market == FUTURES}

    def place(self, order: Order, *, qty: Decimal, price: Decimal) -> None:
        """Take a checked order in: it matches at once, or rests, or waits for its trigger."""
        now_ms = self.clock.now_ms()
        waits = order.stop > 0
        order.created_ms, order.created_real = now_ms, time.time()
        order.working_since_ms = -1 if waits else now_ms
        first = OrderState(
            status=Status.NEW,
            qty=qty,
            price=price,
            working=not waits,
            updated_ms=now_ms,
            real=time.monotonic(),
        )
        order.states.append(first)
        self.ledgers[order.account].add(order)
        self._resting[order.number] = order
        self._report(order, "NEW")
        if not waits:
            self._take(order)

    def cancel(self, order: Order, request_id: str = "") -> None:
        """End an open order, and with it the other leg of its pair."""
        self._end(order, Status.CANCELED, request_id)
        self._end_other_leg(order, Status.CANCELED)

    def amend(self, order: Order, *, qty: Decimal, price: Decimal) -> None:
        """Change price or quantity of an open order; it may match at once."""
        self._record(order, qty=qty, price=price)
        self._report(order, "AMENDMENT")
        self._take(order)

    def on_tick(self) -> None:
        """Match everything that rests against the new quotes."""
        for order in list(self._resting.values()):
            if not order.done:
                self._meet(order)

    def fund(self, at_ms: int) -> None:
        """Let longs pay shorts: each position its notional times the rate, at the mark."""
        marks = self.marks()
        for ledger in self.ledgers.values():
            for position in ledger.positions.values():
                income = (-position.qty * marks[position.symbol] * self.funding_rate).quantize(_SATOSHI)
                if income:
                    number = self.next_number()
                    paid = Funding(number=number, symbol=position.symbol, income=income, at_ms=at_ms)
                    ledger.fundings.append(paid)
                    ledger.futures_usdt += income

    def _meet(self, order: Order) -> None:
        quote = self.quote(order.market, order.symbol)
        if order.armed:
            if matching.triggers(order.kind, order.side, order.stop, quote.last):
                self._trigger(order)
            return
        if order.good_till_ms and self.clock.now_ms() >= order.good_till_ms:
            self._end(order, Status.EXPIRED)
        elif not order.stalled and matching.crosses(order.side, order.state.price, quote):
            size = quote.ask_qty if order.side == "BUY" else quote.bid_qty
            self._fill(order, min(order.leaves, size), order.state.price, maker=True)

    def _trigger(self, order: Order) -> None:
        self._record(order, working=True)
        order.working_since_ms = order.state.updated_ms
        self._end_other_leg(order, Status.EXPIRED)
        self._report(order, "NEW")
        self._take(order)

    def fill_now(self, order: Order) -> None:
        """Fill all that is left at the order's own price or the best one: it won a race."""
        quote = self.quote(order.market, order.symbol)
        best = quote.ask if order.side == "BUY" else quote.bid
        self._record(order, working=True)
        self._fill(order, order.leaves, order.state.price or best, maker=True)

    def _take(self, order: Order) -> None:
        """Let an incoming order take from the book what it may."""
        at_market = order.kind in MARKET_KINDS
        symbol = self.tape.symbols[order.market, order.symbol]
        quote = self.quote(order.market, order.symbol)
        levels = quote.levels(order.side, symbol.tick)
        parts = matching.incoming(order.side, order.leaves, None if at_market else order.state.price, levels)
        total = sum((qty for _price, qty in parts), ZERO)
        if order.tif == "FOK" and total < order.leaves:
            parts = []
        if parts and order.leaves > symbol.step and self._splits(order):
            parts = self._split(order, parts, symbol.step, at_market=at_market)
        for price, qty in parts:
            if not order.done:
                self._fill(order, qty, price, maker=False)
        if not order.done and (at_market or order.tif in {"IOC", "FOK"}):
            self._end(order, Status.EXPIRED)

    def _splits(self, order: Order) -> bool:
        if order.split or order.tif == "FOK":
            return False
        names = (f"{order.market}.place", order.account, order.client_id)
        if order.kind not in MARKET_KINDS and self.faults.draw("partial_stall", *names):
            order.stalled = True
            return True
        if self.faults.draw("partial_fill", *names):
            return True
        drawn = fraction(self.seed, "split", order.account, order.client_id)
        return drawn < self.faults.profile.split_rate

    def _split(
        self, order: Order, parts: matching.Parts, step: Decimal, *, at_market: bool
    ) -> matching.Parts:
        # A market order's parts fill together; of a limit order the rest waits for the next tick.
        order.split = True
        (price, qty), *others = parts
        first, second = matching.halves(qty, step)
        if at_market:
            return [part for part in ((price, first), (price, second)) if part[1] > 0] + others
        return [(price, first)]

    def _fill(self, order: Order, qty: Decimal, price: Decimal, *, maker: bool) -> None:
        ledger = self.ledgers[order.account]
        if order.reduce_only:
            qty = min(qty, self._reducible(ledger, order))
            if qty == 0:
                self._end(order, Status.EXPIRED)
                return
        self._trades += 1
        self.filled += qty
        fill = self._settle(ledger, order, qty, price, maker=maker)
        order.fills.append(fill)
        ledger.fills.append(fill)
        filled = order.state.filled + qty
        complete = filled == order.state.qty
        order.done = complete
        self._record(
            order,
            status=Status.FILLED if complete else Status.PARTIALLY_FILLED,
            filled=filled,
            quote=order.state.quote + qty * price,
        )
        if complete:
            self._withdraw(ledger, order)
        self._report(order, "TRADE", fill)
        self._end_other_leg(order, Status.EXPIRED)

    @staticmethod
    def _reducible(ledger: Ledger, order: Order) -> Decimal:
        held = ledger.position(order.symbol).qty
        return max(ZERO, held if order.side == "SELL" else -held)

    def _settle(self, ledger: Ledger, order: Order, qty: Decimal, price: Decimal, *, maker: bool) -> Fill:
        realized, fee_asset = ZERO, QUOTE
        if order.market == SPOT:
            fee = (_SPOT_FEE * (qty if order.side == "BUY" else qty * price)).quantize(_SATOSHI)
            fee_asset = BASE if order.side == "BUY" else QUOTE
        else:
            fee = (qty * price * (_MAKER_FEE if maker else _TAKER_FEE)).quantize(_SATOSHI)
            position = ledger.position(order.symbol)
            realized = position.apply(qty if order.side == "BUY" else -qty, price)
            position.updated_ms = self.clock.now_ms()
            ledger.futures_usdt += realized - fee
        fill = Fill(
            trade_id=self._trades,
            account=order.account,
            market=order.market,
            symbol=order.symbol,
            number=order.number,
            client_id=order.client_id,
            side=order.side,
            qty=qty,
            price=price,
            fee=fee,
            fee_asset=fee_asset,
            maker=maker,
            realized=realized,
            at_ms=self.clock.now_ms(),
            real=time.monotonic(),
        )
        if order.market == SPOT:
            ledger.settle_spot(fill)
        return fill

    def _record(self, order: Order, **changes: object) -> None:
        state = replace(
            order.state,
            updated_ms=self.clock.now_ms(),
            real=time.monotonic(),
            **changes,  # type: ignore[arg-type]  # field names and types are the caller's, checked by tests
        )
        order.states.append(state)

    def _report(self, order: Order, execution: str, fill: Fill | None = None, request_id: str = "") -> None:
        self.listener.on_report(Report(order=order, execution=execution, fill=fill, request_id=request_id))

    def _end(self, order: Order, status: Status, request_id: str = "") -> None:
        if order.done:
            return
        order.done = True
        self._withdraw(self.ledgers[order.account], order)
        self._record(order, status=status)
        self._report(order, str(status), request_id=request_id)

    def _withdraw(self, ledger: Ledger, order: Order) -> None:
        self._resting.pop(order.number, None)
        ledger.live.pop(order.number, None)

    def _end_other_leg(self, order: Order, status: Status) -> None:
        pair = self.ledgers[order.account].lists.get(order.list_number)
        if pair is None:
            return
        for leg in pair.legs:
            if leg is not order:
                self._end(leg, status)
        if pair.done:
            self.listener.on_list(pair)
