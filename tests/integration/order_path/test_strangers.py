"""A person trades in the broker's own app: what closes our legs is claimed, the rest is quarantined (I4)."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import select

from app.db.controls import request_exits
from app.db.models import AccountRow, AuditRow, ExternalFillRow, LegRow, OrderRow
from app.db.orders import OVERCLOSED
from app.domain.accounts import TradingState
from app.domain.ids import AccountId, BrokerOrderId, ClientOrderId
from app.domain.instruments import Instrument, OptionRight
from app.domain.numbers import Rounding, round_to_step
from app.domain.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerGateway, OrderRequest
from app.domain.reports import Read
from app.infra.names import RunKind
from app.services.audit import audit
from app.services.reconciliation import Reconciliation
from tests.contract.simulator_kotak.broker import at
from tests.integration.order_path.desk import TODAY, Desk

pytestmark = pytest.mark.integration

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
LOT = 65


def trade_by_hand(
    desk: Desk, instrument: Instrument, side: Side, *, tag: str = "", better_by: str = "-0.05"
) -> str:
    """Order a lot as a person does in the broker's own app, on the first user's account.

    It trades at once, unless it asks for a price that is better than the market's by a fraction.
    """
    tick = desk.price([instrument]).ticks[instrument.instrument_id]
    price = tick.ask if side is Side.BUY else tick.bid
    assert price is not None
    price *= 1 - side.sign * Decimal(better_by)
    request = OrderRequest(
        client_order_id=ClientOrderId(tag or f"byhand{len(desk.broker.get('orders'))}"),  # one each
        instrument=instrument,
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(LOT),
        price=round_to_step(price, instrument.tick_size, Rounding.NEAREST),
        trigger_price=None,
    )
    result = desk.parts.gateways.get(desk.deployments[0].account_id).submit_order(request, timeout_s=10)
    assert result.broker_order_id is not None
    return str(result.broker_order_id)


def enter(desk: Desk, *, lots: int = 1, stop: str = "0.25") -> None:
    """Sell the first user's straddle and wait for its stops."""
    straddle = desk.straddle("entry", stop=stop)
    straddle = replace(straddle, legs=tuple(replace(leg, lots=lots) for leg in straddle.legs))
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(straddle, loop, desk.deployments[:1])
    desk.wait_for(lambda: len(resting_stops(desk)) == 2)


def resting_stops(desk: Desk) -> Sequence[OrderRow]:
    return desk.orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED)


def leg_of(desk: Desk, instrument: Instrument) -> LegRow:
    return desk.legs(instrument_id=instrument.instrument_id)[0]


def square_off(desk: Desk) -> None:
    with desk.database.begin() as session:
        request_exits(session, where={}, day=TODAY, reason="square_off", wall=desk.clock.wall())
    desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))


def at_broker(desk: Desk) -> dict[str, int]:
    """Net positions by symbol."""
    return {row["symbol"]: row["net"] for row in desk.broker.get("positions")}


def state(desk: Desk) -> tuple[str, str]:
    with desk.database.begin() as session:
        row = session.get_one(AccountRow, desk.deployments[0].account_id)
        return row.trading_state, row.state_reason


def is_reducing(desk: Desk) -> bool:
    return state(desk)[0] == TradingState.REDUCING


def strangers(desk: Desk) -> list[tuple[str, int | None, str, int]]:
    """(order, deployment, side, quantity) of every external fill."""
    with desk.database.begin() as session:
        statement = select(ExternalFillRow).order_by(
            ExternalFillRow.broker_order_id, ExternalFillRow.cumulative_qty
        )
        return [
            (row.broker_order_id, row.deployment_id, row.side, int(row.quantity))
            for row in session.scalars(statement)
        ]


def breaches(desk: Desk) -> list[str]:
    """What the auditor says about books, protection and exits."""
    found = audit(desk.database, TODAY, wall=desk.clock.wall())
    return [f"{b.invariant} {b.message}" for b in found if b.invariant in ("I4", "I5", "I6", "I7")]


