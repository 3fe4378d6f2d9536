"""Logins, contracts and prices of one account come as our own words, or say what a person must mend."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import ConfigError, LoginRefusedError, SessionExpiredError, UnavailableError
from app.domain.ids import ClientOrderId
from app.domain.instruments import Instrument, InstrumentKind, Venue
from app.domain.market_data import Tick
from app.domain.markets import USD, Money
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, BrokerGateway, BrokerSession, OrderRequest
from app.domain.reports import FaultClass, FeedAlive, Gap, Outcome, WriteResult
from brokers.registry import adapter
from tests.contract.mt5.house import (
    START,
    TOKEN,
    AgentProcess,
    DayClock,
    Simulator,
    credentials,
    free_port,
    new_adapter,
)
from tests.contract.mt5.relay import Break, Relay
from tests.waiting import eventually

SYMBOLS = ["EURUSD", "EURUSD.fok", "EURUSD.ins", "EURUSD.ecn"]


class Account:
    """One hedging account, whose agent measures the server's time by itself."""

    def __init__(self, simulator: Simulator, clock: DayClock, house: BrokerAdapter, folder: Path) -> None:
        self.login = simulator.new_account("HEDGING")
        self.agent = AgentProcess(
            simulator=simulator,
            login=self.login,
            folder=folder,
            settings={"symbols": SYMBOLS, "utc_offset_s": None},
        )
        self.agent.start()
        self.relay = Relay(self.agent.port)
        self.session = house.login(credentials(self.login, self.relay.url), egress="127.0.0.31", timeout_s=10)
        self.gateway: BrokerGateway = house.restore(self.session)
        found = house.request_instruments(self.session, clock.now().date())
        self.instruments = {one.broker_symbol: one for one in found}

    def send(
        self, tag: str, side: Side, *, symbol: str = "EURUSD", lots: int = 1, **terms: object
    ) -> WriteResult:
        """Send one order at the market, or as `terms` say."""
        instrument = self.instruments[symbol]
        values: dict[str, object] = {
            "client_order_id": ClientOrderId(tag),
            "instrument": instrument,
            "side": side,
            "order_type": OrderType.MARKET,
            "time_in_force": TimeInForce.GTC,
            "quantity": instrument.lot_size * lots,
            "price": None,
            "trigger_price": None,
        }
        request = OrderRequest(**(values | terms))  # type: ignore[arg-type]  # a test's table of fields
        return self.gateway.submit_order(request, timeout_s=5)

    def net(self) -> Decimal:
        """Return the account's net position."""
        return sum((item.net_qty for item in self.gateway.request_positions().data), Decimal(0))

    def close(self) -> None:
        """End everything."""
        self.gateway.close()
        self.relay.stop()
        self.agent.kill()


@pytest.fixture(scope="module")
def account(
    simulator: Simulator,
    clock: DayClock,
    house: BrokerAdapter,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Account]:
    """One account for all tests of this module; each leaves it flat."""
    opened = Account(simulator, clock, house, tmp_path_factory.mktemp("account") / "terminal")
    yield opened
    opened.close()


def test_symbols_become_instruments_in_units_of_the_base_currency(account: Account) -> None:
    assert account.instruments["EURUSD"] == Instrument(
        instrument_id="EURUSD.MT5",  # type: ignore[arg-type]  # an id as text
        venue=Venue.MT5,
        kind=InstrumentKind.FOREX,
        segment="forex",
        broker_symbol="EURUSD",
        broker_token="EURUSD",
        tick_size=Decimal("0.00001"),
        lot_size=Decimal(1000),
        freeze_qty=Decimal(10_000_000),
        contract_size=Decimal(100_000),
        currency="USD",
    )
    assert account.instruments["EURUSD.ins"].lot_size == Decimal(10_000)


def test_the_servers_time_is_measured_and_taken_away(account: Account, clock: DayClock) -> None:
    def has_time() -> bool:
        try:
            account.gateway.request_orders()
        except UnavailableError:
            return False
        return True

    eventually(has_time)
    result = account.send("clock_1", Side.BUY)
    fills = account.gateway.request_fills().data
    account.send("clock_2", Side.SELL, position_ref=str(result.broker_order_id))

    (fill,) = [one for one in fills if one.broker_order_id == result.broker_order_id]
    assert abs(fill.ts_event - clock.now()) < timedelta(seconds=60)
    assert fill.ts_event > START


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_execution_mode_fills_and_closes_by_its_own_policy(account: Account, symbol: str) -> None:
    tag = symbol.replace(".", "_")
    opened = account.send(f"{tag}_1", Side.BUY, symbol=symbol)
    closed = account.send(f"{tag}_2", Side.SELL, symbol=symbol, reduces_only=True)

    assert (opened.outcome, closed.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED), (opened, closed)
    assert account.net() == 0


