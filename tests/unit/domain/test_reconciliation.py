"""Check what the comparison with the broker finds."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.ids import DeploymentId
from app.domain.orders import OrderRole
from app.domain.reconciliation import (
    Comparison,
    Holding,
    Patience,
    PositionDiff,
    Resolution,
    attribute,
    compare_positions,
    count_miss,
    held_at_broker,
    proof_after,
    resolve_unknown,
    weigh_differences,
)
from app.domain.reports import PositionReport

NOW = datetime(2019, 1, 2, 4, 0, tzinfo=UTC)
PATIENCE = Patience(settles_in=timedelta(seconds=5), late_by=timedelta(seconds=90))
SHORT = Holding(deployment_id=DeploymentId(3), net_qty=Decimal(-65))
ALSO_SHORT = Holding(deployment_id=DeploymentId(8), net_qty=Decimal(-130))
LONG = Holding(deployment_id=DeploymentId(1), net_qty=Decimal(65))
DIFFERENCE = (PositionDiff(broker_symbol="A", ours=Decimal(-65), theirs=Decimal(0)),)


def shares(quantity: int, *holdings: Holding, quarantined: int = 0) -> list[tuple[int | None, int]]:
    found = attribute(Decimal(quantity), holdings, quarantined=Decimal(quarantined))
    return [(share.deployment_id, int(share.quantity)) for share in found]


def test_what_closes_a_leg_is_claimed_and_the_rest_is_nobodys() -> None:
    assert shares(30, SHORT) == [(3, 30)]
    assert shares(100, SHORT) == [(3, 65), (None, 35)]
    assert shares(-65, SHORT) == [(None, -65)]
    assert shares(65) == [(None, 65)]


def test_of_several_legs_the_lowest_deployment_is_closed_first() -> None:
    assert shares(100, ALSO_SHORT, LONG, SHORT) == [(3, 65), (8, 35)]


def test_strangers_close_first_what_they_hold_themselves() -> None:
    assert shares(100, SHORT, quarantined=-65) == [(None, 65), (3, 35)]
    assert shares(100, SHORT, quarantined=65) == [(3, 65), (None, 35)]


@pytest.mark.parametrize(
    ("net", "missing", "held"), [(-65, 0, -65), (-65, 30, -35), (65, 65, 0), (30, 65, 0)]
)
def test_exits_may_close_what_the_book_holds(net: int, missing: int, held: int) -> None:
    assert held_at_broker(Decimal(net), missing_qty=Decimal(missing)) == held


def compared(
    *seconds: float, filled_at: float | None = None, differences: tuple[PositionDiff, ...] = DIFFERENCE
) -> Comparison:
    """Compare reads that were asked for at these seconds and showed the same."""
    fills = {} if filled_at is None else {"A": NOW + timedelta(seconds=filled_at)}
    last: Comparison | None = None
    for second in seconds:
        last = weigh_differences(
            differences,
            before=last,
            asked=NOW + timedelta(seconds=second),
            last_fills=fills,
            patience=PATIENCE,
        )
    assert last is not None
    return last


def test_one_read_decides_nothing_and_asks_for_another() -> None:
    once = compared(0)
    assert (once.is_real, once.is_unsure, once.proven) == (False, True, ())


def test_two_reads_in_a_row_make_a_difference_real_and_limit_exits() -> None:
    twice = compared(0, 0.5)
    assert (twice.is_real, twice.is_unsure, twice.proven) == (True, False, DIFFERENCE)


def test_another_difference_begins_anew() -> None:
    other = (PositionDiff(broker_symbol="A", ours=Decimal(-65), theirs=Decimal(-30)),)
    again = weigh_differences(
        other, before=compared(0, 0.5), asked=NOW + timedelta(seconds=1), last_fills={}, patience=PATIENCE
    )
    assert (again.is_real, again.since) == (False, NOW + timedelta(seconds=1))


def test_right_after_a_fill_a_difference_may_be_late_news() -> None:
    fresh = compared(0, 0.5, filled_at=-4)
    assert (fresh.is_real, fresh.is_unsure) == (False, False)


@pytest.mark.parametrize("filled_at", [-4.5, 4.9])
def test_after_a_fill_it_is_real_once_it_lasts_and_still_no_proof_for_exits(filled_at: float) -> None:
    lasting = compared(0, 5.0, filled_at=filled_at)
    assert (lasting.is_real, lasting.proven) == (True, ())


def test_two_reads_that_even_a_late_book_must_have_caught_up_with_prove_a_difference() -> None:
    assert compared(0, 5, filled_at=-90).proven == DIFFERENCE
    assert compared(0, 5, filled_at=-89.9).proven == ()
    assert compared(0, 5, 10, filled_at=-89.9).proven == DIFFERENCE


def test_equal_books_are_neither_real_nor_unsure() -> None:
    equal = compared(0, 0.5, differences=())
    assert (equal.is_real, equal.is_unsure, equal.proven) == (False, False, ())


def test_positions_differ_by_symbol_and_sum() -> None:
    theirs = [
        PositionReport(broker_symbol="A", net_qty=Decimal(-65)),
        PositionReport(broker_symbol="B", net_qty=Decimal(65)),
        PositionReport(broker_symbol="B", net_qty=Decimal(-65)),
        PositionReport(broker_symbol="D", net_qty=Decimal(1)),
    ]

    assert compare_positions({"A": Decimal(-65), "B": Decimal(0), "C": Decimal(5)}, theirs) == (
        PositionDiff(broker_symbol="C", ours=Decimal(5), theirs=Decimal(0)),
        PositionDiff(broker_symbol="D", ours=Decimal(0), theirs=Decimal(1)),
    )


def test_a_miss_counts_from_the_deadline_on() -> None:
    deadline = timedelta(seconds=15)

    assert count_miss(0, sent_ago=timedelta(seconds=14.999), not_placed_after=deadline) == 0
    assert count_miss(0, sent_ago=deadline, not_placed_after=deadline) == 1


@pytest.mark.parametrize(
    ("is_found", "misses", "expected"),
    [
        (True, 9, Resolution.FOUND),
        (False, 0, Resolution.WAIT),
        (False, 1, Resolution.WAIT),
        (False, 2, Resolution.NOT_PLACED),
    ],
)
def test_two_late_clean_misses_prove_absence(
    is_found: bool,  # noqa: FBT001
    misses: int,
    expected: Resolution,
) -> None:
    assert resolve_unknown(is_found=is_found, clean_misses=misses) is expected


@pytest.mark.parametrize(
    ("role", "has_given_up", "late_by_s", "expected_s"),
    [
        (OrderRole.ENTRY, False, 90, 90),
        (OrderRole.STOP, False, 90, 3),
        (OrderRole.EXIT, False, 90, 3),
        (OrderRole.EXIT, False, 2, 2),
        (OrderRole.EXIT, True, 90, 90),
    ],
)
def test_only_the_first_missing_exit_of_a_leg_is_given_up_early(
    *, role: OrderRole, has_given_up: bool, late_by_s: int, expected_s: int
) -> None:
    wait = proof_after(role, late_by=timedelta(seconds=late_by_s), has_given_up=has_given_up)
    assert wait == timedelta(seconds=expected_s)
