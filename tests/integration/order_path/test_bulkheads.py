"""Prove that what hangs, floods or fails at an account or broker delays no other orders (I7, I8)."""

import threading
from collections.abc import Sequence
from datetime import timedelta

from redis import Redis
from sqlalchemy import select, update

from app.db.controls import request_exits
from app.db.models import LoginRow, OrderRow
from app.domain.accounts import BrokerCode, LoginStatus
from app.domain.breaker import BreakerState, EndpointClass
from app.domain.ids import CLIENT_ORDER_ID_LENGTH, AccountId
from app.domain.orders import OrderRole, OrderStatus
from app.domain.ports import BrokerGateway
from app.infra.breaker_store import BreakerStore
from app.infra.names import RunKind
from app.infra.rate_limit import OrderBudget
from app.services.breakers import Breakers
from tests.integration.order_path.desk import TODAY, Desk

KOTAK = BrokerCode.KOTAK_NEO
LANES = (RunKind.ENTRIES, RunKind.EXITS)
# What a stream misses while it connects, the books tell; without them a fill may stay unknown for ever.
WITH_BOOKS = (*LANES, RunKind.BOOKS)
_CALLS_PER_ACCOUNT = 4
_FRESH = {
    "signal_id": None,
    "status": OrderStatus.INITIALIZED,
    "broker_order_id": None,
    "filled_qty": 0,
    "avg_px": None,
    "is_unknown": False,
    "was_unknown": False,
    "submitted_wall": None,
    "answered_wall": None,
    "ended_wall": None,
    "fence": None,
}


def _line_up(desk: Desk, count: int, *, account: int, valid_for_s: float = 3600) -> list[str]:
    """Put approved entries of an account into the table, like its first one; return their tags."""
    account_id = desk.deployments[account - 1].account_id
    start = desk.count_orders()
    tags = [f"t{number:0{CLIENT_ORDER_ID_LENGTH - 1}d}" for number in range(start, start + count)]
    until = desk.clock.now() + timedelta(seconds=valid_for_s)
    with desk.database.begin() as session:
        like = session.scalars(
            select(OrderRow).filter_by(account_id=account_id).order_by(OrderRow.id)
        ).first()
        assert like is not None
        same = {c.key: getattr(like, c.key) for c in OrderRow.__table__.columns if c.key != "id"}
        session.add_all(
            OrderRow(**{**same, **_FRESH, "client_order_id": tag, "valid_until": until}) for tag in tags
        )
    return tags


def _seen_by_broker(desk: Desk, tags: Sequence[str]) -> list[str]:
    """Return which of these orders were asked for, once for each request, whatever became of them."""
    return [request["tag"] for request in desk.broker.get("requests") if request["tag"] in tags]


def _of(desk: Desk, tags: Sequence[str], *statuses: OrderStatus) -> list[OrderRow]:
    return [o for o in desk.orders() if o.client_order_id in tags and (not statuses or o.status in statuses)]


def _open_positions(desk: Desk) -> None:
    """Let three accounts hold a straddle with its stops."""
    desk.enroll(1)
    with desk.running(*WITH_BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 6)


def _go_flat(desk: Desk, account: int | None = None) -> None:
    where = {} if account is None else {"account_id": int(desk.deployments[account - 1].account_id)}
    with desk.database.begin() as session:
        request_exits(session, where=where, day=TODAY, reason="test", wall=desk.clock.wall())


def _state(desk: Desk, endpoints: EndpointClass) -> BreakerState:
    return BreakerStore(desk.parts.valkey).read(KOTAK, endpoints).state


def _broken(desk: Desk) -> list[str]:
    desk.parts.breakers.align_alarms(desk.database)
    return list(desk.open_alarms("breaker_open"))


def test_a_flood_of_an_account_that_hangs_delays_nobody_and_is_refused_in_words(desk: Desk) -> None:
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    desk.fault(kind="hang", endpoint="place", ucc=["AA001"], seconds=15.0)
    flood = _line_up(desk, 510, account=1)
    others = _line_up(desk, 4, account=2)

    # Longer than the rest takes on a slow machine: the calls must still hang when the time is over.
    with desk.running(
        RunKind.ENTRIES, settings=desk.parts.settings.model_copy(update={"order_timeout_s": 30.0})
    ):
        desk.wait_for(lambda: len(_of(desk, others, OrderStatus.ACCEPTED)) == 4)
        assert len(_of(desk, flood, OrderStatus.SUBMITTED)) <= _CALLS_PER_ACCOUNT
        desk.clock.set(desk.clock.now() + timedelta(hours=2), rate=1.0)
        desk.wait_for(lambda: not _of(desk, flood, OrderStatus.INITIALIZED), timeout_s=60)

    refused = _of(desk, flood, OrderStatus.EXPIRED)
    assert {order.reject_reason.partition(":")[0] for order in refused} == {"not sent in time"}
    assert any("have no answer yet" in order.reject_reason for order in refused)
    assert not _seen_by_broker(desk, [order.client_order_id for order in refused])


