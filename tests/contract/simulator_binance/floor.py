"""Run the simulated venue inside a test, without a server, with quotes that the test sets by hand."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import brokers.simulators.binance as package
from brokers.simulators.binance.faults import parse_rule
from brokers.simulators.binance.minutes import Bar, load_minutes
from brokers.simulators.binance.parameters import Parameters
from brokers.simulators.binance.simulator import Options, Simulator
from brokers.simulators.binance.sockets import Frame, Outbox
from brokers.simulators.binance.tape import Quote
from tests.contract.simulator_binance.venue import DAY, account, at

DATA = Path(str(package.__file__)).parent.parent / "data" / "crypto"


def bars(day: str = DAY) -> list[Bar]:
    """Return the real minutes from a day on."""
    return load_minutes(DATA, date.fromisoformat(day))


class Ear(Outbox):
    """A connection that only listens: it keeps the events of an account."""

    def __init__(self, heard: list[dict[str, Any]]) -> None:
        self._heard = heard

    def put(self, frame: Frame) -> None:
        event = json.loads(frame or "null")
        self._heard.append(event.get("event", event))


class Floor:
    """A simulator whose book is 100000 bid at 100010, 1 BTC each, until the test shows another one."""

    def __init__(self, *, faults: str = "calm", seed: int = 7) -> None:
        day = date.fromisoformat(DAY)
        self.sim = Simulator(Options(data=DATA, day=day, replay=day, seed=seed, faults=faults))
        self.sim.put_account(account(1))
        self.sim.clock.set(datetime.fromisoformat(at("10:00:00")), 0)
        self.ledger = self.sim.exchange.ledgers["u1"]
        self.heard: list[dict[str, Any]] = []
        for market in ("spot", "futures"):
            self.sim.users.attach((market, "u1"), Ear(self.heard))
        self.show(100_000, 100_010)

    def show(self, bid: int, ask: int, *, last: int | None = None, size: str = "1") -> None:
        """Make a new tick with these prices."""
        quote = Quote(
            bid=Decimal(bid),
            ask=Decimal(ask),
            bid_qty=Decimal(size),
            ask_qty=Decimal(size),
            last=Decimal(bid if last is None else last),
            last_qty=Decimal("0.1"),
        )
        self.sim.tape.quotes = dict.fromkeys(self.sim.tape.quotes, quote)
        self.sim.exchange.on_tick()
        self.sim.algos.on_tick()

    def rules(self, *rules: dict[str, object]) -> None:
        """Replace the faults."""
        self.sim.faults.set_extra(map(parse_rule, rules))

    def spot(self, client_id: str, side: str, kind: str, **terms: object) -> dict[str, Any]:
        """Place a spot order of 0.1 BTC and return the reply."""
        return self.sim.spot.place(self.ledger, self._params(client_id, side, kind, terms))

    def futures(self, client_id: str, side: str, kind: str, **terms: object) -> dict[str, Any]:
        """Place a futures order of 0.1 BTC and return the reply."""
        params = self._params(client_id, side, kind, {"newOrderRespType": "RESULT"} | terms)
        return self.sim.futures.place(self.ledger, params)

    def algo(self, client_id: str, side: str, kind: str, **terms: object) -> dict[str, Any]:
        """Place a conditional order of 0.1 BTC and return the reply."""
        values = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": kind}
        values |= {"clientAlgoId": client_id} | {name: str(value) for name, value in terms.items()}
        if "closePosition" not in values:
            values.setdefault("quantity", "0.1")
        return self.sim.futures.place_algo(self.ledger, Parameters(values))

    @staticmethod
    def _params(client_id: str, side: str, kind: str, terms: dict[str, object]) -> Parameters:
        values = {"symbol": "BTCUSDT", "side": side, "type": kind, "newClientOrderId": client_id}
        if "quoteOrderQty" not in terms:
            values["quantity"] = "0.1"
        if kind.endswith("LIMIT"):
            values["timeInForce"] = "GTC"
        return Parameters(values | {name: str(value) for name, value in terms.items()})

    def cancel(self, client_id: str) -> dict[str, Any]:
        """Cancel a spot order."""
        params = Parameters({"symbol": "BTCUSDT", "origClientOrderId": client_id})
        return self.sim.spot.cancel(self.ledger, params)

    def status(self, client_id: str) -> tuple[str, str]:
        """Return an order's status and filled quantity."""
        (order,) = [item for item in self.ledger.orders.values() if item.client_id == client_id]
        return str(order.state.status), f"{order.state.filled:.5f}".rstrip("0")

    def algo_status(self, client_id: str) -> str:
        """Return an algo order's status."""
        algo = self.ledger.find_algo(None, client_id)
        assert algo is not None
        return algo.status