def test_a_leg_that_a_person_closed_is_claimed_and_never_exited_again(desk: Desk) -> None:
    """Only the exits lane runs then: the stream's news of the stranger's order makes it read the book."""
    call, put = (desk.option(right) for right in OptionRight)
    with desk.running(RunKind.ENTRIES, RunKind.EXITS):
        enter(desk)
        number = trade_by_hand(desk, call, Side.BUY)
        desk.wait_for(lambda: leg_of(desk, call).net_qty == 0)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.CANCELED) == 1)
        assert is_reducing(desk)
        square_off(desk)

    assert strangers(desk) == [(number, desk.deployments[0].deployment_id, "BUY", LOT)]
    exits = [o for o in desk.orders() if o.role != OrderRole.ENTRY and o.filled_qty > 0]
    assert [order.instrument_id for order in exits] == [put.instrument_id]
    assert set(at_broker(desk).values()) == {0}
    account_id = desk.deployments[0].account_id
    assert "closed a leg" in desk.open_alarms("external_order")[f"account:{account_id}:{number}"]
    assert breaches(desk) == []
    with desk.database.begin() as session:
        act = session.scalars(select(AuditRow).filter_by(action="book_external_fill")).one()
    assert act.details["trade"] == f"BUY {LOT} {call.broker_symbol}"


def test_a_leg_that_a_person_closed_in_part_keeps_a_stop_for_the_rest(desk: Desk) -> None:
    call = desk.option(OptionRight.CALL)
    with desk.running(*ALL):
        enter(desk, lots=2)
        trade_by_hand(desk, call, Side.BUY)
        desk.wait_for(lambda: leg_of(desk, call).net_qty == -LOT)
        desk.wait_for(lambda: sorted(int(o.quantity) for o in resting_stops(desk)) == [LOT, 2 * LOT])
        assert leg_of(desk, call).exposed_since is None
        square_off(desk)

    assert set(at_broker(desk).values()) == {0}
    assert breaches(desk) == []
    assert desk.open_alarms("positions_differ") == {}


@pytest.mark.parametrize("kind", ["human_close", "human_open"])
def test_a_person_who_trades_right_after_our_entry_leaves_both_books_alike(desk: Desk, kind: str) -> None:
    """The broker itself plays the person, without any tag, while our stops are on their way."""
    desk.broker.post(
        "faults", {"faults": [{"kind": kind, "endpoint": "app", "rate": 1.0, "count": 1, "ucc": ["AA001"]}]}
    )
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: is_reducing(desk))
        desk.wait_for(lambda: len(resting_stops(desk)) == (1 if kind == "human_close" else 2))
        square_off(desk)
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.PENDING_CANCEL) == 0)

    [(_, deployment_id, side, quantity)] = strangers(desk)
    assert quantity == LOT
    left = [net for net in at_broker(desk).values() if net != 0]
    if kind == "human_close":
        assert (deployment_id, side, left) == (desk.deployments[0].deployment_id, "BUY", [])
    else:
        assert (deployment_id, side, left) == (None, "SELL", [-LOT])
    assert desk.open_alarms("positions_differ") == {}
    assert breaches(desk) == []


def test_what_a_person_opens_is_quarantined_and_never_touched(desk: Desk) -> None:
    ours = {desk.option(right).instrument_id for right in OptionRight}
    other = _neighbour(desk, desk.option(OptionRight.CALL))
    assert other.instrument_id not in ours
    account_id = desk.deployments[0].account_id
    subject = f"account:{account_id}:{other.broker_symbol}"
    with desk.running(*ALL):
        enter(desk)
        bought = trade_by_hand(desk, other, Side.BUY)
        desk.wait_for(lambda: subject in desk.open_alarms("external_position"))
        assert is_reducing(desk)
        _deny_next_entry(desk)
        square_off(desk)
        assert at_broker(desk)[other.broker_symbol] == LOT
        assert desk.count_orders(instrument_id=other.instrument_id) == 0

        sold = trade_by_hand(desk, other, Side.SELL)
        desk.wait_for(lambda: not desk.open_alarms("external_position"))

    assert strangers(desk) == [(bought, None, "BUY", LOT), (sold, None, "SELL", LOT)]
    assert desk.open_alarms("positions_differ") == {}
    assert is_reducing(desk), "only a person lets entries go on"


def _neighbour(desk: Desk, option: Instrument) -> Instrument:
    """Return the contract one strike further in the money."""
    assert option.option is not None
    terms = replace(option.option, strike=option.option.strike - 50)
    return next(i for i in desk.parts.contracts.of_day(TODAY).values() if i.option == terms)


