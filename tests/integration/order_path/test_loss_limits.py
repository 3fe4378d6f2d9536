"""Prove that a loss limit cancels, closes, verifies flat and locks, and that only a person unlocks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DatabaseError

from app.db.alarms import open_alarm_subjects
from app.db.controls import set_account_state
from app.db.leases import LeaseLostError
from app.db.loops import load_shard
from app.db.loss_locks import add_lock, locked_accounts, locked_deployments
from app.db.models import AlarmRow, AuditRow, DeploymentRow, EquityPointRow, LeaseRow, LegRow, LossLockRow
from app.db.scope import DataScope
from app.db.views.accounts import read_accounts
from app.domain.accounts import TradingState
from app.domain.calendar_rules import ONE_DAY
from app.domain.commands import ControlAction, ControlScope
from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import ConflictError
from app.domain.markets import INR, NSE
from app.domain.orders import OrderRole, OrderStatus
from app.domain.risk.breaches import Breach, LossRule
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.domain.users import Actor, Role
from app.infra.clock import SystemClock
from app.infra.marks import read_feed_instant
from app.infra.names import FEED_STATE_KEY, MARKS_KEY, RunKind
from app.services.commands import Caller, order_deployment_state
from app.services.kill_switch import order_kill_switch
from app.services.limits import set_limits
from app.services.risk_control import ControlTarget, Moment
from app.services.risk_watch import RiskWatch
from app.services.runs import Lease
from app.services.watch_alarms import Causes, WatchAlarms
from tests.integration.order_path.desk import TODAY, Desk

ADMIN = Actor(name="asha", role=Role.ADMIN, origin="test")
ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)


@dataclass
class Watched:
    """A watch that looks when the test says so."""

    desk: Desk
    lease: Lease
    watch: RiskWatch

    def look(self, *, prices: str = "1.1", step: str = "0.1", silent_for: timedelta = timedelta(0)) -> None:
        """Publish each leg's instrument at its entry price times `prices`, later than before, and look."""
        now, wall, valkey = self.desk.clock.now(), self.desk.clock.wall(), self.desk.parts.valkey
        for leg in self.desk.legs():
            price = (leg.entry_value / leg.entry_qty * Decimal(prices)).quantize(Decimal(step))
            mark = f'["{price}", "{price}", "{price}", "{now.isoformat()}", {wall.timestamp()}]'
            valkey.hset(MARKS_KEY.format(venue="NSE"), leg.instrument_id, mark)
        feed = {"last_ts": now.isoformat(), "last_wall": (wall - silent_for).isoformat()}
        valkey.hset(FEED_STATE_KEY.format(venue="NSE"), mapping=feed)
        self.watch.look(self.lease, read_feed_instant(valkey, "NSE"))


@contextmanager
def watched(desk: Desk) -> Iterator[Watched]:
    """Hold the watch's lease."""
    parts = desk.parts
    with desk.lease(RunKind.RISK) as lease:
        watch = RiskWatch(
            settings=parts.settings,
            database=parts.database,
            clock=parts.clock,
            valkey=parts.valkey,
            news=parts.news,
            costs=parts.costs,
            market=NSE,
        )
        yield Watched(desk, lease, watch)


def limit(desk: Desk, key: ScopeKey, *, version: int = 0, **limits: str) -> None:
    with desk.database.begin() as session:
        now = desk.clock.now()
        set_limits(session, ADMIN, key, limits, expected_version=version, reason="test", now=now)


def account(deployment: Deployment) -> ScopeKey:
    return LimitScope.ACCOUNT, str(deployment.account_id)


def locks(desk: Desk) -> Sequence[LossLockRow]:
    with desk.database.begin() as session:
        return session.scalars(select(LossLockRow).order_by(LossLockRow.id)).all()


def hold_straddles(desk: Desk, loop: Lease, deployments: Sequence[Deployment] = ()) -> None:
    """Let deployments sell their straddles and wait until the stops rest."""
    desk.record(desk.straddle("entry"), loop, deployments)
    count = 2 * len(deployments or desk.deployments)
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == count)


def resume(desk: Desk, deployment: Deployment) -> None:
    """Let an operator resume an account, with a reason."""
    moment = Moment(day=TODAY, now=desk.clock.now(), wall=desk.clock.wall())
    target = ControlTarget(scope=ControlScope.ACCOUNT, target=deployment.account_id)
    with desk.database.begin() as session:
        order_kill_switch(
            session, ADMIN, target, action=ControlAction.RESUME, reason="we agreed", moment=moment
        )


