"""Run orders through their life: real-time steps, matching at every tick, fills, changes."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from brokers.simulators.kotak import matching, rules
from brokers.simulators.kotak.clock import Grid, VirtualClock
from brokers.simulators.kotak.draw import fraction
from brokers.simulators.kotak.faults import FaultPlan
from brokers.simulators.kotak.ledger import Ledger
from brokers.simulators.kotak.orders import Fill, Order, OrderState, Status, Terms, with_fill
from brokers.simulators.kotak.tape import Tape

_STEP_S = 0.012  # real time between two life-cycle states
_SPLIT_PAUSE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whoever wants to hear of new order versions and fills."""

    on_order: Callable[[Order], None]
    on_fill: Callable[[Fill], None]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Own every account's ledger and the resting orders per contract."""

    clock: VirtualClock
    grid: Grid
    tape: Tape
    faults: FaultPlan
    seed: int
    listener: Listener
    mutate_tags: bool = True
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    _resting: dict[int, dict[str, Order]] = field(default_factory=dict)
    pending: int = 0  # steps under way in real time: nothing of ours is in flight at 0
    _halted_until: datetime | None = None
    _numbers: int = 0
    filled: int = 0  # units, all accounts
    _fills: int = 0

    def accept(self, ledger: Ledger, order: Order, terms: Terms) -> None:
        """Take an order in: it is in the book from now on, and its life goes on in real time."""
        ledger.orders[order.number] = order
        state = OrderState(
            status=Status.RECEIVED,
            terms=terms,
            filled=0,
            amount=0,
            canceled=0,
            reason="",
            shown_tag=order.tag,
            modifications=0,
            stamp_ns=self.clock.stamp_ns(),
            at=self.clock.now(),
            real=time.monotonic(),
        )
        order.states.append(state)
        self.listener.on_order(order)
        self._later(self._validate, order)

    def accept_later(self, ledger: Ledger, order: Order, terms: Terms, *, delay_s: float) -> None:
        """Take an order in after a delay in real seconds, as if it had been under way all that time."""
        self._later(self._accept_late, ledger, order, terms, delay=delay_s)

    def _accept_late(self, ledger: Ledger, order: Order, terms: Terms) -> None:
        order.placed_at, order.placed_epoch = self.clock.now(), time.time()
        self.accept(ledger, order, terms)

    def next_number(self) -> str:
        """Return a broker order number: yymmdd and a sequence, 15 digits."""
        self._numbers += 1
        return f"{self.grid.opens:%y%m%d}{self._numbers:09d}"

    def modify(self, order: Order, terms: Terms) -> None:
        """Start a modification; it takes effect a moment later unless the order ends first."""
        self._record(order, status=Status.MODIFY_VALIDATION)
        late = self.faults.draw("modify_late", "modify", order.ucc)
        self._later(self._modify_pending, order, terms, delay=late.seconds if late else _STEP_S)

    def cancel(self, order: Order) -> None:
        """Start a cancellation; a fill may still come first."""
        order.canceling = True
        self._record(order, status=Status.CANCEL_PENDING)
        late = self.faults.draw("cancel_late", "cancel", order.ucc)
        self._later(self._canceled, order, delay=late.seconds if late else _STEP_S)

    def on_tick(self) -> None:
        """Match everything that rests against the new quotes."""
        for token, resting in list(self._resting.items()):
            quote = self.tape.quotes.get(token)
            if quote is None:
                continue
            for order in list(resting.values()):
                self._match(order, resting=True)

    def halt(self, until: datetime) -> int:
        """Stop trading until a virtual instant: every living order is deleted; return how many.

        Source: NSE on 2021-02-24, which deleted pending orders and reopened at an announced time.
        """
        self._halted_until = until
        living = [order for ledger in self.ledgers.values() for order in ledger.orders.values()]
        living = [order for order in living if not order.done]
        for order in living:
            self._end(order, Status.CANCELLED, "deleted by the exchange: trading is halted")
        return len(living)

    @property
    def is_halted(self) -> bool:
        """Whether the exchange has halted trading at this virtual instant."""
        return self._halted_until is not None and self.clock.now() < self._halted_until

    def on_close(self) -> None:
        """Cancel what still rests: day orders die with the session."""
        for resting in list(self._resting.values()):
            for order in list(resting.values()):
                self._end(order, Status.CANCELLED, "cancelled at the end of the session")

    def _later(self, step: Callable[..., None], *args: object, delay: float = _STEP_S) -> None:
        self.pending += 1
        asyncio.get_running_loop().call_later(delay, self._run_step, step, *args)

    def _run_step(self, step: Callable[..., None], *args: object) -> None:
        self.pending -= 1
        step(*args)

    def _record(self, order: Order, **changes: object) -> None:
        state = replace(
            order.state,
            stamp_ns=self.clock.stamp_ns(),
            at=self.clock.now(),
            real=time.monotonic(),
            **changes,  # type: ignore[arg-type]  # field names and types are the caller's, checked by tests
        )
        order.states.append(state)
        self.listener.on_order(order)

    def _validate(self, order: Order) -> None:
        if order.done:
            return
        self._record(order, status=Status.VALIDATION_PENDING)
        self._later(self._open_pending, order)

    def _open_pending(self, order: Order) -> None:
        if order.done:
            return
        reason = self._rejection(order)
        if reason is not None:
            self._end(order, Status.REJECTED, reason)
            return
        self._record(order, status=Status.OPEN_PENDING)
        self._later(self._open, order)

    def _rejection(self, order: Order) -> str | None:
        now = self.clock.now()
        if not self.grid.opens <= now < self.grid.closes:
            return "RMS:Market is closed"
        if self.is_halted:
            return "RMS:Trading is halted by the exchange"
        if self.faults.draw("rms_reject", "place", order.ucc, order.draw_key):
            return "RMS:ADAPTER is down"
        quote = self.tape.quotes.get(order.contract.token)
        reason = rules.reject_terms(order.terms, order.side, quote.ltp if quote else None)
        if reason is not None:
            return reason
        price = order.terms.price
        if quote is not None and order.terms.kind == "MKT":
            price = rules.protected_limit(order.side, quote.ltp)
        return self.ledgers[order.ucc].lacks_margin(order, price)

    def _open(self, order: Order) -> None:
        if order.done:
            return
        self._price_market(order)
        order.working = True
        order.armed = order.terms.kind == "SL"
        self._resting.setdefault(order.contract.token, {})[order.number] = order
        if not order.canceling:
            self._record(order, status=Status.TRIGGER_PENDING if order.armed else Status.OPEN)
        self._match(order, resting=False)
        if order.terms.validity == "IOC" and not order.done:
            self._end(order, Status.CANCELLED, "")

    def _price_market(self, order: Order) -> None:
        # A market order becomes a limit at the last price plus or minus the protection band.
        if order.terms.kind != "MKT":
            return
        quote = self.tape.quotes[order.contract.token]
        price = rules.protected_limit(order.side, quote.ltp)
        if self.faults.draw("market_parked", "place", order.ucc, order.draw_key):
            price = quote.bid if order.side == "B" else quote.ask
        terms = replace(order.terms, kind="L", price=price)
        order.states[-1] = replace(order.state, terms=terms)

    def _match(self, order: Order, *, resting: bool) -> None:
        quote = self.tape.quotes.get(order.contract.token)
        if quote is None or order.stalled or order.paused:
            return
        if order.armed:
            if not matching.triggers(order.side, order.terms.trigger, quote.ltp):
                return
            order.armed = False
            resting = False
            if not order.canceling:
                self._record(order, status=Status.OPEN)
        price = matching.fill_price(order.side, order.terms.price, quote, resting=resting)
        if price is not None:
            self._execute(order, price)

    def _execute(self, order: Order, price: int) -> None:
        leaves = order.leaves
        part = self._part(order, leaves)
        self._fill(order, part, price)
        if part == leaves:
            return
        order.split = True
        if self.faults.draw("partial_stall", "place", order.ucc, order.draw_key):
            order.stalled = True
        elif not order.part_forced and not self.faults.profile.split_waits_for_tick:
            order.paused = True
            self._later(self._fill_rest, order, price, delay=_SPLIT_PAUSE_S)

    def _part(self, order: Order, leaves: int) -> int:
        if order.split or order.terms.validity == "IOC":
            return leaves
        if self.faults.draw("partial_fill", "place", order.ucc, order.draw_key):
            order.part_forced = True
            return min(leaves, matching.first_part(leaves))
        if fraction(self.seed, "split", order.ucc, order.draw_key) >= self.faults.profile.split_rate:
            return leaves
        return min(leaves, matching.first_part(leaves))

    def _fill_rest(self, order: Order, price: int) -> None:
        if order.working and order.paused:
            order.paused = False
            self._fill(order, order.leaves, price)

    def _fill(self, order: Order, qty: int, price: int) -> None:
        self._fills += 1
        self.filled += qty
        state = with_fill(order.state, qty, price)
        self._record(order, status=state.status, filled=state.filled, amount=state.amount)
        fill = Fill(
            fill_id=f"{self._fills:08d}",
            ucc=order.ucc,
            number=order.number,
            contract=order.contract,
            side=order.side,
            product=order.product,
            qty=qty,
            price=price,
            shown_tag=order.state.shown_tag,
            stamp_ns=order.state.stamp_ns,
            at=order.state.at,
            real=order.state.real,
        )
        self.ledgers[order.ucc].fills.append(fill)
        if order.done:
            self._withdraw(order)
        self.listener.on_fill(fill)
        if order.done and not order.by_human:
            self._let_human_act(order)

    def _let_human_act(self, filled: Order) -> None:
        """Trade by hand in the broker's app after a fill: the platform did not ask for it."""
        opposite = "S" if filled.side == "B" else "B"
        for kind, side in (("human_open", filled.side), ("human_close", opposite)):
            if self.faults.draw(kind, "app", filled.ucc, filled.draw_key):
                number = self.next_number()
                order = Order(
                    ucc=filled.ucc,
                    number=number,
                    exchange_number=f"1{number}",
                    tag="",
                    contract=filled.contract,
                    side=side,
                    product=filled.product,
                    placed_at=self.clock.now(),
                    placed_epoch=time.time(),
                    by_human=True,
                )
                terms = Terms(kind="MKT", price=0, trigger=0, qty=filled.terms.qty, validity="DAY")
                self.accept(self.ledgers[filled.ucc], order, terms)

    def _modify_pending(self, order: Order, terms: Terms) -> None:
        if order.done:
            return
        self._record(order, status=Status.MODIFY_PENDING)
        self._later(self._modified, order, terms)

    def _modified(self, order: Order, terms: Terms) -> None:
        if order.done:
            return
        quote = self.tape.quotes.get(order.contract.token)
        reason = rules.reject_terms(terms, order.side, quote.ltp if quote else None)
        if self.faults.draw("modify_refused", "modify", order.ucc):
            reason = "RMS:Modification rejected"
        if reason is None and terms.qty <= order.state.filled:
            reason = "RMS:Quantity is not above the filled quantity"
        if reason is not None:
            self._record(order, status=Status.NOT_MODIFIED, reason=reason)
            return
        count = order.state.modifications + 1
        tag = order.state.shown_tag
        if tag and self._mutates_tag("modify", order):
            tag = f"{int(fraction(self.seed, 'admin', order.number, count) * 1e12):012d}-ADMINAPI"
        order.stalled = False
        order.paused = False
        self._record(
            order, status=Status.MODIFIED, terms=terms, shown_tag=tag, modifications=count, reason=""
        )
        if order.working:
            self._price_market(order)
            order.armed = terms.kind == "SL"
            self._record(order, status=Status.TRIGGER_PENDING if order.armed else Status.OPEN)
            self._match(order, resting=False)

    def _canceled(self, order: Order) -> None:
        if order.done:
            return
        if self.faults.draw("cancel_refused", "cancel", order.ucc):
            order.canceling = False
            self._record(order, status=Status.NOT_CANCELLED, reason="RMS:Cancellation rejected")
            return
        self._end(order, Status.CANCELLED, "")

    def _mutates_tag(self, endpoint: str, order: Order) -> bool:
        drawn = self.faults.draw("tag_mutation", endpoint, order.ucc) is not None
        return self.mutate_tags or drawn

    def _end(self, order: Order, status: Status, reason: str) -> None:
        tag = order.state.shown_tag
        if status is Status.CANCELLED and tag and self._mutates_tag("cancel", order):
            tag = f"{tag}-{int(self.clock.now().timestamp())}"
        leaves = order.leaves
        self._withdraw(order)
        canceled = leaves if status is Status.CANCELLED else 0
        self._record(order, status=status, reason=reason, canceled=canceled, shown_tag=tag)

    def _withdraw(self, order: Order) -> None:
        order.working = False
        order.armed = False
        self._resting.get(order.contract.token, {}).pop(order.number, None)