def _deny_next_entry(desk: Desk) -> None:
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("again"), loop, desk.deployments[:1])
    assert desk.count_orders(status=OrderStatus.DENIED) == 2
    assert desk.count_orders(denial_code="TRADING_STATE") == 1, "and the other leg for its sake"


def test_of_two_deployments_the_lower_one_loses_its_leg(desk: Desk) -> None:
    call = desk.option(OptionRight.CALL)
    first = desk.deployments[0]
    second = desk.deploy_beside(first)
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, [second])
        desk.record(desk.straddle("entry"), loop, [first])
        desk.wait_for(lambda: len(resting_stops(desk)) == 4)
        trade_by_hand(desk, call, Side.BUY)
        desk.wait_for(lambda: is_reducing(desk))
        held = {leg.deployment_id: leg.net_qty for leg in desk.legs(instrument_id=call.instrument_id)}
        assert held == {first.deployment_id: 0, second.deployment_id: -LOT}
        square_off(desk)

    assert set(at_broker(desk).values()) == {0}
    assert breaches(desk) == []


def test_an_exit_that_turned_a_leg_round_is_undone_at_once(desk: Desk) -> None:
    """A stop fills although a person closed its leg: nobody was there to withdraw it."""
    options = [desk.option(right) for right in OptionRight]
    with desk.running(RunKind.ENTRIES, RunKind.EXITS):
        enter(desk, stop="0.02")
    with desk.running(RunKind.BOOKS):
        for option in options:
            trade_by_hand(desk, option, Side.BUY)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        desk.broker.post("clock", {"now": at("13:00:00"), "rate": 1.0})
        desk.price(options)
        desk.wait_for(lambda: any(leg.net_qty == LOT for leg in desk.legs()))
    assert {leg.exit_reason for leg in desk.legs() if leg.net_qty} == {OVERCLOSED}

    with desk.running(*ALL):
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        desk.wait_for(lambda: not resting_stops(desk))
    assert set(at_broker(desk).values()) == {0}


def test_an_exit_that_left_before_the_persons_trade_was_heard_of_is_undone(desk: Desk) -> None:
    """The broker's clock says who closed the leg first, whatever we heard first."""
    call = desk.option(OptionRight.CALL)
    with desk.running(RunKind.ENTRIES, RunKind.EXITS):
        enter(desk)
    trade_by_hand(desk, call, Side.BUY)
    desk.wait_for(lambda: at_broker(desk)[call.broker_symbol] == 0)
    see = _blind(desk)
    with desk.running(*ALL):
        square_off(desk)
        desk.wait_for(lambda: at_broker(desk)[call.broker_symbol] == LOT)
        see()
        desk.wait_for(lambda: set(at_broker(desk).values()) == {0})
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    assert [quantity for *_, quantity in strangers(desk)] == [LOT]
    assert desk.open_alarms("external_position") == {}
    assert breaches(desk) == []


def _blind(desk: Desk) -> Callable[[], None]:
    """Hide strangers' orders from our reads, until the returned function is called."""
    get, is_blind = desk.parts.gateways.get, threading.Event()
    is_blind.set()

    def look(account_id: AccountId) -> BrokerGateway:
        return cast("BrokerGateway", _Blind(get(account_id))) if is_blind.is_set() else get(account_id)

    desk.parts.gateways.get = look  # type: ignore[method-assign]  # no simulator hides an order for good
    return is_blind.clear