def test_a_flood_that_its_budget_holds_back_hides_nobody(desk: Desk) -> None:
    """Both accounts may send one order a second, so the other's leave beside the flood's."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    desk.parts.__dict__["budget"] = OrderBudget(desk.parts.valkey, per_second=1)
    flood = _line_up(desk, 520, account=1)
    others = _line_up(desk, 2, account=2)

    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: len(set(_seen_by_broker(desk, others))) == 2)

    assert len(_seen_by_broker(desk, flood)) <= 10


def test_an_exit_does_not_wait_behind_a_hanging_entry_of_its_account(desk: Desk) -> None:
    _open_positions(desk)
    desk.fault(kind="hang", endpoint="place", seconds=30.0)
    hanging = _line_up(desk, 8, account=1)

    with desk.running(*WITH_BOOKS):
        desk.wait_for(lambda: len(set(_seen_by_broker(desk, hanging))) == _CALLS_PER_ACCOUNT)
        _go_flat(desk, account=1)
        account_id = desk.deployments[0].account_id
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs(account_id=account_id)))


def test_an_order_whose_time_passes_between_claim_and_call_does_not_leave(desk: Desk) -> None:
    """The way to the broker takes so long that the wish is over; only the entry's own thread sees it."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry", valid_for_s=10), loop, desk.deployments[:1])
    restore = desk.parts.gateways.get

    def get(account_id: AccountId) -> BrokerGateway:
        if threading.current_thread().name.startswith("entry"):
            desk.clock.set(desk.clock.now() + timedelta(seconds=11), rate=1.0)
        return restore(account_id)

    desk.parts.gateways.get = get  # type: ignore[method-assign]  # no broker takes so long to be restored
    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.REJECTED) == 2)

    assert {o.reject_reason for o in desk.orders()} == {"not sent: its time was over before it could leave"}
    assert desk.broker.get("orders") == []


def test_entries_wait_while_orders_fail_exits_go_and_a_probe_finds_the_end(desk: Desk) -> None:
    _open_positions(desk)
    desk.clock.set(desk.clock.now(), rate=0.0)  # nothing expires unless the test says so
    desk.fault(kind="outage", endpoint="place")
    for account in (1, 2, 3):
        _line_up(desk, 2, account=account)

    with desk.running(*WITH_BOOKS):
        desk.wait_for(lambda: _state(desk, EndpointClass.ORDERS) is BreakerState.OPEN)
        assert _broken(desk) == ["kotak_neo:ORDERS"]

        late = [tag for account in (1, 2, 3) for tag in _line_up(desk, 2, account=account, valid_for_s=10)]
        _go_flat(desk)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        threading.Event().wait(1)  # the lane looks four times a second, and then knows why each of them waits
        desk.clock.set(desk.clock.now() + timedelta(seconds=11), rate=0.0)
        desk.wait_for(lambda: not _of(desk, late, OrderStatus.INITIALIZED))
        expired = _of(desk, late, OrderStatus.EXPIRED)
        assert len(expired) >= 4, "all but two probes, had the machine been so slow that the time was up"
        assert all("breaker is open" in order.reject_reason for order in expired)

        desk.fault()
        patient = [tag for account in (1, 2, 3) for tag in _line_up(desk, 2, account=account)]
        desk.wait_for(lambda: len(_of(desk, patient, OrderStatus.ACCEPTED, OrderStatus.FILLED)) == 6, 60)

    assert _state(desk, EndpointClass.ORDERS) is BreakerState.CLOSED
    assert _broken(desk) == []
    assert sorted(_seen_by_broker(desk, patient)) == sorted(patient)


def test_entries_wait_and_exits_go_while_the_breaker_cannot_be_read(desk: Desk) -> None:
    _open_positions(desk)
    nowhere = BreakerStore(Redis(port=1, decode_responses=True))
    desk.parts.__dict__["breakers"] = Breakers(
        nowhere, desk.clock, desk.parts.settings, broker_of=desk.parts.gateways.broker_of
    )
    waiting = _line_up(desk, 1, account=1, valid_for_s=10)

    with desk.running(*WITH_BOOKS):
        _go_flat(desk)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        desk.clock.set(desk.clock.now() + timedelta(seconds=11), rate=1.0)
        desk.wait_for(lambda: _of(desk, waiting, OrderStatus.EXPIRED))

    assert "breaker" in _of(desk, waiting)[0].reject_reason
    assert not _seen_by_broker(desk, waiting)


def test_periodic_reads_stop_while_reports_fail_and_a_doubtful_account_is_looked_at(desk: Desk) -> None:
    desk.enroll(1)
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
    desk.fault(kind="outage", endpoint="reports")

    def reads(*uccs: str) -> int:
        return sum(r["ucc"] in uccs and "user/orders" in r["path"] for r in desk.broker.get("requests"))

    with desk.running(RunKind.BOOKS):
        desk.wait_for(lambda: _state(desk, EndpointClass.READS) is BreakerState.OPEN)
        with desk.database.begin() as session:
            for order in session.scalars(select(OrderRow)):
                order.status, order.submitted_wall = OrderStatus.SUBMITTED, desk.clock.wall()
        desk.wait_for(lambda: reads("AA001"))
        before = reads("AA001"), reads("AA002", "AA003")
        desk.wait_for(lambda: reads("AA001") >= before[0] + 10, 60)
        assert reads("AA002", "AA003") - before[1] <= 5, "as many as of the other, were the breaker closed"


def test_logins_are_tried_by_probes_only_while_the_broker_fails_them(desk: Desk) -> None:
    desk.enroll(1)
    desk.fault(kind="outage", endpoint="login")

    def log_in() -> dict[str, int]:
        desk.clock.set(desk.clock.now() + timedelta(seconds=30), rate=1.0)  # a TOTP code serves once
        with desk.database.begin() as session:
            session.execute(update(LoginRow).values(status=LoginStatus.PENDING))
        return desk.parts.logins.log_in(TODAY, [d.account_id for d in desk.deployments])

    for _ in range(2):  # those of the morning that went well are in the window, unless the machine is slow
        log_in()
    assert _state(desk, EndpointClass.LOGINS) is BreakerState.OPEN
    asked = len(desk.broker.get("requests"))
    assert log_in()["held"] >= 1, "all of them, unless the time of the probes has come"
    assert len(desk.broker.get("requests")) - asked <= 2