def test_an_account_at_its_limit_is_closed_flat_and_locked_and_others_trade_on(desk: Desk) -> None:
    bad, good = desk.deployments
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop)
        limit(desk, account(bad), max_daily_loss="100")

        risk.look()
        assert locks(desk) == [], "one sample closes nothing"
        risk.look()

        (lock,) = locks(desk)
        assert (lock.scope, lock.target, lock.rule) == ("ACCOUNT", str(bad.account_id), "MAX_DAILY_LOSS")
        assert lock.value <= -100
        assert lock.formula.endswith("<= -100")
        assert lock.flat_at is None
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs(account_id=bad.account_id)))
        risk.look()
        (lock,) = locks(desk)
        assert lock.flat_wall is not None
        assert lock.flat_wall > lock.breached_wall

        desk.record(desk.straddle("again"), loop)
        denied = desk.orders(account_id=bad.account_id, status=OrderStatus.DENIED)
        assert {o.denial_code for o in denied} == {DenialCode.TRADING_STATE, DenialCode.OTHER_LEG}
        held = desk.legs(account_id=good.account_id)
        assert all(leg.net_qty < 0 and leg.exit_reason is None for leg in held)
        assert desk.count_orders(account_id=good.account_id, status=OrderStatus.DENIED) == 0

    with desk.database.begin() as session:
        acts = session.scalars(select(AuditRow).where(AuditRow.action == "loss.lock")).all()
        alarms = session.scalars(select(AlarmRow.code)).all()
        rows = read_accounts(session, DataScope(user_id=None), now=desk.clock.now())
        shown = {row.id: row.trading_state for row in rows}
        points = session.scalars(select(EquityPointRow).where(EquityPointRow.scope == "ACCOUNT")).all()
    assert [(act.subject, act.details["lock_id"]) for act in acts] == [(f"account:{bad.account_id}", lock.id)]
    assert "loss_lock" in alarms
    assert shown == {bad.account_id: TradingState.REDUCING, good.account_id: TradingState.ACTIVE}
    assert {p.target for p in points} == {str(bad.account_id), str(good.account_id)}


def test_a_lock_outlives_states_and_watches_and_not_its_day(desk: Desk) -> None:
    bad = desk.deployments[0]
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        hold_straddles(desk, loop, [bad])
        limit(desk, account(bad), max_daily_loss="100")
        with watched(desk) as risk:
            risk.look()
            risk.look()
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        with desk.database.begin() as session:
            set_account_state(session, bad.account_id, TradingState.ACTIVE, reason="a script")
        desk.record(desk.straddle("again"), loop, [bad])
        with watched(desk) as successor:
            for _ in range(3):
                successor.look()

    assert desk.count_orders(status=OrderStatus.DENIED) == 2
    (lock,) = locks(desk)
    assert lock.flat_at is not None, "the successor verified it"
    with desk.database.begin() as session:
        assert locked_accounts(session, [bad.account_id], TODAY) == {bad.account_id}
        assert locked_accounts(session, [bad.account_id], TODAY + ONE_DAY) == frozenset()


def test_an_entry_that_waits_when_its_scope_is_locked_never_leaves(desk: Desk) -> None:
    """The lane asks for a lock as well: what was recorded before it may be claimed after it."""
    bad, good = desk.deployments
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    breach = Breach(rule=LossRule.MAX_DAILY_LOSS, limit=Decimal(1), value=Decimal(-1), formula="")
    with desk.database.begin() as session:
        add_lock(session, account(bad), breach, currency=INR, market=NSE, day=TODAY, now=desk.clock.now())
    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: desk.count_orders(account_id=bad.account_id, status=OrderStatus.CANCELED) == 2)
        desk.wait_for(lambda: len(desk.broker.get("orders")) == 2)

    assert all(o.submitted_wall is None for o in desk.orders(account_id=bad.account_id))
    assert all(o.submitted_wall is not None for o in desk.orders(account_id=good.account_id))


def test_what_has_no_price_keeps_a_locked_scope_from_flat_for_a_minute_only(desk: Desk) -> None:
    """A stranger closed it at the broker: our ledger still shows a quantity, which nobody can value."""
    one, other = desk.deployments
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        hold_straddles(desk, loop)
    with desk.database.begin() as session:
        session.execute(update(LegRow).values(missing_qty=-LegRow.net_qty))
        for deployment, seconds in ((one, 30), (other, 61)):
            row = _lock_row(desk, deployment, ago=timedelta(seconds=seconds))
            session.add(row)
    with watched(desk) as risk:
        risk.look(silent_for=timedelta(seconds=6))

    flat = {lock.target: lock.flat_at is not None for lock in locks(desk)}
    assert flat == {str(one.account_id): False, str(other.account_id): True}


def _lock_row(desk: Desk, deployment: Deployment, *, ago: timedelta) -> LossLockRow:
    return LossLockRow(
        venue="NSE",
        day=TODAY,
        scope="ACCOUNT",
        target=str(deployment.account_id),
        rule="MAX_DAILY_LOSS",
        limit=Decimal(1),
        value=Decimal(-1),
        currency="INR",
        formula="",
        breached_at=desk.clock.now(),
        breached_wall=desk.clock.wall() - ago,
    )