def test_the_swap_of_the_nights_comes_with_the_deal_that_closes(
    account: Account, simulator: Simulator
) -> None:
    simulator.post("accounts", {"login": account.login, "swap_per_lot": "-4.20"})
    opened = account.send("night_1", Side.BUY, lots=10)
    closed = account.send("night_2", Side.SELL, lots=10, position_ref=str(opened.broker_order_id))
    simulator.post("accounts", {"login": account.login, "swap_per_lot": "0"})

    swaps = {
        fill.broker_order_id: fill.swap
        for fill in account.gateway.request_fills().data
        if fill.broker_order_id in {opened.broker_order_id, closed.broker_order_id}
    }
    # 10 lots of ours are a tenth of a contract.
    assert swaps == {
        opened.broker_order_id: None,
        closed.broker_order_id: Money(amount=Decimal("0.42"), currency=USD),
    }


def test_hedging_closes_the_named_position_and_no_other(account: Account) -> None:
    first = account.send("hedge_1", Side.BUY, lots=2)
    second = account.send("hedge_2", Side.BUY, lots=3)
    closed = account.send("hedge_3", Side.SELL, lots=3, position_ref=str(second.broker_order_id))
    too_much = account.send("hedge_4", Side.SELL, lots=3, position_ref=str(first.broker_order_id))
    gone = account.send("hedge_5", Side.SELL, lots=1, position_ref=str(second.broker_order_id))
    rest = account.send("hedge_6", Side.SELL, lots=2, position_ref=str(first.broker_order_id))

    assert closed.outcome is rest.outcome is Outcome.ACCEPTED
    assert (too_much.outcome, too_much.fault) == (Outcome.REJECTED, FaultClass.INVALID)
    assert (gone.outcome, gone.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)
    assert account.net() == 0


def test_what_a_hedging_account_holds_in_two_positions_is_closed_by_two_orders(account: Account) -> None:
    account.send("several_1", Side.BUY, lots=2)
    account.send("several_2", Side.BUY, lots=3)
    exits = [account.send(f"several_exit_{n}", Side.SELL, lots=n, reduces_only=True) for n in (5, 2)]

    assert [one.outcome for one in exits] == [Outcome.ACCEPTED, Outcome.ACCEPTED], exits
    assert account.net() == 0
    reports = {r.broker_order_id: r for r in account.gateway.request_orders().data}
    lot = account.instruments["EURUSD"].lot_size
    assert [reports[e.broker_order_id].quantity / lot for e in exits if e.broker_order_id] == [3, 2]
    assert all(reports[e.broker_order_id].status is OrderStatus.FILLED for e in exits if e.broker_order_id)


def test_a_resting_exit_of_a_hedging_account_is_refused(account: Account) -> None:
    opened = account.send("rest_1", Side.BUY)
    resting = account.send(
        "rest_2",
        Side.SELL,
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal("1.00000"),
        reduces_only=True,
    )
    account.send("rest_3", Side.SELL, position_ref=str(opened.broker_order_id))

    assert (resting.outcome, resting.code) == (Outcome.REJECTED, "price_moved")
    assert not account.gateway.capabilities().rests_stops
    assert account.net() == 0


