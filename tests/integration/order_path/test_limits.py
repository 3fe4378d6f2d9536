"""A limit that is set in mid-day binds the next entry, whichever way it comes, and never an exit."""

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import insert, select, text

from api.main import create_app
from app.db.alarms import open_alarm_subjects
from app.db.deployments import get_deployment_for_staff
from app.db.limits import add_limit_version
from app.db.models import AccountRow, DeploymentRow, LimitVersionRow, UserRow
from app.db.session import Database
from app.db.trades import load_ended_trades
from app.domain.deployments import Deployment
from app.domain.ids import DeploymentId
from app.domain.orders import OrderStatus
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.domain.signals import Signal, SignalKind
from app.domain.users import Actor, Role
from app.infra.live_state import LiveState
from app.infra.names import RunKind
from app.infra.passwords import hash_password
from app.infra.queue import TaskQueue, make_celery
from app.services.limits import set_limits, try_limits
from app.services.runs import Lease
from tests.integration.api.conftest import Server
from tests.integration.order_path.desk import TODAY, Desk

ADMIN = Actor(name="risk", role=Role.ADMIN, origin="test")
PASSWORD = "correct horse battery"
TWO_LOTS = 2
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def tighten(desk: Desk, key: ScopeKey, values: Mapping[str, object]) -> None:
    with desk.database.begin() as session:
        set_limits(session, ADMIN, key, values, expected_version=0, reason="mid-day", now=desk.clock.now())


def codes(
    desk: Desk, key: str, deployment: Deployment, lease: Lease, *, lots: int = TWO_LOTS
) -> set[str | None]:
    """Wish a straddle and return what the gate said of its legs."""
    before = {order.id for order in desk.orders()}
    desk.record(desk.straddle(key, lots=lots), lease, [deployment])
    return {order.denial_code for order in desk.orders() if order.id not in before}


@pytest.fixture
def client(desk: Desk, redis_url: str) -> Iterator[httpx.Client]:
    """The REST API on the desk's database, with an administrator and the first customer signed up."""
    with desk.database.begin() as session:
        session.add(UserRow(name="chief", role="ADMIN", password_hash=hash_password(PASSWORD)))
        owner = session.get_one(UserRow, desk.deployments[0].user_id)
        owner.password_hash = hash_password(PASSWORD)
    application = create_app(
        desk.parts.settings,
        Database(desk.database.url),
        LiveState(redis_url),
        queue=TaskQueue(make_celery(redis_url)),
        clock=desk.clock,
    )
    server = Server(application)
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client
    server.stop()


