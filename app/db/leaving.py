"""Find what shall leave beside a hedge. Callers hold the transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.db.legs import same_leg
from app.db.models import LegRow, OrderRow
from app.db.orders import OPEN_STATUSES
from app.domain.orders import OrderRole, Side
from app.domain.reconciliation import held_at_broker


@dataclass(frozen=True, slots=True)
class LeavingRow:
    """Show a leg that is or may become short and shall be flat."""

    day: date
    instrument_id: str
    held_qty: Decimal
    is_being_sold: bool


def leaving_options(session: Session, deployment_ids: Collection[int]) -> Mapping[int, list[LeavingRow]]:
    """Return the short legs of these deployments that shall be flat, by deployment.

    A leg counts as long as the broker holds it, or may yet fill an entry that sells it.
    """
    is_being_sold = exists().where(
        same_leg(),
        OrderRow.role == OrderRole.ENTRY,
        OrderRow.side == Side.SELL,
        OrderRow.status.in_(OPEN_STATUSES),
    )
    statement = select(LegRow, is_being_sold.label("is_being_sold")).where(
        LegRow.deployment_id.in_(sorted(deployment_ids)),
        LegRow.exit_reason.is_not(None),
        or_(LegRow.net_qty < 0, is_being_sold),
    )
    found: dict[int, list[LeavingRow]] = {}
    for leg, sells in session.execute(statement):
        held = held_at_broker(leg.net_qty, missing_qty=leg.missing_qty)
        found.setdefault(leg.deployment_id, []).append(LeavingRow(leg.day, leg.instrument_id, held, sells))
    return found
