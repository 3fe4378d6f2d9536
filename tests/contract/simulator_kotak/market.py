"""Run the simulated exchange inside a test, without a server."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import brokers.simulators.kotak as package
from brokers.simulators.kotak.contracts import Contract
from brokers.simulators.kotak.minutes import Minutes, load_minutes
from brokers.simulators.kotak.orders import Order, Terms
from brokers.simulators.kotak.pricing import Quote
from brokers.simulators.kotak.simulator import Options, Simulator
from tests.contract.simulator_kotak.broker import DAY, account, at

DATA = Path(str(package.__file__)).parent.parent / "data" / "nse" / "nifty50_1m"


def minutes(day: str = DAY) -> Minutes:
    """Return the real minutes of a day."""
    return load_minutes(DATA, datetime.fromisoformat(day).date())


class Floor:
    """A simulator whose quotes the test sets by hand."""

    def __init__(self, *, faults: str = "calm", seed: int = 7, cash: str = "100000000") -> None:
        day = datetime.fromisoformat(DAY).date()
        options = Options(data=DATA, day=day, seed=seed, faults=faults, base_url="http://127.0.0.1:1")
        self.sim = Simulator(options)
        self.sim.put_account(account(1, limits={"Net": cash}))
        self.sim.clock.set(datetime.fromisoformat(at("10:00:00")), 0)
        self.ledger = self.sim.exchange.ledgers["AA001"]
        self.contract: Contract = self.sim.tape.contracts[40]

    def show(self, bid: int, ask: int, ltp: int | None = None) -> None:
        """Make a new tick with these prices, paise."""
        self.sim.tape.seq += 1
        last = ltp if ltp is not None else bid
        quote = Quote(ltp=last, bid=bid, ask=ask, bid_qty=650, ask_qty=650, last_qty=65)
        self.sim.tape.quotes[self.contract.token] = quote
        self.sim.exchange.on_tick()

    async def place(self, side: str, terms: Terms, tag: str = "") -> Order:
        """Send an order in and wait until the exchange has dealt with it."""
        number = self.sim.exchange.next_number()
        order = Order(
            ucc="AA001",
            number=number,
            exchange_number=f"1{number}",
            tag=tag,
            contract=self.contract,
            side=side,
            product="MIS",
            placed_at=self.sim.clock.now(),
            placed_epoch=0.0,
        )
        self.sim.exchange.accept(self.ledger, order, terms)
        await self.settle()
        return order

    async def settle(self) -> None:
        """Wait until no step is under way."""
        while self.sim.exchange.pending:  # noqa: ASYNC110  # the exchange counts, it does not signal
            await asyncio.sleep(0.002)


def terms(kind: str, price: int = 0, **changes: object) -> Terms:
    """Return the terms of a day order of one lot, paise."""
    values: dict[str, object] = {"trigger": 0, "qty": 65, "validity": "DAY"} | changes
    return Terms(kind=kind, price=price, **values)  # type: ignore[arg-type]  # the tests name real fields


def statuses(orders: Iterable[Order]) -> list[str]:
    """Return the newest status of each order."""
    return [str(order.state.status) for order in orders]
