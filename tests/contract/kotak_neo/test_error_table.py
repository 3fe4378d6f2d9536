"""Every row of Kotak's error table reaches us over the wire as what it proves, and as nothing more.

Source: brokers reference 1.3 (login), 1.4 (codes and HTTP statuses), 1.13 (what the SDK makes of them).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal

import pytest

from app.domain.accounts import LoginReason
from app.domain.errors import (
    AddressDeniedError,
    BrokerError,
    LoginRefusedError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.instruments import Instrument
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, BrokerGateway, Credentials, OrderChange, OrderRequest
from app.domain.reports import FaultClass, Outcome, WriteResult
from tests.contract.kotak_neo.desk import Simulator
from tests.waiting import eventually

ORDER = BrokerOrderId("990101000000001")
PRICE = Decimal("1.00")
Rule = dict[str, object]
Write = Callable[[BrokerGateway, Instrument], WriteResult]


def _submit(gateway: BrokerGateway, instrument: Instrument) -> WriteResult:
    request = OrderRequest(
        client_order_id=ClientOrderId("table"),
        instrument=instrument,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=instrument.lot_size,
        price=PRICE,
        trigger_price=None,
    )
    return gateway.submit_order(request, timeout_s=5.0)


def _modify(gateway: BrokerGateway, instrument: Instrument) -> WriteResult:
    change = OrderChange(
        broker_order_id=ORDER,
        instrument=instrument,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=instrument.lot_size,
        price=PRICE,
        trigger_price=None,
    )
    return gateway.modify_order(change, timeout_s=5.0)


def _cancel(gateway: BrokerGateway, _instrument: Instrument) -> WriteResult:
    return gateway.cancel_order(ORDER, timeout_s=5.0)


WRITES: dict[str, Write] = {"place": _submit, "modify": _modify, "cancel": _cancel}
READS: dict[str, Callable[[BrokerGateway], object]] = {
    "orders": lambda gateway: gateway.request_orders(),
    "order": lambda gateway: gateway.request_order(ORDER),
    "trades": lambda gateway: gateway.request_fills(),
    "positions": lambda gateway: gateway.request_positions(),
    "limits": lambda gateway: gateway.request_balance(),
    "client_ip": lambda gateway: gateway.request_egress_address(),
}

INVALID = (Outcome.REJECTED, FaultClass.INVALID)
DUPLICATE = (Outcome.UNKNOWN, FaultClass.DUPLICATE)
EXPIRED = (Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED)
DENIED = (Outcome.NOT_SENT, FaultClass.IP_DENIED)
THROTTLED = (Outcome.NOT_SENT, FaultClass.THROTTLED)
OPEN = (Outcome.UNKNOWN, FaultClass.UNKNOWN)
DOWN = (Outcome.UNKNOWN, FaultClass.BROKER_DOWN)

# Code: what it proves about a write, and what a read raises.
CODES: dict[int, tuple[tuple[Outcome, FaultClass], type[BrokerError]]] = {
    32: (DUPLICATE, ProtocolError),
    1007: (INVALID, ProtocolError),
    1009: (INVALID, ProtocolError),
    1017: (INVALID, ProtocolError),
    1037: (DENIED, AddressDeniedError),
    5202: (INVALID, ProtocolError),
    5204: (DUPLICATE, ProtocolError),
    10020: (EXPIRED, SessionExpiredError),
    100008: (DENIED, AddressDeniedError),
    100021: (EXPIRED, SessionExpiredError),
    100022: (EXPIRED, SessionExpiredError),
    777: (OPEN, ProtocolError),
}
# Fault of the simulator: what it proves about a write, and what a read raises.
STATUSES: dict[str, tuple[Rule, tuple[Outcome, FaultClass], type[BrokerError]]] = {
    "400 without a known code": ({"kind": "refusal", "code": 777, "status": 400}, OPEN, ProtocolError),
    "403 page": ({"kind": "http_403"}, EXPIRED, SessionExpiredError),
    "429": ({"kind": "http_429"}, THROTTLED, RateLimitedError),
    "429 bare": ({"kind": "http_429_bare"}, THROTTLED, RateLimitedError),
    "200 page": ({"kind": "html_200"}, OPEN, ProtocolError),
    **{
        f"{status} {kind}": ({"kind": f"http_5xx_{kind}", "status": status}, DOWN, UnavailableError)
        for status in (500, 502, 503, 504)
        for kind in ("html", "json")
    },
    "500 with a known code": ({"kind": "refusal", "code": 1009, "status": 500}, DOWN, UnavailableError),
    "307": ({"kind": "redirect"}, OPEN, ProtocolError),
    "302": ({"kind": "redirect", "status": 302}, OPEN, ProtocolError),
    "request lost": ({"kind": "request_lost"}, DOWN, UnavailableError),
    "half a body": ({"kind": "half_body"}, DOWN, UnavailableError),
}


@pytest.fixture(scope="module")
def instrument(simulator: Simulator, house: BrokerAdapter) -> Instrument:
    """One option of the day."""
    session = house.login(simulator.new_account(), egress="", timeout_s=10)
    return house.request_instruments(session, date(2019, 1, 2))[-1]


@pytest.fixture
def credentials(simulator: Simulator) -> Iterator[Credentials]:
    """A fresh account; its faults end with the test."""
    yield simulator.new_account()
    simulator.post("faults", {"faults": []})


@pytest.fixture
def gateway(house: BrokerAdapter, credentials: Credentials) -> Iterator[BrokerGateway]:
    """The account's gateway."""
    opened = house.restore(house.login(credentials, egress="", timeout_s=10))
    yield opened
    opened.close()


