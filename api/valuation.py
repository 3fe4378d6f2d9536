"""Show legs with their value, the same way over REST and the WebSocket."""

from datetime import date

from api.schemas.trading import Position
from app.db.scope import DataScope
from app.db.session import Database
from app.db.views import AnyRow
from app.db.views.trading import read_legs
from app.services.overview import Sources
from app.services.pnl import LegPnl, value_legs

_OWN = ("currency", "mark", "mark_source", "realized", "unrealized", "total", "charges", "net")


def show_position(leg: AnyRow, value: LegPnl) -> Position:
    """Join a leg with its value."""
    from_leg = {name: getattr(leg, name) for name in Position.model_fields if name not in _OWN}
    return Position(**from_leg, **{name: getattr(value, name) for name in _OWN})


def read_valued_legs(
    database: Database, sources: Sources, scope: DataScope, *, day: date
) -> list[tuple[AnyRow, LegPnl]]:
    """Return the legs of a day, each with its value at the last marks and what it paid."""
    with database.begin() as session:
        legs = read_legs(session, scope, day=day)
        charges = sources.costs.of_day(session, scope, day=day)
    marks = sources.live.marks(leg.instrument_id for leg in legs if leg.net_qty != 0)
    return list(zip(legs, value_legs(legs, marks, charges), strict=True))
