"""Show orders whose outcome is unknown with their evidence, and let staff settle one."""

from fastapi import APIRouter

from api.deps import CallerDep, PartsDep
from api.routes.commands import accepted
from api.schemas.day import Command
from api.schemas.trading import OrderEvent
from api.schemas.unknown_orders import EvidenceEntry, SettleUnknown, UnknownOrder, UnknownOrderWithEvidence
from app.db.views.trading import read_order_events
from app.domain.ids import BrokerOrderId, OrderId
from app.domain.reconciliation import CLEAN_MISSES_NEEDED
from app.domain.unknown_orders import Settlement
from app.services.commands import order_settlement
from app.services.unknown_orders import UnknownCase, get_once_unknown, list_unknown

router = APIRouter(prefix="/unknown-orders", tags=["unknown orders"])


@router.get("")
def list_unknown_orders(parts: PartsDep, caller: CallerDep) -> list[UnknownOrder]:
    """Return the orders whose outcome is unknown, of any day, oldest first."""
    with parts.database.begin() as session:
        return [_shown(case) for case in list_unknown(session, caller.scope, wall=parts.clock.wall())]


@router.get("/{order_id}")
def show_unknown_order(parts: PartsDep, caller: CallerDep, order_id: int) -> UnknownOrderWithEvidence:
    """Return an order that is or was unknown: what was asked and answered, and each look for it."""
    with parts.database.begin() as session:
        case = get_once_unknown(session, caller.scope, OrderId(order_id), wall=parts.clock.wall())
        events = read_order_events(session, caller.scope, OrderId(order_id))
    return UnknownOrderWithEvidence(
        order=_shown(case),
        events=[OrderEvent.model_validate(event) for event in events],
        evidence=[EvidenceEntry.model_validate(entry) for entry in case.evidence],
    )


@router.post("/{order_id}/resolution", status_code=202)
def resolve_unknown_order(parts: PartsDep, caller: CallerDep, order_id: int, asked: SettleUnknown) -> Command:
    """Say what became of an order; staff only, refused while the evidence speaks against it."""
    number = asked.broker_order_id
    settlement = Settlement(
        fate=asked.fate,
        reason=asked.reason,
        broker_order_id=None if number is None else BrokerOrderId(number),
        is_confirmed=asked.is_confirmed,
    )
    with parts.database.begin() as session:
        command_id = order_settlement(session, caller, OrderId(order_id), settlement, moment=parts.moment())
    return accepted(parts, caller, command_id)


def _shown(case: UnknownCase) -> UnknownOrder:
    order = case.order._mapping  # noqa: SLF001  SQLAlchemy's documented accessor
    return UnknownOrder(
        **{name: value for name, value in order.items() if name in UnknownOrder.model_fields},
        age_s=case.age_s,
        at_stake=case.at_stake,
        currency=case.currency,
        misses_needed=CLEAN_MISSES_NEEDED,
        provable_from=case.standing.provable_from,
        provable_in_s=case.provable_in_s,
        looked_at=case.standing.looked_at,
        missed_at=case.standing.missed_at,
        lookalikes=sorted(case.standing.lookalikes),
        next_step=case.next_step,
    )
