"""The option chain: names, prices, spreads."""

from datetime import date, timedelta

import pytest

from brokers.simulators.kotak.contracts import list_contracts, option_symbol, weekly_expiries
from brokers.simulators.kotak.minutes import IndexPath
from brokers.simulators.kotak.pricing import ChainPricer, black76
from brokers.simulators.kotak.tape import Tape
from tests.contract.simulator_kotak.market import minutes


def chain(day: str = "2019-01-02", seed: int = 7) -> Tape:
    session = minutes(day)
    path = IndexPath(session, seed)
    return Tape(path, ChainPricer(path, seed), list_contracts(session.day, session.preopen))


@pytest.mark.parametrize(
    ("expiry", "symbol"),
    [
        (date(2019, 1, 3), "NIFTY1910310850CE"),
        (date(2019, 10, 10), "NIFTY19O1010850CE"),
        (date(2019, 1, 31), "NIFTY19JAN10850CE"),
    ],
)
def test_symbols_tell_weekly_from_monthly_expiries(expiry: date, symbol: str) -> None:
    assert option_symbol(expiry, 10850, "CE") == symbol


def test_expiries_are_the_first_two_thursdays_from_the_day_on() -> None:
    assert weekly_expiries(date(2019, 1, 2)) == (date(2019, 1, 3), date(2019, 1, 10))
    assert weekly_expiries(date(2019, 1, 3)) == (date(2019, 1, 3), date(2019, 1, 10))


def test_the_chain_spans_20_strikes_each_side_for_two_expiries() -> None:
    contracts = chain().contracts
    strikes = sorted({contract.strike for contract in contracts})
    assert strikes == list(range(9850, 11851, 50))
    assert len(contracts) == len({contract.symbol for contract in contracts}) == 41 * 2 * 2


def test_quotes_stand_on_the_tick_with_the_last_price_inside_the_spread() -> None:
    tape = chain()
    opens = tape._path.opens
    for offset in (0, 60, 300, 18_000):
        tape.advance(opens + timedelta(seconds=offset))
        for quote in tape.quotes.values():
            assert quote.bid % 5 == quote.ask % 5 == quote.ltp % 5 == 0
            assert 5 <= quote.bid <= quote.ltp <= quote.ask
            assert quote.bid < quote.ask


def test_the_spread_is_widest_at_the_bell_and_halves_again_at_0920() -> None:
    tape = chain()
    token = next(c.token for c in tape.contracts if c.strike == 10700 and c.right == "CE")
    widths = []
    for minute in (0, 2, 6):
        tape.advance(tape._path.opens + timedelta(minutes=minute))
        widths.append(tape.quotes[token].ask - tape.quotes[token].bid)
    assert widths[0] > 2 * widths[1] > 3 * widths[2] > 0


def test_a_quote_does_not_depend_on_what_was_asked_before() -> None:
    jumped, walked = chain(), chain()
    target = jumped._path.opens + timedelta(minutes=30)
    for minute in range(30):
        walked.advance(walked._path.opens + timedelta(minutes=minute))
    jumped.advance(target)
    walked.advance(target)
    assert jumped.quotes == walked.quotes
    assert jumped.quotes != chain(seed=8).quotes


def test_call_and_put_keep_parity() -> None:
    call, put = black76(10850.0, 10900.0, 2 / 365, 0.15)
    assert call - put == pytest.approx(10850.0 - 10900.0)


@pytest.mark.parametrize("day", ["2019-01-01", "2019-01-02", "2019-01-03", "2019-01-04"])
def test_the_straddle_of_0920_is_plausible_and_meets_a_25_percent_stop(day: str) -> None:
    tape = chain(day)
    opens = tape._path.opens
    tape.advance(opens + timedelta(minutes=5))
    strike = round(tape.index / 5000) * 50
    legs = [c for c in tape.contracts[:82] if c.strike == strike]
    entries = {leg.token: tape.quotes[leg.token].bid for leg in legs}
    assert 3_000 < sum(entries.values()) < 30_000
    hit = set()
    for quarter in range(21, 1_430):
        instant = opens + timedelta(seconds=15 * quarter)
        for leg in legs:
            if tape._pricer.quote(leg, instant).ltp >= entries[leg.token] * 1.25:
                hit.add(leg.token)
    assert hit
