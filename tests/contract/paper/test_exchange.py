"""The exchange over the wire: logins, freshness, repeats, the end of the session, other processes."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import BrokerError, LoginRefusedError, SessionExpiredError, UnavailableError
from app.domain.ids import ClientOrderId
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, BrokerSession, OrderRequest
from app.domain.reports import FaultClass, Outcome
from app.infra.clock import VirtualClock
from brokers.paper.gateway import PaperGateway
from brokers.paper.house import PaperHouse
from tests.contract.paper.desk import ASK, BID, INSTRUMENT, LAST, Exchange, new_adapter, tick

PASSIVE = Decimal("50000.00")


def order(tag: str, **changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "client_order_id": ClientOrderId(tag),
        "instrument": INSTRUMENT,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": INSTRUMENT.lot_size,
        "price": PASSIVE,
        "trigger_price": None,
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]  # a test's table of fields


@pytest.fixture(scope="module")
def house(exchange: Exchange) -> BrokerAdapter:
    """The adapter under test, with nothing in between."""
    return new_adapter(exchange.base_url)


@pytest.fixture
def gateway(exchange: Exchange, house: BrokerAdapter) -> Iterator[PaperGateway]:
    """A fresh account."""
    exchange.quote()
    opened = house.restore(house.login(exchange.credentials(), egress="", timeout_s=10))
    assert isinstance(opened, PaperGateway)
    yield opened
    opened.close()


def test_a_new_account_gets_the_opening_balance_once(exchange: Exchange, house: BrokerAdapter) -> None:
    exchange.quote()
    credentials = exchange.credentials()
    gateways = [house.restore(house.login(credentials, egress="", timeout_s=10)) for _ in range(2)]

    first = gateways[0].request_balance().data
    gateways[0].submit_order(order("a", order_type=OrderType.MARKET, price=None), timeout_s=5)
    second = gateways[1].request_balance().data

    assert (first.available, first.used) == (Decimal(10_000), Decimal(0))
    cost = (ASK + INSTRUMENT.tick_size) * INSTRUMENT.lot_size
    assert second.used == cost
    assert second.available == 10_000 - cost - Decimal("0.0601")  # 0.1 % of 60.00051, rounded up
    for gateway in gateways:
        gateway.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token": ""}, LoginReason.NO_CREDENTIALS),
        ({"account": " "}, LoginReason.NO_CREDENTIALS),
        ({"token": "guessed"}, LoginReason.BAD_CREDENTIALS),
        ({"currency": "XAU"}, LoginReason.BAD_CREDENTIALS),
        ({"currency": "usdt"}, LoginReason.BAD_CREDENTIALS),
        ({"account": "no blanks please"}, LoginReason.BAD_CREDENTIALS),
    ],
)
def test_refused_login_names_its_reason(
    exchange: Exchange, house: BrokerAdapter, changes: dict[str, str], reason: LoginReason
) -> None:
    with pytest.raises(LoginRefusedError) as caught:
        house.login(exchange.credentials(**changes), egress="", timeout_s=10)

    assert caught.value.reason == reason
    assert exchange.token not in str(caught.value)


def test_an_account_keeps_its_currency(exchange: Exchange, house: BrokerAdapter) -> None:
    credentials = exchange.credentials()
    house.login(credentials, egress="", timeout_s=10)

    with pytest.raises(LoginRefusedError, match="is in USDT, got 'INR'"):
        house.login(
            exchange.credentials(credentials.fields["account"], currency="INR"), egress="", timeout_s=10
        )


def test_dead_egress_is_told_from_a_dead_exchange(
    exchange: Exchange, house: BrokerAdapter, far: BrokerAdapter
) -> None:
    with pytest.raises(UnavailableError, match=r"^egress_down: "):
        house.login(exchange.credentials(), egress="192.0.2.1", timeout_s=5)
    with pytest.raises(UnavailableError, match=r"^broker_down: "):
        far.login(exchange.credentials(), egress="", timeout_s=5)


def test_another_process_goes_on_with_the_session(exchange: Exchange, house: BrokerAdapter) -> None:
    session = house.login(exchange.credentials(), egress="127.0.0.31", timeout_s=10)
    program = (
        "import json,sys;from datetime import datetime;from app.domain.accounts import BrokerCode;"
        "from app.domain.ports import BrokerSession;from app.infra.clock import SystemClock;"
        "from brokers.registry import adapter;r=json.load(sys.stdin);"
        "s=BrokerSession(broker=BrokerCode.PAPER,expires_at=datetime.fromisoformat(r['e']),"
        "egress=r['g'],secret=r['s']);"
        "a=adapter(BrokerCode.PAPER,base_url=r['u'],clock=SystemClock());"
        "print(a.restore(s).request_egress_address())"
    )
    record = {
        "e": session.expires_at.isoformat(),
        "g": session.egress,
        "s": session.secret,
        "u": exchange.base_url,
    }

    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(record), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "127.0.0.31"
    assert exchange.token not in session.secret


def test_an_ended_session_is_not_restored(house: BrokerAdapter) -> None:
    ended = BrokerSession(
        broker=BrokerCode.PAPER, expires_at=datetime(2019, 1, 1, tzinfo=UTC), egress="", secret="{}"
    )

    with pytest.raises(SessionExpiredError):
        house.restore(ended)


def test_a_repeat_tells_the_first_order(gateway: PaperGateway) -> None:
    first = gateway.submit_order(order("a"), timeout_s=5)

    again = gateway.submit_order(
        order("a", side=Side.SELL, price=None, order_type=OrderType.MARKET), timeout_s=5
    )

    assert (again.outcome, again.fault) == (Outcome.UNKNOWN, FaultClass.DUPLICATE)
    assert again.broker_order_id == first.broker_order_id
    assert len(gateway.request_orders().data) == 1


def test_an_order_that_the_account_cannot_pay_is_rejected(gateway: PaperGateway) -> None:
    result = gateway.submit_order(order("a", quantity=Decimal(1)), timeout_s=5)

    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.FUNDS)
    (report,) = gateway.request_orders().data
    assert (report.status, report.tag) == (OrderStatus.REJECTED, "a")
    assert "expected at most 10000.00 USDT" in report.reject_reason


def test_a_session_end_expires_the_orders_for_the_day(exchange: Exchange, gateway: PaperGateway) -> None:
    for tif in (TimeInForce.DAY, TimeInForce.GTC):
        gateway.submit_order(order(tif.value, time_in_force=tif), timeout_s=5)

    exchange.house.close_session("NSE")
    assert {report.status for report in gateway.request_orders().data} == {OrderStatus.ACCEPTED}
    exchange.house.close_session("BINANCE")

    by_tag = {report.tag: report.status for report in gateway.request_orders().data}
    assert by_tag == {"DAY": OrderStatus.EXPIRED, "GTC": OrderStatus.ACCEPTED}


def test_only_the_house_feeds_prices(exchange: Exchange, gateway: PaperGateway) -> None:
    stranger = PaperHouse(exchange.base_url, token=gateway._client.token)

    with pytest.raises(SessionExpiredError):
        stranger.post_quotes([tick()])

    stranger.close()


def test_paper_has_no_master_and_no_prices_and_says_whose_to_use(
    exchange: Exchange, house: BrokerAdapter
) -> None:
    session = house.login(exchange.credentials(), egress="", timeout_s=10)

    for ask in (
        lambda: house.request_instruments(session, date(2026, 11, 25)),
        lambda: house.market_feed(session),
    ):
        with pytest.raises(BrokerError, match="venue that the account imitates") as caught:
            ask()
        assert caught.value.http_status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"nonsense",
        b'{"quotes": [{"instrument": "X", "last": 1.5, "time": "2026-01-01T00:00:00+00:00"}]}',
        b'{"quotes": [{"instrument": "X", "last": "-1", "time": "2026-01-01T00:00:00+00:00"}]}',
        b'{"quotes": [{"instrument": "X", "last": "NaN", "time": "2026-01-01T00:00:00+00:00"}]}',
        b'{"quotes": [{"instrument": "X", "last": "1", "time": "2026-01-01T00:00:00"}]}',
        b'{"quotes": [{"instrument": "X", "last": "1", "bid": "x", "time": "2026-01-01T00:00:00Z"}]}',
    ],
)
def test_an_unclear_price_is_refused(exchange: Exchange, body: bytes) -> None:
    reply = httpx.post(
        f"{exchange.base_url}/quotes", content=body, headers={"Authorization": f"Bearer {exchange.token}"}
    )

    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "invalid"


def test_the_token_is_the_owners_only(exchange: Exchange) -> None:
    assert stat.S_IMODE((exchange.home / "token").stat().st_mode) == 0o600
    for method, path in (
        ("GET", "/orders"),
        ("POST", "/orders"),
        ("POST", "/session/close"),
        ("GET", "/balance"),
    ):
        assert httpx.request(method, exchange.base_url + path, json={}).status_code in (401, 422)


def test_a_second_exchange_does_not_get_the_same_book(exchange: Exchange) -> None:
    command = [sys.executable, "-m", "brokers.paper.exchange", "--home", str(exchange.home), "--port", "0"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "another paper exchange holds" in done.stderr
    assert exchange.process.poll() is None


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exchange, VirtualClock]]:
    """An exchange that goes by the clock file, and the clock."""
    folder = tmp_path_factory.mktemp("virtual")
    clock = VirtualClock.create(folder / "clock", at=datetime(2019, 1, 2, 4, tzinfo=UTC), rate=0.0)
    running = Exchange(folder / "home", "quote_max_age_s = 5\n", clock_file=folder / "clock")
    yield running, clock
    running.stop()


def test_age_of_a_quote_and_of_a_session_go_by_it(virtual: tuple[Exchange, VirtualClock]) -> None:
    exchange, clock = virtual
    house = new_adapter(exchange.base_url, clock)
    session = house.login(exchange.credentials(), egress="", timeout_s=10)
    gateway = house.restore(session)
    early = gateway.submit_order(order("a"), timeout_s=5)
    exchange.house.post_quotes([tick(LAST, BID, ASK, at=clock.now())])
    taken = gateway.submit_order(order("b"), timeout_s=5)
    clock.set(clock.now() + timedelta(seconds=6), rate=0.0)
    late = gateway.submit_order(order("c"), timeout_s=5)

    assert session.expires_at == datetime(2019, 1, 3, 4, tzinfo=UTC)
    assert taken.outcome is Outcome.ACCEPTED
    for refused, words in ((early, "no quote of BTCUSDT"), (late, "at most 5 s old")):
        assert (refused.outcome, refused.fault) == (Outcome.REJECTED, FaultClass.MARKET_CLOSED)
        assert words in refused.message
    clock.set(session.expires_at, rate=0.0)
    with pytest.raises(SessionExpiredError):
        gateway.request_orders()
    gateway.close()
