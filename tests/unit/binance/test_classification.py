"""Whatever is not proven is UNKNOWN; what is proven is said exactly."""

import re

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import (
    BrokerError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.reports import FaultClass, Outcome
from brokers.binance import codes
from brokers.binance.client import Reply
from brokers.binance.egress import Wire
from brokers.binance.errors import classify_write, never_left, read_object, read_rows
from brokers.binance.sdk import load_sdk
from tests.unit.binance.payloads import answered, api_error, broken, every, refused

EXPECTED = {"symbol": "BTCUSDT", "clientOrderId": "ob1"}
OK = {**EXPECTED, "orderId": 4711}

# Every code of brokers.md 2.7 and of the two error pages that a write of ours can meet.
BY_CODE = [
    (-1000, Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
    (-1001, Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
    (-1002, Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
    (-1003, Outcome.NOT_SENT, FaultClass.THROTTLED),
    (-1006, Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
    (-1007, Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
    (-1008, Outcome.NOT_SENT, FaultClass.THROTTLED),
    (-1011, Outcome.NOT_SENT, FaultClass.IP_DENIED),
    (-1013, Outcome.REJECTED, FaultClass.INVALID),
    (-1015, Outcome.NOT_SENT, FaultClass.THROTTLED),
    (-1016, Outcome.NOT_SENT, FaultClass.BROKER_DOWN),
    (-1021, Outcome.NOT_SENT, FaultClass.BROKER_DOWN),
    (-1022, Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
    (-1034, Outcome.NOT_SENT, FaultClass.THROTTLED),
    *((code, Outcome.REJECTED, FaultClass.INVALID) for code in range(-1130, -1099)),
    (-1131, Outcome.REJECTED, FaultClass.INVALID),
    (-2008, Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
    (-2010, Outcome.REJECTED, FaultClass.INVALID),
    (-2011, Outcome.REJECTED, FaultClass.NOT_FOUND),
    (-2013, Outcome.REJECTED, FaultClass.NOT_FOUND),
    (-2014, Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED),
    (-2015, Outcome.NOT_SENT, FaultClass.IP_DENIED),
    (-2018, Outcome.REJECTED, FaultClass.FUNDS),
    (-2019, Outcome.REJECTED, FaultClass.FUNDS),
    (-2021, Outcome.REJECTED, FaultClass.INVALID),
    (-2022, Outcome.REJECTED, FaultClass.INVALID),
    (-2027, Outcome.REJECTED, FaultClass.FUNDS),
    (-2035, Outcome.REJECTED, FaultClass.INVALID),
    (-2036, Outcome.REJECTED, FaultClass.INVALID),
    (-2039, Outcome.REJECTED, FaultClass.INVALID),
    (-4003, Outcome.REJECTED, FaultClass.INVALID),
    (-4061, Outcome.REJECTED, FaultClass.INVALID),
    (-4108, Outcome.REJECTED, FaultClass.MARKET_CLOSED),
    (-4116, Outcome.UNKNOWN, FaultClass.DUPLICATE),
    (-4117, Outcome.REJECTED, FaultClass.UNKNOWN),
    (-4141, Outcome.REJECTED, FaultClass.MARKET_CLOSED),
    (-4164, Outcome.REJECTED, FaultClass.INVALID),
    (-5021, Outcome.REJECTED, FaultClass.INVALID),
    (-5022, Outcome.REJECTED, FaultClass.INVALID),
]


@pytest.mark.parametrize(("code", "outcome", "fault"), BY_CODE)
def test_knows_the_code_tables(code: int, outcome: Outcome, fault: FaultClass) -> None:
    result = classify_write(refused(code), expected=EXPECTED)

    assert (result.outcome, result.fault, result.code) == (outcome, fault, str(code))
    assert (result.retry_after_s is not None) == (fault is FaultClass.THROTTLED)


@given(st.integers(-99_999, 99_999).filter(lambda code: codes.verdict(code, "") is None), st.text(max_size=9))
def test_a_code_that_nobody_described_is_unknown(code: int, text: str) -> None:
    assert classify_write(refused(code, text), expected=EXPECTED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("text", "outcome", "fault"),
    [
        ("Duplicate order sent.", Outcome.UNKNOWN, FaultClass.DUPLICATE),
        ("Account has insufficient balance for requested action.", Outcome.REJECTED, FaultClass.FUNDS),
        ("Order would immediately match and take.", Outcome.REJECTED, FaultClass.INVALID),
        ("Stop price would trigger immediately.", Outcome.REJECTED, FaultClass.INVALID),
        ("Market is closed.", Outcome.REJECTED, FaultClass.MARKET_CLOSED),
        ("This action is disabled on this account.", Outcome.REJECTED, FaultClass.AUTH_DENIED),
        ("This account may not place or cancel orders.", Outcome.REJECTED, FaultClass.AUTH_DENIED),
    ],
)
def test_the_text_decides_where_one_code_means_everything(
    text: str, outcome: Outcome, fault: FaultClass
) -> None:
    result = classify_write(refused(-2010, text), expected=EXPECTED)

    assert (result.outcome, result.fault) == (outcome, fault)


def test_accepts_only_what_is_about_our_order() -> None:
    assert classify_write(answered(OK), expected=EXPECTED).outcome is Outcome.ACCEPTED
    for field in EXPECTED:
        other = {**OK, field: "another"}
        assert classify_write(answered(other), expected=EXPECTED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "reply",
    [
        answered([]),
        answered(None),
        answered({}),
        answered("Ok"),
        answered(OK, status=302),
        answered(OK, status=307),
        answered(ValueError("no JSON")),
        answered(AttributeError("'list' object has no attribute 'get'"), status=400),
        refused(-2010, "Duplicate order sent.", status=409),
        refused(-1013, status=500),
        refused(-1021, status=503),
        refused(-1016, status=503),
        refused("-1013"),
        refused(None),
        refused(0, status=404),
        Reply(value=OK, wire=Wire(attempts=2, status=200)),
    ],
)
def test_anything_less_is_unknown(reply: Reply) -> None:
    assert classify_write(reply, expected=EXPECTED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_overload_that_says_so_was_not_placed_and_no_other_server_error_is(status: int) -> None:
    assert classify_write(refused(-1008, status=status), expected=EXPECTED).outcome is Outcome.NOT_SENT
    assert classify_write(refused(0, status=status), expected=EXPECTED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [403, 418, 429])
def test_a_throttled_write_was_not_sent_and_says_when_to_come_back(status: int) -> None:
    result = classify_write(refused(0, status=status, retry_after_s=7.0), expected=EXPECTED)

    assert (result.outcome, result.fault, result.retry_after_s) == (
        Outcome.NOT_SENT,
        FaultClass.THROTTLED,
        7.0,
    )


def test_our_own_budget_refuses_before_anything_leaves() -> None:
    held = Reply(value=None, wire=Wire(refused_for_s=12.5))

    result = classify_write(held, expected=EXPECTED)

    assert (result.outcome, result.fault, result.retry_after_s) == (
        Outcome.NOT_SENT,
        FaultClass.THROTTLED,
        12.5,
    )
    with pytest.raises(RateLimitedError) as caught:
        read_rows(held)
    assert caught.value.retry_after_s == 12.5


def test_a_key_that_worked_here_has_ended_and_one_that_never_did_is_not_allowed_here() -> None:
    error, wire = api_error(-2015), Wire(attempts=1, status=401)

    for had_worked, fault in ((True, FaultClass.AUTH_EXPIRED), (False, FaultClass.IP_DENIED)):
        result = classify_write(Reply(value=error, wire=wire, had_worked=had_worked), expected=EXPECTED)
        assert (result.outcome, result.fault) == (Outcome.NOT_SENT, fault)


def _wrapped(cause: BaseException) -> requests.ConnectionError:
    pool = urllib3.HTTPConnectionPool("127.0.0.1")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", cause))  # type: ignore[arg-type]


def test_only_faults_before_the_first_byte_count_as_not_sent() -> None:
    connection = urllib3.connection.HTTPConnection("127.0.0.1")
    before: list[Exception] = [
        _wrapped(urllib3.exceptions.NewConnectionError(connection, "refused")),
        _wrapped(urllib3.exceptions.ConnectTimeoutError()),
        requests.ConnectTimeout("slow"),
        requests.exceptions.ProxyError("none"),
    ]
    for fault in before:
        assert classify_write(broken(fault), expected=EXPECTED).outcome is Outcome.NOT_SENT
    after: list[Exception] = [
        requests.ReadTimeout("slow"),
        _wrapped(urllib3.exceptions.ProtocolError("Connection aborted.")),
        requests.ConnectionError(ConnectionResetError()),
        requests.exceptions.ChunkedEncodingError("half"),
        requests.exceptions.SSLError("broken"),
        OSError("broken"),
    ]
    for fault in after:
        assert classify_write(broken(fault), expected=EXPECTED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "kind",
    sorted(every(requests.RequestException), key=str),
    ids=str,
)
def test_every_fault_of_the_transport_has_its_outcome(kind: type[BaseException]) -> None:
    fault = kind.__new__(kind, "boom", "", 0)
    proven = (requests.ConnectTimeout, requests.exceptions.ProxyError)
    expected = Outcome.NOT_SENT if issubclass(kind, proven) else Outcome.UNKNOWN

    assert classify_write(broken(fault), expected=EXPECTED).outcome is expected


def test_a_fault_that_the_caller_was_handling_proves_nothing() -> None:
    late = requests.ReadTimeout("slow")
    late.__context__ = requests.ConnectTimeout("an earlier one")

    assert not never_left(late)
    assert classify_write(broken(late), expected=EXPECTED).outcome is Outcome.UNKNOWN


def test_every_exception_of_the_sdk_is_unknown_after_sending_and_not_sent_before() -> None:
    load_sdk()
    from binance import exceptions

    kinds = [
        kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    assert len(kinds) >= 14
    for kind in kinds:
        error = kind.__new__(kind)
        sent = answered(error)
        unsent = Reply(value=error, wire=Wire())
        assert classify_write(sent, expected=EXPECTED).outcome is Outcome.UNKNOWN
        assert classify_write(unsent, expected=EXPECTED).outcome is Outcome.NOT_SENT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["symbol", "clientOrderId", "orderId", "code", "msg"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(JSON, st.integers(100, 599))
def test_no_reply_counts_as_accepted_without_proof(value: object, status: int) -> None:
    result = classify_write(answered(value, status=status), expected=EXPECTED)

    if result.outcome is Outcome.ACCEPTED:
        assert isinstance(value, dict)
        assert {name: value[name] for name in EXPECTED} == EXPECTED
        assert 200 <= status < 300


@given(JSON | st.integers(-6000, 0).map(api_error), st.integers(100, 599))
def test_no_reply_makes_a_read_raise_anything_but_a_broker_error(value: object, status: int) -> None:
    for read in (read_rows, read_object):
        try:
            found = read(answered(value, status=status))
        except BrokerError:
            continue
        assert found is None or isinstance(found, list | dict)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (broken(requests.ReadTimeout("slow")), UnavailableError),
        (refused(0, status=502), UnavailableError),
        (refused(-1007), UnavailableError),
        (refused(-1021), UnavailableError),
        (refused(-2015, status=401), SessionExpiredError),
        (refused(-2008), SessionExpiredError),
        (refused(-1022), SessionExpiredError),
        (refused(-1003, status=429), RateLimitedError),
        (refused(-1003, status=418), RateLimitedError),
        (refused(0, status=403), RateLimitedError),
        (refused(-1121), ProtocolError),
        (answered({"code": 0}, status=302), ProtocolError),
        (answered("text"), ProtocolError),
        (answered([1]), ProtocolError),
    ],
)
def test_a_failed_read_says_what_to_do(reply: Reply, error: type[BrokerError]) -> None:
    with pytest.raises(error):
        read_rows(reply)


def test_an_order_that_does_not_exist_is_an_answer() -> None:
    assert read_object(refused(-2013)) is None
    with pytest.raises(UnavailableError):
        read_object(refused(-2013, status=500))


def test_messages_hold_neither_whole_payloads_nor_signed_addresses() -> None:
    signed = requests.ConnectionError("/api/v3/account?timestamp=1&signature=abc")
    results = [
        classify_write(refused(-2010, "x" * 5000), expected=EXPECTED),
        classify_write(broken(signed), expected=EXPECTED),
        classify_write(answered(signed), expected=EXPECTED),
    ]

    for result in results:
        assert len(result.message) < 300
        assert re.search("signature|timestamp", result.message) is None
