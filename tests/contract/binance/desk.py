"""Run the real Binance simulator and give each card an account and a source address of its own there."""

import asyncio
import itertools
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

import httpx

from app.domain.accounts import BrokerCode
from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerAdapter, BrokerGateway, Clock, Credentials, OrderRequest
from app.domain.reports import AccountEvent, Gap, OrderReport, Outcome, WriteResult
from brokers.binance.budget import Budgets
from brokers.binance.client import BinanceClient
from brokers.binance.egress import AccountTransport, Endpoint
from brokers.binance.futures import FUTURES_LIMITS
from brokers.binance.gateway import BinanceGateway
from brokers.binance.sdk import load_sdk
from brokers.registry import adapter
from tests.contract.cards import BookEntry, Fault
from tests.waiting import eventually

START = datetime(2024, 12, 2, 10, 0, tzinfo=UTC)
MARKETS = {BrokerCode.BINANCE_SPOT: "spot", BrokerCode.BINANCE_FUTURES: "futures"}
_PATHS = {"spot": ("/api/v3/order",), "futures": ("/fapi/v1/order", "/fapi/v1/algoOrder")}
_METHODS = {"submit": "POST", "modify": "PUT", "cancel": "DELETE"}
_TOUCH = {"spot": "/api/v3/ticker/bookTicker", "futures": "/fapi/v1/ticker/bookTicker"}
_BOOKS = {"spot": ("all_orders", "open_orders"), "futures": ("all_orders", "open_orders", "all_algos")}
_PLACE_FAULTS: dict[Fault, dict[str, object]] = {
    Fault.REPLY_LOST: {"kind": "ack_lost"},
    Fault.REQUEST_LOST: {"kind": "request_lost"},
    Fault.THROTTLED: {"kind": "http_429", "seconds": 3.0},
    Fault.ERROR_PAGE: {"kind": "http_5xx_html"},
    Fault.WRONG_PAGE: {"kind": "html_200"},
    Fault.REDIRECTED: {"kind": "redirect"},
    # Within recvWindow, else the venue drops the order itself.
    Fault.HANG: {"kind": "hang", "seconds": 2.0},
}
_STREAM_FAULTS: dict[Fault, dict[str, object]] = {
    Fault.STREAM_CUT: {"kind": "feed_drop"},
    Fault.STREAM_CLOSED_BEHIND_NEWS: {"kind": "feed_close"},
    Fault.STREAM_DEAF: {"kind": "feed_silence", "seconds": 2.0},
}


