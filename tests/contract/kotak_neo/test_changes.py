"""A change of a working order meets fills, cancels, other changes and lost replies: we know what we know."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, BrokerGateway, OrderChange, OrderRequest
from app.domain.reports import FaultClass, Gap, OrderReport, Outcome, WriteResult
from tests.contract.kotak_neo.desk import DayClock, KotakDesk, Simulator
from tests.waiting import eventually

TIMEOUT_S = 5.0
# The market stands still until the change is under way; then it moves at once, long before this.
LATE_S = 10.0


@contextmanager
def _standing_market(simulator: Simulator, clock: DayClock) -> Iterator[None]:
    """Keep the market still inside, then let it tick at once; its time goes on as before."""
    simulator.post("clock", {"now": clock.now().isoformat(), "rate": 0})
    yield
    next_tick = simulator.control.get("/_sim/clock").json()["next_tick_at"]
    simulator.post("clock", {"now": next_tick, "rate": 0})
    simulator.post("clock", {"now": clock.now().isoformat(), "rate": 1.0})


def _passive(desk: KotakDesk) -> Decimal:
    tick = desk.instrument.tick_size
    return (desk.touch()[0] * Decimal("0.8") / tick).to_integral_value() * tick


def _marketable(desk: KotakDesk) -> Decimal:
    # Far inside the exchange's price band, and above what the price does in a minute.
    tick = desk.instrument.tick_size
    return (desk.touch()[1] * Decimal("1.25") / tick).to_integral_value() * tick


def _submit(desk: KotakDesk, tag: str, price: Decimal, lots: int = 1) -> WriteResult:
    request = OrderRequest(
        client_order_id=ClientOrderId(tag),
        instrument=desk.instrument,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=lots * desk.instrument.lot_size,
        price=price,
        trigger_price=None,
    )
    return desk.gateway.submit_order(request, timeout_s=TIMEOUT_S)


def _placed(desk: KotakDesk, tag: str, price: Decimal, *, lots: int, status: OrderStatus) -> BrokerOrderId:
    result = _submit(desk, tag, price, lots)
    assert result.broker_order_id is not None, result
    _reaches(desk.gateway, result.broker_order_id, status)
    return result.broker_order_id


def _change(desk: KotakDesk, order_id: BrokerOrderId, price: Decimal, lots: int = 1) -> OrderChange:
    return OrderChange(
        broker_order_id=order_id,
        instrument=desk.instrument,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=lots * desk.instrument.lot_size,
        price=price,
        trigger_price=None,
    )


def _modify(desk: KotakDesk, order_id: BrokerOrderId, price: Decimal, lots: int = 1) -> WriteResult:
    return desk.gateway.modify_order(_change(desk, order_id, price, lots), timeout_s=TIMEOUT_S)


def _report(gateway: BrokerGateway, order_id: BrokerOrderId) -> OrderReport:
    time.sleep(0.1)  # a test must not run into the broker's limit of reads
    report = gateway.request_order(order_id).data
    assert report is not None
    return report


def _reaches(gateway: BrokerGateway, order_id: BrokerOrderId, status: OrderStatus) -> None:
    def is_there() -> bool:
        time.sleep(0.1)  # a test must not run into the broker's limit of reads
        report = gateway.request_order(order_id).data
        return report is not None and report.status is status

    eventually(is_there)


def _inject(simulator: Simulator, desk: KotakDesk, *rules: dict[str, object]) -> None:
    simulator.post("faults", {"faults": [{**rule, "ucc": [desk.ucc]} for rule in rules]})


@pytest.fixture
def again(house: BrokerAdapter, desk: KotakDesk) -> Iterator[BrokerGateway]:
    """A gateway of the same session that has seen nothing yet: another process, or the human's own."""
    opened = house.restore(desk.session)
    yield opened
    opened.close()


def test_a_change_of_a_filled_order_is_too_late(desk: KotakDesk) -> None:
    order_id = _placed(desk, "late1", _marketable(desk), lots=1, status=OrderStatus.FILLED)

    result = _modify(desk, order_id, _passive(desk))

    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)
    assert _report(desk.gateway, order_id).status is OrderStatus.FILLED


