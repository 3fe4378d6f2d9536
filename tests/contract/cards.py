"""Hold the contract of every broker adapter as numbered cards; each broker brings its own desk."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Protocol

import pytest

from app.domain.errors import InvalidInputError, SessionExpiredError
from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.instruments import Instrument
from app.domain.orders import OrderStatus, OrderType, Side
from app.domain.ports import BrokerGateway, OrderChange, OrderRequest
from app.domain.reports import AccountEvent, FaultClass, Gap, OrderReport, Outcome, StreamDown, WriteResult
from tests.waiting import eventually

TIMEOUT_S = 5.0


class Fault(StrEnum):
    """Name what a desk must be able to do to the next request or to the stream."""

    REPLY_LOST = "reply lost after it was accepted"
    REQUEST_LOST = "request lost before it was accepted"
    THROTTLED = "throttled"
    ERROR_PAGE = "page of HTML with a server error"
    WRONG_PAGE = "page of HTML with status 200"
    REDIRECTED = "redirect to the same address"
    HANG = "no reply for 3 s"
    REJECTED_LATER = "accepted, then rejected in the book"
    BOOK_EMPTY = "order book says no data"
    SESSION_KILLED = "session ended by the broker"
    STREAM_CUT = "order stream cut with the next news"
    STREAM_CLOSED_BEHIND_NEWS = "close frame right behind the next news"
    STREAM_DEAF = "order stream up but silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """Tell one order as the broker's own records show it: the evidence beside the adapter."""

    broker_order_id: str
    tag: str
    filled: Decimal


class Desk(Protocol):
    """Give a card one fresh, logged-in account at a broker that the test controls."""

    gateway: BrokerGateway
    instrument: Instrument
    passive_fraction: Decimal
    """What part of the best bid an order may ask that must rest, within the venue's band of prices."""
    unknown_order_id: BrokerOrderId
    """A name of the venue's form that no order has."""
    checks_after_reply: bool
    """Whether the venue says that it received an order before it looked at it."""

    @property
    def events(self) -> Sequence[AccountEvent]:
        """What the account's stream has brought so far."""

    def touch(self) -> tuple[Decimal, Decimal]:
        """Return best bid and ask."""

    def inject(self, fault: Fault) -> None:
        """Make the next matching request or news fail."""

    def book(self) -> Sequence[BookEntry]:
        """Return this account's orders from the broker's own records."""

    def requests(self, method: str) -> int:
        """Return how many requests "submit", "modify" or "cancel" the broker has received."""

    def foreign_gateway(self) -> BrokerGateway:
        """Return a gateway with the same session from another source address."""

    def unreachable_gateway(self) -> BrokerGateway:
        """Return a gateway to an address where nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Describe one test of the contract so that a person could run it by hand."""

    number: int
    prerequisite: str
    action: str
    expected: str
    check: Callable[[Desk], None]

    @property
    def title(self) -> str:
        """Name of the card in test reports."""
        return f"{self.number:02d}-{self.check.__name__.strip('_')}"


def _request(desk: Desk, tag: str, **changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "client_order_id": ClientOrderId(tag),
        "instrument": desk.instrument,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": desk.gateway.capabilities().resting_time_in_force,
        "quantity": _quantity(desk),
        "price": _passive(desk),
        "trigger_price": None,
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]  # a test's table of fields


def _quantity(desk: Desk) -> Decimal:
    """Return the fewest whole lots that the venue takes at the price of a resting order."""
    lot = desk.instrument.lot_size
    needed = desk.instrument.min_notional / _passive(desk) / lot
    return max(needed.to_integral_value(ROUND_CEILING), Decimal(1)) * lot


def _marketable(desk: Desk) -> Decimal:
    return desk.touch()[1] + 20 * desk.instrument.tick_size


def _passive(desk: Desk) -> Decimal:
    tick = desk.instrument.tick_size
    return (desk.touch()[0] * desk.passive_fraction / tick).to_integral_value() * tick


