"""Whatever dies or hangs in the middle of an order, the evidence tells the truth and nothing doubles."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app.domain.errors import ProtocolError
from app.domain.ids import ClientOrderId
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, OrderRequest
from app.domain.reports import FaultClass, OrderReport, Outcome, Read, WriteResult
from brokers.mt5.gateway import Mt5Gateway
from tests.contract.mt5.house import PASSWORD, AgentProcess, DayClock, Simulator, credentials
from tests.waiting import eventually


class Bench:
    """One account, its agent, and a gateway that survives the agent; each test has an id of its own."""

    def __init__(self, simulator: Simulator, clock: DayClock, house: BrokerAdapter, folder: Path) -> None:
        self.simulator = simulator
        self.login = simulator.new_account("HEDGING")
        self.agent = AgentProcess(
            simulator=simulator, login=self.login, folder=folder, settings={"password": PASSWORD}
        )
        self.agent.start()
        session = house.login(
            credentials(self.login, f"http://127.0.0.1:{self.agent.port}"), egress="", timeout_s=10
        )
        gateway = house.restore(session)
        assert isinstance(gateway, Mt5Gateway)
        self.gateway = gateway
        (self.instrument,) = house.request_instruments(session, clock.now().date())
        self.magic = 0x0123456789ABCDE0

    @property
    def order_id(self) -> ClientOrderId:
        """The id that this test trades under."""
        return ClientOrderId(f"ob{self.magic:016x}")

    def submit(self, client_order_id: str = "", timeout_s: float = 5.0) -> WriteResult:
        """Buy one lot at the market."""
        request = OrderRequest(
            client_order_id=ClientOrderId(client_order_id or self.order_id),
            instrument=self.instrument,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            quantity=self.instrument.lot_size,
            price=None,
            trigger_price=None,
        )
        return self.gateway.submit_order(request, timeout_s=timeout_s)

    def found(self) -> list[OrderReport]:
        """Return what a clean read of the orders tells of this test's id."""
        reads: list[Read[Sequence[OrderReport]]] = []

        def is_clean() -> bool:
            # A read in the middle of a change disagrees with itself and says so.
            reads.append(self.gateway.request_orders())
            return reads[-1].clean

        eventually(is_clean)
        read = reads[-1]
        return [order for order in read.data if order.tag == self.order_id]

    def placed(self) -> int:
        """Return how many orders of this test the broker's own book holds."""
        return sum(row["magic"] == self.magic for row in self.simulator.orders(self.login))

    def sent(self) -> int:
        """Return how often the broker saw this test's order come in."""
        rows = self.simulator.get("requests", path="/terminal/order_send")
        return sum(row["tag"] == str(self.magic) for row in rows)

    def close(self) -> None:
        """End everything."""
        self.gateway.close()
        self.agent.kill()


@pytest.fixture(scope="module")
def account(
    simulator: Simulator, clock: DayClock, house: BrokerAdapter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """One account for all tests of this module."""
    opened = Bench(simulator, clock, house, tmp_path_factory.mktemp("recovery") / "terminal")
    yield opened
    opened.close()


@pytest.fixture
def bench(account: Bench) -> Iterator[Bench]:
    """The account, with an id that nobody used before."""
    account.magic += 1
    yield account
    account.simulator.post("faults", {"faults": []})


@pytest.mark.parametrize("was_accepted", [True, False])
def test_agent_killed_in_mid_order_leaves_truth_and_no_double(bench: Bench, *, was_accepted: bool) -> None:
    bench.simulator.fault(bench.login, "terminal_hang", endpoint="deal", accepted=was_accepted)

    assert bench.submit(timeout_s=1.0).outcome is Outcome.UNKNOWN
    bench.agent.kill()
    bench.simulator.post("faults", {"faults": []})
    bench.agent.start()
    again = bench.submit()

    assert f'"command_without_end", "pid": {bench.agent.pid}' in bench.agent.log()
    assert (again.outcome, again.fault) == (Outcome.UNKNOWN, FaultClass.DUPLICATE)
    assert len(bench.found()) == bench.placed() == int(was_accepted)
    assert bench.sent() == 1


def test_a_found_order_has_its_fill_and_position(bench: Bench) -> None:
    before = sum(position.net_qty for position in bench.gateway.request_positions().data)
    bench.simulator.fault(bench.login, "terminal_crash", endpoint="deal", accepted=True, count=1)

    result = bench.submit()
    (order,) = bench.found()
    fills = bench.gateway.request_fills()
    after = sum(position.net_qty for position in bench.gateway.request_positions().data)

    assert result.outcome is Outcome.UNKNOWN
    assert order.status is OrderStatus.FILLED
    quantities = [fill.quantity for fill in fills.data if fill.broker_order_id == order.broker_order_id]
    assert quantities == [bench.instrument.lot_size]
    assert fills.clean
    assert after - before == bench.instrument.lot_size


def test_crashed_terminal_is_started_again_by_the_next_call(bench: Bench) -> None:
    bench.simulator.post("terminals", {"crash": bench.agent.terminal_folder})

    assert bench.submit().outcome is Outcome.ACCEPTED
    assert bench.placed() == 1


def test_a_late_accept_is_found_by_its_magic_number(bench: Bench) -> None:
    bench.simulator.fault(bench.login, "late_accept", endpoint="deal", seconds=1.0, count=1)

    result = bench.submit()

    assert (result.outcome, result.fault) == (Outcome.UNKNOWN, FaultClass.BROKER_DOWN)
    eventually(lambda: len(bench.found()) == 1)
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
    second = bench.submit("waits_behind", timeout_s=0.3)

    assert first.outcome is Outcome.UNKNOWN
    assert (second.outcome, second.code) == (Outcome.NOT_SENT, "busy")
    eventually(lambda: len(bench.found()) == bench.placed() == 1)
    assert bench.sent() == 1
    assert "waits_behind" not in {row["sent_comment"] for row in bench.simulator.orders(bench.login)}


def test_a_frozen_agent_leaves_an_order_unknown_in_time(bench: Bench) -> None:
    os.kill(bench.agent.pid, signal.SIGSTOP)
    started = time.monotonic()

    result = bench.submit(timeout_s=0.5)

    took_s = time.monotonic() - started
    os.kill(bench.agent.pid, signal.SIGCONT)
    assert result.outcome is Outcome.UNKNOWN
    assert took_s < 2.5
    eventually(bench.agent.is_answering)
    assert bench.placed() <= 1
