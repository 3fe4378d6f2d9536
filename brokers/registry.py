"""Find the adapter of a broker; its SDK is imported only when it is asked for."""

from app.domain.accounts import BrokerCode
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
        ConfigError: the live broker was not allowed, or paper has no address.
    """
    match code:
        case BrokerCode.KOTAK_NEO:
            from brokers.kotak_neo.adapter import KotakNeoAdapter

            return KotakNeoAdapter(base_url=base_url, clock=clock, is_live_allowed=is_live_allowed)
        case BrokerCode.BINANCE_SPOT | BrokerCode.BINANCE_FUTURES:
            from brokers.binance.adapter import BinanceAdapter

            return BinanceAdapter(code, base_url=base_url, clock=clock, is_live_allowed=is_live_allowed)
        case BrokerCode.MT5:
            from brokers.mt5.adapter import Mt5Adapter

            return Mt5Adapter(base_url=base_url, clock=clock, is_live_allowed=is_live_allowed)
        case BrokerCode.PAPER:
            from brokers.paper.adapter import PaperAdapter

            return PaperAdapter(base_url=base_url, clock=clock)
