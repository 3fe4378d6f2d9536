"""Keep the trading sessions that operators announced."""

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import InjectedSessionRow
from app.domain.calendar_rules import TradingSession


def put_injected_session(session: Session, trading_session: TradingSession, *, actor: str) -> None:
    """Store an announced session; a later announcement for the same market and date replaces it."""
    values = {
        "open_at": trading_session.open_at,
        "close_at": trading_session.close_at,
        "actor": actor,
        "reason": trading_session.notes,
    }
    statement = insert(InjectedSessionRow).values(
        venue=trading_session.venue, segment=trading_session.segment, day=trading_session.date, **values
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["venue", "segment", "day"],
            set_={**values, "updated_at": func.clock_timestamp()},
        )
    )
