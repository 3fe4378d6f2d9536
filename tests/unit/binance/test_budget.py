"""We stop before Binance bans, keep room for exits, and no address pays for another."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from brokers.binance.budget import Budgets, Limits, Urgency
from tests.unit.binance.payloads import HandClock

LIMITS = Limits(weight=100, orders={"10s": 10, "1m": 50})


def _budgets() -> tuple[Budgets, HandClock]:
    clock = HandClock()
    return Budgets(LIMITS, clock), clock


def _take(
    budgets: Budgets, weight: int, *, orders: int = 0, address: str = "a", is_exit: bool = False
) -> float | None:
    urgency = Urgency.EXIT if is_exit else Urgency.NORMAL
    return budgets.take(address, "key", weight=weight, orders=orders, urgency=urgency)


def test_the_reserve_is_for_exits_only() -> None:
    budgets, _ = _budgets()

    assert _take(budgets, 80) is None
    assert _take(budgets, 1) is not None
    assert _take(budgets, 17, is_exit=True) is None
    assert _take(budgets, 1, is_exit=True) is not None


def test_orders_are_counted_by_account_and_period() -> None:
    budgets, clock = _budgets()

    assert all(_take(budgets, 0, orders=1) is None for _ in range(8))
    assert _take(budgets, 0, orders=1) is not None
    assert _take(budgets, 0, orders=1, is_exit=True) is None
    assert budgets.take("a", "another key", weight=0, orders=1) is None
    assert _take(budgets, 1) is None
    clock.seconds += 10
    assert _take(budgets, 0, orders=1) is None


def test_a_refusal_says_when_the_window_ends() -> None:
    budgets, clock = _budgets()
    _take(budgets, 80)
    clock.seconds += 15

    wait = _take(budgets, 1)

    assert wait == 45.0
    clock.seconds += wait
    assert _take(budgets, 80) is None


def test_the_headers_are_believed_because_others_share_the_address() -> None:
    budgets, _ = _budgets()

    budgets.note_reply("a", "key", {"x-mbx-used-weight-1m": "79", "x-mbx-order-count-10s": "8"})

    assert _take(budgets, 2) is not None
    assert _take(budgets, 1) is None
    assert _take(budgets, 0, orders=1) is not None
    assert _take(budgets, 80, address="b") is None


def test_a_new_minute_of_the_venue_frees_the_budget() -> None:
    budgets, _ = _budgets()
    _take(budgets, 80)

    budgets.note_reply("a", "key", {"x-mbx-used-weight-1m": "1"})

    assert _take(budgets, 50) is None


def test_a_reply_that_is_older_than_a_request_does_not_give_weight_back() -> None:
    budgets, _ = _budgets()
    _take(budgets, 40)
    _take(budgets, 40)

    budgets.note_reply("a", "key", {"x-mbx-used-weight-1m": "40"})

    assert _take(budgets, 1) is not None


def test_a_refusal_of_the_venue_pauses_its_address_alone_and_exits_too() -> None:
    budgets, clock = _budgets()

    assert budgets.note_refusal("a", is_banned=False, retry_after_s=30.0) == 30.0

    assert _take(budgets, 1) == 30.0
    assert _take(budgets, 1, is_exit=True) == 30.0
    assert _take(budgets, 1, address="b") is None
    clock.seconds += 30
    assert _take(budgets, 1) is None


def test_a_ban_without_a_time_lasts_two_minutes_and_is_never_shortened() -> None:
    budgets, _ = _budgets()

    assert budgets.note_refusal("a", is_banned=True, retry_after_s=None) == 120.0
    budgets.note_refusal("a", is_banned=False, retry_after_s=1.0)

    assert _take(budgets, 1) == 120.0


def test_the_venues_own_limits_replace_ours() -> None:
    budgets, _ = _budgets()
    budgets.use_limits(Limits(weight=10, orders={"10s": 2}))

    assert _take(budgets, 9) is not None
    assert _take(budgets, 8) is None


def test_many_threads_never_take_more_than_there_is() -> None:
    budgets, _ = _budgets()
    taken: list[float | None] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(_take(budgets, 1) for _ in range(30))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert taken.count(None) == 80


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.booleans(), st.integers(0, 20))))
def test_no_window_is_ever_overdrawn(steps: list[tuple[int, int, bool, int]]) -> None:
    budgets, clock = _budgets()
    sent: list[tuple[float, int]] = []
    begin = clock.seconds
    for weight, orders, is_exit, pause in steps:
        if _take(budgets, weight, orders=orders, is_exit=is_exit) is None:
            sent.append((clock.seconds, weight))
        clock.seconds += pause
        if clock.seconds - begin >= 60:
            sent, begin = [], clock.seconds
        assert sum(weight for _, weight in sent) <= 2 * LIMITS.weight * 0.97
