"""Check the laws of the comparison with the broker for any books."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import DeploymentId
from app.domain.reconciliation import Holding, Share, attribute, compare_positions, held_at_broker
from app.domain.reports import PositionReport

quantities = st.integers(-400, 400).map(Decimal)
holdings = st.lists(
    st.builds(
        lambda number, net: Holding(deployment_id=DeploymentId(number), net_qty=net),
        st.integers(1, 6),
        quantities,
    ),
    unique_by=lambda holding: holding.deployment_id,
)


def _after(shares: tuple[Share, ...], before: list[Holding]) -> list[Holding]:
    return [
        Holding(
            deployment_id=h.deployment_id,
            net_qty=h.net_qty + sum(s.quantity for s in shares if s.deployment_id == h.deployment_id),
        )
        for h in before
    ]


def _quarantine(shares: tuple[Share, ...]) -> Decimal:
    return sum((s.quantity for s in shares if s.deployment_id is None), Decimal(0))


@given(quantities, holdings, quantities)
def test_shares_add_up_and_only_ever_close_what_is_ours(
    quantity: Decimal, legs: list[Holding], quarantined: Decimal
) -> None:
    shares = attribute(quantity, legs, quarantined=quarantined)

    assert sum((s.quantity for s in shares), Decimal(0)) == quantity
    assert all(s.quantity * quantity > 0 for s in shares)
    for before, after in zip(legs, _after(shares, legs), strict=True):
        assert abs(after.net_qty) <= abs(before.net_qty)
        assert after.net_qty * before.net_qty >= 0


@given(quantities, holdings, quantities)
def test_nothing_is_quarantined_while_a_leg_could_be_closed(
    quantity: Decimal, legs: list[Holding], quarantined: Decimal
) -> None:
    """Else an exit could be larger than what the broker's book holds."""
    shares = attribute(quantity, legs, quarantined=quarantined)

    opened = abs(quarantined + _quarantine(shares)) > abs(quarantined)
    if opened:
        assert all(leg.net_qty * quantity >= 0 for leg in _after(shares, legs))


@given(quantities, holdings, quantities, st.data())
def test_shares_do_not_depend_on_order_nor_on_the_steps_of_the_reports(
    quantity: Decimal, legs: list[Holding], quarantined: Decimal, data: st.DataObject
) -> None:
    at_once = attribute(quantity, data.draw(st.permutations(legs)), quarantined=quarantined)
    first = (quantity * data.draw(st.integers(0, 10)) / 10).to_integral_value()
    earlier = attribute(first, legs, quarantined=quarantined)
    later = attribute(quantity - first, _after(earlier, legs), quarantined=quarantined + _quarantine(earlier))

    assert at_once == attribute(quantity, legs, quarantined=quarantined)
    assert _after(at_once, legs) == _after(later, _after(earlier, legs))
    assert _quarantine(at_once) == _quarantine(earlier) + _quarantine(later)


@given(quantities, quantities.map(abs))
def test_exits_never_close_more_than_the_leg_nor_turn_it_round(net: Decimal, missing: Decimal) -> None:
    held = held_at_broker(net, missing_qty=missing)

    assert abs(held) == max(abs(net) - missing, 0)
    assert held * net >= 0


positions = st.dictionaries(st.sampled_from("ABCD"), st.integers(-3, 3).map(lambda n: Decimal(n * 65)))


@given(positions, positions)
def test_positions_agree_exactly_when_nothing_is_found(
    mine: dict[str, Decimal], venue: dict[str, Decimal]
) -> None:
    reports = [PositionReport(broker_symbol=symbol, net_qty=qty) for symbol, qty in venue.items()]

    diffs = compare_positions(mine, reports)

    assert {d.broker_symbol for d in diffs} == {
        symbol for symbol in "ABCD" if mine.get(symbol, 0) != venue.get(symbol, 0)
    }
