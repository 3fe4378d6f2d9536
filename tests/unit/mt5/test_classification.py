"""Whatever is not proven is UNKNOWN; what is proven is said exactly."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BrokerError, ProtocolError, SessionExpiredError, UnavailableError
from app.domain.ids import BrokerOrderId
from app.domain.reports import FaultClass, Outcome
from brokers.mt5.errors import REFUSALS, classify_write, read_body
from brokers.mt5.protocol import Refusal, Result
from brokers.mt5.retcodes import (
    NO_REPLY,
    RETCODES,
    Retcode,
    TerminalError,
    verdict_of_retcode,
    verdict_of_silence,
)
from brokers.mt5.rpc import NEVER_LEFT, Reply
from tests.unit.mt5.payloads import JUNK, answered, broken, transport_errors

ORDER = BrokerOrderId("500000001")
DONE = {"result": "answered", "retcode": 10009, "order": 500000001, "comment": "Request executed"}
UNKNOWN_CODES = {10011, 10012, 10023, 10025, 10031, 10041}
ACCEPTED_CODES = {10008, 10009, 10010}
NOT_SENT_CODES = {10024, 10027}


def test_accepts_only_the_full_proof() -> None:
    result = classify_write(answered(DONE))

    assert (result.outcome, result.broker_order_id) == (Outcome.ACCEPTED, ORDER)


@pytest.mark.parametrize(
    "reply",
    [
        answered({**DONE, "order": 0}),
        answered({**DONE, "order": "500000001"}),
        answered({**DONE, "order": None}),
        answered({**DONE, "retcode": "10009"}),
        answered({**DONE, "retcode": True}),
        answered({**DONE, "retcode": 10005}),
        answered({**DONE, "retcode": 0}),
        answered({**DONE, "result": "done"}),
        answered({**DONE, "result": "unknown"}, status=502),
        answered({"result": "refused", "refusal": "a_new_word"}, status=409),
        answered({"result": "refused"}, status=409),
        answered({"result": "answered"}),
        answered({"result": "answered", "last_error": -10005}),
        answered({"result": "answered", "last_error": 1}),
        answered({"result": "answered", "last_error": -77}),
        Reply(status=200, text="HTTP 200: unreadable"),
        Reply(status=307, text="HTTP 307"),
        Reply(status=502, text="HTTP 502"),
        Reply(status=401, text="HTTP 401"),
    ],
)
def test_anything_less_is_unknown(reply: Reply) -> None:
    assert classify_write(reply).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("fault", transport_errors(), ids=lambda fault: type(fault).__name__)
def test_every_transport_fault_has_its_outcome(fault: httpx.HTTPError) -> None:
    expected = Outcome.NOT_SENT if isinstance(fault, NEVER_LEFT) else Outcome.UNKNOWN

    assert classify_write(broken(fault)).outcome is expected
    with pytest.raises(UnavailableError):
        read_body(broken(fault))


def test_every_retcode_has_a_verdict_and_only_some_are_in_doubt() -> None:
    assert set(RETCODES) == set(Retcode)
    by_outcome = {
        outcome: {int(code) for code in Retcode if verdict_of_retcode(code)[0] is outcome}
        for outcome in Outcome
    }
    assert by_outcome[Outcome.UNKNOWN] == UNKNOWN_CODES
    assert by_outcome[Outcome.ACCEPTED] == ACCEPTED_CODES
    assert by_outcome[Outcome.NOT_SENT] == NOT_SENT_CODES
    assert by_outcome[Outcome.REJECTED] == set(map(int, Retcode)) - (
        UNKNOWN_CODES | ACCEPTED_CODES | NOT_SENT_CODES
    )


def test_the_retcodes_are_those_of_the_package() -> None:
    from brokers.simulators.mt5 import constants

    known = {value for name, value in vars(constants).items() if name.startswith("TRADE_RETCODE_")}
    assert known <= set(map(int, Retcode))
    errors = {value for name, value in vars(constants).items() if name.startswith("RES_")}
    assert errors <= set(map(int, TerminalError))


@pytest.mark.parametrize("code", TerminalError)
def test_silence_proves_nothing_but_what_the_table_says(code: TerminalError) -> None:
    assert set(NO_REPLY) == set(TerminalError)
    not_sent = {TerminalError.INVALID_PARAMS, TerminalError.INTERNAL_INIT, TerminalError.INTERNAL_CONNECT}
    expected = Outcome.NOT_SENT if code in not_sent else Outcome.UNKNOWN

    assert verdict_of_silence(code)[0] is expected
    assert classify_write(answered({"result": "answered", "last_error": int(code)})).outcome is expected


@given(st.integers())
def test_a_code_that_nobody_named_proves_nothing(code: int) -> None:
    if code not in set(map(int, Retcode)):
        assert verdict_of_retcode(code)[0] is Outcome.UNKNOWN


def test_no_changes_is_a_modify_that_is_done() -> None:
    reply = answered({"result": "answered", "retcode": 10025, "order": 0})

    assert classify_write(reply, asked=ORDER).outcome is Outcome.ACCEPTED
    assert classify_write(reply).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_verdict_and_none_is_in_doubt(refusal: Refusal) -> None:
    assert set(REFUSALS) == set(Refusal)
    reply = answered({"result": "refused", "refusal": refusal, "message": "10019 No money"}, status=409)

    assert classify_write(reply).outcome in (Outcome.NOT_SENT, Outcome.REJECTED)
    with pytest.raises(BrokerError):
        read_body(reply)


@pytest.mark.parametrize(
    ("message", "outcome", "fault"),
    [
        ("10019 No money", Outcome.REJECTED, FaultClass.FUNDS),
        ("10018 Market closed", Outcome.REJECTED, FaultClass.MARKET_CLOSED),
        ("10030 Unsupported filling mode", Outcome.REJECTED, FaultClass.INVALID),
        ("10024 Too many requests", Outcome.NOT_SENT, FaultClass.THROTTLED),
        ("10031 No connection", Outcome.NOT_SENT, FaultClass.BROKER_DOWN),
        ("10012 Timeout", Outcome.NOT_SENT, FaultClass.BROKER_DOWN),
        ("what", Outcome.NOT_SENT, FaultClass.BROKER_DOWN),
    ],
)
def test_a_failed_check_is_never_in_doubt(message: str, outcome: Outcome, fault: FaultClass) -> None:
    reply = answered({"result": "refused", "refusal": "check_failed", "message": message}, status=409)

    assert (classify_write(reply).outcome, classify_write(reply).fault) == (outcome, fault)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (DONE, Outcome.UNKNOWN),
        ({"result": "unknown"}, Outcome.UNKNOWN),
        ({"result": "answered", "retcode": 10019}, Outcome.REJECTED),
    ],
)
def test_a_repeated_command_is_looked_up_unless_it_was_refused(
    body: dict[str, object], outcome: Outcome
) -> None:
    result = classify_write(answered({"repeated": True, **body}))

    assert result.outcome is outcome
    assert outcome is Outcome.REJECTED or result.fault is FaultClass.DUPLICATE


def test_throttled_says_when_to_come_back() -> None:
    assert classify_write(answered({"result": "answered", "retcode": 10024})).retry_after_s == 1.0


@given(
    st.dictionaries(
        st.sampled_from(["result", "retcode", "order", "last_error", "refusal", "repeated"]), JUNK
    )
)
def test_any_body_gives_a_result_and_accepts_nothing_without_a_number(body: dict[str, object]) -> None:
    result = classify_write(answered(body))

    if result.outcome is Outcome.ACCEPTED:
        assert body["result"] == Result.ANSWERED
        assert result.broker_order_id is not None


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ("not_logged_in", SessionExpiredError),
        ("bad_token", SessionExpiredError),
        ("peer_denied", SessionExpiredError),
        ("not_connected", UnavailableError),
        ("busy", UnavailableError),
        ("sick", UnavailableError),
        ("wrong_account", ProtocolError),
        ("a_new_word", ProtocolError),
    ],
)
def test_reads_raise_what_a_caller_can_act_on(refusal: str, error: type[BrokerError]) -> None:
    with pytest.raises(error):
        read_body(answered({"result": "refused", "refusal": refusal}, status=409))