class _Blind:
    """Hide from a gateway's books what Openbell did not send: a difference that nothing explains."""

    def __init__(self, gateway: BrokerGateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def request_orders(self) -> Any:
        read = self._gateway.request_orders()
        return Read(
            data=tuple(r for r in read.data if not r.tag.startswith("byhand")),
            as_of=read.as_of,
            clean=read.clean,
        )


def test_what_the_broker_does_not_hold_any_more_is_not_exited(desk: Desk) -> None:
    call = desk.option(OptionRight.CALL)
    with desk.running(RunKind.ENTRIES, RunKind.EXITS):
        enter(desk, lots=2)
    see = _blind(desk)
    trade_by_hand(desk, call, Side.BUY)
    with desk.running(*ALL):
        desk.wait_for(lambda: desk.open_alarms("positions_differ"))
        assert is_reducing(desk)
        desk.wait_for(lambda: leg_of(desk, call).missing_qty == LOT)
        desk.wait_for(lambda: sorted(int(o.quantity) for o in resting_stops(desk)) == [LOT, 2 * LOT])
        assert leg_of(desk, call).net_qty == -2 * LOT, "no proof of what happened, so the ledger stands"
        assert leg_of(desk, call).exposed_since is None
        with desk.database.begin() as session:
            request_exits(session, where={}, day=TODAY, reason="square_off", wall=desk.clock.wall())
        desk.wait_for(lambda: set(at_broker(desk).values()) == {0})
        desk.wait_for(lambda: leg_of(desk, call).net_qty == -LOT)

        see()
        desk.wait_for(lambda: leg_of(desk, call).net_qty == 0)
        desk.wait_for(lambda: not desk.open_alarms("positions_differ"))

    assert set(at_broker(desk).values()) == {0}
    assert leg_of(desk, call).missing_qty == 0
    assert breaches(desk) == []


def test_a_limit_of_exits_ends_when_the_books_agree_again(desk: Desk) -> None:
    """The broker's positions were wrong: the leg is whole again, and so is its stop."""
    call = desk.option(OptionRight.CALL)
    with desk.running(*ALL):
        enter(desk)
        with desk.database.begin() as session:
            key = (desk.deployments[0].deployment_id, TODAY, call.instrument_id)
            session.get_one(LegRow, key, with_for_update=True).missing_qty = Decimal(LOT)
        desk.wait_for(lambda: leg_of(desk, call).missing_qty == 0)
        desk.wait_for(lambda: len(resting_stops(desk)) == 2)


def test_an_order_with_our_tag_that_the_ledger_lacks_stops_entries(desk: Desk) -> None:
    """As after a backup was restored: it is at work, nothing has filled, and the ledger is behind."""
    tag = "ob00000000000000ff"
    with desk.running(RunKind.BOOKS):
        trade_by_hand(desk, desk.option(OptionRight.CALL), Side.SELL, tag=tag, better_by="0.1")
        desk.wait_for(lambda: is_reducing(desk))

    assert state(desk)[1] == "the broker holds orders of ours that the ledger lacks"
    assert [tag in message for message in desk.open_alarms("external_order").values()] == [True]
    assert strangers(desk) == []


def test_a_trade_is_booked_once_by_its_day_whoever_reads_it(desk: Desk) -> None:
    number = trade_by_hand(desk, desk.option(OptionRight.CALL), Side.SELL)
    account_id = desk.deployments[0].account_id
    gateway = desk.parts.gateways.get(account_id)
    desk.wait_for(lambda: any(r.filled == LOT for r in gateway.request_orders().data))
    read = gateway.request_orders()
    of_yesterday = [replace(r, updated_at=r.updated_at - timedelta(days=1)) for r in read.data]
    books = Reconciliation(desk.database, desk.clock, desk.parts.execution)

    books.apply_book(account_id, replace(read, data=of_yesterday), source="books")
    books.apply_book(account_id, replace(read, clean=False), source="books")
    assert strangers(desk) == []

    threads = [
        threading.Thread(target=books.apply_book, args=(account_id, read), kwargs={"source": "gap"})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert strangers(desk) == [(number, None, "SELL", LOT)]


def test_an_order_under_a_tag_that_we_know_is_not_a_strangers(desk: Desk) -> None:
    """So a conditional order shows for a moment that has become another one at the venue."""
    with desk.running(RunKind.ENTRIES, RunKind.EXITS):
        enter(desk)
    account_id = desk.deployments[0].account_id
    read = desk.parts.gateways.get(account_id).request_orders()
    stop = next(r for r in read.data if r.trigger_price is not None)
    became = replace(
        stop,
        broker_order_id=BrokerOrderId("77"),
        filled=stop.quantity,
        avg_px=stop.price,
        status=OrderStatus.FILLED,
    )
    books = Reconciliation(desk.database, desk.clock, desk.parts.execution)

    assert books.apply_book(account_id, replace(read, data=[became]), source="books") == [became]

    assert strangers(desk) == []
    assert not is_reducing(desk)
    assert {int(leg.net_qty) for leg in desk.legs()} == {-LOT}
