"""Ticks are grouped by their instant, and a slow reader gets fewer, never older prices."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.instruments import OptionRight
from app.domain.market_data import Tick
from app.domain.reports import Gap
from app.services.feed.rounds import Inbox, RoundBuilder
from tests.nifty_day import DAY, index, option, session_of, tick, weekly_expiries

AT = session_of(DAY).open_at
INSTRUMENTS = [index(), *(option(10850, right, weekly_expiries(DAY)[0]) for right in OptionRight)]


def made(instrument: int, second: int) -> Tick:
    return tick(INSTRUMENTS[instrument], Decimal(10850 + second), AT + timedelta(seconds=second))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=60))
def test_rounds_hold_one_instant_each_and_lose_only_repeated_ticks(pairs: list[tuple[int, int]]) -> None:
    builder, rounds = RoundBuilder(), []
    for instrument, second in pairs:
        rounds.append(builder.add(made(instrument, second)))
    rounds.append(builder.flush())

    published = [t for one in rounds for t in one]
    assert all(len({t.ts_event for t in one}) <= 1 for one in rounds)
    assert {(t.instrument_id, t.ts_event) for t in published} == {
        (INSTRUMENTS[i].instrument_id, AT + timedelta(seconds=s)) for i, s in pairs
    }
    assert not builder.is_open


@given(st.lists(st.integers(0, 2), max_size=200))
def test_an_overloaded_inbox_stays_bounded_and_keeps_the_newest_tick_of_each(order: list[int]) -> None:
    inbox = Inbox(bound=20)
    for second, instrument in enumerate(order):
        inbox.put(made(instrument, second))

    assert len(inbox) <= 20
    kept = [item for item in inbox.take() if isinstance(item, Tick)]
    newest = {t.instrument_id: t for t in kept}
    assert newest == {
        INSTRUMENTS[i].instrument_id: made(i, max(s for s, j in enumerate(order) if j == i))
        for i in set(order)
    }
    assert [t.ts_event for t in kept] == sorted(t.ts_event for t in kept)
    assert len(kept) + inbox.conflated == len(order)


def test_a_gap_survives_conflation() -> None:
    inbox = Inbox(bound=2)
    for item in (Gap(reason="lost"), made(0, 0), made(0, 1), made(0, 2)):
        inbox.put(item)

    assert inbox.take()[0] == Gap(reason="lost")
