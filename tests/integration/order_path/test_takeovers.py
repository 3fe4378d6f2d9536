"""Exits go on where their worker died or stands still: without the queue, and without its rows."""

import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import OperationalError

from app.db.leases import want_run
from app.db.models import AccountRow, LeaseRow, LegRow
from app.db.session import Database
from app.domain.markets import NSE
from app.domain.orders import OrderRole, OrderStatus
from app.infra.holders import this_holder
from app.infra.marks import FeedPulse
from app.infra.names import FEED_STATE_KEY, QueueName, RunKind, queue_of, run_name
from app.services.lanes.wakes import Wakes
from app.services.runs import stop_on
from app.services.takeovers import Takeovers
from tasks.container import LANES_PATIENCE_S
from tests.freezing import frozen
from tests.integration.order_path.desk import SPEC, Desk

pytestmark = pytest.mark.integration

_NAME = run_name(RunKind.EXITS, NSE)


def _want_exits(desk: Desk, *, lapsed_s: float) -> None:
    """Let the run be wanted, by nobody held since so many seconds."""
    with desk.database.begin() as session:
        queue = queue_of(QueueName.EXITS, NSE)
        want_run(session, name=_NAME, kind=RunKind.EXITS, queue=queue, spec=SPEC)
        since = func.clock_timestamp() - timedelta(seconds=lapsed_s)
        session.execute(update(LeaseRow).where(LeaseRow.name == _NAME).values(expires_at=since))


def test_a_lapsed_lane_is_hosted_once_and_not_before_the_queue_had_its_time(desk: Desk) -> None:
    begun, end = threading.Semaphore(0), threading.Event()

    def host(name: str) -> None:
        assert name == _NAME
        begun.release()
        end.wait(30)

    takeovers = Takeovers(desk.database, host)
    _want_exits(desk, lapsed_s=-600)
    takeovers.look()
    _want_exits(desk, lapsed_s=600)
    Takeovers(desk.database, host, queue_has=timedelta(hours=1)).look()
    assert not begun.acquire(timeout=0.1), "somebody holds it, or a task is on its way"

    takeovers.look()
    assert begun.acquire(timeout=5)
    takeovers.look()
    assert not begun.acquire(timeout=0.1), "one host each"
    end.set()

    def is_hosted_again() -> bool:
        takeovers.look()
        return begun.acquire(blocking=False)

    desk.wait_for(is_hosted_again)


def test_a_successor_that_was_called_has_its_time_however_long_nobody_held_the_lane(desk: Desk) -> None:
    begun = threading.Semaphore(0)
    takeovers = Takeovers(desk.database, lambda _: begun.release(), queue_has=timedelta(minutes=5))

    for called_s, is_hosted in ((-1, False), (-600, True)):
        _want_exits(desk, lapsed_s=3600)
        with desk.database.begin() as session:
            called = func.clock_timestamp() + timedelta(seconds=called_s)
            session.execute(update(LeaseRow).where(LeaseRow.name == _NAME).values(dispatched_at=called))
        takeovers.look()
        assert begun.acquire(timeout=5 if is_hosted else 0.1) is is_hosted, called_s


def test_the_lane_of_a_process_that_died_here_is_hosted_before_its_lease_lapses(desk: Desk) -> None:
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    hosted = threading.Semaphore(0)
    takeovers = Takeovers(desk.database, lambda _: hosted.release())

    _want_exits(desk, lapsed_s=-600)
    for holder, is_hosted in (
        (this_holder(), False),
        (f"{this_holder().rpartition(':')[0]}:{died.pid}", True),
    ):
        with desk.database.begin() as session:
            session.execute(update(LeaseRow).where(LeaseRow.name == _NAME).values(holder=holder))
        takeovers.look()
        assert hosted.acquire(timeout=5 if is_hosted else 0.1) is is_hosted, holder


def test_a_feed_is_believed_alive_for_a_moment_while_valkey_is_silent(desk: Desk) -> None:
    wall, max_age = desk.clock.wall(), timedelta(seconds=5)
    pulse = FeedPulse(desk.parts.valkey, max_age=max_age)
    assert not pulse.is_fresh("NSE", wall), "nothing was ever published"

    key = FEED_STATE_KEY.format(venue="NSE")
    desk.parts.valkey.hset(key, "last_wall", (wall - timedelta(seconds=2)).isoformat())
    assert pulse.is_fresh("NSE", wall)
    pulse._valkey = Redis(port=9, socket_connect_timeout=0.2)
    assert pulse.is_fresh("NSE", wall + timedelta(seconds=3))
    assert not pulse.is_fresh("NSE", wall + timedelta(seconds=3.1))
    assert not pulse.is_fresh("MT5", wall), "of another feed nothing is known"


def test_a_look_without_a_database_is_repeated() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none")

    Takeovers(nowhere, lambda _: pytest.fail("nothing is known to be lapsed")).look()


@pytest.mark.parametrize("what", ["legs", "lease", "accounts"])
def test_a_lane_that_stands_still_in_mid_transaction_does_not_keep_a_stop_away(desk: Desk, what: str) -> None:
    """It holds the rows that its successor needs; PostgreSQL ends it before a position is bare for long."""
    with desk.running(RunKind.ENTRIES), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: len(desk.legs()) == 2)
    locked = {"legs": LegRow, "lease": LeaseRow, "accounts": AccountRow}[what]
    lanes = Database(desk.database.url, max_idle_s=LANES_PATIENCE_S)

    with pytest.raises(OperationalError, match="idle"), lanes.begin() as frozen:  # noqa: PT012
        assert frozen.scalars(select(locked).with_for_update()).all()
        with desk.running(RunKind.EXITS):
            desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
        frozen.execute(select(LegRow.day))
    lanes.close()


def test_a_lane_whose_connections_stand_still_protects_through_new_ones(desk: Desk) -> None:
    """Its lease is renewed through another one all the while, so that no successor would come."""
    lanes = Database(
        desk.database.url, max_idle_s=LANES_PATIENCE_S, answers_in_s=LANES_PATIENCE_S, pool_size=16
    )
    backends: list[int] = []
    event.listen(lanes._engine, "connect", lambda c, _: backends.append(c.info.backend_pid))
    stop = threading.Event()

    def run_until_stopped() -> None:
        while not stop.is_set():
            with suppress(OperationalError), desk.lease(RunKind.EXITS) as lease:
                stop_on(stop, lease)
                desk.run_lane(RunKind.EXITS, lease, Wakes(), database=lanes)

    lane = threading.Thread(target=run_until_stopped)
    lane.start()
    desk.wait_for(lambda: backends)
    try:
        with frozen(backends), desk.running(RunKind.ENTRIES), desk.lease(RunKind.LOOPS) as loop:
            desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
            desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
    finally:
        stop.set()
        lane.join(30)
        lanes.close()
