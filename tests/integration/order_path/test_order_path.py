"""Prove that an entry is sent once, protected at once, and closed for good."""

from app.domain.orders import OrderRole, OrderStatus
from app.infra.names import RunKind
from tests.integration.order_path.desk import Desk


def test_straddle_is_filled_protected_and_squared_off_flat(desk: Desk) -> None:
    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)

        desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=OrderStatus.FILLED) == 4)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 4)
        assert all(leg.exposed_since is None for leg in desk.legs())

        from app.services.flattening import flatten_everything
        from tests.integration.order_path.desk import TODAY

        with desk.database.begin() as session:
            flatten_everything(session, TODAY, reason="square_off", wall=desk.clock.wall())
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    assert len(desk.broker.get("orders")) == 8, "four entries, four exits, nothing else"
    assert all(p["net"] == 0 for p in desk.broker.get("positions"))
