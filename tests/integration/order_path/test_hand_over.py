"""Prove that a run which may write no more lets its successor begin, whatever its calls still wait for."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.db.models import LeaseRow
from app.domain.markets import NSE
from app.domain.orders import OrderStatus
from app.infra.names import RunKind, run_name
from app.services.lanes.wakes import Wakes
from app.services.runs import Lease
from tests.integration.order_path.desk import Desk

ENTRIES = run_name(RunKind.ENTRIES, NSE)


def test_a_lane_that_lapsed_while_calls_hang_is_free_for_its_successor(desk: Desk) -> None:
    """Its renewal comes too late, and succeeds: it must not keep the lease while it only waits."""
    patient = desk.parts.settings.model_copy(update={"order_timeout_s": 12.0})
    desk.fault(kind="hang", endpoint="place", seconds=30.0)
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])

    with desk.running(RunKind.ENTRIES, settings=patient):
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.SUBMITTED) == 2)
        _hold_renewals_up(desk, timedelta(seconds=4))
        desk.wait_for(lambda: _is_free(desk), timeout_s=5)
        with desk.lease(RunKind.ENTRIES) as successor:
            assert successor.fence == 2
            assert [order.answered_wall for order in desk.orders()] == [None, None], "its calls hang"
            desk.wait_for(lambda: desk.count_orders(is_unknown=True) == 2)


def _hold_renewals_up(desk: Desk, length: timedelta) -> None:
    """Keep the row of the lease locked for longer than the lease lives; then let the renewal through."""
    with desk.database.begin() as session:
        session.execute(select(LeaseRow).where(LeaseRow.name == ENTRIES).with_for_update())
        threading.Event().wait(length.total_seconds())
    threading.Event().wait(1)


def _is_free(desk: Desk) -> bool:
    with desk.database.begin() as session:
        until = select(LeaseRow.expires_at < func.clock_timestamp()).where(LeaseRow.name == ENTRIES)
        return bool(session.scalar(until))


def test_an_exits_lane_that_is_torn_listens_to_no_stream_any_more(desk: Desk) -> None:
    before = _listeners()
    with desk.lease(RunKind.EXITS) as lease:
        with pytest.raises(ZeroDivisionError):
            desk.run_lane(RunKind.EXITS, _Torn(lease), Wakes())
        assert lease.left.is_set()

    assert _listeners() == before


def _listeners() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "streams"}


class _Torn(Lease):
    """A lease under which the first pass fails."""

    def __init__(self, lease: Lease) -> None:
        self.__dict__ = lease.__dict__

    def is_valid(self) -> bool:
        raise ZeroDivisionError
