"""Delete what is kept for a while only: the course of profit and loss. The ledger itself is kept for ever."""

from datetime import date, timedelta

import structlog

from app.db.risk_book import delete_points
from app.db.session import Database
from app.domain.markets import Market

log = structlog.get_logger()

_MOST_TRANSACTIONS = 100


def forget_old_points(
    database: Database, market: Market, *, today: date, kept_days: int, batch: int = 10_000
) -> int:
    """Delete a market's points that are older than they are kept; return how many.

    In short transactions, so that the watch never waits long for its table; what is left when there are very
    many goes with the next call.

    Args: kept_days: trading dates kept, today included. batch: points per transaction.
    """
    first_kept = today - timedelta(days=kept_days - 1)
    deleted = 0
    for _ in range(_MOST_TRANSACTIONS):
        with database.begin() as session:
            gone = delete_points(session, market, before=first_kept, most=batch)
        deleted += gone
        if gone < batch:
            break
    if deleted:
        log.info("equity_points_deleted", venue=market.venue, before=first_kept.isoformat(), points=deleted)
    return deleted
