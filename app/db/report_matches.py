"""Find the orders that brokers' reports are about. Callers hold the transaction."""

from collections.abc import Mapping, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.db.models import OrderRow
from app.db.views import AnyRow
from app.domain.ids import CLIENT_ORDER_ID_LENGTH, AccountId, BrokerOrderId
from app.domain.orders import TERMINAL, OrderStatus
from app.domain.reports import OrderReport

Reports = Mapping[AccountId, Sequence[OrderReport]]
Matches = dict[tuple[AccountId, BrokerOrderId], AnyRow]
"""Account and the broker's number -> our order's facts."""

_FACTS = (
    OrderRow.id,
    OrderRow.account_id,
    OrderRow.broker_order_id,
    OrderRow.client_order_id,
    OrderRow.status,
    OrderRow.filled_qty,
    OrderRow.venue_version,
    OrderRow.submitted_wall,
)


def match_reports(session: Session, reports: Reports) -> Matches:
    """Find our order for each report: by the broker's number once it is bound, else by the tag."""
    numbers = {str(r.broker_order_id) for of_account in reports.values() for r in of_account}
    tags = {_tag(r) for of_account in reports.values() for r in of_account}
    statement = select(*_FACTS).where(
        OrderRow.account_id.in_(list(reports)),
        OrderRow.status != OrderStatus.DENIED,  # it never left, whatever bears its id
        or_(OrderRow.broker_order_id.in_(numbers), OrderRow.client_order_id.in_(tags)),
    )
    bound: dict[tuple[int, str], AnyRow] = {}
    unbound: dict[tuple[int, str], AnyRow] = {}
    for order in session.execute(statement):
        if order.broker_order_id is not None:
            bound[order.account_id, order.broker_order_id] = order
        else:
            unbound[order.account_id, order.client_order_id] = order
    matched: Matches = {}
    for account_id, of_account in reports.items():
        for report in of_account:
            found = bound.get((account_id, report.broker_order_id), unbound.get((account_id, _tag(report))))
            if found is not None:
                matched[account_id, report.broker_order_id] = found
    return matched


def is_news(order: AnyRow, report: OrderReport) -> bool:
    """Whether a report may say more than that an order, as it was matched, ended as the ledger has it."""
    return (
        order.broker_order_id != report.broker_order_id
        or order.status not in TERMINAL
        or order.status != report.status
        or order.filled_qty < report.filled
        or order.venue_version < report.version
    )


def _tag(report: OrderReport) -> str:
    return report.tag[:CLIENT_ORDER_ID_LENGTH]