def _submit(desk: Desk, tag: str, **changes: object) -> WriteResult:
    return desk.gateway.submit_order(_request(desk, tag, **changes), timeout_s=TIMEOUT_S)


def _placed(desk: Desk, tag: str, **changes: object) -> BrokerOrderId:
    result = _submit(desk, tag, **changes)
    assert result.outcome is Outcome.ACCEPTED, result
    assert result.broker_order_id is not None
    return result.broker_order_id


def _report(desk: Desk, order_id: BrokerOrderId) -> OrderReport | None:
    return desk.gateway.request_order(order_id).data


def _reaches(desk: Desk, order_id: BrokerOrderId, status: OrderStatus) -> None:
    def is_there() -> bool:
        report = _report(desk, order_id)
        time.sleep(0.1)  # a card must not run into the broker's limit of reads
        return report is not None and report.status is status

    eventually(is_there)


def _news(desk: Desk, order_id: BrokerOrderId) -> list[OrderStatus]:
    return [
        event.status
        for event in tuple(desk.events)
        if isinstance(event, OrderReport) and event.broker_order_id == order_id
    ]


def _gaps(desk: Desk) -> list[str]:
    return [event.reason for event in tuple(desk.events) if isinstance(event, Gap)]


def _fresh_account_reads_clean_and_empty(desk: Desk) -> None:
    orders, fills, positions = (
        desk.gateway.request_orders(),
        desk.gateway.request_fills(),
        desk.gateway.request_positions(),
    )
    assert not any(read.data for read in (orders, fills, positions))
    assert orders.clean
    assert fills.clean
    assert positions.clean
    assert desk.gateway.request_balance().data.available > 0


def _marketable_limit_fills(desk: Desk) -> None:
    order_id = _placed(desk, "card02", price=_marketable(desk))
    _reaches(desk, order_id, OrderStatus.FILLED)
    eventually(lambda: OrderStatus.FILLED in _news(desk, order_id))
    eventually(lambda: sum(fill.quantity for fill in desk.gateway.request_fills().data) > 0)
    fills = desk.gateway.request_fills()
    assert sum(fill.quantity for fill in fills.data) == _quantity(desk)
    assert {fill.broker_order_id for fill in fills.data} == {order_id}
    assert len({fill.trade_id for fill in fills.data}) == len(fills.data)
    (position,) = desk.gateway.request_positions().data
    assert position.net_qty == _quantity(desk)
    assert position.broker_symbol == desk.instrument.broker_symbol


def _resting_limit_shows_its_tag_and_is_canceled(desk: Desk) -> None:
    order_id = _placed(desk, "card03")
    _reaches(desk, order_id, OrderStatus.ACCEPTED)
    read = desk.gateway.request_orders()
    assert [order.tag for order in read.data] == ["card03"]
    assert read.clean
    result = desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)
    assert (result.outcome, result.broker_order_id) == (Outcome.ACCEPTED, order_id)
    _reaches(desk, order_id, OrderStatus.CANCELED)
    report = _report(desk, order_id)
    assert report is not None
    assert report.has_tag(ClientOrderId("card03"))


def _cancel_again_is_harmless(desk: Desk) -> None:
    order_id = _placed(desk, "card04")
    _reaches(desk, order_id, OrderStatus.ACCEPTED)
    desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)
    _reaches(desk, order_id, OrderStatus.CANCELED)
    again = desk.gateway.cancel_order(order_id, timeout_s=TIMEOUT_S)
    assert (again.outcome, again.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)


def _cancel_of_an_unknown_order_is_refused(desk: Desk) -> None:
    result = desk.gateway.cancel_order(desk.unknown_order_id, timeout_s=TIMEOUT_S)
    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.NOT_FOUND)
    assert _report(desk, desk.unknown_order_id) is None