def test_a_change_of_a_canceled_order_is_too_late(desk: KotakDesk) -> None:
    order_id = _placed(desk, "late2", _passive(desk), lots=1, status=OrderStatus.ACCEPTED)
    desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)
    _reaches(desk.gateway, order_id, OrderStatus.CANCELED)

    result = _modify(desk, order_id, _passive(desk))

    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)


@pytest.mark.parametrize("act", ["modify", "cancel"])
def test_a_fill_that_overtakes_a_change_wins(
    simulator: Simulator, clock: DayClock, desk: KotakDesk, act: str
) -> None:
    price = _marketable(desk)
    _inject(simulator, desk, {"kind": "partial_fill"}, {"kind": f"{act}_late", "seconds": LATE_S})
    with _standing_market(simulator, clock):
        order_id = _placed(desk, f"race_{act}", price, lots=2, status=OrderStatus.PARTIALLY_FILLED)
        if act == "modify":
            result = _modify(desk, order_id, _passive(desk), lots=2)
        else:
            result = desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)

    assert result.outcome is Outcome.ACCEPTED
    _reaches(desk.gateway, order_id, OrderStatus.FILLED)
    report = _report(desk.gateway, order_id)
    assert (report.filled, report.price) == (2 * desk.instrument.lot_size, price)
    statuses = {e.status for e in desk.events if isinstance(e, OrderReport) and e.broker_order_id == order_id}
    assert OrderStatus.CANCELED not in statuses
    assert {OrderStatus.PENDING_UPDATE, OrderStatus.PENDING_CANCEL} & statuses


@pytest.mark.parametrize("act", ["modify", "cancel"])
def test_a_change_that_the_exchange_turns_down_leaves_the_order_as_it_was(
    simulator: Simulator, desk: KotakDesk, act: str
) -> None:
    price = _passive(desk)
    order_id = _placed(desk, f"down_{act}", price, lots=1, status=OrderStatus.ACCEPTED)
    before = _report(desk.gateway, order_id)
    _inject(simulator, desk, {"kind": f"{act}_refused"})

    if act == "modify":
        result = _modify(desk, order_id, price - desk.instrument.tick_size)
    else:
        result = desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)

    assert result.outcome is Outcome.ACCEPTED
    eventually(lambda: _report(desk.gateway, order_id).reject_reason)
    after = _report(desk.gateway, order_id)
    assert (after.status, after.price) == (OrderStatus.ACCEPTED, price)
    assert after.version > before.version


def test_a_change_whose_reply_is_lost_is_found_by_its_terms(simulator: Simulator, desk: KotakDesk) -> None:
    order_id = _placed(desk, "lost1", _passive(desk), lots=1, status=OrderStatus.ACCEPTED)
    before = _report(desk.gateway, order_id)
    wanted = _passive(desk) - 7 * desk.instrument.tick_size
    _inject(simulator, desk, {"kind": "ack_lost", "endpoint": "modify"})

    assert _modify(desk, order_id, wanted).outcome is Outcome.UNKNOWN

    eventually(lambda: _report(desk.gateway, order_id).price == wanted)
    assert _report(desk.gateway, order_id).version > before.version
    assert desk.requests("modify") == 1


def test_a_change_that_never_arrived_leaves_terms_and_version(simulator: Simulator, desk: KotakDesk) -> None:
    order_id = _placed(desk, "lost2", _passive(desk), lots=1, status=OrderStatus.ACCEPTED)
    before = _report(desk.gateway, order_id)
    _inject(simulator, desk, {"kind": "request_lost", "endpoint": "modify"})

    assert _modify(desk, order_id, _passive(desk) - desk.instrument.tick_size).outcome is Outcome.UNKNOWN

    read = desk.gateway.request_order(order_id)
    assert (read.data, read.clean) == (before, True)


