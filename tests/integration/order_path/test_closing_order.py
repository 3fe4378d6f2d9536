"""Prove that what was bought as a cover leaves after what it covers, and never waits for ever."""

from datetime import datetime

from app.db.controls import request_exits
from app.domain.orders import OrderRole, OrderStatus
from app.domain.risk.closing import HEDGE_WAITS_S
from app.infra.names import RunKind
from tests.integration.order_path.desk import TODAY, Desk

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
_S = OrderStatus


def _open_condor(desk: Desk) -> None:
    """Enter with lanes that run, until both shorts are guarded."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.condor("entry"), loop, desk.deployments[:1])
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=_S.FILLED) == 4)
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 2)


def _ask_for_flat(desk: Desk) -> None:
    with desk.database.begin() as session:
        request_exits(session, where={}, day=TODAY, reason="square_off", wall=desk.clock.wall())


def _shorts(desk: Desk) -> set[str]:
    """Symbols that were sold to open."""
    sold = {o.broker_order_id for o in desk.orders(role=OrderRole.ENTRY, is_hedge=False)}
    return {str(o["symbol"]) for o in desk.broker.get("orders") if o["broker_order_id"] in sold}


def _wing_exits_sent(desk: Desk) -> list[datetime]:
    """When the broker got each order that sells a wing."""
    shorts = _shorts(desk)
    return [
        datetime.fromisoformat(order["placed_at"])
        for order in desk.broker.get("orders")
        if order["side"] == "S" and order["symbol"] not in shorts
    ]


def _is_flat(desk: Desk) -> bool:
    return all(position["net"] == 0 for position in desk.broker.get("positions"))


def test_the_wings_of_a_condor_leave_after_both_shorts_are_bought_back(desk: Desk) -> None:
    with desk.running(*ALL):
        _open_condor(desk)
        _ask_for_flat(desk)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    shorts = _shorts(desk)
    covered = [
        datetime.fromisoformat(fill["filled_at"])
        for fill in desk.broker.get("fills")
        if fill["side"] == "B" and fill["symbol"] in shorts
    ]
    assert len(covered) == len(shorts) == 2
    assert max(covered) <= min(_wing_exits_sent(desk))
    assert len(_wing_exits_sent(desk)) == 2
    assert _is_flat(desk)


def test_a_short_that_the_broker_does_not_close_holds_its_wings_for_a_while_only(desk: Desk) -> None:
    with desk.running(*ALL):
        _open_condor(desk)
        desk.broker.post("faults", {"faults": [{"kind": "algo_refused", "rate": 1.0, "endpoint": "modify"}]})
        asked_at = desk.clock.now()
        _ask_for_flat(desk)
        desk.wait_for(lambda: len(_wing_exits_sent(desk)) == 2)
        desk.wait_for(lambda: sum(leg.net_qty > 0 for leg in desk.legs()) == 0)
        assert sum(leg.net_qty < 0 for leg in desk.legs()) == 2
        desk.broker.post("faults", {"faults": []})
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    waited_s = [(sent - asked_at).total_seconds() for sent in _wing_exits_sent(desk)]
    assert HEDGE_WAITS_S - 1 < min(waited_s) <= max(waited_s) < HEDGE_WAITS_S + 5
    assert _is_flat(desk)
