"""What a broker answered or told while PostgreSQL was away comes into the ledger, once."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.db.models import OrderEventRow
from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus
from app.domain.reports import Outcome, WriteResult
from app.infra.names import RunKind
from tests.integration.order_path.desk import Desk

pytestmark = pytest.mark.integration


def _away_for(times: int, do: Callable[..., Any]) -> Callable[..., Any]:
    """Fail the first times as if PostgreSQL did not answer; empty batches do not ask it anything."""
    left = [times]

    def ask(*args: Any, **named: Any) -> Any:
        if args[-1] and left[0] > 0:
            left[0] -= 1
            raise OperationalError("UPDATE orders", None, ConnectionError("away"))
        return do(*args, **named)

    return ask


def _events(desk: Desk, order_id: int) -> list[tuple[str, str]]:
    with desk.database.begin() as session:
        rows = session.execute(
            select(OrderEventRow.kind, OrderEventRow.source)
            .where(OrderEventRow.order_id == order_id)
            .order_by(OrderEventRow.id)
        )
        return [(row.kind, row.source) for row in rows]


@pytest.mark.parametrize("what", ["apply_submit_outcomes", "apply_news"])
def test_what_could_not_be_written_is_written_at_the_next_pass(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    execution = desk.parts.execution
    monkeypatch.setattr(execution, what, _away_for(3, getattr(execution, what)))

    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)

    assert not desk.orders(was_unknown=True), "an answer was lost"


def test_an_answer_that_is_told_again_changes_nothing(desk: Desk) -> None:
    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
    order = desk.orders(role=OrderRole.ENTRY)[0]
    before = _events(desk, order.id)
    assert (OrderEventKind.ACCEPTED, "entry_lane") in before

    for outcome in (Outcome.UNKNOWN, Outcome.REJECTED, Outcome.ACCEPTED):
        answer = WriteResult(outcome=outcome, broker_order_id=BrokerOrderId(str(order.broker_order_id)))
        desk.parts.execution.apply_submit_outcomes([(order.id, answer)], source="entry_lane")

    assert _events(desk, order.id) == before
