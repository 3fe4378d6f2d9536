"""Whatever is not proven is UNKNOWN; what is proven is said exactly."""

from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import (
    BrokerError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import BrokerOrderId
from app.domain.reports import FaultClass, Outcome
from brokers.paper.client import Reply
from brokers.paper.errors import NEVER_LEFT, classify_write, read_body

ORDER = {
    "id": "000000000000007",
    "client_order_id": "ob1",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "time_in_force": "DAY",
    "quantity": "0.002",
    "price": "60000.00",
    "trigger_price": None,
    "filled": "0",
    "average_price": None,
    "status": "ACCEPTED",
    "code": "",
    "reason": "",
    "version": 3,
    "updated_at": "2026-11-25T04:00:00+00:00",
}
TAKEN: Mapping[str, object] = {"order": ORDER, "is_repeat": False}
ID = BrokerOrderId("000000000000007")


def every(kind: type[httpx.TransportError]) -> list[type[httpx.TransportError]]:
    return [kind] + [deeper for child in kind.__subclasses__() for deeper in every(child)]


def refusal(status: int, code: str) -> Reply:
    return Reply(status=status, body={"error": {"code": code, "message": "why"}})


def test_accepts_only_the_full_proof() -> None:
    result = classify_write(Reply(status=201, body=TAKEN))

    assert (result.outcome, result.broker_order_id) == (Outcome.ACCEPTED, ID)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=201),
        Reply(status=201, body={}),
        Reply(status=201, body={"order": ORDER}),
        Reply(status=201, body={**TAKEN, "is_repeat": "false"}),
        Reply(status=201, body={**TAKEN, "order": {**ORDER, "status": "NEW"}}),
        Reply(status=201, body={**TAKEN, "order": {**ORDER, "id": ""}}),
        Reply(status=201, body={**TAKEN, "order": {**ORDER, "filled": "0.003"}}),
        Reply(status=200, body={"stat": "Ok"}),
        Reply(status=302, body=TAKEN),
        Reply(status=500, body=TAKEN),
        Reply(status=502),
        Reply(status=401),
        Reply(status=403, body={"code": "address_denied"}),
        Reply(status=429),
        refusal(429, "invalid"),
        refusal(404, "invalid"),
        refusal(422, "something"),
        refusal(500, "invalid"),
    ],
)
def test_anything_less_is_unknown(reply: Reply) -> None:
    assert classify_write(reply).outcome is Outcome.UNKNOWN


def test_an_answer_about_another_order_proves_nothing() -> None:
    reply = Reply(status=200, body={"order": ORDER})

    assert classify_write(reply, asked=ID).outcome is Outcome.ACCEPTED
    assert classify_write(reply, asked=BrokerOrderId("000000000000008")).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", every(httpx.TransportError), ids=lambda kind: kind.__name__)
def test_every_transport_fault_has_its_outcome(kind: type[httpx.TransportError]) -> None:
    expected = Outcome.NOT_SENT if issubclass(kind, NEVER_LEFT) else Outcome.UNKNOWN

    result = classify_write(Reply(fault=kind("x")))

    assert (result.outcome, result.fault) == (expected, FaultClass.BROKER_DOWN)


def test_only_faults_before_the_first_byte_count_as_not_sent() -> None:
    names = {kind.__name__ for kind in every(httpx.TransportError) if issubclass(kind, NEVER_LEFT)}

    assert names == {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}


@pytest.mark.parametrize(
    ("reply", "outcome", "fault"),
    [
        (refusal(401, "session_over"), Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
        (refusal(401, "unauthorized"), Outcome.NOT_SENT, FaultClass.AUTH_DENIED),
        (refusal(403, "address_denied"), Outcome.NOT_SENT, FaultClass.IP_DENIED),
        (refusal(429, "throttled"), Outcome.NOT_SENT, FaultClass.THROTTLED),
        (refusal(404, "not_found"), Outcome.REJECTED, FaultClass.NOT_FOUND),
        (refusal(409, "already_done"), Outcome.REJECTED, FaultClass.ALREADY_DONE),
        (refusal(422, "invalid"), Outcome.REJECTED, FaultClass.INVALID),
        (refusal(422, "funds"), Outcome.REJECTED, FaultClass.FUNDS),
    ],
)
def test_every_refusal_has_its_class(reply: Reply, outcome: Outcome, fault: FaultClass) -> None:
    result = classify_write(reply)

    assert (result.outcome, result.fault) == (outcome, fault)
    assert (result.retry_after_s is not None) is (fault is FaultClass.THROTTLED)


@settings(max_examples=50)
@given(
    st.integers(min_value=100, max_value=599),
    st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_no_reply_of_a_stranger_is_an_acceptance(status: int, body: Mapping[str, object] | None) -> None:
    assert classify_write(Reply(status=status, body=body)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(fault=httpx.ReadTimeout("x")), UnavailableError),
        (Reply(status=503), UnavailableError),
        (refusal(401, "session_over"), SessionExpiredError),
        (refusal(403, "address_denied"), SessionExpiredError),
        (refusal(429, "throttled"), RateLimitedError),
        (Reply(status=200), ProtocolError),
        (Reply(status=302, body={}), ProtocolError),
        (refusal(404, "not_found"), ProtocolError),
    ],
)
def test_reads_raise_the_class_of_the_fault(reply: Reply, error: type[BrokerError]) -> None:
    with pytest.raises(error):
        read_body(reply)
