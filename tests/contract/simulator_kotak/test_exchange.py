"""Orders meeting a market that the test moves by hand."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from brokers.simulators.kotak.draw import fraction
from tests.contract.simulator_kotak.market import Floor, statuses, terms

Scene = Callable[[Floor], Awaitable[None]]


def play(scene: Scene, **options: str) -> None:
    async def run() -> None:
        await scene(Floor(**options))  # type: ignore[arg-type]  # the tests name real options

    asyncio.run(run())


def tag_that_splits(floor: Floor, *, splits: bool) -> str:
    rate = floor.sim.faults.profile.split_rate
    names = (f"T{n}" for n in range(10_000))
    return next(t for t in names if (fraction(7, "split", "AA001", t) < rate) is splits)


def test_a_market_order_fills_at_the_best_price_and_shows_as_a_protected_limit() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010, ltp=10_000)
        order = await floor.place("B", terms("MKT"))
        assert statuses([order]) == ["complete"]
        assert (order.state.average, order.terms.kind, order.terms.price) == (10_010, "L", 10_200)

    play(scene)


def test_a_limit_inside_rests_and_gives_its_own_price_when_the_market_crosses() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 9_950))
        assert statuses([order]) == ["open"]
        floor.show(9_900, 9_945)
        assert statuses([order]) == ["complete"]
        assert order.state.average == 9_950

    play(scene)


def test_a_stop_waits_for_its_trigger_then_takes_the_ask() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("SL", 12_900, trigger=12_500))
        assert statuses([order]) == ["trigger pending"]
        floor.show(12_480, 12_495, ltp=12_490)
        assert statuses([order]) == ["trigger pending"]
        floor.show(12_500, 12_520, ltp=12_510)
        assert statuses([order]) == ["complete"]
        assert order.state.average == 12_520

    play(scene)


def test_a_stop_that_the_market_gaps_through_rests_at_its_limit() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("SL", 12_900, trigger=12_500))
        floor.show(13_500, 13_550, ltp=13_520)
        assert statuses([order]) == ["open"]
        floor.show(12_800, 12_850, ltp=12_820)
        assert (statuses([order]), order.state.average) == (["complete"], 12_900)

    play(scene)


def test_a_calm_partial_fill_completes_by_itself_at_the_same_price() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 10_010, qty=195), tag_that_splits(floor, splits=True))
        assert [fill.qty for fill in floor.ledger.fills] == [65, 130]
        assert {fill.price for fill in floor.ledger.fills} == {10_010}
        assert statuses([order]) == ["complete"]

    play(scene)


def test_at_the_open_the_rest_of_a_partial_fill_waits_for_a_tick() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 10_010, qty=195), tag_that_splits(floor, splits=True))
        assert (statuses([order]), order.state.filled) == (["open"], 65)
        floor.show(9_990, 10_005)
        assert (statuses([order]), order.state.filled) == (["complete"], 195)

    play(scene, faults="open")


def test_a_stalled_partial_fill_waits_until_it_is_modified() -> None:
    async def scene(floor: Floor) -> None:
        floor.sim.faults.set_extra([{"kind": "partial_stall"}])
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 10_010, qty=130), tag_that_splits(floor, splits=True))
        floor.show(9_000, 9_010)
        assert order.state.filled == 65
        floor.sim.exchange.modify(order, terms("L", 10_050, qty=130))
        await floor.settle()
        assert (statuses([order]), order.state.filled) == (["complete"], 130)

    play(scene)


def test_a_parked_market_order_rests_until_the_market_comes_back() -> None:
    async def scene(floor: Floor) -> None:
        floor.sim.faults.set_extra([{"kind": "market_parked"}])
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("MKT"))
        assert (statuses([order]), order.terms.price) == (["open"], 9_990)
        floor.show(9_950, 9_990)
        assert statuses([order]) == ["complete"]

    play(scene)


def test_what_ioc_cannot_fill_at_once_is_canceled() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        missed = await floor.place("B", terms("L", 9_950, validity="IOC"))
        taken = await floor.place("B", terms("L", 10_010, validity="IOC"))
        assert statuses([missed, taken]) == ["cancelled", "complete"]

    play(scene)


def test_a_fill_may_come_between_the_request_to_cancel_and_its_effect() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 9_950))
        floor.sim.exchange.cancel(order)
        floor.show(9_900, 9_940)
        await floor.settle()
        assert statuses([order]) == ["complete"]

    play(scene)


def test_tags_change_after_modify_and_after_cancel_but_not_in_the_oldest_state() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 9_900), "tag1")
        other = await floor.place("B", terms("L", 9_900), "tag2")
        floor.sim.exchange.modify(order, terms("L", 9_800))
        floor.sim.exchange.cancel(other)
        await floor.settle()
        assert order.state.shown_tag.endswith("-ADMINAPI")
        assert other.state.shown_tag == "tag2-1546403400"
        assert (order.states[0].shown_tag, order.tag) == ("tag1", "tag1")
        assert (order.terms.price, order.state.modifications) == (9_800, 1)

    play(scene)


def test_a_modification_that_breaks_a_rule_leaves_the_order_as_it_was() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("L", 9_900))
        floor.sim.exchange.modify(order, terms("L", 20_000))
        await floor.settle()
        assert (statuses([order]), order.terms.price) == (["not modified"], 9_900)
        floor.show(9_800, 9_850)
        assert statuses([order]) == ["complete"]

    play(scene)


def test_margin_is_needed_to_open_a_short_but_not_to_close_it() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        first = await floor.place("S", terms("MKT"))
        second = await floor.place("S", terms("MKT"))
        closing = await floor.place("B", terms("MKT"))
        assert statuses([first, second, closing]) == ["complete", "rejected", "complete"]
        assert second.state.reason == "RMS:Margin Exceeds,Required:120000.00, Available:5000.00"

    play(scene, cash="125000")


def test_a_purchase_at_the_market_needs_its_premium() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("MKT"))
        assert order.state.reason == "RMS:Margin Exceeds,Required:6688.50, Available:5000.00"

    play(scene, cash="5000")


def test_orders_outside_the_session_are_rejected_and_resting_ones_end_with_it() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        resting = await floor.place("B", terms("L", 9_000))
        floor.sim.exchange.on_close()
        floor.sim.clock.set(floor.sim.grid.closes, 0)
        late = await floor.place("B", terms("L", 9_000))
        assert statuses([resting, late]) == ["cancelled", "rejected"]
        assert late.state.reason == "RMS:Market is closed"

    play(scene)


@pytest.mark.parametrize("order_of_arrival", [("a", "b", "c"), ("c", "a", "b")])
def test_partial_fills_do_not_depend_on_the_order_of_arrival(order_of_arrival: tuple[str, ...]) -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        names = {
            "a": tag_that_splits(floor, splits=True),
            "b": tag_that_splits(floor, splits=False),
            "c": "plain",
        }
        for name in order_of_arrival:
            await floor.place("B", terms("L", 10_010, qty=130), names[name])
        parts = {fill.shown_tag for fill in floor.ledger.fills if fill.qty == 65}
        assert parts == {names["a"]}

    play(scene)


def test_update_stamps_increase_even_while_time_stands_still() -> None:
    async def scene(floor: Floor) -> None:
        floor.show(9_990, 10_010)
        order = await floor.place("B", terms("MKT"))
        stamps = [state.stamp_ns for state in order.states]
        assert stamps == sorted(set(stamps))

    play(scene)
