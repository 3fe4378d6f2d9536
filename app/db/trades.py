"""Read the trades of a day that ended, folded from the booked fills."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.models import ExternalFillRow, FillRow, OrderRow
from app.domain.ids import AccountId, ClientOrderId, DeploymentId, InstrumentId
from app.domain.orders import OrderRole, Side
from app.domain.risk.trades import EndedTrade, TradeFill, ended_trades

_WATCHED_STOP = "stop"
"""The reason of an exit that we sent because the price came to a stop that we watch."""


def load_ended_trades(
    session: Session, account_ids: Collection[AccountId], day: date
) -> dict[AccountId, tuple[EndedTrade, ...]]:
    """Return the ended trades of each account, oldest first; what strangers closed of them counts."""
    fills = load_trade_fills(session, account_ids, day)
    return {account_id: ended_trades(own) for account_id, own in fills.items()}


def load_trade_fills(
    session: Session, account_ids: Collection[AccountId], day: date
) -> dict[AccountId, list[TradeFill]]:
    """Return the fills of our legs by account, in the order of the platform's time."""
    found: dict[AccountId, list[TradeFill]] = defaultdict(list)
    ours = (
        select(FillRow, OrderRow)
        .join(OrderRow, OrderRow.id == FillRow.order_id)
        .where(OrderRow.account_id.in_(account_ids), OrderRow.day == day)
        .order_by(FillRow.id)
    )
    for row, order in session.execute(ours):
        found[AccountId(row.account_id)].append(_fill(row, order))
    claimed = select(ExternalFillRow).where(
        ExternalFillRow.account_id.in_(account_ids),
        ExternalFillRow.day == day,
        ExternalFillRow.deployment_id.is_not(None),
    )
    for external in session.scalars(claimed):
        found[AccountId(external.account_id)].append(_fill(external, None))
    return {account_id: sorted(fills, key=lambda fill: fill.at) for account_id, fills in found.items()}


def _fill(row: FillRow | ExternalFillRow, order: OrderRow | None) -> TradeFill:
    role = OrderRole.EXIT if order is None else OrderRole(order.role)
    is_watched_stop = order is not None and role is OrderRole.EXIT and order.reason == _WATCHED_STOP
    is_entry = order is not None and role is OrderRole.ENTRY
    return TradeFill(
        deployment_id=DeploymentId(row.deployment_id or 0),
        instrument_id=InstrumentId(row.instrument_id or ""),
        side=Side(row.side),
        quantity=row.quantity,
        price=row.price,
        at=row.ts_init,
        is_stop=role is OrderRole.STOP or is_watched_stop,
        entry_id=ClientOrderId(order.client_order_id) if order is not None and is_entry else None,
    )
