"""Kill -9 at any moment loses nothing that was acknowledged, and doubles nothing."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, OrderRequest
from app.domain.reports import FaultClass, Gap, OrderReport, Outcome, PositionReport
from brokers.paper.exchange.store import Store
from brokers.paper.gateway import PaperGateway
from tests.contract.paper.desk import ASK, INSTRUMENT, Exchange, PaperDesk, new_adapter
from tests.waiting import eventually

RULES = "quote_max_age_s = 3600\norders_per_second = 100000\n"
SENDERS = 4
ENOUGH = 40


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Exchange]:
    """An exchange that a test may kill."""
    running = Exchange(tmp_path / "home", RULES)
    running.quote()
    yield running
    running.stop()


def request(tag: str, *, is_market: bool) -> OrderRequest:
    return OrderRequest(
        client_order_id=ClientOrderId(tag),
        instrument=INSTRUMENT,
        side=Side.BUY,
        order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=INSTRUMENT.lot_size,
        price=None if is_market else Decimal("1000.00"),
        trigger_price=None,
    )


class Storm:
    """Send orders from several threads until the exchange is gone."""

    def __init__(self, gateway: PaperGateway) -> None:
        self._gateway = gateway
        self.sent: set[str] = set()
        self.accepted: dict[str, BrokerOrderId] = {}
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]

    def _send(self, sender: int) -> None:
        for number in range(100_000):
            tag = f"s{sender}_{number}"
            self.sent.add(tag)
            result = self._gateway.submit_order(request(tag, is_market=number % 3 == 0), timeout_s=5)
            if result.outcome is not Outcome.ACCEPTED or result.broker_order_id is None:
                return
            self.accepted[tag] = result.broker_order_id

    def rage_until_killed(self, exchange: Exchange) -> None:
        """Send, kill the exchange in the middle of it, and wait for the senders."""
        for thread in self._threads:
            thread.start()
        eventually(lambda: len(self.accepted) >= ENOUGH)
        exchange.kill()
        for thread in self._threads:
            thread.join(10)


def test_what_was_acknowledged_survives_kill_9(mortal: Exchange) -> None:
    adapter = new_adapter(mortal.base_url)
    gateway = adapter.restore(adapter.login(mortal.credentials(), egress="", timeout_s=10))
    assert isinstance(gateway, PaperGateway)
    storm = Storm(gateway)

    storm.rage_until_killed(mortal)
    mortal.start()

    # The same session and the same gateway go on.
    read = gateway.request_orders()
    shown = {order.tag: order for order in read.data}
    assert read.clean
    assert len(shown) == len(read.data)
    assert set(storm.accepted) <= set(shown) <= storm.sent
    for tag, order_id in storm.accepted.items():
        is_market = int(tag.partition("_")[2]) % 3 == 0
        assert shown[tag].broker_order_id == order_id
        assert shown[tag].status is (OrderStatus.FILLED if is_market else OrderStatus.ACCEPTED)
    check_money(gateway, sum(order.filled for order in read.data))
    gateway.close()


def check_money(gateway: PaperGateway, filled: Decimal | int) -> None:
    """Each fill was paid once: the rest of the opening balance is free or bound."""
    fills = gateway.request_fills()
    assert fills.clean
    assert sum(fill.quantity for fill in fills.data) == filled
    (position,) = gateway.request_positions().data
    assert position.net_qty == filled
    spent = sum((fill.quantity * fill.price for fill in fills.data), Decimal(0))
    fees = len(fills.data) * Decimal("0.0601")
    working = sum(order.status is OrderStatus.ACCEPTED for order in gateway.request_orders().data)
    balance = gateway.request_balance().data
    assert balance.used == spent + working * INSTRUMENT.lot_size * 1000
    assert balance.available == 10_000 - fees - balance.used


def test_a_repeat_after_the_restart_is_still_a_repeat(mortal: Exchange) -> None:
    adapter = new_adapter(mortal.base_url)
    gateway = adapter.restore(adapter.login(mortal.credentials(), egress="", timeout_s=10))
    first = gateway.submit_order(request("once", is_market=False), timeout_s=5)

    mortal.kill()
    mortal.start()
    again = gateway.submit_order(request("once", is_market=False), timeout_s=5)

    # The first try may meet the connection that died with the exchange, which proves nothing.
    if again.fault is FaultClass.BROKER_DOWN:
        again = gateway.submit_order(request("once", is_market=False), timeout_s=5)
    assert (again.outcome, again.fault) == (Outcome.UNKNOWN, FaultClass.DUPLICATE)
    assert again.broker_order_id == first.broker_order_id
    gateway.close()


def test_a_restarted_exchange_knows_no_price_until_one_comes(mortal: Exchange) -> None:
    adapter = new_adapter(mortal.base_url)
    mortal.kill()
    mortal.start()
    gateway = adapter.restore(adapter.login(mortal.credentials(), egress="", timeout_s=10))

    blind = gateway.submit_order(request("blind", is_market=True), timeout_s=5)
    mortal.quote()
    seeing = gateway.submit_order(request("seeing", is_market=True), timeout_s=5)

    assert (blind.outcome, blind.fault) == (Outcome.REJECTED, FaultClass.MARKET_CLOSED)
    assert seeing.outcome is Outcome.ACCEPTED
    assert gateway.request_fills().data[0].price > ASK
    gateway.close()


def test_the_stream_comes_back_with_the_exchange(mortal: Exchange, far: BrokerAdapter) -> None:
    desk = PaperDesk(mortal, far)

    mortal.kill()
    eventually(lambda: any(isinstance(event, Gap) and "lost" in event.reason for event in desk.events))
    mortal.start()
    mortal.quote()
    eventually(lambda: desk.events.count(Gap(reason="connected")) == 2)
    result = desk.gateway.submit_order(request("back", is_market=True), timeout_s=5)

    # The connection of before the kill may still be in the pool, and proves nothing when it breaks.
    if result.fault is FaultClass.BROKER_DOWN:
        result = desk.gateway.submit_order(request("back2", is_market=True), timeout_s=5)
    assert result.outcome is Outcome.ACCEPTED
    eventually(
        lambda: any(isinstance(e, OrderReport) and e.status is OrderStatus.FILLED for e in desk.events)
    )
    assert PositionReport(broker_symbol="BTCUSDT", net_qty=INSTRUMENT.lot_size) in desk.events
    desk.close()


def test_every_commit_is_written_through_to_the_disk(tmp_path: Path) -> None:
    """A machine may lose its power: WAL alone would then lose commits, FULL (2) does not."""
    store = Store(tmp_path / "home")

    assert store.durability() == ("wal", 2)

    store.close()