def test_a_second_change_of_the_same_order_waits_for_the_first(simulator: Simulator, desk: KotakDesk) -> None:
    order_id = _placed(desk, "both", _passive(desk), lots=1, status=OrderStatus.ACCEPTED)
    price, tick = _passive(desk), desk.instrument.tick_size
    _inject(simulator, desk, {"kind": "hang", "endpoint": "modify", "seconds": 4.0, "count": 1})
    results: list[WriteResult] = []
    first = threading.Thread(target=lambda: results.append(_modify(desk, order_id, price - tick)))
    first.start()
    eventually(lambda: desk.requests("modify") == 1)

    second = _modify(desk, order_id, price - 2 * tick)
    canceled = desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)

    first.join()
    assert (second.outcome, desk.requests("modify")) == (Outcome.NOT_SENT, 1)
    assert canceled.outcome is Outcome.ACCEPTED, "a cancel never waits for a change"
    assert [result.outcome for result in results] == [Outcome.REJECTED]
    assert _modify(desk, order_id, price).outcome is Outcome.REJECTED, "the next change goes out again"


def test_an_order_keeps_its_tag_through_change_and_cancel(desk: KotakDesk) -> None:
    order_id = _placed(desk, "kept", _passive(desk), lots=1, status=OrderStatus.ACCEPTED)
    wanted = _passive(desk) - desk.instrument.tick_size
    _modify(desk, order_id, wanted)
    eventually(lambda: _report(desk.gateway, order_id).price == wanted)
    assert _report(desk.gateway, order_id).tag == "kept"
    desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)
    _reaches(desk.gateway, order_id, OrderStatus.CANCELED)

    read = desk.gateway.request_orders()

    assert ([order.tag for order in read.data], read.clean) == (["kept"], True)
    assert {e.tag for e in desk.events if isinstance(e, OrderReport)} == {"kept"}


def test_an_unknown_order_that_a_person_changed_is_still_found_by_its_tag(
    simulator: Simulator, desk: KotakDesk, again: BrokerGateway
) -> None:
    _inject(simulator, desk, {"kind": "ack_lost", "endpoint": "place"})
    assert _submit(desk, "mine", _passive(desk)).outcome is Outcome.UNKNOWN
    (entry,) = desk.book()
    order_id = BrokerOrderId(entry.broker_order_id)
    _reaches(desk.gateway, order_id, OrderStatus.ACCEPTED)
    wanted = _passive(desk) - desk.instrument.tick_size
    assert _modify(desk, order_id, wanted).outcome is Outcome.ACCEPTED
    eventually(lambda: _report(desk.gateway, order_id).price == wanted)

    _inject(simulator, desk, {"kind": "outage", "endpoint": "history"})
    read = again.request_orders()
    assert read.data[0].tag.endswith("-ADMINAPI")
    assert not read.clean, "this order may be any of ours"

    _inject(simulator, desk)
    read = again.request_orders()
    assert ([order.tag for order in read.data], read.clean) == (["mine"], True)


def test_what_the_human_trades_in_the_app_is_seen(simulator: Simulator, desk: KotakDesk) -> None:
    _inject(simulator, desk, {"kind": "human_close"})
    _placed(desk, "ours", _marketable(desk), lots=1, status=OrderStatus.FILLED)

    eventually(lambda: len({e.broker_order_id for e in desk.events if isinstance(e, OrderReport)}) == 2)

    def is_flat() -> bool:
        time.sleep(0.1)  # a test must not run into the broker's limit of reads
        return [position.net_qty for position in desk.gateway.request_positions().data] == [0]

    eventually(is_flat)
    tags = sorted(order.tag for order in desk.gateway.request_orders().data)
    assert tags == ["", "ours"]
    assert not [e for e in desk.events if isinstance(e, Gap) and "tag" in e.reason]


def test_an_order_that_nobody_understands_hides_no_other(simulator: Simulator, desk: KotakDesk) -> None:
    _placed(desk, "ours", _passive(desk), lots=1, status=OrderStatus.ACCEPTED)
    _inject(simulator, desk, {"kind": "human_strange"})

    read = desk.gateway.request_orders()

    assert ([order.tag for order in read.data], read.clean) == (["ours"], False)