def signed_in(client: httpx.Client, name: str) -> dict[str, str]:
    reply = client.post("/api/v1/tokens", json={"name": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {reply.json()['token']}"}


def test_a_limit_tightened_in_mid_day_has_no_way_round_it(desk: Desk, client: httpx.Client) -> None:
    deployment, stranger = desk.deployments
    account = {"scope": "ACCOUNT", "target": str(deployment.account_id)}
    loose = {"max_lots": "50", "max_order_notional": "100000000"}

    with desk.lease(RunKind.LOOPS) as loop:
        assert codes(desk, "before", deployment, loop) == {None}

        chief, owner = signed_in(client, "chief"), signed_in(client, "user-1")
        tight = {
            **account,
            "values": {"denied_symbols": "NIFTY"},
            "expected_version": 0,
            "reason": "volatile",
        }
        assert client.post("/api/v1/limit-versions", json=tight, headers=chief).status_code == 201

        # Every way in: the loop that runs already, one that wishes with limits of its own from memory, a
        # second deployment, one that is added now with looser limits, and scopes that the trader may set.
        ways = {
            "running": deployment,
            "beside": desk.deploy_beside(deployment),
            "added": _added(desk, deployment, loose),
        }
        looser = {**account, "values": loose, "expected_version": 1, "reason": "let me"}
        refused = client.post("/api/v1/limit-versions", json=looser, headers=owner)
        for scope, target in (("USER", deployment.user_id), ("DEPLOYMENT", deployment.deployment_id)):
            own = {"scope": scope, "target": str(target), "values": loose, "reason": "let me"}
            reply = client.post("/api/v1/limit-versions", json={**own, "expected_version": 0}, headers=owner)
            assert reply.status_code == 201  # it is the trader's own scope, and loosens nothing

        denials = {way: codes(desk, way, one, loop) for way, one in ways.items()}

        assert codes(desk, "other", stranger, loop) == {None}
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert denials == {way: {DenialCode.SYMBOL, DenialCode.OTHER_LEG} for way in ways}
    shown = client.get(f"/api/v1/accounts/{deployment.account_id}/limits", headers=owner).json()
    binding = next(limit for limit in shown if limit["name"] == "denied_symbols")
    assert (binding["value"], binding["origin"]) == (["NIFTY"], "ACCOUNT")
    assert (binding["version"]["actor"], binding["version"]["reason"]) == ("chief", "volatile")


def _added(desk: Desk, other: Deployment, limits: Mapping[str, object]) -> Deployment:
    with desk.database.begin() as session:
        row = DeploymentRow(
            user_id=other.user_id,
            account_id=other.account_id,
            name="added",
            strategy=other.strategy,
            params={},
            limits=dict(limits),
        )
        session.add(row)
        session.flush()
        return get_deployment_for_staff(session, DeploymentId(row.id))


@pytest.mark.parametrize("scope", LimitScope)
def test_every_scope_binds_whom_it_covers(desk: Desk, scope: LimitScope) -> None:
    deployment, stranger = desk.deployments
    target = {
        LimitScope.TENANT: "",
        LimitScope.BROKER: "kotak_neo",
        LimitScope.FAMILY: str(desk.make_family(deployment)),
        LimitScope.USER: str(deployment.user_id),
        LimitScope.ACCOUNT: str(deployment.account_id),
        LimitScope.DEPLOYMENT: str(deployment.deployment_id),
    }[scope]
    tighten(desk, (scope, target), {"denied_symbols": ["NIFTY"]})

    with desk.lease(RunKind.LOOPS) as loop:
        own, other = (codes(desk, "one", one, loop) for one in (deployment, stranger))

    assert DenialCode.SYMBOL in own
    assert (DenialCode.SYMBOL in other) == (scope in {LimitScope.TENANT, LimitScope.BROKER})


def test_a_limit_set_while_an_entry_waits_for_its_account_binds_it(desk: Desk) -> None:
    deployment = desk.deployments[0]
    seen: list[set[str | None]] = []

    with desk.lease(RunKind.LOOPS, ttl_s=30) as loop:
        recorder = threading.Thread(target=lambda: seen.append(codes(desk, "waiting", deployment, loop)))
        with desk.database.begin() as session:
            session.execute(
                select(AccountRow.id).where(AccountRow.id == deployment.account_id).with_for_update()
            )
            recorder.start()
            desk.wait_for(lambda: _waits_for_a_lock(desk))
            tighten(desk, (LimitScope.ACCOUNT, str(deployment.account_id)), {"max_lots": 1})
        recorder.join(30)

    assert seen == [{DenialCode.QUANTITY, DenialCode.OTHER_LEG}]


def _waits_for_a_lock(desk: Desk) -> bool:
    with desk.database.begin() as session:
        return bool(session.scalar(_WAITING))


def test_limits_that_cannot_be_read_hold_entries_and_let_exits_go(desk: Desk) -> None:
    deployment = desk.deployments[0]
    subject = f"deployment:{deployment.deployment_id}"
    scope, target = LimitScope.ACCOUNT, str(deployment.account_id)
    leave = Signal(key=desk.straddle("x").key, kind=SignalKind.EXIT, reason="out", valid_for_s=Decimal(5))

    with desk.lease(RunKind.LOOPS) as loop:
        assert codes(desk, "held", deployment, loop) == {None}
        with desk.database.begin() as session:  # as a later release may have left it
            row = {"scope": scope, "target": target, "version": 1, "values": {"max_moon": "1"}}
            who = {"actor": "x", "role": "ADMIN", "reason": "x", "ts_init": datetime.now(UTC)}
            session.execute(insert(LimitVersionRow).values(**row, **who))

        assert codes(desk, "blind", deployment, loop) == set()
        desk.record(leave, loop, [deployment])
        with desk.database.begin() as session:
            assert open_alarm_subjects(session, "limits_unreadable") == {subject}
        assert {leg.exit_reason for leg in desk.legs(deployment_id=deployment.deployment_id)} == {"out"}

        with desk.database.begin() as session:
            add_limit_version(
                session,
                (scope, target),
                {"denied_symbols": ["NIFTY"]},
                expected_version=1,
                author=ADMIN,
                reason="readable",
                now=desk.clock.now(),
            )
        assert DenialCode.SYMBOL in codes(desk, "blind", deployment, loop)
    with desk.database.begin() as session:
        assert open_alarm_subjects(session, "limits_unreadable") == set()


def test_a_trial_names_the_entries_that_the_gate_then_denies(desk: Desk) -> None:
    deployment = desk.deployments[0]
    key, values = (LimitScope.USER, str(deployment.user_id)), {"max_lots": 1}

    with desk.lease(RunKind.LOOPS) as loop:
        codes(desk, "small", deployment, loop, lots=1)
        codes(desk, "large", desk.deploy_beside(deployment), loop)
        with desk.database.begin() as session:
            trial = try_limits(session, ADMIN, key, values, now=desk.clock.now())
            nothing = try_limits(session, ADMIN, key, {}, now=desk.clock.now())
        tighten(desk, key, values)
        again = codes(desk, "again", _added(desk, deployment, {}), loop)

    assert (trial.judged, trial.unjudged, nothing.denied) == (4, 0, ())
    assert {past.code for past in trial.denied} == again == {DenialCode.QUANTITY, DenialCode.OTHER_LEG}
    large = {order.client_order_id for order in desk.orders() if order.quantity > desk.orders()[0].quantity}
    assert {past.intent.client_order_id for past in trial.denied} <= large


def test_an_account_pauses_after_a_losing_trade_of_the_broker(desk: Desk) -> None:
    deployment = desk.deployments[0]
    leave = Signal(key=desk.straddle("x").key, kind=SignalKind.EXIT, reason="out", valid_for_s=Decimal(5))

    with (
        desk.lease(RunKind.LOOPS, ttl_s=60) as loop,
        desk.running(RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS),
    ):
        assert codes(desk, "first", deployment, loop, lots=1) == {None}
        own = {"deployment_id": deployment.deployment_id}
        desk.wait_for(lambda: all(leg.net_qty != 0 for leg in desk.legs(**own)))
        desk.record(leave, loop, [deployment])
        desk.wait_for(lambda: all(leg.net_qty == 0 and leg.cash != 0 for leg in desk.legs(**own)))
        tighten(desk, (LimitScope.ACCOUNT, str(deployment.account_id)), {"max_losing_trades": 1})
        denied = codes(desk, "second", deployment, loop, lots=1)

    with desk.database.begin() as session:
        trades = load_ended_trades(session, [deployment.account_id], TODAY)[deployment.account_id]
    cash = {leg.instrument_id: leg.cash for leg in desk.legs(**own)}
    assert {trade.instrument_id: trade.pnl for trade in trades} == cash
    assert not any(trade.is_stopped for trade in trades)
    assert min(cash.values()) < 0
    assert DenialCode.LOSING_TRADES in denied
    assert desk.count_orders(status=OrderStatus.DENIED) == len(denied)
