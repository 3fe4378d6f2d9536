"""Show legs with their value, the same way over REST and the WebSocket."""

from api.schemas.trading import Position
from app.db.views import AnyRow
from app.services.pnl import LegPnl

_OWN = ("currency", "mark", "realized", "unrealized", "total")


def show_position(leg: AnyRow, value: LegPnl) -> Position:
    """Join a leg with its value."""
    from_leg = {name: getattr(leg, name) for name in Position.model_fields if name not in _OWN}
    return Position(**from_leg, **{name: getattr(value, name) for name in _OWN})
