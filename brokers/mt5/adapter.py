"""Open the doors to MetaTrader 5."""

import ssl
from collections.abc import Sequence
from datetime import date

from app.domain.accounts import BrokerCode
from app.domain.errors import ConfigError
from app.domain.instruments import Instrument
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.mt5.errors import read_body
from brokers.mt5.feed import Mt5MarketFeed
from brokers.mt5.gateway import Mt5Gateway
from brokers.mt5.instruments import instruments
from brokers.mt5.rpc import AgentClient
from brokers.mt5.session import SessionRecord, checked_fields, open_session, restore_session
from brokers.mt5.values import rows

_MASTER_TIMEOUT_S = 30.0


class Mt5Adapter:
    """Implement `BrokerAdapter` for MT5. One per process: it holds the TLS context all accounts share.

    Each account has an agent of its own, whose address is part of its credentials.

    Args:
        base_url: the simulator; with it, only agents of simulated terminals take orders. None for live.
        clock: platform time and monotonic seconds.
        is_live_allowed: the explicit switch without which no agent of a real terminal trades (I15).
    """

    code = BrokerCode.MT5

    def __init__(self, *, base_url: str | None, clock: Clock, is_live_allowed: bool = False) -> None:
        if base_url is None and not is_live_allowed:
            raise ConfigError(
                "MT5: expected the address of a simulator, or live trading to be allowed; got neither"
            )
        self._is_live = base_url is None
        self._clock = clock
        self._tls = ssl.create_default_context()

    def login(self, credentials: Credentials, *, egress: str, timeout_s: float) -> BrokerSession:
        fields = checked_fields(credentials)
        client = self._client(fields["agent_url"], fields["agent_token"], egress)
        try:
            return open_session(
                client, fields, clock=self._clock, timeout_s=timeout_s, is_live_allowed=self._is_live
            )
        finally:
            client.close()

    def restore(self, session: BrokerSession) -> Mt5Gateway:
        record, client = self._restored(session)
        return Mt5Gateway(client, record, self._clock, is_live_allowed=self._is_live)

    def request_instruments(self, session: BrokerSession, day: date) -> Sequence[Instrument]:
        """Return the account's pairs of currencies, as they are now: a terminal knows no other day."""
        del day
        _, client = self._restored(session)
        try:
            return instruments(
                rows(read_body(client.call("symbols", {}, timeout_s=_MASTER_TIMEOUT_S)), "symbols")
            )
        finally:
            client.close()

    def market_feed(self, session: BrokerSession) -> Mt5MarketFeed:
        record = restore_session(session, clock=self._clock)
        return Mt5MarketFeed(
            open_client=lambda: self._client(record.agent_url, record.agent_token, session.egress),
            clock=self._clock,
            is_simulated=not self._is_live,
        )

    def _restored(self, session: BrokerSession) -> tuple[SessionRecord, AgentClient]:
        record = restore_session(session, clock=self._clock)
        return record, self._client(record.agent_url, record.agent_token, session.egress)

    def _client(self, url: str, token: str, egress: str) -> AgentClient:
        return AgentClient(url=url, token=token, tls=self._tls, egress=egress)