def _modify_changes_price(desk: Desk) -> None:
    order_id = _placed(desk, "card06")
    _reaches(desk, order_id, OrderStatus.ACCEPTED)
    price = _passive(desk) - 10 * desk.instrument.tick_size
    change = OrderChange(
        broker_order_id=order_id,
        instrument=desk.instrument,
        order_type=OrderType.LIMIT,
        time_in_force=desk.gateway.capabilities().resting_time_in_force,
        quantity=_quantity(desk),
        price=price,
        trigger_price=None,
    )
    before = _report(desk, order_id)
    try:
        result = desk.gateway.modify_order(change, timeout_s=TIMEOUT_S)
    except InvalidInputError:
        # Where orders do not change in place the adapter refuses, or changes the price alone as MT5 does.
        assert not desk.gateway.capabilities().changes_in_place
        assert desk.requests("modify") == 0
        return
    assert result.outcome is Outcome.ACCEPTED
    assert before is not None

    def is_changed() -> bool:
        time.sleep(0.1)  # a card must not run into the broker's limit of reads
        after = _report(desk, order_id)
        return after is not None and after.price == price and after.version > before.version

    eventually(is_changed)
    _reaches(desk, order_id, OrderStatus.ACCEPTED)


def _same_client_order_id_never_doubles(desk: Desk) -> None:
    _placed(desk, "card07")
    again = _submit(desk, "card07")
    assert (again.outcome, again.fault) == (Outcome.UNKNOWN, FaultClass.DUPLICATE)
    assert len(desk.book()) == 1


def _lost_reply_is_unknown_and_found(desk: Desk) -> None:
    desk.inject(Fault.REPLY_LOST)
    assert _submit(desk, "card08").outcome is Outcome.UNKNOWN
    assert [entry.tag for entry in desk.book()] == ["card08"]
    eventually(lambda: any(order.tag == "card08" for order in desk.gateway.request_orders().data))
    assert desk.requests("submit") == 1


def _lost_request_is_unknown_and_absent(desk: Desk) -> None:
    desk.inject(Fault.REQUEST_LOST)
    assert _submit(desk, "card09").outcome is Outcome.UNKNOWN
    assert not desk.book()
    read = desk.gateway.request_orders()
    assert read.clean
    assert not read.data
    assert desk.requests("submit") == 1


def _throttled_write_was_not_sent(desk: Desk) -> None:
    desk.inject(Fault.THROTTLED)
    result = _submit(desk, "card10")
    assert (result.outcome, result.fault) == (Outcome.NOT_SENT, FaultClass.THROTTLED)
    assert result.retry_after_s is not None
    assert not desk.book()


def _error_page_is_unknown(desk: Desk) -> None:
    for number, fault in enumerate((Fault.ERROR_PAGE, Fault.WRONG_PAGE)):
        desk.inject(fault)
        assert _submit(desk, f"card11_{number}").outcome is Outcome.UNKNOWN
    assert desk.requests("submit") == 2


def _redirect_is_never_followed(desk: Desk) -> None:
    desk.inject(Fault.REDIRECTED)
    assert _submit(desk, "card12").outcome is Outcome.UNKNOWN
    assert desk.requests("submit") == 1
    assert not desk.book()


def _hang_ends_at_our_own_time_limit(desk: Desk) -> None:
    desk.inject(Fault.HANG)
    started = time.monotonic()
    result = desk.gateway.submit_order(_request(desk, "card13"), timeout_s=0.5)
    assert result.outcome is Outcome.UNKNOWN
    assert time.monotonic() - started < 2.5
    eventually(lambda: [entry.tag for entry in desk.book()] == ["card13"])


def _foreign_address_is_refused(desk: Desk) -> None:
    foreign = desk.foreign_gateway()
    result = foreign.submit_order(_request(desk, "card14"), timeout_s=TIMEOUT_S)
    assert (result.outcome, result.fault) == (Outcome.NOT_SENT, FaultClass.IP_DENIED)
    foreign.close()
    assert not desk.book()


