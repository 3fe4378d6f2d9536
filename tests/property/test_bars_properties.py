"""Check bars for every order and timing of ticks."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.bars import BarBuilder, bar_start, merge_bars
from app.domain.ids import InstrumentId
from app.domain.market_data import ONE_MINUTE, Bar, BarSpec, Tick
from tests.unit.domain.calendars import injected_session, ist

NIFTY = InstrumentId("NIFTY.NSE")
DAY = date(2026, 1, 12)
SESSION = injected_session(DAY, ist(DAY, 9, 15), ist(DAY, 9, 45))


def _tick(offset_ms: int, ticks: int, sequence: int) -> Tick:
    at = SESSION.open_at + timedelta(milliseconds=offset_ms)
    return Tick(
        instrument_id=NIFTY,
        last=Decimal(ticks) / 20,
        bid=None,
        ask=None,
        ts_event=at,
        ts_init=at,
        sequence=sequence,
    )


# From ten minutes before the open to ten after the close, in half seconds so that instants repeat.
OFFSETS = st.integers(-1_200, 4_800).map(lambda halves: halves * 500)
TICKS = st.lists(st.tuples(OFFSETS, st.integers(1, 2_000)), max_size=60).map(
    lambda rows: [_tick(offset, price, number) for number, (offset, price) in enumerate(rows)]
)
SPECS = st.integers(1, 45).map(lambda minutes: BarSpec(minutes=minutes))


def _build(ticks: list[Tick], spec: BarSpec) -> tuple[list[Bar], BarBuilder]:
    builder = BarBuilder(NIFTY, spec, SESSION)
    closed = [builder.on_tick(tick) for tick in ticks]
    closed.append(builder.on_time(SESSION.close_at))
    return [bar for bar in closed if bar is not None], builder


def _in_order(ticks: list[Tick]) -> list[Tick]:
    return sorted(ticks, key=lambda tick: (tick.ts_event, tick.sequence))


@given(ticks=TICKS, spec=SPECS)
def test_each_bar_is_the_fold_of_its_own_ticks(ticks: list[Tick], spec: BarSpec) -> None:
    bars, builder = _build(_in_order(ticks), spec)
    inside = [tick for tick in _in_order(ticks) if SESSION.contains(tick.ts_event)]
    groups: dict[object, list[Decimal]] = {}
    for tick in inside:
        groups.setdefault(bar_start(tick.ts_event, spec, SESSION), []).append(tick.last)
    assert [(bar.start, bar.open, bar.high, bar.low, bar.close) for bar in bars] == [
        (start, prices[0], max(prices), min(prices), prices[-1]) for start, prices in groups.items()
    ]
    assert (builder.outside_count, builder.late_count) == (len(ticks) - len(inside), 0)


@given(ticks=TICKS, spec=SPECS)
def test_in_any_arrival_order_every_tick_is_applied_or_counted(ticks: list[Tick], spec: BarSpec) -> None:
    bars, builder = _build(ticks, spec)
    starts = [bar.start for bar in bars]
    assert starts == sorted(set(starts))
    assert all(SESSION.contains(start) for start in starts)
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert len(bars) <= len(ticks) - builder.outside_count - builder.late_count


@given(ticks=TICKS, data=st.data())
def test_arrival_order_inside_a_bar_does_not_matter(ticks: list[Tick], data: st.DataObject) -> None:
    ordered = _in_order(ticks)
    shuffled = data.draw(st.permutations(ordered))
    by_bar = sorted(shuffled, key=lambda tick: bar_start(tick.ts_event, ONE_MINUTE, SESSION))
    assert _build(by_bar, ONE_MINUTE)[0] == _build(ordered, ONE_MINUTE)[0]


@given(ticks=TICKS, spec=SPECS)
def test_merged_minutes_are_the_longer_bars(ticks: list[Tick], spec: BarSpec) -> None:
    ordered = _in_order(ticks)
    minutes, _ = _build(ordered, ONE_MINUTE)
    assert merge_bars(minutes, spec, SESSION) == tuple(_build(ordered, spec)[0])