class DayClock:
    """Run at real speed from 10:00 UTC of the simulated day."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._ahead = timedelta(0)

    def jump(self, ahead: timedelta) -> None:
        """Let time pass at once."""
        self._ahead += ahead

    def now(self) -> datetime:
        return START + self._ahead + timedelta(seconds=time.monotonic() - self._started)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class Simulator:
    """Own one simulator process."""

    def __init__(self, folder: Path, clock: DayClock) -> None:
        port_file = folder / "port"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "brokers.simulators.binance", "--port-file", str(port_file)],
            stdout=subprocess.DEVNULL,
        )
        self._clock = clock
        self._numbers = itertools.count(1)
        eventually(port_file.exists)
        self.base_url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        self.control = httpx.Client(base_url=self.base_url)
        eventually(self._is_listening)
        self.pass_time(timedelta(0))

    def _is_listening(self) -> bool:
        try:
            return self.control.get("/_sim/clock").is_success
        except httpx.ConnectError:
            return False

    def post(self, door: str, body: object) -> None:
        """Use a control door."""
        self.control.post(f"/_sim/{door}", json=body).raise_for_status()

    def pass_time(self, ahead: timedelta) -> None:
        """Let the market go on at once; every tick on the way is matched."""
        self._clock.jump(ahead)
        self.post("clock", {"now": self._clock.now().isoformat(), "rate": 1.0})

    def get(self, door: str, **query: str) -> list[dict[str, object]]:
        """Read a control door."""
        rows: list[dict[str, object]] = (
            self.control.get(f"/_sim/{door}", params=query).raise_for_status().json()
        )
        return rows

    def count(self, feeds: str) -> int:
        """Return how many "market_feeds" or "user_feeds" are open."""
        found: int = self.control.get("/_sim/feeds").raise_for_status().json()[feeds]
        return found

    def new_account(self, **changes: object) -> tuple[str, Credentials]:
        """Open an account that nobody used before and return its name and keys."""
        number = next(self._numbers)
        name = f"acc{number:03d}"
        keys = {"api_key": f"key{number:03d}" + "k" * 20, "api_secret": f"secret{number:03d}" + "s" * 20}
        self.post("accounts", {"name": name, **keys, **changes})
        return name, Credentials(fields=keys)

    def new_address(self) -> str:
        """Return a source address that nobody used before: the venue counts by address."""
        high, low = divmod(next(self._numbers), 250)
        return f"127.{high + 1}.{low + 1}.7"

    def stop(self) -> None:
        """End the process."""
        self.control.close()
        self._process.terminate()
        self._process.wait(10)


class BinanceDesk:
    """Implement the cards' desk: one account, its gateway, and its stream in a thread of its own."""

    unknown_order_id = BrokerOrderId("BTCUSDT-990101000000001")
    passive_fraction = Decimal("0.96")
    checks_after_reply = False

    def __init__(
        self, simulator: Simulator, clock: DayClock, *, house: BrokerAdapter, far: BrokerAdapter
    ) -> None:
        self.simulator, self._house, self._far = simulator, house, far
        self.market = MARKETS[house.code]
        self.address = simulator.new_address()
        self.account, credentials = simulator.new_account(allowed_ips=[self.address])
        self.session = house.login(credentials, egress=self.address, timeout_s=10)
        self.gateway = house.restore(self.session)
        (self.instrument,) = house.request_instruments(self.session, clock.now().date())
        self._tags = itertools.count(1)
        self._events: list[AccountEvent] = []
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        eventually(lambda: self._events)

    @property
    def events(self) -> Sequence[AccountEvent]:
        return tuple(self._events)

    def _listen(self) -> None:
        async def collect() -> None:
            async for event in self.gateway.account_events():
                self._events.append(event)

        async def run() -> None:
            self._listener = asyncio.ensure_future(collect())
            await asyncio.wait({self._listener})

        self._loop.run_until_complete(run())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def touch(self) -> tuple[Decimal, Decimal]:
        reply = self.simulator.control.get(_TOUCH[self.market], params={"symbol": "BTCUSDT"})
        row = reply.raise_for_status().json()
        return Decimal(row["bidPrice"]), Decimal(row["askPrice"])

    def inject(self, fault: Fault) -> None:
        if fault is Fault.SESSION_KILLED:
            self.simulator.post("accounts", {"name": self.account, "revoked": True})
            self.inject_rules({"kind": "disconnect"})
        elif fault is Fault.BOOK_EMPTY:
            # Every list is emptied, twice for the sweep of all symbols, and the order's number leads nowhere.
            kinds = [("book_empty", endpoint, 2) for endpoint in _BOOKS[self.market]]
            self.inject_rules(
                *(
                    {"kind": kind, "endpoint": f"{self.market}.{endpoint}", "count": count}
                    for kind, endpoint, count in (*kinds, ("not_found_lag", "order", 2))
                )
            )
        elif fault in _PLACE_FAULTS:
            self.inject_rules({**_PLACE_FAULTS[fault], "endpoint": f"{self.market}.place", "count": 1})
        else:
            self.inject_rules({**_STREAM_FAULTS[fault], "endpoint": f"{self.market}.user", "count": 1})

    def inject_rules(self, *rules: dict[str, object]) -> None:
        """Give the venue faults for this account in its own words."""
        self.simulator.post("faults", {"faults": [{**rule, "account": [self.account]} for rule in rules]})

    def request(self, **changes: object) -> OrderRequest:
        """Return an order of the fewest lots that the venue takes, with changes."""
        lot = self.instrument.lot_size
        least = self.instrument.min_notional * 2 / self.touch()[0] / lot
        values: dict[str, object] = {
            "client_order_id": ClientOrderId(f"ob{next(self._tags)}"),
            "instrument": self.instrument,
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "time_in_force": TimeInForce.GTC,
            "quantity": least.to_integral_value(ROUND_CEILING) * lot,
            "price": None,
            "trigger_price": None,
        }
        return OrderRequest(**(values | changes))  # type: ignore[arg-type]  # a test's table of fields

    def submit(self, **changes: object) -> WriteResult:
        """Send an order."""
        return self.gateway.submit_order(self.request(**changes), timeout_s=5.0)

    def placed(self, **changes: object) -> BrokerOrderId:
        """Send an order that must be accepted and return its name."""
        result = self.submit(**changes)
        assert result.outcome is Outcome.ACCEPTED, result
        assert result.broker_order_id is not None
        return result.broker_order_id

    def status(self, order_id: BrokerOrderId) -> OrderStatus | None:
        """Return what the venue says of an order."""
        report = self.gateway.request_order(order_id).data
        return None if report is None else report.status

    def news(self, order_id: BrokerOrderId) -> list[OrderStatus]:
        """Return what the stream said of an order."""
        reports = [event for event in self.events if isinstance(event, OrderReport)]
        return [report.status for report in reports if report.broker_order_id == order_id]

    def gaps(self) -> list[str]:
        """Return the gaps that the stream told."""
        return [event.reason for event in self.events if isinstance(event, Gap)]

    def at(self, fraction: str, *, rounding: str = ROUND_CEILING) -> Decimal:
        """Return a price on the grid at a fraction of the best bid."""
        tick = self.instrument.tick_size
        return (self.touch()[0] * Decimal(fraction) / tick).to_integral_value(rounding) * tick

    def book(self) -> Sequence[BookEntry]:
        plain = [(f"BTCUSDT-{row['broker_order_id']}", row) for row in self.simulator.get("orders")]
        algos = [(f"BTCUSDT-algo-{row['broker_order_id']}", row) for row in self.simulator.get("algos")]
        return [
            BookEntry(
                broker_order_id=name,
                tag=str(row["client_id"]),
                filled=Decimal(str(row.get("filled", "0"))),
            )
            for name, row in (*plain, *algos)
            if row["account"] == self.account and row["market"] == self.market
        ]

    def requests(self, method: str) -> int:
        return sum(
            row["account"] == self.account and row["method"] == _METHODS[method]
            for path in _PATHS[self.market]
            for row in self.simulator.get("requests", path=path)
        )

    def foreign_gateway(self) -> BrokerGateway:
        return self._house.restore(replace(self.session, egress=self.simulator.new_address()))

    def unreachable_gateway(self) -> BrokerGateway:
        return self._far.restore(self.session)

    def other_account(self) -> BrokerGateway:
        """Return the gateway of another account that leaves from another address."""
        _, credentials = self.simulator.new_account()
        session = self._house.login(credentials, egress=self.simulator.new_address(), timeout_s=10)
        return self._house.restore(session)

    def refresh_rules(self) -> None:
        """Download the instruments again, and with them the rules of the symbols."""
        self._house.request_instruments(self.session, START.date())

    def close(self) -> None:
        """Stop listening and release the connections."""
        listener = self._listener
        if listener is not None and not listener.done():
            self._loop.call_soon_threadsafe(listener.cancel)
        self._thread.join(10)
        self.simulator.post("faults", {"faults": []})
        assert isinstance(self.gateway, BinanceGateway)
        self.gateway.close()


def new_adapter(code: BrokerCode, base_url: str, clock: DayClock) -> BrokerAdapter:
    """Build the adapter under test."""
    return adapter(code, base_url=base_url, clock=clock)


def new_client(simulator: Simulator, credentials: Credentials, clock: Clock) -> BinanceClient:
    """Build a client of futures below the adapter, for what the port does not offer."""
    load_sdk()
    transport = AccountTransport(
        endpoint=Endpoint(simulator.base_url),
        tls=ssl.create_default_context(),
        egress=simulator.new_address(),
    )
    return BinanceClient(
        key=credentials.fields["api_key"],
        secret=credentials.fields["api_secret"],
        transport=transport,
        budgets=Budgets(FUTURES_LIMITS, clock),
        clock=clock,
    )