def _inject(simulator: Simulator, credentials: Credentials, rule: Rule) -> None:
    simulator.post("faults", {"faults": [{**rule, "ucc": [credentials.fields["ucc"]]}]})


def _writes(gateway: BrokerGateway, instrument: Instrument) -> Sequence[tuple[Outcome, FaultClass]]:
    results = [write(gateway, instrument) for write in WRITES.values()]
    return [(result.outcome, result.fault) for result in results]


def _assert_reads_raise(gateway: BrokerGateway, error: type[BrokerError]) -> None:
    for name, read in READS.items():
        with pytest.raises(error) as caught:
            read(gateway)
        assert type(caught.value) is error, name


@pytest.mark.parametrize("code", CODES)
def test_a_code_proves_the_same_to_every_call(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument, code: int
) -> None:
    proof, error = CODES[code]
    _inject(simulator, credentials, {"kind": "refusal", "code": code})

    assert _writes(gateway, instrument) == [proof] * 3
    _assert_reads_raise(gateway, error)
    assert not [row for row in simulator.get("orders") if row["ucc"] == credentials.fields["ucc"]]


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_proves_the_same_to_every_call(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument, name: str
) -> None:
    rule, proof, error = STATUSES[name]
    _inject(simulator, credentials, rule)

    assert _writes(gateway, instrument) == [proof] * 3
    _assert_reads_raise(gateway, error)
    paths = [str(row["path"]) for row in simulator.get("requests") if row["ucc"] == credentials.fields["ucc"]]
    for end in ("/place", "/modify", "/cancel"):
        assert sum(path.endswith(end) for path in paths) == 1, "a write is sent at most once"


def test_an_ended_order_is_an_answer_to_a_change_and_none_to_a_new_order(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument
) -> None:
    _inject(simulator, credentials, {"kind": "refusal", "code": 1021})

    done = (Outcome.REJECTED, FaultClass.ALREADY_DONE)
    assert _writes(gateway, instrument) == [OPEN, done, done]


def test_no_data_is_an_empty_book_for_a_read_and_no_proof_for_a_new_order(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument
) -> None:
    _inject(simulator, credentials, {"kind": "refusal", "code": 5203})

    absent = (Outcome.REJECTED, FaultClass.NOT_FOUND)
    assert _writes(gateway, instrument) == [OPEN, absent, absent]
    for read in (gateway.request_orders(), gateway.request_fills(), gateway.request_positions()):
        assert (read.data, read.clean) == ((), True)
    with pytest.raises(ProtocolError):
        gateway.request_balance()


def test_half_a_reply_hides_an_order_that_was_taken(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument
) -> None:
    _inject(simulator, credentials, {"kind": "half_body", "endpoint": "place"})

    assert _submit(gateway, instrument).outcome is Outcome.UNKNOWN
    orders = [row["tag"] for row in simulator.get("orders") if row["ucc"] == credentials.fields["ucc"]]
    assert orders == ["table"]


