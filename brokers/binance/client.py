"""Make raw calls with the unmodified SDK and return what came, with the evidence of the wire."""

import threading
from dataclasses import dataclass

import requests
import urllib3

from app.domain.ports import Clock
from brokers.binance.budget import Budgets, Urgency
from brokers.binance.egress import AccountTransport, Lane, Wire
from brokers.binance.sdk import new_client

# What the SDK lets through beside its own exceptions: the transport's, and slips on replies it did not
# expect (a JSON body that is no object breaks the constructor of its own exception).
_SLIPS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)
_BANNED = 418
_THROTTLING = frozenset({403, 429, _BANNED})
_CLOCK_AGE_S = 3600.0
_UNSIGNED = frozenset(
    {
        "get_server_time",
        "futures_time",
        "get_exchange_info",
        "futures_exchange_info",
        "get_orderbook_ticker",
        "futures_orderbook_ticker",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Say what a call takes out of the budgets."""

    weight: int
    orders: int = 0
    urgency: Urgency = Urgency.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Hold what the SDK returned or raised, and what happened on the wire.

    `had_worked` says whether an earlier call with the same key from the same address succeeded.
    """

    value: object
    wire: Wire
    had_worked: bool = False

    @property
    def code(self) -> int | None:
        """Binance's error code, None when there is none or it is no number."""
        code = getattr(self.value, "code", None) if isinstance(self.value, Exception) else None
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def text(self) -> str:
        """Binance's words; of other faults the kind alone, for their words hold signed addresses."""
        if isinstance(self.value, Exception):
            said = getattr(self.value, "message", None)
            return said if isinstance(said, str) else type(self.value).__name__
        return "no reason given"


class BinanceClient:
    """Own one account's SDK object, its transport and its share of the budgets. Thread-safe."""

    def __init__(
        self, *, key: str, secret: str, transport: AccountTransport, budgets: Budgets, clock: Clock
    ) -> None:
        from binance.exceptions import BinanceAPIException, BinanceRequestException

        self.transport = transport
        self._key = key
        self._budgets = budgets
        self._clock = clock
        self._lock = threading.Lock()
        self._skew_ms = 0.0
        self._synced_at: float | None = None
        self._has_worked = False
        self._sdk = new_client(key, secret, transport=transport, now_ms=self.now_ms)
        self._raised = (BinanceAPIException, BinanceRequestException, *_SLIPS)

    def __repr__(self) -> str:
        return f"BinanceClient({self.transport.egress or 'any address'}: hidden)"

    def now_ms(self) -> float:
        """Return Binance's time as far as we know it, in Unix milliseconds."""
        return self._clock.wall().timestamp() * 1000 + self._skew_ms

    def call(self, method: str, *, lane: Lane, timeout_s: float, cost: Cost, **arguments: object) -> Reply:
        """Call one SDK method with its own argument names, at most once."""
        egress, had_worked = self.transport.egress, self._has_worked
        wait = self._budgets.take(
            egress, self._key, weight=cost.weight, orders=cost.orders, urgency=cost.urgency
        )
        if wait is not None:
            return Reply(value=None, wire=Wire(refused_for_s=wait), had_worked=had_worked)
        with self.transport.call(lane=lane, timeout_s=timeout_s) as wire:
            try:
                value = getattr(self._sdk, method)(**arguments)
            except self._raised as e:
                value = e
        if wire.status is not None:
            self._budgets.note_reply(egress, self._key, wire.headers)
        if wire.status in _THROTTLING:
            wire.retry_after_s = self._budgets.note_refusal(
                egress, is_banned=wire.status == _BANNED, retry_after_s=wire.retry_after_s
            )
        if wire.status == 200 and method not in _UNSIGNED:
            self.note_worked()
        return Reply(value=value, wire=wire, had_worked=had_worked)

    def note_worked(self) -> None:
        """Remember that Binance took this key from this address."""
        self._has_worked = True

    def note_handshake(self, status: int, retry_after_s: float | None) -> None:
        """Pause the address where a socket's handshake was throttled."""
        # A 403 may as well be a server that does not serve us right now: trying again later is enough.
        if status in (429, _BANNED):
            self._budgets.note_refusal(
                self.transport.egress, is_banned=status == _BANNED, retry_after_s=retry_after_s
            )

    @property
    def has_worked(self) -> bool:
        """Whether Binance ever took this key from this address."""
        return self._has_worked

    def sync_clock(self, method: str, *, timeout_s: float) -> Reply:
        """Ask Binance for its time and correct ours; half the round trip is taken off."""
        before = self._clock.wall().timestamp()
        reply = self.call(method, lane=Lane.READS, timeout_s=timeout_s, cost=Cost(weight=1))
        after = self._clock.wall().timestamp()
        told = reply.value.get("serverTime") if isinstance(reply.value, dict) else None
        if isinstance(told, int) and not isinstance(told, bool):
            with self._lock:
                self._skew_ms = told - (before + after) / 2 * 1000
                self._synced_at = self._clock.monotonic()
        return reply

    def needs_clock(self, *, max_age_s: float = _CLOCK_AGE_S) -> bool:
        """Whether Binance's time was never asked for, or long ago."""
        return self._synced_at is None or self._clock.monotonic() - self._synced_at > max_age_s

    def signed_stream_request(self, request_id: str, method: str) -> dict[str, object]:
        """Return a signed request for the WS API.

        The SDK's own signing is used, but not its WS-API socket: that one reconnects without subscribing
        again and cannot leave from a chosen address (brokers.md 2.9).
        """
        params = self._sdk._sign_ws_params(  # noqa: SLF001  # its only door to WS signing
            {"recvWindow": self._sdk.REQUEST_RECVWINDOW},
            self._sdk._generate_ws_api_signature,  # noqa: SLF001  # as above
        )
        return {"id": request_id, "method": method, "params": params}

    def close(self) -> None:
        """Release the connections."""
        self.transport.close()
