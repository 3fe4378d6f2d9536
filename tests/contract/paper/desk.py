"""Run the real paper exchange and give each card an account and a wire of its own."""

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from app.domain.accounts import BrokerCode
from app.domain.ids import BrokerOrderId, InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, Venue
from app.domain.market_data import Tick
from app.domain.ports import BrokerAdapter, BrokerGateway, BrokerSession, Clock, Credentials
from app.domain.reports import AccountEvent
from app.infra.clock import SystemClock
from brokers.paper.gateway import PaperGateway
from brokers.paper.house import PaperHouse, read_token
from brokers.registry import adapter
from tests.contract.cards import BookEntry, Fault
from tests.contract.paper.wire import Wire
from tests.waiting import eventually

INSTRUMENT = Instrument(
    instrument_id=InstrumentId("BTCUSDT.BINANCE"),
    venue=Venue.BINANCE,
    kind=InstrumentKind.SPOT,
    segment="spot",
    broker_symbol="BTCUSDT",
    broker_token="BTCUSDT",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.001"),
    currency="USDT",
)
BID, LAST, ASK = Decimal("59999.50"), Decimal("60000.00"), Decimal("60000.50")
# The cards take longer than a quote lives by default; freshness has a test of its own.
CARD_RULES = "quote_max_age_s = 3600\n"


class Exchange:
    """Own one exchange process and its home folder."""

    def __init__(self, home: Path, rules: str = "", clock_file: Path | None = None) -> None:
        self.home = home
        self._clock_file = clock_file
        self._rules = home.parent / f"{home.name}.toml"
        self._rules.write_text(rules)
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it, at the port that it had before."""
        port_file = self.home.parent / f"{self.home.name}.port"
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "brokers.paper.exchange", "--home", str(self.home)]
        command += ["--port", str(self.port), "--port-file", str(port_file), "--rules", str(self._rules)]
        if self._clock_file is not None:
            command += ["--clock-file", str(self._clock_file)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(port_file.exists)
        self.port = int(port_file.read_text())
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.token = read_token(self.home)
        self.house = PaperHouse(self.base_url, token=self.token)

    def kill(self) -> None:
        """Kill it without a warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.house.close()

    def stop(self) -> None:
        """End it as a service manager would."""
        self.process.terminate()
        self.process.wait(10)
        self.house.close()

    def quote(self, last: Decimal = LAST, bid: Decimal | None = BID, ask: Decimal | None = ASK) -> None:
        """Tell a price of now."""
        self.house.post_quotes([tick(last, bid, ask)])

    def credentials(self, account: str = "", **changes: str) -> Credentials:
        """Return what the installation gives a login; a fresh account without a name."""
        name = account or f"desk-{secrets.token_hex(4)}"
        return Credentials(fields={"account": name, "currency": "USDT", "token": self.token, **changes})


def tick(
    last: Decimal = LAST,
    bid: Decimal | None = BID,
    ask: Decimal | None = ASK,
    at: datetime | None = None,
) -> Tick:
    """Return a tick of the desk's instrument, of now without a time."""
    at = datetime.now(UTC) if at is None else at
    return Tick(
        instrument_id=INSTRUMENT.instrument_id,
        last=last,
        bid=bid,
        ask=ask,
        ts_event=at,
        ts_init=at,
        sequence=1,
    )


def new_adapter(base_url: str, clock: Clock | None = None) -> BrokerAdapter:
    """Build the adapter under test."""
    return adapter(BrokerCode.PAPER, base_url=base_url, clock=clock or SystemClock())


class PaperDesk:
    """Implement the cards' desk: one account behind a wire, and its stream in a thread of its own."""

    passive_fraction = Decimal("0.8")
    unknown_order_id = BrokerOrderId("990101000000001")
    checks_after_reply = True

    instrument = INSTRUMENT

    def __init__(self, exchange: Exchange, far: BrokerAdapter) -> None:
        self._exchange, self._far = exchange, far
        exchange.quote()
        self._wire = Wire(exchange.port, self._reject_later)
        self._house = new_adapter(f"http://127.0.0.1:{self._wire.port}")
        credentials = exchange.credentials()
        self.account = credentials.fields["account"]
        self.session = self._house.login(credentials, egress="127.0.0.7", timeout_s=10)
        self.gateway = self._house.restore(self.session)
        # The exchange's own records, beside the wire and the gateway under test.
        self._records = new_adapter(exchange.base_url).restore(self._house_session())
        self._events: list[AccountEvent] = []
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        eventually(lambda: self._events)

    def _house_session(self) -> BrokerSession:
        credentials = self._exchange.credentials(self.account)
        return new_adapter(self._exchange.base_url).login(credentials, egress="", timeout_s=10)

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
        self._loop.close()

    def touch(self) -> tuple[Decimal, Decimal]:
        return BID, ASK

    def inject(self, fault: Fault) -> None:
        if fault is Fault.SESSION_KILLED:
            self._exchange.house.end_sessions(self.account)
        else:
            self._wire.inject(fault)

    def _reject_later(self, reply: bytes) -> None:
        order_id = json.loads(reply)["order"]["id"]
        self._exchange.house.reject_order(order_id, "the risk desk of the venue said no")

    def book(self) -> Sequence[BookEntry]:
        return [
            BookEntry(
                broker_order_id=order.broker_order_id,
                tag=order.tag,
                filled=order.filled,
            )
            for order in self._records.request_orders().data
        ]

    def requests(self, method: str) -> int:
        return self._wire.requests(method)

    def foreign_gateway(self) -> BrokerGateway:
        session = BrokerSession(
            broker=self.session.broker,
            expires_at=self.session.expires_at,
            egress="127.0.0.8",
            secret=self.session.secret,
        )
        return self._house.restore(session)

    def unreachable_gateway(self) -> BrokerGateway:
        return self._far.restore(self.session)

    def close(self) -> None:
        """Stop listening and release the connections."""
        listener = self._listener
        if listener is not None and not listener.done():
            self._loop.call_soon_threadsafe(listener.cancel)
        self._thread.join(10)
        self._wire.close()
        for gateway in (self.gateway, self._records):
            assert isinstance(gateway, PaperGateway)
            gateway.close()