def test_an_unlock_needs_a_flat_account_and_a_raised_limit(desk: Desk) -> None:
    bad = desk.deployments[0]
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop, [bad])
        limit(desk, account(bad), max_daily_loss="1")
        risk.look(prices="1.2")
        risk.look(prices="1.2")
        with pytest.raises(ConflictError, match="flat before"):
            resume(desk, bad)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        # What the closing cost depends on the market: let it have cost more than the limit.
        with desk.database.begin() as session:
            session.execute(update(LegRow).values(cash=-50))
        risk.look()
        with pytest.raises(ConflictError, match="raise it first"):
            resume(desk, bad)
        limit(desk, account(bad), version=1, max_daily_loss="5000")
        resume(desk, bad)
        risk.look()
        risk.look()
        desk.record(desk.straddle("again"), loop, [bad])

        (lock,) = locks(desk)
        assert (lock.unlocked_by, lock.unlock_reason) == ("asha", "we agreed")
        assert lock.flat_value is not None
        assert -300 < lock.flat_value < -100, "two legs at -50, and what their orders cost"
        assert desk.count_orders(status=OrderStatus.DENIED) == 0
        limit(desk, account(bad), version=2, max_daily_loss="50")
        risk.look()
        risk.look()
        assert len(locks(desk)) == 2, "a limit that is tightened again locks again"

    with desk.database.begin() as session:
        act = session.scalars(select(AuditRow).where(AuditRow.action == "loss.unlock")).one()
    assert (act.actor, act.reason) == ("asha", "we agreed")


def test_a_combined_stop_closes_its_deployment_and_pauses_it_for_the_day(desk: Desk) -> None:
    one = desk.deployments[0]
    beside = desk.deploy_beside(one)
    _stop_at(desk, one, "100")
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop, [one, beside])
        risk.look()
        risk.look()
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs(deployment_id=one.deployment_id)))
        desk.record(desk.straddle("again"), loop, [one])
        left = desk.legs(deployment_id=one.deployment_id)
        kept = desk.legs(deployment_id=beside.deployment_id)
        assert {leg.exit_reason for leg in left} == {"loss lock: COMBINED_STOP"}
        assert all(leg.net_qty < 0 for leg in kept)
        assert {o.denial_code for o in desk.orders(status=OrderStatus.DENIED)} == {
            DenialCode.DEPLOYMENT_STATE
        }
        with desk.database.begin() as session:
            asked = load_shard(session, shard=0, of=1, day=TODAY, brokers=NSE.brokers)
            tomorrow = locked_deployments(session, [one.deployment_id], TODAY + ONE_DAY)
            alarms = session.scalars(select(AlarmRow.code)).all()
        assert one.deployment_id not in {today.deployment.deployment_id for today in asked}
        assert beside.deployment_id in {today.deployment.deployment_id for today in asked}
        assert tomorrow == frozenset()
        assert "loss_lock" not in alarms, "a plan of the strategy is no trouble"


def test_a_deployment_that_its_owner_resumes_counts_anew_from_what_was_left(desk: Desk) -> None:
    one = desk.deployments[0]
    _stop_at(desk, one, "100")
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop, [one])
        risk.look()
        risk.look()
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        risk.look()
        owner = Caller(user_id=one.user_id, name="user-1", role=Role.TRADER, origin="api")
        moment = Moment(day=TODAY, now=desk.clock.now(), wall=desk.clock.wall())
        with desk.database.begin() as session:
            order_deployment_state(
                session,
                owner,
                one.deployment_id,
                state=DeploymentState.ACTIVE,
                reason="another round",
                moment=moment,
            )
        (lock,) = locks(desk)
        assert (lock.unlocked_by, lock.unlock_reason) == ("user-1", "another round")
        assert lock.flat_value is not None
        with desk.database.begin() as session:
            session.execute(update(LegRow).values(cash=LegRow.cash - Decimal("49.5")))
        risk.look()
        risk.look()
        assert len(locks(desk)) == 1, "99 more are lost, not 100"
        with desk.database.begin() as session:
            session.execute(update(LegRow).values(cash=LegRow.cash - Decimal("0.5")))
        risk.look()
        risk.look()
        assert len(locks(desk)) == 2


def _stop_at(desk: Desk, deployment: Deployment, amount: str) -> None:
    """Give a deployment a combined stop, and arm all of them."""
    with desk.database.begin() as session:
        one = update(DeploymentRow).where(DeploymentRow.id == deployment.deployment_id)
        session.execute(one.values(limits={"combined_stop": amount}))
        session.execute(update(DeploymentRow).values(armed_on=TODAY))


