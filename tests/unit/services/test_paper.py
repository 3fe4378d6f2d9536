"""Paper accounts are served by the installation; an exchange that is away stops nobody's day."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.accounts import AccountMode, BrokerAccount, BrokerCode, LoginReason, TradingState
from app.domain.errors import BrokerError, ConfigError, LoginRefusedError, UnavailableError
from app.domain.ids import AccountId, UserId
from app.domain.instruments import Venue
from app.domain.market_data import Tick
from app.services.paper import Paper
from brokers.paper.session import LOGIN_FIELDS

ACCOUNT = BrokerAccount(
    account_id=AccountId(7),
    user_id=UserId(3),
    name="paper",
    broker=BrokerCode.PAPER,
    mode=AccountMode.PAPER,
    egress="203.0.113.10",
    trading_state=TradingState.ACTIVE,
)


class ClosingExchange:
    """End sessions; fail as a test says."""

    def __init__(self, fault: BrokerError | None = None) -> None:
        self.fault = fault
        self.calls: list[str] = []

    def post_quotes(self, prices: Iterable[Tick]) -> int:
        raise NotImplementedError(prices)

    def close_session(self, venue: str | None = None) -> int:
        self.calls.append(f"close_session {venue}")
        if self.fault is not None:
            raise self.fault
        return 3

    def close(self) -> None:
        self.calls.append("close")


def _no_token() -> str:
    raise ConfigError("expected the token of a paper exchange in home, found none")


def _no_exchange() -> ClosingExchange:
    raise ConfigError("expected the token of a paper exchange in home, found none")


def test_login_of_a_paper_account_is_filled_in() -> None:
    paper = Paper(read_token=lambda: "t0ken", open_exchange=ClosingExchange)

    fields = paper.credentials(ACCOUNT).fields

    assert fields == {"account": "account-7", "currency": "INR", "token": "t0ken"}
    assert set(fields) == set(LOGIN_FIELDS)


def test_missing_token_says_what_to_start() -> None:
    paper = Paper(read_token=_no_token, open_exchange=ClosingExchange)

    with pytest.raises(LoginRefusedError, match=r"was never started .*; start it: openbell up") as refusal:
        paper.credentials(ACCOUNT)

    assert refusal.value.reason == LoginReason.BROKER_DOWN


def test_session_of_the_venue_is_closed_and_the_connection_released() -> None:
    exchange = ClosingExchange()

    with capture_logs() as logs:
        Paper(read_token=_no_token, open_exchange=lambda: exchange).close_session(Venue.NSE)

    assert exchange.calls == ["close_session NSE", "close"]
    assert logs == [
        {"event": "paper_session_closed", "venue": Venue.NSE, "orders": 3, "log_level": "info"},
    ]


def test_failing_to_close_the_session_is_a_warning() -> None:
    exchange = ClosingExchange(UnavailableError("the paper exchange did not answer"))

    with capture_logs() as logs:
        Paper(read_token=_no_token, open_exchange=lambda: exchange).close_session(Venue.NSE)
        Paper(read_token=_no_token, open_exchange=_no_exchange).close_session(Venue.NSE)

    assert exchange.calls == ["close_session NSE", "close"]
    assert [entry["event"] for entry in logs] == ["paper_session_not_closed"] * 2
    assert {entry["log_level"] for entry in logs} == {"warning"}


def test_the_exchange_is_on_this_machine_unless_an_address_is_named() -> None:
    ours = Settings(_env_file=None, home=Path("home"), paper_port=9100)
    other = ours.model_copy(update={"broker_urls": {"paper": "http://127.0.0.1:9200"}})

    assert (ours.paper_url, ours.paper_home) == ("http://127.0.0.1:9100", Path("home/paper"))
    assert other.paper_url == "http://127.0.0.1:9200"