def test_a_partial_outage_is_told_for_the_part_that_is_down(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument
) -> None:
    _inject(simulator, credentials, {"kind": "outage", "endpoint": "reports"})
    with pytest.raises(UnavailableError):
        gateway.request_positions()
    assert _submit(gateway, instrument).outcome is Outcome.ACCEPTED

    _inject(simulator, credentials, {"kind": "outage", "endpoint": "writes"})
    assert _cancel(gateway, instrument).outcome is Outcome.UNKNOWN
    assert gateway.request_balance().data.available > 0


@pytest.mark.parametrize("step", ["login", "validate"])
@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ({"kind": "refusal", "code": 100008}, LoginReason.IP_DENIED),
        ({"kind": "refusal", "code": 1037}, LoginReason.IP_DENIED),
        ({"kind": "refusal", "code": 10020}, LoginReason.BAD_CREDENTIALS),
        ({"kind": "refusal", "code": 100022}, "broker_down: "),
        ({"kind": "refusal", "code": 1007}, "broker_down: "),
        ({"kind": "refusal", "code": 777}, "broker_down: "),
        ({"kind": "http_429"}, "broker_down: "),
        ({"kind": "http_403"}, "protocol: "),
        ({"kind": "html_200"}, "protocol: "),
        ({"kind": "redirect"}, "protocol: "),
        ({"kind": "http_5xx_html"}, "protocol: "),
        ({"kind": "http_5xx_json", "status": 500}, "broker_down: "),
        ({"kind": "http_5xx_json", "status": 504}, "broker_down: "),
        ({"kind": "request_lost"}, "broker_down: "),
        ({"kind": "half_body"}, "broker_down: "),
    ],
    ids=lambda value: str(value).replace("'", ""),
)
def test_a_login_step_that_fails_says_whether_a_person_must_act(
    simulator: Simulator, house: BrokerAdapter, rule: Rule, start: str, step: str
) -> None:
    credentials = simulator.new_account()
    _inject(simulator, credentials, {**rule, "endpoint": step})

    with pytest.raises((LoginRefusedError, UnavailableError)) as caught:
        house.login(credentials, egress="", timeout_s=10)

    if isinstance(caught.value, LoginRefusedError):
        assert caught.value.reason == start
    else:
        assert str(caught.value).startswith(start)
    simulator.post("faults", {"faults": []})


def test_a_refused_code_is_a_matter_for_a_person(
    simulator: Simulator, house: BrokerAdapter, credentials: Credentials
) -> None:
    _inject(simulator, credentials, {"kind": "totp_refused"})

    with pytest.raises(LoginRefusedError) as caught:
        house.login(credentials, egress="", timeout_s=10)

    assert caught.value.reason == LoginReason.BAD_TOTP


@pytest.mark.parametrize("kind", ["outage", "request_lost", "html_200"])
def test_the_address_service_may_be_down_at_a_login(
    simulator: Simulator, house: BrokerAdapter, kind: str
) -> None:
    simulator.post("faults", {"faults": [{"kind": kind, "endpoint": "config"}]})

    session = house.login(simulator.new_account(), egress="", timeout_s=10)

    simulator.post("faults", {"faults": []})
    gateway = house.restore(session)
    assert gateway.request_egress_address() == "127.0.0.1"
    gateway.close()


def test_a_reset_key_ends_the_session_and_the_next_login_names_the_key(
    simulator: Simulator, house: BrokerAdapter, credentials: Credentials, gateway: BrokerGateway
) -> None:
    _inject(simulator, credentials, {"kind": "key_reset"})

    with pytest.raises(SessionExpiredError):
        gateway.request_orders()
    with pytest.raises(LoginRefusedError, match="consumer key"):
        house.login(credentials, egress="", timeout_s=10)


def test_where_nobody_listens_for_a_while_nothing_was_sent(
    simulator: Simulator, credentials: Credentials, gateway: BrokerGateway, instrument: Instrument
) -> None:
    gateway.warm_up()
    _inject(simulator, credentials, {"kind": "connection_refused", "seconds": 1.5})

    def proof() -> tuple[Outcome, FaultClass]:
        result = _cancel(gateway, instrument)
        return result.outcome, result.fault

    eventually(lambda: proof() == (Outcome.NOT_SENT, FaultClass.BROKER_DOWN))
    eventually(lambda: proof() == (Outcome.REJECTED, FaultClass.NOT_FOUND))
