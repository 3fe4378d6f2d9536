"""Open the doors to Binance spot and USD-M futures."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.domain.accounts import BrokerCode
from app.domain.errors import BrokerError, ConfigError, UnavailableError
from app.domain.instruments import Instrument
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.binance.budget import Budgets, Limits
from brokers.binance.client import BinanceClient
from brokers.binance.egress import AccountTransport, Endpoint
from brokers.binance.evidence import SeenToday
from brokers.binance.feed import BinanceMarketFeed
from brokers.binance.futures import FUTURES_LIMITS, AlgoNames, FuturesBooks
from brokers.binance.gateway import BinanceGateway, Parts
from brokers.binance.instruments import FUTURES_SEGMENT, SPOT_SEGMENT, Exchange, parse_exchange
from brokers.binance.reads import Reader
from brokers.binance.rulebook import RuleBook
from brokers.binance.sdk import load_sdk
from brokers.binance.session import Check, Keys, checked_keys, open_session, restore_session
from brokers.binance.sources import FuturesSource, SpotSource
from brokers.binance.spot import SPOT_LIMITS, SpotBooks
from brokers.binance.stream import OrderStream, StreamSource


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    name: str
    check: Check
    limits: Limits
    exchange_method: str
    exchange_weight: int


_SEGMENTS = {
    BrokerCode.BINANCE_SPOT: _Segment(
        name=SPOT_SEGMENT,
        check=Check(
            code=BrokerCode.BINANCE_SPOT,
            time_method="get_server_time",
            account_method="get_account",
            account_weight=20,
        ),
        limits=SPOT_LIMITS,
        exchange_method="get_exchange_info",
        exchange_weight=20,
    ),
    BrokerCode.BINANCE_FUTURES: _Segment(
        name=FUTURES_SEGMENT,
        check=Check(
            code=BrokerCode.BINANCE_FUTURES,
            time_method="futures_time",
            account_method="futures_account",
            account_weight=5,
            mode_method="futures_get_position_mode",
        ),
        limits=FUTURES_LIMITS,
        exchange_method="futures_exchange_info",
        exchange_weight=1,
    ),
}


class BinanceAdapter:
    """Implement `BrokerAdapter` for one segment of Binance. One per process.

    It holds what the accounts of the process share: the TLS context, the day's rules, and the budgets, since
    Binance counts weight by source address. Building it imports the SDK, which takes about 1 s.

    Args:
        code: BINANCE_SPOT or BINANCE_FUTURES.
        base_url: address of the simulator; None for the live broker.
        clock: platform time (signatures, the day) and monotonic seconds.
        is_live_allowed: the explicit switch without which the live broker is never called (I15).
    """

    def __init__(
        self, code: BrokerCode, *, base_url: str | None, clock: Clock, is_live_allowed: bool = False
    ) -> None:
        if base_url is None and not is_live_allowed:
            raise ConfigError(
                "Binance: expected the address of a simulator, or live trading to be allowed; got neither"
            )
        load_sdk()
        self.code = code
        self._segment = _SEGMENTS[code]
        self._endpoint = Endpoint(base_url)
        self._clock = clock
        self._tls = ssl.create_default_context()
        self._budgets = Budgets(self._segment.limits, clock)
        self._rulebook = RuleBook(clock)

    def login(self, credentials: Credentials, *, egress: str, timeout_s: float) -> BrokerSession:
        keys = checked_keys(credentials)
        client = self._client(keys, egress)
        try:
            return open_session(client, keys, self._segment.check, clock=self._clock, timeout_s=timeout_s)
        finally:
            client.close()

    def restore(self, session: BrokerSession) -> BinanceGateway:
        keys, client = self._restored(session)
        reader, names = self._reader(client), AlgoNames()
        is_spot = self._segment.name == SPOT_SEGMENT
        source: StreamSource = (
            SpotSource(client, reader, self._tls)
            if is_spot
            else FuturesSource(client, self._tls, self._clock, names=names)
        )

        def stream(seen: SeenToday) -> OrderStream:
            return OrderStream(source, self._clock, on_order=seen.note_order)

        parts = Parts(
            client=client,
            reader=reader,
            books=SpotBooks(reader) if is_spot else FuturesBooks(reader, names),
            rulebook=self._rulebook,
            refresh_rules=self._refresh_rules,
            symbols=keys.symbols,
        )
        return BinanceGateway(parts, stream, self._clock)

    def request_instruments(self, session: BrokerSession, day: date) -> Sequence[Instrument]:  # noqa: ARG002
        """Download what trades now, whatever `day` is: Binance publishes no other day."""
        _, client = self._restored(session)
        try:
            found = self._exchange(self._reader(client)).instruments
        finally:
            client.close()
        if not found:
            raise UnavailableError("exchangeInfo: expected symbols that trade, found none")
        return found

    def market_feed(self, session: BrokerSession) -> BinanceMarketFeed:
        _, client = self._restored(session)
        return BinanceMarketFeed(client, self._tls, self._clock, segment=self._segment.name)

    def _exchange(self, reader: Reader) -> Exchange:
        body = reader.body(self._segment.exchange_method, self._segment.exchange_weight)
        exchange = parse_exchange(body, segment=self._segment.name, fallback=self._segment.limits)
        self._budgets.use_limits(exchange.limits)
        self._rulebook.use(exchange)
        return exchange

    def _refresh_rules(self, reader: Reader) -> None:
        try:
            self._exchange(reader)
        except BrokerError:
            # Without the day's rules an order is checked against its instrument, and else by the venue.
            self._rulebook.doubt()

    def _reader(self, client: BinanceClient) -> Reader:
        return Reader(client, time_method=self._segment.check.time_method)

    def _restored(self, session: BrokerSession) -> tuple[Keys, BinanceClient]:
        keys = restore_session(session, self.code, clock=self._clock)
        return keys, self._client(keys, session.egress)

    def _client(self, keys: Keys, egress: str) -> BinanceClient:
        transport = AccountTransport(endpoint=self._endpoint, tls=self._tls, egress=egress)
        return BinanceClient(
            key=keys.api_key,
            secret=keys.api_secret,
            transport=transport,
            budgets=self._budgets,
            clock=self._clock,
        )
