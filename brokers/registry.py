"""Find the adapter of a broker; its SDK is imported only when it is asked for."""

from app.domain.accounts import BrokerCode
from app.domain.errors import ConfigError
from app.domain.ports import BrokerAdapter, Clock


def adapter(
    code: BrokerCode, *, base_url: str | None, clock: Clock, is_live_allowed: bool = False
) -> BrokerAdapter:
    """Build the adapter of a broker, once per process.

    Args:
        code: the broker.
        base_url: address of its simulator; None for the live broker. Of paper: the paper exchange.
        clock: the platform's time.
        is_live_allowed: must be True for the live broker (I15).

    Raises:
        ConfigError: the live broker was not allowed, or there is no adapter for `code`.
    """
    if code is BrokerCode.KOTAK_NEO:
        from brokers.kotak_neo.adapter import KotakNeoAdapter

        return KotakNeoAdapter(base_url=base_url, clock=clock, is_live_allowed=is_live_allowed)
    if code is BrokerCode.PAPER:
        from brokers.paper.adapter import PaperAdapter

        return PaperAdapter(base_url=base_url, clock=clock)
    raise ConfigError(f"expected a broker with an adapter, got {code}")