def test_what_is_sold_by_everybody_together_is_judged_by_the_tenants_limit(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop)
        limit(desk, (LimitScope.TENANT, ""), max_drawdown="100")
        risk.look()
        risk.look()
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        risk.look()

    (lock,) = locks(desk)
    assert (lock.scope, lock.rule) == ("TENANT", "MAX_DRAWDOWN")
    assert lock.flat_at is not None


def test_what_a_family_lost_together_closes_it_and_nobody_else(desk: Desk) -> None:
    member, stranger = desk.deployments
    family_id = desk.make_family(member)
    key = (LimitScope.FAMILY, str(family_id))
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop)
        limit(desk, key, max_drawdown="100")
        risk.look()
        risk.look()
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs(account_id=member.account_id)))
        risk.look()
        desk.record(desk.straddle("again"), loop)

        denied = {o.account_id: o.denial_code for o in desk.orders(status=OrderStatus.DENIED, leg=0)}
        assert denied == {member.account_id: DenialCode.TRADING_STATE}
        assert all(leg.exit_reason is None for leg in desk.legs(account_id=stranger.account_id))
        (lock,) = locks(desk)
        assert (lock.scope, lock.target, lock.rule) == (*key, "MAX_DRAWDOWN")
        assert lock.flat_at is not None
        _resume_family(desk, family_id)
        desk.record(desk.straddle("after"), loop, [member])

    assert desk.count_orders(account_id=member.account_id, status=OrderStatus.DENIED) == 2


def _resume_family(desk: Desk, family_id: int) -> None:
    moment = Moment(day=TODAY, now=desk.clock.now(), wall=desk.clock.wall())
    target = ControlTarget(scope=ControlScope.FAMILY, target=family_id)
    with desk.database.begin() as session:
        order_kill_switch(session, ADMIN, target, action=ControlAction.RESUME, reason="agreed", moment=moment)


def test_a_silent_feed_is_no_sample(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop)
        limit(desk, account(desk.deployments[0]), max_daily_loss="100")
        for _ in range(3):
            risk.look(silent_for=timedelta(seconds=6))

        assert locks(desk) == []


@dataclass
class Stopwatch(SystemClock):
    """A clock whose durations the test sets."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_limit_that_cannot_be_watched_calls_a_person_until_it_can(desk: Desk) -> None:
    clock = Stopwatch()
    alarms = WatchAlarms(desk.database, clock, NSE)
    moment = Moment(day=TODAY, now=desk.clock.now(), wall=desk.clock.wall())
    key = account(desk.deployments[0])

    def open_after(seconds: float, *, lacks: Sequence[str]) -> frozenset[str]:
        clock.seconds = seconds
        blind = {key: lacks} if lacks else {}
        alarms.align(Causes(blind=blind, unlimited={}, unreadable={}, stuck=()), moment)
        with desk.database.begin() as session:
            return open_alarm_subjects(session, "loss_watch_blind")

    assert open_after(0, lacks=["NIFTY-CE.NSE"]) == frozenset()
    assert open_after(29, lacks=["NIFTY-CE.NSE"]) == frozenset()
    assert open_after(30, lacks=["NIFTY-CE.NSE"]) == {f"account:{key[1]} NSE"}
    alarms = WatchAlarms(desk.database, clock, NSE)
    assert open_after(31, lacks=[]) == frozenset(), "a successor clears what its predecessor raised"


def test_who_lost_the_lease_locks_nobody(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, watched(desk) as risk:
        hold_straddles(desk, loop)
        limit(desk, account(desk.deployments[0]), max_daily_loss="100")
        risk.look()
        with desk.database.begin() as session:
            session.execute(update(LeaseRow).where(LeaseRow.kind == RunKind.RISK).values(fence=99))
        with pytest.raises(LeaseLostError):
            risk.look()

    assert locks(desk) == []


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE loss_locks SET "limit" = 9',
        "UPDATE loss_locks SET flat_value = 9",
        "UPDATE loss_locks SET unlocked_by = 'somebody else'",
        "DELETE FROM loss_locks",
    ],
)
def test_a_settled_lock_cannot_be_rewritten(desk: Desk, change: str) -> None:
    settled = """
        INSERT INTO loss_locks
            (venue, day, scope, target, rule, "limit", value, currency, formula, breached_at)
          VALUES ('NSE', '2026-11-23', 'TENANT', '', 'MAX_DAILY_LOSS', 1, -1, 'INR', '', now());
        UPDATE loss_locks SET flat_at = now(), flat_wall = now(), flat_value = -1;
        UPDATE loss_locks SET unlocked_at = now(), unlocked_by = 'asha', unlock_reason = 'agreed'
    """
    with desk.database.begin() as session:
        for statement in settled.split(";"):
            session.execute(text(statement))
    with pytest.raises(DatabaseError, match="refused"), desk.database.begin() as session:
        session.execute(text(change))
