"""Compute indicators on the CPU queue."""

from datetime import datetime

from app.domain.errors import NotFoundError
from app.domain.ids import InstrumentId
from app.domain.instruments import venue_of
from app.domain.markets import market_at
from app.infra.names import TaskName
from app.services.indicators import Indicators
from strategies.indicators import compute
from tasks.celery import celery_app
from tasks.container import container


@celery_app.task(name=TaskName.COMPUTE_INDICATORS, soft_time_limit=10, time_limit=15)
def compute_indicators(instrument_id: str, minutes: int, start: str) -> dict[str, str | None]:
    """Compute what strategies need at the close of one bar, once for all users. Idempotent."""
    parts = container()
    at = datetime.fromisoformat(start)
    market_day = parts.market_days[market_at(venue_of(InstrumentId(instrument_id))).venue]
    session = market_day.session_of(market_day.today())
    if session is None or not session.contains(at):
        raise NotFoundError(f"expected a bar of today's session, got one that starts at {start}")
    indicators = Indicators(parts.database, parts.valkey, venue=session.venue, compute=compute)
    return indicators.run(session, InstrumentId(instrument_id), minutes=minutes, start=at)
