"""Open the doors to Kotak Neo."""

import ssl
from collections.abc import Sequence
from datetime import date

import structlog

from app.domain.accounts import BrokerCode
from app.domain.errors import ConfigError
from app.domain.instruments import Instrument
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.kotak_neo.client import NeoClient
from brokers.kotak_neo.egress import AccountTransport, Endpoint
from brokers.kotak_neo.feed import KotakMarketFeed
from brokers.kotak_neo.gateway import KotakNeoGateway
from brokers.kotak_neo.instruments import download_master
from brokers.kotak_neo.sdk import load_sdk
from brokers.kotak_neo.session import checked_fields, open_session, restore_session

log = structlog.get_logger()


class KotakNeoAdapter:
    """Implement `BrokerAdapter` for Kotak Neo. One per process: it holds the TLS context all accounts share.

    Building it imports the SDK, which takes about 2 s: build it when the process starts.

    Args:
        base_url: address of the simulator; None for the live broker.
        clock: platform time (TOTP codes, expiry) and monotonic seconds.
        is_live_allowed: the explicit switch without which the live broker is never called (I15).
    """

    code = BrokerCode.KOTAK_NEO

    def __init__(self, *, base_url: str | None, clock: Clock, is_live_allowed: bool = False) -> None:
        if base_url is None and not is_live_allowed:
            raise ConfigError(
                "Kotak Neo: expected the address of a simulator, or live trading to be allowed; got neither"
            )
        load_sdk()
        self._endpoint = Endpoint(base_url)
        self._clock = clock
        self._tls = ssl.create_default_context()

    def login(self, credentials: Credentials, *, egress: str, timeout_s: float) -> BrokerSession:
        client = self._client(checked_fields(credentials)["consumer_key"], egress)
        try:
            return open_session(client, credentials, clock=self._clock, timeout_s=timeout_s)
        finally:
            client.close()

    def restore(self, session: BrokerSession) -> KotakNeoGateway:
        return KotakNeoGateway(self._restored(session), self._clock)

    def request_instruments(self, session: BrokerSession, day: date) -> Sequence[Instrument]:
        client = self._restored(session)
        try:
            master = download_master(client, day)
        finally:
            client.close()
        log.info(
            "contract_master_read", instruments=len(master.instruments), passed_over=dict(master.passed_over)
        )
        for segment, reason in master.missing.items():
            log.warning("contract_file_missing", segment=segment, reason=reason)
        return master.instruments

    def market_feed(self, session: BrokerSession) -> KotakMarketFeed:
        return KotakMarketFeed(open_feed=self._restored(session).new_market_feed, clock=self._clock)

    def _restored(self, session: BrokerSession) -> NeoClient:
        consumer_key, fields = restore_session(session, clock=self._clock)
        client = self._client(consumer_key, session.egress)
        client.restore(fields)
        return client

    def _client(self, consumer_key: str, egress: str) -> NeoClient:
        transport = AccountTransport(endpoint=self._endpoint, tls=self._tls, egress=egress)
        return NeoClient(consumer_key=consumer_key, transport=transport)
