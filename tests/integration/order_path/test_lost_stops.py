"""Prove that a leg is protected although its stop is lost, late, deleted or out of the venue's reach (I5)."""

import socket
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import update

from app.db.models import LegRow
from app.domain.orders import OrderRole, OrderStatus
from app.infra.names import FEED_STATE_KEY, RunKind
from tests.integration.order_path.desk import Desk

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)


def _are_both_entries_filled(desk: Desk) -> bool:
    return desk.count_orders(role=OrderRole.ENTRY, status=OrderStatus.FILLED) == 2


def _status_at_broker(desk: Desk, tags: set[str]) -> list[str]:
    return [order["status"] for order in desk.broker.get("orders") if order["tag"] in tags]


def _fill_beside_a_living_feed(desk: Desk) -> None:
    """Let a straddle fill while no exits lane runs, and the feed be fresh for an hour."""
    seen = desk.clock.wall() + timedelta(hours=1)
    desk.parts.valkey.hset(FEED_STATE_KEY.format(venue="NSE"), "last_wall", seen.isoformat())
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: _are_both_entries_filled(desk))


def _let_nobody_listen(desk: Desk, *, seconds: float) -> None:
    """Let the broker take no connection; one that is open would make an outcome unknown instead."""
    desk.fault(kind="connection_refused", seconds=seconds)
    desk.wait_for(lambda: not _is_listening(desk.broker.port))
    account_id = desk.deployments[0].account_id
    desk.parts.gateways.forget(account_id, desk.parts.gateways.get(account_id))


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_restart_protects_a_position_that_lost_its_guard(desk: Desk) -> None:
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: _are_both_entries_filled(desk))
    assert all(leg.exposed_since is not None for leg in desk.legs())

    with desk.running(RunKind.EXITS):
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)

    assert {o.trigger_price is not None for o in desk.orders(role=OrderRole.STOP)} == {True}


def test_a_stop_that_we_watch_protects_only_while_the_feed_lives(desk: Desk) -> None:
    """The stop lies beyond the venue's band, so it rests with us; a dead feed exposes the leg (I5)."""

    def feed_published(ago: timedelta) -> None:
        seen = desk.clock.wall() - ago
        desk.parts.valkey.hset(FEED_STATE_KEY.format(venue="NSE"), "last_wall", seen.isoformat())

    def is_exposed() -> set[bool]:
        return {leg.exposed_since is not None for leg in desk.legs()}

    feed_published(timedelta(hours=-1))
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry", stop="9"), loop, desk.deployments[:1])
        desk.wait_for(lambda: _are_both_entries_filled(desk))
        desk.wait_for(lambda: is_exposed() == {False})
        feed_published(timedelta(minutes=1))
        desk.wait_for(lambda: is_exposed() == {True})
        feed_published(timedelta(hours=-1))
        desk.wait_for(lambda: is_exposed() == {False})

    assert desk.count_orders(role=OrderRole.STOP) == 0


def test_a_stop_that_the_exchange_deleted_is_missed_alarmed_and_placed_again(desk: Desk) -> None:
    """The leg is bare although we canceled nothing (I5): until the halt is over no stop is taken."""
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
        desk.wait_for(lambda: all(leg.exposed_since is None for leg in desk.legs()))

        desk.broker.post("halt", {"until": (desk.clock.now() + timedelta(seconds=8)).isoformat()})
        desk.wait_for(lambda: all(leg.exposed_since is not None for leg in desk.legs()))
        desk.wait_for(lambda: len(desk.open_alarms("unprotected")) == 2)

        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
        desk.wait_for(lambda: not desk.open_alarms("unprotected"))

    assert all(leg.unprotected_max_ms > 3_000 for leg in desk.legs())
    assert desk.count_orders(role=OrderRole.STOP, status=OrderStatus.CANCELED) == 2


def test_a_stop_that_got_lost_is_watched_and_soon_replaced_but_only_once(desk: Desk) -> None:
    """Kotak's books may be 90 s late; a position must not be bare for as long (docs/adr/0012)."""
    late = desk.parts.settings.model_copy(update={"not_placed_after_s": 90.0})
    _fill_beside_a_living_feed(desk)
    desk.fault(kind="request_lost", endpoint="place", count=4)

    with desk.running(RunKind.EXITS, RunKind.BOOKS, settings=late):
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, is_unknown=True) == 2)
        desk.wait_for(lambda: all(leg.exposed_since is None for leg in desk.legs()))
        desk.wait_for(lambda: desk.count_orders(attempt=1, is_unknown=True) == 2)
        sent = desk.clock.wall()
        desk.wait_for(lambda: desk.clock.wall() > sent + timedelta(seconds=6))

    assert desk.count_orders(role=OrderRole.STOP) == 4, "a second stop of a leg waits as long as an entry"
    assert all(leg.exposed_since is None for leg in desk.legs())


def test_while_nobody_takes_a_connection_the_stop_is_watched_and_soon_there_when_somebody_does(
    desk: Desk,
) -> None:
    """What no broker takes can rest nowhere (docs/adr/0012); its first second must not be missed either."""
    _fill_beside_a_living_feed(desk)
    _let_nobody_listen(desk, seconds=15.0)

    with desk.running(RunKind.EXITS, RunKind.BOOKS):
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.REJECTED) >= 6)
        assert all(leg.exposed_since is None for leg in desk.legs())
        # An outage that lasts calls a person, although we watch.
        desk.wait_for(lambda: len(desk.open_alarms("unprotected")) == 2)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
        desk.wait_for(lambda: not desk.open_alarms("unprotected"))

    for stop in desk.orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED):
        refused = desk.orders(instrument_id=stop.instrument_id, attempt=stop.attempt - 1)[0]
        assert stop.submitted_wall - refused.ended_wall < timedelta(seconds=3)  # type: ignore[operator]
    assert len(_status_at_broker(desk, {o.client_order_id for o in desk.orders(role=OrderRole.STOP)})) == 2


def test_a_stop_that_nobody_takes_is_missed_where_the_market_has_reached_it(desk: Desk) -> None:
    _fill_beside_a_living_feed(desk)
    with desk.database.begin() as session:
        session.execute(update(LegRow).values(stop_fraction=Decimal("0.0001")))
    _let_nobody_listen(desk, seconds=15.0)

    with desk.running(RunKind.EXITS):
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.EXIT, status=OrderStatus.REJECTED) >= 6)
        assert all(leg.exposed_since is not None for leg in desk.legs())


def test_a_stop_that_shows_up_after_it_was_replaced_is_withdrawn(desk: Desk) -> None:
    """The price of replacing it early: for a moment the broker holds two, the ledger never does (I6)."""
    late = desk.parts.settings.model_copy(update={"not_placed_after_s": 90.0})
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: _are_both_entries_filled(desk))
    late_by = {"endpoint": "place", "rate": 1.0, "count": 2}
    faults = [{"kind": "ack_lost", **late_by}, {"kind": "late_placement", "seconds": 9.0, **late_by}]
    desk.broker.post("faults", {"faults": faults})

    with desk.running(RunKind.EXITS, RunKind.BOOKS, settings=late):
        desk.wait_for(lambda: desk.count_orders(attempt=1, status=OrderStatus.ACCEPTED) == 2)
        replaced = {order.client_order_id for order in desk.orders(role=OrderRole.STOP, attempt=0)}
        desk.wait_for(lambda: _status_at_broker(desk, replaced) == ["cancelled", "cancelled"])

    stops = {order.client_order_id for order in desk.orders(role=OrderRole.STOP)}
    assert _status_at_broker(desk, stops - replaced) == ["trigger pending", "trigger pending"]
    assert desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2
