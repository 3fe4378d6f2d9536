"""Whatever is not proven is UNKNOWN; what is proven is said exactly."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import (
    AddressDeniedError,
    BrokerError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import BrokerOrderId
from app.domain.reports import FaultClass, Outcome
from brokers.kotak_neo.client import Reply
from brokers.kotak_neo.egress import Wire
from brokers.kotak_neo.errors import NEVER_LEFT, classify_write, read_body, read_rows
from brokers.kotak_neo.sdk import load_sdk
from tests.unit.kotak_neo.payloads import answered, broken, every, json_error, refusal, transport_errors

OK = {"stat": "Ok", "nOrdNo": "250122000612876", "stCode": 200}
ORDER = BrokerOrderId("250122000612876")


def test_accepts_only_the_full_proof() -> None:
    result = classify_write(answered(OK))

    assert (result.outcome, result.broker_order_id) == (Outcome.ACCEPTED, ORDER)


@pytest.mark.parametrize(
    "reply",
    [
        answered({**OK, "nOrdNo": None}),
        answered({**OK, "nOrdNo": "abc"}),
        answered({**OK, "stat": "Not_Ok"}),
        answered({**OK, "stCode": 777}),
        answered({"stCode": 200}),
        answered(OK, status=302),
        answered(refusal(1009), status=302),
        answered(OK, status=400),
        answered(OK, status=500),
        answered([]),
        answered(None),
        answered("Ok"),
        answered({"Error": json_error()}),
        answered({"Error": json_error()}, status=502),
        answered({"Error": json_error()}, status=307),
        answered({"Error": "Exception has been occurred while connecting to API"}),
        answered(refusal(999_999)),
        answered(refusal(5203)),
        answered(refusal(503), status=503),
        Reply(value=OK, wire=Wire(attempts=2, status=200)),
    ],
)
def test_anything_less_is_unknown(reply: Reply) -> None:
    assert classify_write(reply).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("fault", transport_errors(), ids=lambda fault: type(fault).__name__)
def test_every_transport_fault_has_its_outcome(fault: Exception) -> None:
    expected = Outcome.NOT_SENT if isinstance(fault, NEVER_LEFT) else Outcome.UNKNOWN

    assert classify_write(broken(fault)).outcome is expected


def test_only_faults_before_the_first_byte_count_as_not_sent() -> None:
    names = {type(fault).__name__ for fault in transport_errors() if isinstance(fault, NEVER_LEFT)}

    assert names == {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}


def test_every_sdk_exception_after_sending_is_unknown_and_before_is_not_sent() -> None:
    load_sdk()
    from neo_api_client import exceptions

    kinds = every(exceptions.OpenApiException) | every(exceptions.NeoAPIException)
    assert len(kinds) >= 15
    for kind in kinds:
        for key in ("error", "Error"):
            sent = Reply(value={key: kind("boom")}, wire=Wire(attempts=1))
            unsent = Reply(value={key: kind("boom")}, wire=Wire(attempts=0))
            assert classify_write(sent).outcome is Outcome.UNKNOWN
            assert classify_write(unsent).outcome is Outcome.NOT_SENT


def test_believes_the_cause_that_the_sdk_keeps() -> None:
    load_sdk()
    from neo_api_client.exceptions import ApiException

    error = ApiException(0, "Request timeout after 30 seconds")  # type: ignore[no-untyped-call]  # the SDK's
    error.__cause__ = httpx.PoolTimeout("full")

    assert classify_write(Reply(value={"error": error}, wire=Wire(attempts=1))).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("reply", "outcome", "fault"),
    [
        (answered(refusal(5204)), Outcome.UNKNOWN, FaultClass.DUPLICATE),
        (answered(refusal(5204), status=400), Outcome.UNKNOWN, FaultClass.DUPLICATE),
        (answered(refusal(32)), Outcome.UNKNOWN, FaultClass.DUPLICATE),
        (answered({"code": 429, "error": "Rate limit exceeded"}), Outcome.NOT_SENT, FaultClass.THROTTLED),
        (answered({"Error": json_error()}, status=429), Outcome.NOT_SENT, FaultClass.THROTTLED),
        (answered(refusal(100022), status=403), Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
        (answered(refusal(100021)), Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
        (answered({"Error": json_error()}, status=403), Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
        (answered(refusal(100008), status=403), Outcome.NOT_SENT, FaultClass.IP_DENIED),
        (answered(refusal(1037), status=403), Outcome.NOT_SENT, FaultClass.IP_DENIED),
        (answered(refusal(1007), status=400), Outcome.REJECTED, FaultClass.INVALID),
        (answered(refusal(1009)), Outcome.REJECTED, FaultClass.INVALID),
        (answered(refusal(1017)), Outcome.REJECTED, FaultClass.INVALID),
        (answered(refusal(5202)), Outcome.REJECTED, FaultClass.INVALID),
        (answered(refusal(1009), status=500), Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
    ],
)
def test_knows_the_code_table(reply: Reply, outcome: Outcome, fault: FaultClass) -> None:
    result = classify_write(reply)

    assert (result.outcome, result.fault) == (outcome, fault)


def test_a_throttled_write_says_when_to_come_back() -> None:
    assert classify_write(answered({"code": 429}, status=429, retry_after_s=7.0)).retry_after_s == 7.0
    assert classify_write(answered({"code": 429}, status=429)).retry_after_s == 1.0


def test_a_cancel_tells_ended_from_unheard_of() -> None:
    ended = classify_write(answered(refusal(1021, "order is complete")), asked=ORDER)
    absent = classify_write(answered(refusal(1021, "please provide valid order number")), asked=ORDER)

    assert (ended.outcome, ended.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)
    assert (absent.outcome, absent.fault) == (Outcome.REJECTED, FaultClass.NOT_FOUND)


def test_an_ok_for_another_order_proves_nothing() -> None:
    assert classify_write(answered(OK), asked=BrokerOrderId("1")).outcome is Outcome.UNKNOWN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["stat", "stCode", "nOrdNo", "error", "Error", "code", "errMsg", "data"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON, st.integers(100, 599))
def test_no_reply_makes_a_write_raise_or_count_as_accepted_without_proof(value: object, status: int) -> None:
    result = classify_write(answered(value, status=status))

    if result.outcome is Outcome.ACCEPTED:
        assert isinstance(value, dict)
        assert str(value["nOrdNo"]) == result.broker_order_id
        assert 200 <= status < 300


@given(JSON, st.integers(100, 599))
def test_no_reply_makes_a_read_raise_anything_but_a_broker_error(value: object, status: int) -> None:
    try:
        rows = read_rows(answered(value, status=status))
    except BrokerError:
        return
    assert rows is None or all(isinstance(row, dict) for row in rows)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (broken(httpx.ReadTimeout("slow")), UnavailableError),
        (answered({"Error": json_error()}, status=502), UnavailableError),
        (answered(refusal(100022), status=403), SessionExpiredError),
        (answered(refusal(1037), status=403), AddressDeniedError),
        (answered(refusal(100008), status=403), AddressDeniedError),
        (answered({"code": 429}, status=429), RateLimitedError),
        (answered({"Error": json_error()}), ProtocolError),
        (answered(refusal(999_999)), ProtocolError),
        (answered({"stat": "Ok", "stCode": 200, "data": {}}), ProtocolError),
        (answered({"stat": "Ok", "stCode": 200, "data": [1]}), ProtocolError),
        (Reply(value={"Error Message": "Complete the 2fa"}, wire=Wire()), SessionExpiredError),
    ],
)
def test_a_failed_read_says_what_to_do(reply: Reply, error: type[BrokerError]) -> None:
    with pytest.raises(error):
        read_rows(reply)


def test_no_data_is_an_empty_book_and_no_other_refusal_is() -> None:
    assert read_rows(answered(refusal(5203))) is None
    assert read_body(answered({"stat": "ok", "stCode": 200, "Net": "1"}))["Net"] == "1"


def test_messages_never_hold_a_whole_payload() -> None:
    result = classify_write(answered({"Error": "x" * 5_000}, status=502))

    assert len(result.message) < 300
