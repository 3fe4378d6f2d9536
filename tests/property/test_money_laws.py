"""Check the laws of fills, legs, the ledger and rounding for any numbers."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import DeploymentId, InstrumentId, OrderId
from app.domain.ledger import Ledger, LedgerEntry, breaches, fold_legs
from app.domain.numbers import Rounding, floor_to_lot, round_to_step, to_tick
from app.domain.orders import OrderRole, Side
from app.domain.positions import Leg, apply_fill, fill_step, pnl, realized_pnl, unrealized_pnl
from app.domain.pricing import marketable_limit, protection_band, stop_terms
from app.domain.sizing import sliced
from tests.builders import CALL, tick

TICK = Decimal("0.05")
prices = st.integers(min_value=1, max_value=100_000).map(lambda n: n * TICK)
lots = st.integers(min_value=1, max_value=200).map(lambda n: Decimal(n * 65))
fills = st.tuples(st.sampled_from(Side), lots, prices, st.sampled_from(OrderRole))
Fill = tuple[Side, Decimal, Decimal, OrderRole]


def folded(given_fills: list[Fill]) -> Leg:
    leg = Leg()
    for side, quantity, price, role in given_fills:
        leg = apply_fill(leg, side=side, quantity=quantity, price=price, role=role)
    return leg


@given(st.lists(fills, max_size=12).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_the_order_of_fills_does_not_matter(pair: tuple[list[Fill], list[Fill]]) -> None:
    assert folded(pair[0]) == folded(pair[1])


@given(st.lists(fills, max_size=12), prices)
def test_pnl_is_cash_plus_worth_and_splits_without_rest(some: list[Fill], mark: Decimal) -> None:
    leg = folded(some)

    cash = sum(-side.sign * quantity * price for side, quantity, price, _ in some)
    net = sum(side.sign * quantity for side, quantity, _, _ in some)
    assert pnl(leg, mark) == cash + net * mark
    assert realized_pnl(leg) + unrealized_pnl(leg, mark) == pnl(leg, mark)


@given(st.lists(fills, min_size=1, max_size=12))
def test_a_flat_leg_has_realized_all_its_cash(some: list[Fill]) -> None:
    leg = folded(some)
    if leg.is_flat:
        assert realized_pnl(leg) == leg.cash


@given(st.lists(st.tuples(lots, prices), min_size=1, max_size=8), st.data())
def test_cumulative_reports_in_any_order_and_number_make_the_same_leg(
    trades: list[tuple[Decimal, Decimal]], data: st.DataObject
) -> None:
    reports = []
    quantity = value = Decimal(0)
    for traded, price in trades:
        quantity, value = quantity + traded, value + traded * price
        reports.append((quantity, value / quantity))
    news = data.draw(st.lists(st.sampled_from(reports), max_size=12))
    news.append(reports[-1])  # the last state is always read in the end
    news += data.draw(st.lists(st.sampled_from(reports), max_size=4))

    leg, filled, average = Leg(), Decimal(0), None
    for reported, reported_avg in news:
        step = fill_step(filled, average, reported_filled=reported, reported_avg=reported_avg)
        if step is not None:
            leg = apply_fill(leg, side=Side.SELL, quantity=step[0], price=step[1], role=OrderRole.ENTRY)
            filled, average = reported, reported_avg

    assert leg == Leg(net_qty=-quantity, entry_qty=quantity, entry_value=value, cash=value)


@given(st.lists(st.tuples(lots, prices), min_size=1, max_size=8))
def test_averages_rounded_to_paise_are_always_booked_and_nearly_add_up(
    trades: list[tuple[Decimal, Decimal]],
) -> None:
    quantity = value = cash = filled = Decimal(0)
    average = None
    for traded, price in trades:
        quantity, value = quantity + traded, value + traded * price
        rounded = round_to_step(value / quantity, Decimal("0.01"), Rounding.NEAREST)
        step = fill_step(filled, average, reported_filled=quantity, reported_avg=rounded)
        assert step is not None
        assert step[1] > 0
        cash, filled, average = cash + step[0] * step[1], quantity, rounded

    assert abs(cash - value) <= Decimal("0.02") * quantity * len(trades)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(["A", "B"]), st.sampled_from(Side), lots, prices),
        max_size=12,
    ),
    st.data(),
)
def test_the_ledger_conserves_cash_and_quantity(
    steps: list[tuple[int, str, Side, Decimal, Decimal]], data: st.DataObject
) -> None:
    ledger = Ledger()
    for number, symbol, side, quantity, price in steps:
        order_id = OrderId(number)
        ledger = ledger.append(
            LedgerEntry(
                order_id=order_id,
                deployment_id=DeploymentId(1),
                instrument_id=InstrumentId(symbol),
                side=side,
                role=OrderRole.ENTRY,
                quantity=quantity,
                price=price,
                cumulative_qty=ledger.filled_qty(order_id) + quantity,
            )
        )
    shuffled = data.draw(st.permutations(ledger.entries))

    assert fold_legs(shuffled) == ledger.legs()
    assert sum(leg.cash for leg in ledger.legs().values()) == ledger.cash
    assert breaches(shuffled, {OrderId(n): ledger.filled_qty(OrderId(n)) for n in (1, 2, 3)}) == ()


@given(
    st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, places=4),
    st.sampled_from([Decimal("0.01"), TICK, Decimal("0.25"), Decimal(65)]),
)
def test_rounding_stays_on_the_grid_and_near(value: Decimal, step: Decimal) -> None:
    down, near, up = (
        round_to_step(value, step, way) for way in (Rounding.DOWN, Rounding.NEAREST, Rounding.UP)
    )

    assert down <= value <= up
    assert up - down in (0, step)
    assert near in (down, up)
    assert abs(near - value) * 2 <= step
    assert all(round_to_step(rounded, step, way) == rounded for rounded in (down, up) for way in Rounding)


@given(prices)
def test_a_price_on_the_grid_survives_the_door_from_float(price: Decimal) -> None:
    assert {to_tick(float(price), TICK, way) for way in Rounding} == {price}


@given(st.decimals(min_value=0, max_value=10**6, allow_nan=False, places=2))
def test_lots_are_never_more_than_asked(quantity: Decimal) -> None:
    whole = floor_to_lot(quantity, Decimal(65))

    assert whole % 65 == 0
    assert 0 <= quantity - whole < 65


@given(prices, st.integers(0, 8), st.sampled_from(Side))
def test_a_limit_is_marketable_on_the_grid_and_wider_with_each_step(
    last: Decimal, step: int, side: Side
) -> None:
    now, later = (marketable_limit(side, tick(str(last)), instrument=CALL, step=n) for n in (step, step + 1))

    assert now > 0
    assert now % TICK == 0
    assert (now - last) * side.sign >= 0
    assert (later - now) * side.sign >= 0
    assert abs(now - last) <= max(protection_band(last) * (step + 1), TICK)
    assert abs(now - last) <= max(last * Decimal("0.4"), Decimal(20))


@given(prices, st.integers(1, 90), st.sampled_from(Side))
def test_a_stop_lies_beyond_the_fill_and_its_limit_beyond_the_trigger(
    avg_px: Decimal, percent: int, side: Side
) -> None:
    fraction = Decimal(percent) / 100

    trigger, limit = stop_terms(avg_px, side, stop_fraction=fraction, instrument=CALL)

    assert trigger % TICK == limit % TICK == 0
    assert (limit - trigger) * side.sign >= 0
    assert min(trigger, limit) > 0
    exact = avg_px * (1 + side.sign * fraction)
    if abs(exact - avg_px) >= TICK:
        assert (trigger - avg_px) * side.sign > 0
        assert 0 <= (exact - trigger) * side.sign < TICK  # never later than asked, less than a tick earlier


@given(lots)
def test_slices_add_up_and_fit(quantity: Decimal) -> None:
    slices = sliced(quantity, CALL)

    assert sum(slices) == quantity
    assert all(0 < one <= 1755 and one % 65 == 0 for one in slices)