@pytest.mark.parametrize(
    ("kind", "outcome", "fault"),
    [
        ("requote", Outcome.REJECTED, FaultClass.THROTTLED),
        ("reject", Outcome.REJECTED, FaultClass.INVALID),
        ("market_closed", Outcome.REJECTED, FaultClass.MARKET_CLOSED),
        ("no_money", Outcome.REJECTED, FaultClass.FUNDS),
        ("autotrading_off_client", Outcome.NOT_SENT, FaultClass.AUTH_DENIED),
        ("trade_timeout", Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
        ("connection_lost", Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
        ("no_ipc", Outcome.NOT_SENT, FaultClass.BROKER_DOWN),
        ("ack_lost", Outcome.UNKNOWN, FaultClass.BROKER_DOWN),
    ],
)
def test_what_the_broker_answers_is_told_exactly(
    simulator: Simulator, account: Account, kind: str, outcome: Outcome, fault: FaultClass
) -> None:
    simulator.fault(account.login, kind, endpoint="deal", count=1)

    result = account.send(f"c_{kind}"[:16], Side.BUY)
    simulator.post("faults", {"faults": []})
    if account.net() != 0:
        account.send(f"d_{kind}"[:16], Side.SELL, reduces_only=True)

    assert (result.outcome, result.fault) == (outcome, fault)
    assert account.net() == 0


def test_rewritten_comments_do_not_hide_whose_order_it_is(simulator: Simulator, account: Account) -> None:
    simulator.fault(account.login, "comment_rewritten")
    opened = account.send("ob00000000000000aa", Side.BUY)
    simulator.post("faults", {"faults": []})
    account.send("ob00000000000000ab", Side.SELL, position_ref=str(opened.broker_order_id))

    (order,) = [
        o for o in account.gateway.request_orders().data if o.broker_order_id == opened.broker_order_id
    ]
    assert (order.tag, order.status) == ("ob00000000000000aa", OrderStatus.FILLED)


def test_ticks_come_in_utc_and_a_lost_agent_is_told_as_a_gap(
    account: Account, house: BrokerAdapter, clock: DayClock
) -> None:
    async def first() -> list[Tick | Gap]:
        seen: list[Tick | Gap] = []
        ticks = house.market_feed(account.session).ticks([account.instruments["EURUSD"]])
        async with asyncio.timeout(40):
            async for item in ticks:
                if isinstance(item, FeedAlive):
                    continue
                seen.append(item)
                if len(seen) == 1:
                    account.relay.plan("ticks", Break.REQUEST_LOST)
                if len(seen) == 4:
                    break
        await ticks.aclose()  # type: ignore[attr-defined]  # it is an async generator
        return seen

    tick, lost, again, last = asyncio.run(first())

    assert isinstance(tick, Tick)
    assert isinstance(last, Tick)
    assert tick.bid is not None
    assert tick.ask is not None
    assert tick.bid < tick.ask
    assert abs(tick.ts_event - clock.now()) < timedelta(seconds=60)
    assert last.sequence > tick.sequence
    assert isinstance(lost, Gap)
    assert lost.reason.startswith("lost")
    assert again == Gap(reason="connected again")


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_feed_is_alive_between_ticks_only_while_its_terminal_is_connected(
    account: Account,
    house: BrokerAdapter,
    simulator: Simulator,
    is_connected: bool,  # noqa: FBT001
) -> None:
    faults = [] if is_connected else [{"kind": "disconnected", "rate": 1.0, "endpoint": "terminal_info"}]
    simulator.post("faults", {"faults": faults})

    async def looks() -> list[object]:
        seen: list[object] = []
        ticks = house.market_feed(account.session).ticks([account.instruments["EURUSD"]])
        try:
            async with asyncio.timeout(2):
                async for item in ticks:
                    seen.append(item)  # noqa: PERF401  what came before the time-out counts
        except TimeoutError:
            await ticks.aclose()  # type: ignore[attr-defined]  # it is an async generator
        return seen

    seen = asyncio.run(looks())
    simulator.post("faults", {"faults": []})

    assert (FeedAlive() in seen) is is_connected


def test_the_agent_sees_the_accounts_own_address(account: Account) -> None:
    assert account.gateway.request_egress_address() == "127.0.0.31"
    assert account.gateway.request_balance().data.available > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, LoginReason.BAD_CREDENTIALS),
        ({"login": "4711"}, LoginReason.BAD_CREDENTIALS),
        ({"server": "Other-Server"}, LoginReason.BAD_CREDENTIALS),
        ({"agent_token": "another-token-0123456789"}, LoginReason.BAD_CREDENTIALS),
        ({"agent_url": "http://192.0.2.1:8701"}, LoginReason.BAD_CREDENTIALS),
        ({"password": " "}, LoginReason.NO_CREDENTIALS),
    ],
)
def test_refused_login_names_its_reason_and_no_secret(
    account: Account, house: BrokerAdapter, changes: dict[str, str], reason: LoginReason
) -> None:
    with pytest.raises(LoginRefusedError) as caught:
        house.login(credentials(account.login, account.relay.url, **changes), egress="", timeout_s=10)

    assert caught.value.reason == reason
    for secret in (TOKEN, *changes.values()):
        assert secret.strip() == "" or secret not in str(caught.value) or secret in ("4711", "Other-Server")


def test_an_absent_agent_may_be_asked_again(account: Account, house: BrokerAdapter) -> None:
    with pytest.raises(UnavailableError, match=r"^broker_down: "):
        house.login(credentials(1, f"http://127.0.0.1:{free_port()}"), egress="", timeout_s=5)
    with pytest.raises(UnavailableError, match=r"^egress_down: .*192\.0\.2\.1"):
        house.login(credentials(1, account.relay.url), egress="192.0.2.1", timeout_s=5)


def test_an_ended_or_foreign_session_is_not_restored(house: BrokerAdapter) -> None:
    with pytest.raises(SessionExpiredError):
        house.restore(BrokerSession(broker=BrokerCode.MT5, expires_at=START, egress="", secret="{}"))


def test_the_live_terminal_needs_the_explicit_switch(clock: DayClock) -> None:
    with pytest.raises(ConfigError):
        adapter(BrokerCode.MT5, base_url=None, clock=clock)
    assert new_adapter("http://127.0.0.1:1", clock).code is BrokerCode.MT5


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[1]", 400), (b"{" * 9000, 400), (b"x" * 70_000, 400), (b'{"timeout_s": "1"}', 400)],
)
def test_the_agent_refuses_what_it_cannot_read(account: Account, body: bytes, status: int) -> None:
    for call in ("books", "submit", "cancel", "login"):
        reply = httpx.post(
            f"http://127.0.0.1:{account.agent.port}/v1/{call}",
            content=body,
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
        )
        assert reply.status_code == status
        assert json.loads(reply.content)["result"] == "refused"


def test_a_second_agent_of_the_account_does_not_start(account: Account, simulator: Simulator) -> None:
    del simulator
    command = [sys.executable, "-m", "brokers.mt5.agent", "--config", str(account.agent.config)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert "agent_runs_already" in done.stderr
