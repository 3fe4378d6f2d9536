"""Whatever dies or hangs in the middle of an order, the evidence tells the truth and nothing doubles."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import ProtocolError
from app.domain.ids import ClientOrderId
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, OrderRequest
from app.domain.reports import FaultClass, Outcome, WriteResult
from brokers.mt5.gateway import Mt5Gateway
from tests.contract.mt5.house import AgentProcess, DayClock, Simulator, credentials
from tests.waiting import eventually

ORDER_ID = ClientOrderId("ob0123456789abcdef")
OTHER_ID = ClientOrderId("ob0123456789abcdee")


class Bench:
    """One account, its agent, and a gateway that survives the agent."""

    def __init__(self, simulator: Simulator, clock: DayClock, house: BrokerAdapter, folder: Path) -> None:
        self.simulator = simulator
        self.login = simulator.new_account("HEDGING")
        self.agent = AgentProcess(
            simulator=simulator, login=self.login, folder=folder, settings={"password": "demo-password"}
        )
        self.agent.start()
        session = house.login(
            credentials(self.login, f"http://127.0.0.1:{self.agent.port}"), egress="", timeout_s=10
        )
        gateway = house.restore(session)
        assert isinstance(gateway, Mt5Gateway)
        self.gateway = gateway
        (self.instrument,) = house.request_instruments(session, clock.now().date())

    def submit(self, client_order_id: ClientOrderId = ORDER_ID, timeout_s: float = 5.0) -> WriteResult:
        """Buy one lot at the market."""
        request = OrderRequest(
            client_order_id=client_order_id,
            instrument=self.instrument,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            quantity=self.instrument.lot_size,
            price=None,
            trigger_price=None,
        )
        return self.gateway.submit_order(request, timeout_s=timeout_s)

    def magics(self) -> list[object]:
        """Return the magic numbers in the broker's own book."""
        return [row["magic"] for row in self.simulator.orders(self.login)]

    def sent(self) -> int:
        """Return how often the broker saw our order come in."""
        rows = self.simulator.get("requests", path="/terminal/order_send")
        return sum(row["login"] == self.login for row in rows)

    def close(self) -> None:
        """End everything."""
        self.simulator.post("faults", {"faults": []})
        self.gateway.close()
        self.agent.kill()


@pytest.fixture
def bench(simulator: Simulator, clock: DayClock, house: BrokerAdapter, folder: Path) -> Iterator[Bench]:
    """A fresh account."""
    opened = Bench(simulator, clock, house, folder)
    yield opened
    opened.close()


@pytest.mark.parametrize("was_accepted", [True, False])
def test_agent_killed_in_mid_order_leaves_truth_and_no_double(bench: Bench, *, was_accepted: bool) -> None:
    bench.simulator.fault(bench.login, "terminal_hang", endpoint="deal", accepted=was_accepted)

    assert bench.submit(timeout_s=1.0).outcome is Outcome.UNKNOWN
    bench.agent.kill()
    bench.simulator.post("faults", {"faults": []})
    bench.agent.start()
    again = bench.submit()
    read = bench.gateway.request_orders()

    assert "command_without_end" in bench.agent.log()
    assert (again.outcome, again.fault) == (Outcome.UNKNOWN, FaultClass.DUPLICATE)
    assert read.clean
    assert [order.tag for order in read.data] == ([ORDER_ID] if was_accepted else [])
    assert bench.magics() == ([0x0123456789ABCDEF] if was_accepted else [])
    assert bench.sent() == 1


def test_a_found_order_has_its_fill_and_position(bench: Bench) -> None:
    bench.simulator.fault(bench.login, "terminal_crash", endpoint="deal", accepted=True, count=1)

    result = bench.submit()
    orders, fills = bench.gateway.request_orders(), bench.gateway.request_fills()

    assert result.outcome is Outcome.UNKNOWN
    (order,) = orders.data
    assert (order.tag, order.status) == (ORDER_ID, OrderStatus.FILLED)
    assert [(fill.broker_order_id, fill.quantity) for fill in fills.data] == [
        (order.broker_order_id, bench.instrument.lot_size)
    ]
    assert orders.clean
    assert fills.clean
    (position,) = bench.gateway.request_positions().data
    assert position.net_qty == bench.instrument.lot_size


def test_crashed_terminal_is_started_again_by_the_next_call(bench: Bench) -> None:
    bench.simulator.post("terminals", {"crash": bench.agent.terminal_folder})

    assert bench.submit().outcome is Outcome.ACCEPTED
    assert bench.magics() == [0x0123456789ABCDEF]


def test_a_late_accept_is_found_by_its_magic_number(bench: Bench) -> None:
    bench.simulator.fault(bench.login, "late_accept", endpoint="deal", seconds=1.0, count=1)

    result = bench.submit()
    bench.simulator.post("faults", {"faults": []})

    assert (result.outcome, result.fault) == (Outcome.UNKNOWN, FaultClass.BROKER_DOWN)
    eventually(lambda: [order.tag for order in bench.gateway.request_orders().data] == [ORDER_ID])
    assert bench.sent() == 1


def test_another_account_that_answers_is_never_traded_or_read(bench: Bench) -> None:
    other = bench.simulator.new_account("HEDGING")
    bench.simulator.fault(bench.login, "wrong_account", other=other)

    result = bench.submit()

    assert (result.outcome, result.fault) == (Outcome.NOT_SENT, FaultClass.AUTH_DENIED)
    assert bench.sent() == 0
    assert bench.simulator.orders(other) == []
    with pytest.raises(ProtocolError, match="wrong_account"):
        bench.gateway.request_positions()


def test_an_order_that_waits_too_long_behind_a_slow_call_is_not_sent(bench: Bench) -> None:
    bench.simulator.fault(bench.login, "ipc_timeout", endpoint="deal", seconds=2.0, accepted=True, count=1)

    first = bench.submit(timeout_s=0.3)
    second = bench.submit(OTHER_ID, timeout_s=0.3)

    assert first.outcome is Outcome.UNKNOWN
    assert (second.outcome, second.code) == (Outcome.NOT_SENT, "busy")
    eventually(lambda: bench.magics() == [0x0123456789ABCDEF])
    assert bench.sent() == 1


def test_a_silent_terminal_freezes_the_agent_and_the_order_stays_unknown(bench: Bench) -> None:
    assert bench.agent.process is not None
    bench.agent.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()

    result = bench.submit(timeout_s=0.5)

    assert result.outcome is Outcome.UNKNOWN
    assert time.monotonic() - started < 2.5
    bench.agent.process.send_signal(signal.SIGCONT)
    eventually(bench.agent.is_answering)
    assert bench.magics() in ([], [0x0123456789ABCDEF])