def _nobody_there_is_not_sent(desk: Desk) -> None:
    lost = desk.unreachable_gateway()
    result = lost.submit_order(_request(desk, "card15"), timeout_s=TIMEOUT_S)
    assert (result.outcome, result.fault) == (Outcome.NOT_SENT, FaultClass.BROKER_DOWN)
    lost.close()


def _ended_session_says_so(desk: Desk) -> None:
    desk.inject(Fault.SESSION_KILLED)
    result = _submit(desk, "card16")
    assert (result.outcome, result.fault) == (Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED)
    with pytest.raises(SessionExpiredError):
        desk.gateway.request_orders()
    with pytest.raises(SessionExpiredError):
        desk.gateway.warm_up()
    eventually(lambda: any(isinstance(event, StreamDown) for event in tuple(desk.events)))
    last = desk.events[-1]
    assert isinstance(last, StreamDown)
    assert last.is_session_dead


def _later_rejection_comes_as_news(desk: Desk) -> None:
    if not desk.checks_after_reply:
        _is_refused_at_once(desk)
        return
    desk.inject(Fault.REJECTED_LATER)
    order_id = _placed(desk, "card17")
    _reaches(desk, order_id, OrderStatus.REJECTED)
    eventually(lambda: OrderStatus.REJECTED in _news(desk, order_id))
    report = _report(desk, order_id)
    assert report is not None
    assert report.reject_reason


def _is_refused_at_once(desk: Desk) -> None:
    result = _submit(desk, "card17", quantity=desk.instrument.max_order_qty)
    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.FUNDS)
    assert result.message
    assert not desk.book()


def _protective_stop_waits_for_its_trigger(desk: Desk) -> None:
    tick = desk.instrument.tick_size
    trigger = (desk.touch()[1] * Decimal("1.2") / tick).to_integral_value() * tick
    is_limit = OrderType.STOP_LIMIT in desk.gateway.capabilities().order_types
    order_id = _placed(
        desk,
        "card18",
        order_type=OrderType.STOP_LIMIT if is_limit else OrderType.STOP_MARKET,
        trigger_price=trigger,
        price=trigger + 20 * tick if is_limit else None,
    )
    _reaches(desk, order_id, OrderStatus.ACCEPTED)
    report = _report(desk, order_id)
    assert report is not None
    assert (report.trigger_price, report.filled) == (trigger, Decimal(0))


def _undeclared_order_types_are_refused_by_us(desk: Desk) -> None:
    declared = desk.gateway.capabilities().order_types
    for order_type in set(OrderType) - declared:
        with pytest.raises(InvalidInputError):
            _submit(desk, "card19", order_type=order_type)
    assert desk.requests("submit") == 0


def _emptied_book_is_no_proof(desk: Desk) -> None:
    order_id = _placed(desk, "card20")
    _reaches(desk, order_id, OrderStatus.ACCEPTED)
    desk.inject(Fault.BOOK_EMPTY)
    read = desk.gateway.request_orders()
    assert not read.data
    assert not read.clean


def _cut_stream_tells_a_gap_and_returns(desk: Desk) -> None:
    _stream_returns_after(desk, Fault.STREAM_CUT, "card21")


def _close_behind_news_is_noticed(desk: Desk) -> None:
    _stream_returns_after(desk, Fault.STREAM_CLOSED_BEHIND_NEWS, "card22")


def _deaf_stream_is_rebuilt(desk: Desk) -> None:
    _stream_returns_after(desk, Fault.STREAM_DEAF, "card23")


def _stream_returns_after(desk: Desk, fault: Fault, tag: str) -> None:
    desk.inject(fault)
    _placed(desk, tag)
    eventually(lambda: _gaps(desk).count("connected") == 2)
    gaps = _gaps(desk)
    assert gaps[0] == gaps[-1] == "connected"
    assert any(reason.startswith("lost") for reason in gaps)
    order_id = _placed(desk, f"{tag}_b", price=_marketable(desk))
    eventually(lambda: OrderStatus.FILLED in _news(desk, order_id))


