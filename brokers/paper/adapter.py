"""Open the doors to the paper exchange."""

from collections.abc import Sequence
from datetime import date

from app.domain.accounts import BrokerCode
from app.domain.errors import BrokerError
from app.domain.instruments import Instrument
from app.domain.ports import BrokerSession, Clock, Credentials, MarketFeed
from brokers.paper.client import PaperClient
from brokers.paper.gateway import PaperGateway
from brokers.paper.loopback import loopback_url
from brokers.paper.session import checked_fields, open_session, restore_token


class NotOnPaperError(BrokerError):
    """Paper has no such thing of its own: the venue that the account imitates must be asked."""

    code = "not_on_paper"
    http_status = 404


class PaperAdapter:
    """Implement `BrokerAdapter` on paper. It calls a loopback address and can call no other (I15).

    A person gives no credentials; the installation logs its accounts in with the fields of
    `session.LOGIN_FIELDS`: a name for the account, its currency, and the token of the exchange's home.

    Args:
        base_url: address of the paper exchange, http://127.0.0.1:PORT.
        clock: platform time.
    """

    code = BrokerCode.PAPER

    def __init__(self, *, base_url: str | None, clock: Clock) -> None:
        self._base = loopback_url(base_url)
        self._clock = clock

    def login(self, credentials: Credentials, *, egress: str, timeout_s: float) -> BrokerSession:
        fields = checked_fields(credentials)
        client = PaperClient(self._base, token=fields["token"], egress=egress)
        try:
            return open_session(client, fields, timeout_s=timeout_s)
        finally:
            client.close()

    def restore(self, session: BrokerSession) -> PaperGateway:
        token = restore_token(session, clock=self._clock)
        return PaperGateway(PaperClient(self._base, token=token, egress=session.egress), self._clock)

    def request_instruments(
        self,
        session: BrokerSession,  # noqa: ARG002  # the port gives it
        day: date,
    ) -> Sequence[Instrument]:
        """Refuse: paper has no contract master. Raises NotOnPaperError."""
        raise NotOnPaperError(
            f"the paper exchange has no contract master (asked for {day}): use the master of the venue "
            f"that the account imitates"
        )

    def market_feed(
        self,
        session: BrokerSession,  # noqa: ARG002  # the port gives it
    ) -> MarketFeed:
        """Refuse: paper has no prices of its own. Raises NotOnPaperError."""
        raise NotOnPaperError(
            "the paper exchange has no prices of its own: use the feed of the venue that the account "
            "imitates, and post its ticks to the exchange"
        )
