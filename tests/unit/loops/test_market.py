"""Snapshots show the newest price and never change."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.errors import NotFoundError
from app.domain.ids import InstrumentId
from app.domain.market_data import Bar, IndicatorBar
from app.services.loops.hub import Position, Subscription
from app.services.loops.market import Contracts, MarketSnapshot
from tests.nifty_day import DAY, NIFTY, chain, index, minutes_of, session_of, tick, weekly_expiries

AT = session_of(DAY).open_at
EMPTY = MarketSnapshot(contracts=Contracts([index()]), ticks={}, now=None)
HERE = Position(ticks="1-0", bars="1-0")


def bar() -> IndicatorBar:
    first: Bar = minutes_of(DAY)[0]
    return IndicatorBar(bar=first, values=())


def test_a_tick_makes_a_new_snapshot_and_leaves_the_old_one_alone() -> None:
    after = EMPTY.with_ticks([tick(index(), Decimal(10861), AT)])

    assert (after.tick(NIFTY), after.now) == (tick(index(), Decimal(10861), AT), AT)
    assert (EMPTY.tick(NIFTY), EMPTY.now) == (None, None)


def test_an_older_tick_changes_nothing() -> None:
    newest = EMPTY.with_ticks([tick(index(), Decimal(10861), AT)])

    after = newest.with_ticks([tick(index(), Decimal(99), AT - timedelta(seconds=1))])

    assert (after.ticks, after.now) == (newest.ticks, AT)


def test_a_tick_of_an_unknown_contract_is_not_shown() -> None:
    stranger = replace(tick(index(), Decimal(1), AT), instrument_id=InstrumentId("X.NSE"))

    assert EMPTY.with_ticks([stranger]).tick(stranger.instrument_id) is None


def test_lists_options_by_expiry_then_strike() -> None:
    contracts = Contracts(reversed(chain(weekly_expiries(DAY))))

    terms = [o.option for o in contracts.options(NIFTY) if o.option is not None]
    assert [(t.expiry, t.strike) for t in terms] == sorted((t.expiry, t.strike) for t in terms)
    assert len(terms) == 80
    assert contracts.options(InstrumentId("X.NSE")) == ()


def test_names_a_contract_that_is_not_listed() -> None:
    with pytest.raises(NotFoundError, match=r"X\.NSE is not in the day's contract master"):
        EMPTY.instrument(InstrumentId("X.NSE"))


def test_a_slow_host_sees_the_newest_round_and_every_bar() -> None:
    subscription = Subscription(EMPTY, HERE)
    for seconds in range(3):
        market = EMPTY.with_ticks([tick(index(), Decimal(1 + seconds), AT + timedelta(seconds=seconds))])
        subscription.put_market(market, HERE, rounds=2, received=0)
        subscription.put_bars((bar(),), HERE, received=0)

    arrival = subscription.take(0)

    assert arrival.market.now == AT + timedelta(seconds=2)
    assert len(arrival.bars) == 3
    assert subscription.conflated == 5
    assert not subscription.take(0).has_round
