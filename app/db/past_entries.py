"""Read the entries of a day as they were decided, to judge them again. Reads only."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.models import OrderEventRow, OrderRow, SignalRow
from app.domain.ids import AccountId, ClientOrderId, DeploymentId, InstrumentId, SignalKey
from app.domain.instruments import Instrument
from app.domain.orders import TERMINAL, OrderIntent, OrderRole, OrderType, Side, TimeInForce
from app.domain.risk.simulation import PastEntry
from app.domain.risk.state import Quote


def load_past_entries(
    session: Session,
    account_ids: Collection[AccountId],
    *,
    day: date,
    contracts: Mapping[InstrumentId, Instrument],
) -> dict[AccountId, list[PastEntry]]:
    """Return the entries of a trading date that the gate approved, by account, oldest first."""
    last_event = (
        select(func.max(OrderEventRow.ts_init)).where(OrderEventRow.order_id == OrderRow.id).scalar_subquery()
    )
    statement = (
        select(OrderRow, SignalRow.key, SignalRow.payload, last_event)
        .join(SignalRow, SignalRow.id == OrderRow.signal_id)
        .where(
            OrderRow.account_id.in_(account_ids),
            OrderRow.day == day,
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.denial_code.is_(None),
        )
        .order_by(OrderRow.id)
    )
    found: dict[AccountId, list[PastEntry]] = defaultdict(list)
    for order, key, payload, ended_at in session.execute(statement):
        intent = _intent(order, SignalKey(key))
        entry = PastEntry(
            intent=intent,
            quote=_quote(contracts.get(intent.instrument_id), payload, order.leg),
            at=order.ts_init,
            ended_at=_ended(order, ended_at),
        )
        found[intent.account_id].append(entry)
    return dict(found)


def _ended(order: OrderRow, last_event: datetime | None) -> datetime | None:
    return last_event if order.status in TERMINAL else None


def _quote(contract: Instrument | None, payload: Mapping[str, Any], leg: int) -> Quote | None:
    legs = payload.get("legs", [])
    if contract is None or leg >= len(legs):
        return None
    return Quote(instrument=contract, last=Decimal(legs[leg]["reference_price"]), age=timedelta(0))


def _intent(order: OrderRow, key: SignalKey) -> OrderIntent:
    return OrderIntent(
        client_order_id=ClientOrderId(order.client_order_id),
        account_id=AccountId(order.account_id),
        deployment_id=DeploymentId(order.deployment_id),
        signal_key=key,
        leg=order.leg,
        instrument_id=InstrumentId(order.instrument_id),
        side=Side(order.side),
        role=OrderRole.ENTRY,
        order_type=OrderType(order.order_type),
        time_in_force=TimeInForce(order.time_in_force),
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        valid_until=order.valid_until,
        is_hedge=order.is_hedge,
        part=order.part,
    )
