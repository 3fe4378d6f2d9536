"""Give each card an account of its own, with its agent and a wire that can be broken."""

import asyncio
import http.client
import json
import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from app.domain.ids import BrokerOrderId
from app.domain.ports import BrokerAdapter, BrokerGateway, BrokerSession
from app.domain.reports import AccountEvent
from brokers.mt5.tags import tag_of
from tests.contract.cards import BookEntry, Fault
from tests.contract.mt5.house import AgentProcess, DayClock, Simulator, credentials, free_port
from tests.contract.mt5.relay import Break, Relay
from tests.waiting import eventually

OWN_ADDRESS, FOREIGN_ADDRESS = "127.0.0.7", "127.0.0.8"
_WIRE_FAULTS: dict[Fault, tuple[str, tuple[Break, ...]]] = {
    Fault.REPLY_LOST: ("submit", (Break.REPLY_LOST,)),
    Fault.REQUEST_LOST: ("submit", (Break.REQUEST_LOST,)),
    Fault.ERROR_PAGE: ("submit", (Break.ERROR_PAGE,)),
    Fault.WRONG_PAGE: ("submit", (Break.WRONG_PAGE,)),
    Fault.REDIRECTED: ("submit", (Break.REDIRECT,)),
    Fault.HANG: ("submit", (Break.HANG,)),
    Fault.STREAM_CUT: ("books", (Break.REQUEST_LOST, Break.REPLY_LOST)),
    Fault.STREAM_CLOSED_BEHIND_NEWS: ("books", (Break.NOTHING, Break.REPLY_LOST)),
    Fault.STREAM_DEAF: ("books", (Break.STALE,) * 16),
}
_BROKER_FAULTS: dict[Fault, dict[str, object]] = {
    Fault.THROTTLED: {"kind": "too_many_requests", "count": 1},
    Fault.REJECTED_LATER: {"kind": "rejected_later", "seconds": 0.5, "count": 1},
    Fault.BOOK_EMPTY: {"kind": "book_empty"},
}


class Mt5Desk:
    """Implement the cards' desk: one account, its agent process, its gateway, its stream in a thread."""

    passive_fraction = Decimal("0.8")
    unknown_order_id = BrokerOrderId("990101000000001")
    checks_after_reply = True

    def __init__(
        self, simulator: Simulator, clock: DayClock, *, house: BrokerAdapter, folder: Path, mode: str
    ) -> None:
        self._simulator, self._house, self._clock = simulator, house, clock
        self.login = simulator.new_account(mode)
        self.agent = AgentProcess(
            simulator=simulator,
            login=self.login,
            folder=folder,
            settings={"allowed_peers": [OWN_ADDRESS]},
        )
        self.agent.start()
        self.relay = Relay(self.agent.port)
        self.session = house.login(credentials(self.login, self.relay.url), egress=OWN_ADDRESS, timeout_s=10)
        self.gateway = house.restore(self.session)
        (self.instrument,) = house.request_instruments(self.session, clock.now().date())
        self._touch = (Decimal(0), Decimal(0))
        self.touch()
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
        self._loop.close()

    def touch(self) -> tuple[Decimal, Decimal]:
        ticks = self.relay_call("ticks", {"symbols": [self.instrument.broker_symbol]}).get("ticks")
        if isinstance(ticks, list):
            self._touch = (Decimal(ticks[0]["bid"]), Decimal(ticks[0]["ask"]))
        return self._touch  # without a session nobody quotes: the last one that was

    def relay_call(self, call: str, body: dict[str, object]) -> dict[str, object]:
        """Ask the agent, beside the gateway."""
        agent = http.client.HTTPConnection(
            "127.0.0.1", self.agent.port, timeout=10, source_address=(OWN_ADDRESS, 0)
        )
        headers = {"Authorization": f"Bearer {self.token}"}
        agent.request("POST", f"/v1/{call}", json.dumps({"timeout_s": 5, **body}), headers)
        reply: dict[str, object] = json.loads(agent.getresponse().read())
        agent.close()
        return reply

    @property
    def token(self) -> str:
        """The agent's token."""
        return str(json.loads(self.session.secret)["agent_token"])

    def inject(self, fault: Fault) -> None:
        if fault in _WIRE_FAULTS:
            call, breaks = _WIRE_FAULTS[fault]
            self.relay.plan(call, *breaks)
        elif fault is Fault.SESSION_KILLED:
            self._simulator.post("accounts", {"login": self.login, "login_error": True})
            self._simulator.post("terminals", {"crash": self.agent.terminal_folder})
        else:
            rule = {**_BROKER_FAULTS[fault], "login": [self.login]}
            self._simulator.post("faults", {"faults": [rule]})

    def book(self) -> Sequence[BookEntry]:
        size = self.instrument.contract_size
        return [
            BookEntry(
                broker_order_id=str(row["broker_order_id"]),
                tag=tag_of(int(str(row["magic"])), str(row["sent_comment"])),
                filled=Decimal(str(row["filled_lots"])) * size,
            )
            for row in self._simulator.orders(self.login)
        ]

    def requests(self, method: str) -> int:
        return self.relay.requests[method]

    def foreign_gateway(self) -> BrokerGateway:
        return self._house.restore(self._like(egress=FOREIGN_ADDRESS))

    def unreachable_gateway(self) -> BrokerGateway:
        return self._house.restore(self._like(agent_url=f"http://127.0.0.1:{free_port()}"))

    def _like(self, *, egress: str = OWN_ADDRESS, **changes: str) -> BrokerSession:
        return BrokerSession(
            broker=self.session.broker,
            expires_at=self.session.expires_at,
            egress=egress,
            secret=json.dumps({**json.loads(self.session.secret), **changes}),
        )

    def close(self) -> None:
        """Stop listening and end the agent."""
        listener = self._listener
        if listener is not None and not listener.done():
            self._loop.call_soon_threadsafe(listener.cancel)
        self._thread.join(10)
        self._simulator.post("faults", {"faults": []})
        self.gateway.close()
        self.relay.stop()
        self.agent.kill()