def _one_gateway_serves_many_threads(desk: Desk) -> None:
    request = [_request(desk, f"card24_{number}") for number in range(4)]
    results: list[WriteResult] = []
    threads = [
        threading.Thread(target=lambda r=r: results.append(desk.gateway.submit_order(r, timeout_s=TIMEOUT_S)))
        for r in request
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {result.broker_order_id for result in results}
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert ids == {entry.broker_order_id for entry in desk.book()}
    assert len(ids) == 4


def _card(number: int, check: Callable[[Desk], None], *texts: str) -> Card:
    prerequisite, action, expected = texts
    return Card(number=number, prerequisite=prerequisite, action=action, expected=expected, check=check)


_FRESH = "fresh account, logged in"
_RESTING = "fresh account with one resting order"
CARDS = (
    _card(1, _fresh_account_reads_clean_and_empty, _FRESH, "read all books", "empty and clean"),
    _card(
        2, _marketable_limit_fills, _FRESH, "buy at the ask and above", "ACCEPTED; news and fills; net long"
    ),
    _card(3, _resting_limit_shows_its_tag_and_is_canceled, _FRESH, "bid low, cancel", "tag seen; CANCELED"),
    _card(4, _cancel_again_is_harmless, _RESTING, "cancel twice", "second REJECTED, already done"),
    _card(5, _cancel_of_an_unknown_order_is_refused, _FRESH, "cancel a made-up id", "REJECTED, not found"),
    _card(6, _modify_changes_price, _RESTING, "change the price", "new price and version in the book"),
    _card(7, _same_client_order_id_never_doubles, _RESTING, "send the same id again", "UNKNOWN; one order"),
    _card(8, _lost_reply_is_unknown_and_found, _FRESH, "lose the reply", "UNKNOWN; found by its tag"),
    _card(9, _lost_request_is_unknown_and_absent, _FRESH, "lose the request", "UNKNOWN; clean and absent"),
    _card(10, _throttled_write_was_not_sent, _FRESH, "throttle", "NOT_SENT with a time to wait"),
    _card(11, _error_page_is_unknown, _FRESH, "answer with HTML", "UNKNOWN; sent once"),
    _card(12, _redirect_is_never_followed, _FRESH, "answer with a redirect", "UNKNOWN; sent once"),
    _card(13, _hang_ends_at_our_own_time_limit, _FRESH, "hang 3 s, limit 0.5 s", "UNKNOWN in time; found"),
    _card(14, _foreign_address_is_refused, _FRESH, "use another address", "NOT_SENT, address denied"),
    _card(15, _nobody_there_is_not_sent, _FRESH, "call where nobody listens", "NOT_SENT, broker down"),
    _card(16, _ended_session_says_so, _FRESH, "end the session", "NOT_SENT; reads raise; StreamDown"),
    _card(
        17, _later_rejection_comes_as_news, _FRESH, "reject after Ok", "ACCEPTED, then REJECTED; or at once"
    ),
    _card(
        18, _protective_stop_waits_for_its_trigger, _FRESH, "place a stop-limit above", "working, unfilled"
    ),
    _card(19, _undeclared_order_types_are_refused_by_us, _FRESH, "use other types", "InvalidInput; not sent"),
    _card(20, _emptied_book_is_no_proof, _RESTING, "empty the book", "read is not clean"),
    _card(21, _cut_stream_tells_a_gap_and_returns, _FRESH, "cut the stream", "Gap lost, Gap connected, news"),
    _card(22, _close_behind_news_is_noticed, _FRESH, "close behind news", "Gap lost, Gap connected, news"),
    _card(23, _deaf_stream_is_rebuilt, _FRESH, "silence the stream, trade", "Gap lost, Gap connected, news"),
    _card(24, _one_gateway_serves_many_threads, _FRESH, "four threads at once", "four orders, four replies"),
)
