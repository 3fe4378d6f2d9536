"""Sixteen triggers of one thing at one moment are one order at the broker, by its own journal."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from app.db.controls import request_exits
from app.db.scope import DataScope
from app.domain.commands import ControlScope
from app.domain.ids import SignalKey
from app.domain.orders import OrderRole, OrderStatus
from app.domain.signals import Signal, SignalKind
from app.infra.names import RunKind
from app.services.risk_control import ControlTarget, Moment, request_flatten, square_off_deployment
from tests.contract.simulator_kotak.broker import at
from tests.integration.order_path.desk import TODAY, Desk

pytestmark = pytest.mark.integration

_TRIGGERS = 16
ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)


def _at_once(triggers: Sequence[Callable[[], object]]) -> None:
    """Pull all triggers at one moment, each in a thread of its own."""
    barrier = threading.Barrier(len(triggers))

    def pull(trigger: Callable[[], object]) -> None:
        barrier.wait(10)
        trigger()

    threads = [threading.Thread(target=pull, args=(trigger,)) for trigger in triggers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _placed(desk: Desk) -> Counter[str]:
    """Requests to place an order that the broker has seen, by account."""
    return Counter(request["ucc"] for request in desk.broker.get("requests?path=/quick/order/rule/ms/place"))


def test_the_same_signal_and_the_same_basket_are_one_order_for_each_leg(desk: Desk) -> None:
    first, second = desk.deployments
    basket = desk.straddle("basket")
    signal = replace(basket, key=SignalKey("signal"), legs=basket.legs[:1])
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        # One after the other: thirty-two at once may wait for the account's lock longer than it lets them.
        _at_once([lambda: desk.record(signal, loop, [first])] * _TRIGGERS)
        _at_once([lambda: desk.record(basket, loop, [second])] * _TRIGGERS)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=OrderStatus.FILLED) == 3)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 3)

    assert _placed(desk) == {"AA001": 1 + 1, "AA002": 2 + 2}, "an entry and its stop for each leg"
    assert desk.count_orders() == 6


def test_the_same_exit_from_all_sides_is_one_order_for_each_leg(desk: Desk) -> None:
    """A person's command, the square-off, the strategy and the market itself want out at one moment."""
    deployment = desk.deployments[0]
    target = ControlTarget(scope=ControlScope.ACCOUNT, target=deployment.account_id)
    moment = Moment(day=TODAY, now=desk.clock.now(), wall=desk.clock.wall())
    everything = DataScope(user_id=None)

    def command() -> None:
        with desk.database.begin() as session:
            request_flatten(session, target, reason="command", moment=moment)

    def by_hand() -> None:
        with desk.database.begin() as session:
            number = deployment.deployment_id
            square_off_deployment(session, everything, number, reason="by hand", moment=moment)

    def square_off() -> None:
        with desk.database.begin() as session:
            request_exits(session, where={}, day=TODAY, reason="square_off", wall=moment.wall)

    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry", stop="0.02"), loop, [deployment])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)

        def strategy() -> None:
            desk.record(_exit_signal(), loop, [deployment])

        def market() -> None:
            desk.broker.post("clock", {"now": at("13:00:00"), "rate": 1.0})

        _at_once([market, *[command, by_hand, square_off] * 4, *[strategy] * 3])
        desk.price([desk.parts.contracts.of_day(TODAY)[leg.instrument_id] for leg in desk.straddle("x").legs])
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    assert _placed(desk) == {"AA001": 2 + 2}, "two entries, and one exit for each leg: the stop itself"
    assert all(position["net"] == 0 for position in desk.broker.get("positions"))


def _exit_signal() -> Signal:
    return Signal(key=SignalKey("out"), kind=SignalKind.EXIT, reason="out", valid_for_s=Decimal(10))
