"""Run the real Kotak simulator and give each card an account of its own there."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx

from app.domain.accounts import BrokerCode
from app.domain.ids import BrokerOrderId
from app.domain.instruments import Instrument
from app.domain.ports import BrokerAdapter, BrokerGateway, BrokerSession, Credentials
from app.domain.reports import AccountEvent
from brokers.kotak_neo.gateway import KotakNeoGateway
from brokers.registry import adapter
from tests.contract.cards import BookEntry, Fault
from tests.waiting import eventually

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
START = datetime(2019, 1, 2, 3, 50, tzinfo=UTC)  # 09:20 IST
_CLOSING_S = 15.0
_PATHS = {
    "submit": "/quick/order/rule/ms/place",
    "modify": "/quick/order/vr/modify",
    "cancel": "/quick/order/cancel",
}
_FAULTS: dict[Fault, dict[str, object]] = {
    Fault.REPLY_LOST: {"kind": "ack_lost", "endpoint": "place"},
    Fault.REQUEST_LOST: {"kind": "request_lost", "endpoint": "place"},
    Fault.THROTTLED: {"kind": "http_429", "endpoint": "place"},
    Fault.ERROR_PAGE: {"kind": "http_5xx_html", "endpoint": "place"},
    Fault.WRONG_PAGE: {"kind": "html_200", "endpoint": "place"},
    Fault.REDIRECTED: {"kind": "redirect", "endpoint": "place"},
    Fault.HANG: {"kind": "hang", "endpoint": "place", "seconds": 3.0},
    Fault.REJECTED_LATER: {"kind": "rms_reject", "endpoint": "place"},
    Fault.BOOK_EMPTY: {"kind": "book_empty", "endpoint": "orders"},
    Fault.SESSION_KILLED: {"kind": "session_kill"},
    Fault.STREAM_CUT: {"kind": "feed_drop", "endpoint": "realtime"},
    Fault.STREAM_CLOSED_BEHIND_NEWS: {"kind": "feed_close", "endpoint": "realtime"},
    Fault.STREAM_DEAF: {"kind": "feed_silence", "endpoint": "realtime", "seconds": 2.0},
}


class DayClock:
    """Run at real speed from 09:20 IST of the simulated day."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=time.monotonic() - self._started)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class Simulator:
    """Own one simulator process."""

    def __init__(self, folder: Path, clock: DayClock) -> None:
        port_file = folder / "port"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "brokers.simulators.kotak", "--port-file", str(port_file)],
            stdout=subprocess.DEVNULL,
        )
        self._accounts = 0
        eventually(port_file.exists)
        self.base_url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        self.control = httpx.Client(base_url=self.base_url)
        eventually(self._is_listening)
        self.post("clock", {"now": clock.now().isoformat(), "rate": 1.0})

    def _is_listening(self) -> bool:
        try:
            return self.control.get("/_sim/clock").is_success
        except httpx.ConnectError:
            return False

    def post(self, door: str, body: object) -> None:
        """Use a control door."""
        self.control.post(f"/_sim/{door}", json=body).raise_for_status()

    def get(self, door: str, **query: str) -> list[dict[str, object]]:
        """Read a control door."""
        rows: list[dict[str, object]] = (
            self.control.get(f"/_sim/{door}", params=query).raise_for_status().json()
        )
        return rows

    def run_at(self, rate: float) -> None:
        """Let the market go on from where it is, `rate` times as fast as time."""
        now = self.control.get("/_sim/clock").raise_for_status().json()["now"]
        self.post("clock", {"now": now, "rate": rate})

    def new_account(self, **changes: object) -> Credentials:
        """Open an account that nobody used before, with `changes` in the broker's eyes only."""
        self._accounts += 1
        fields = {
            "ucc": f"UCC{self._accounts:03d}",
            "mobile": f"+9190000{self._accounts:05d}",
            "consumer_key": f"key-{self._accounts:03d}",
            "totp_secret": SECRET,
            "mpin": "482916",
        }
        self.post("accounts", fields | changes)
        mobile_number = fields.pop("mobile")
        return Credentials(fields={**fields, "mobile_number": mobile_number})

    def stop(self) -> None:
        """End the process."""
        self.control.close()
        self._process.terminate()
        self._process.wait(10)


class KotakDesk:
    """Implement the cards' desk: one account, its gateway, and its stream in a thread of its own."""

    passive_fraction = Decimal("0.8")
    unknown_order_id = BrokerOrderId("990101000000001")
    checks_after_reply = True

    def __init__(
        self, simulator: Simulator, clock: DayClock, *, house: BrokerAdapter, far: BrokerAdapter
    ) -> None:
        self._simulator, self._house, self._far = simulator, house, far
        self._credentials = simulator.new_account(allowed_ips=["127.0.0.7"])
        self.session = house.login(self._credentials, egress="127.0.0.7", timeout_s=10)
        self.gateway = house.restore(self.session)
        instruments = house.request_instruments(self.session, clock.now().date())
        self.instrument = _at_the_money(instruments)
        self._events: list[AccountEvent] = []
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        eventually(lambda: self._events)

    @property
    def ucc(self) -> str:
        """The account's name at the broker."""
        return self._credentials.fields["ucc"]

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
        # The adapter does not wait long for a peer that is gone; a socket that still closes ends here.
        if closing := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(closing, timeout=_CLOSING_S))
        self._loop.close()

    def touch(self) -> tuple[Decimal, Decimal]:
        token = self.instrument.broker_token
        reply = self._simulator.control.get(
            f"/script-details/1.0/quotes/neosymbol/nse_fo|{token}/all",
            headers={"Authorization": self._credentials.fields["consumer_key"]},
        )
        depth = reply.raise_for_status().json()[0]["depth"]
        return Decimal(depth["buy"][0]["price"]), Decimal(depth["sell"][0]["price"])

    def inject(self, fault: Fault) -> None:
        self._simulator.post("faults", {"faults": [{**_FAULTS[fault], "ucc": [self.ucc], **_once(fault)}]})

    def book(self) -> Sequence[BookEntry]:
        return [
            BookEntry(
                broker_order_id=str(row["broker_order_id"]),
                tag=str(row["tag"]),
                filled=Decimal(str(row["filled"])),
            )
            for row in self._simulator.get("orders")
            if row["ucc"] == self.ucc
        ]

    def requests(self, method: str) -> int:
        rows = self._simulator.get("requests", path=_PATHS[method])
        return sum(row["ucc"] == self.ucc for row in rows)

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
        self._thread.join(2 * _CLOSING_S)
        self._simulator.post("faults", {"faults": []})
        assert isinstance(self.gateway, KotakNeoGateway)
        self.gateway.close()


def _once(fault: Fault) -> dict[str, object]:
    # An ended session is a deed; everything else hits one request or one piece of news.
    return {} if fault is Fault.SESSION_KILLED else {"count": 1}


def _at_the_money(instruments: Sequence[Instrument]) -> Instrument:
    return next(
        item
        for item in instruments
        if item.option is not None and item.option.strike == 10850 and item.option.right == "CE"
    )


def new_adapter(base_url: str, clock: DayClock) -> BrokerAdapter:
    """Build the adapter under test."""
    return adapter(BrokerCode.KOTAK_NEO, base_url=base_url, clock=clock)
