"""The trend follower enters on a fresh cross in a moving market, once, and leaves by its own rules."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, Bar, BarSpec, IndicatorBar
from app.domain.numbers import ZERO
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import BarEvent, LegView, StrategyView, TickEvent
from app.services.loops.market import Contracts, MarketSnapshot
from strategies.ema_cross import EmaCross, EmaCrossParams
from strategies.registry import load_registry
from tests.unit.strategies.real_days import EURUSD, PERPETUAL, SPOT, bitcoin, quote, utc_day

SESSION = utc_day(date(2024, 12, 6))
AT = timedelta(hours=12)
"""The bar that is judged starts here."""
LONG = "2024-12-06T1200Z:ema_cross:long"
EARLIER = "2024-12-06T1000Z:ema_cross:long"


def bar_event(
    at: timedelta,
    *,
    cross: int | None = 1,
    close: str = "100000",
    best: str | None = None,
    adx: str | None = "25",
    atr: str | None = "400",
    instrument_id: InstrumentId = PERPETUAL,
    spec: BarSpec = FIFTEEN_MINUTES,
) -> BarEvent:
    """Tell that a bar closed; `best` is the highest and the lowest price since the cross."""
    price = Decimal(close)
    bar = Bar(
        instrument_id=instrument_id,
        spec=spec,
        start=SESSION.open_at + at,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ZERO,
    )
    found = {
        "ema_cross_bars:9/21": None if cross is None else str(cross),
        "ema_cross_high:9/21": best,
        "ema_cross_low:9/21": best,
        "adx:14": adx,
        "atr:14": atr,
    }
    values = tuple((name, Decimal(value)) for name, value in found.items() if value is not None)
    return BarEvent(indicator_bar=IndicatorBar(bar=bar, values=values))


def held(quantity: str, *, is_stopped: bool = False, entry_px: str = "100000") -> LegView:
    """Show a leg of an eighth of a bitcoin bought or sold today."""
    return LegView(
        instrument_id=PERPETUAL,
        net_qty=Decimal(quantity),
        entry_qty=Decimal("0.125"),
        entry_px=Decimal(entry_px),
        is_stopped=is_stopped,
    )


def view(
    now: datetime,
    *,
    price: str = "100000",
    emitted: Iterable[str] = (),
    leg: LegView | None = None,
    instrument: Instrument | None = None,
    tick_age: timedelta = timedelta(0),
) -> StrategyView:
    """Show the market at a moment."""
    listed = bitcoin() if instrument is None else instrument
    tick = quote(listed.instrument_id, now - tick_age, Decimal(price), Decimal(price) + Decimal("0.1"))
    return StrategyView(
        now=now,
        session_open=SESSION.open_at,
        session_close=SESSION.close_at,
        market=MarketSnapshot(contracts=Contracts([listed]), ticks={listed.instrument_id: tick}, now=now),
        emitted=frozenset(map(SignalKey, emitted)),
        legs={} if leg is None else {leg.instrument_id: leg},
    )


def ask(
    *, at: timedelta = AT, params: dict[str, Any] | None = None, delay_s: int = 0, **told: Any
) -> Sequence[Signal]:
    """Return what is wished at the close of a bar."""
    shown = {
        name: told.pop(name) for name in ("price", "emitted", "leg", "instrument", "tick_age") if name in told
    }
    event = bar_event(at, **told)
    now = event.indicator_bar.bar.end + timedelta(seconds=delay_s)
    return EmaCross(EmaCrossParams(**(params or {}))).on_event(event, view(now, **shown))


def test_buys_on_a_cross_upwards_and_sells_on_one_downwards() -> None:
    (up,), (down,) = ask(), ask(cross=-1)

    assert (up.key, up.kind, up.legs[0].side) == (LONG, SignalKind.ENTER, Side.BUY)
    assert (down.key, down.legs[0].side) == ("2024-12-06T1200Z:ema_cross:short", Side.SELL)
    assert up.legs[0].instrument_id == PERPETUAL
    assert up.legs[0].protection is not None
    assert up.legs[0].protection.stop_fraction == Decimal("0.008")


@pytest.mark.parametrize("cross", [None, 2, -2, 3])
def test_a_cross_is_fresh_on_its_own_bar_only(cross: int | None) -> None:
    assert not ask(cross=cross)


@pytest.mark.parametrize(("adx", "is_entered"), [("20", False), ("20.0001", True), (None, False)])
def test_enters_only_while_the_market_moves_one_way(adx: str | None, *, is_entered: bool) -> None:
    assert bool(ask(adx=adx)) is is_entered


@pytest.mark.parametrize(("delay_s", "is_entered"), [(60, True), (61, False)])
def test_takes_no_entry_on_a_bar_that_closed_long_ago(delay_s: int, *, is_entered: bool) -> None:
    assert bool(ask(delay_s=delay_s)) is is_entered


def test_takes_no_entry_on_a_price_from_before_the_bar() -> None:
    assert ask(tick_age=timedelta(minutes=15))
    assert not ask(tick_age=timedelta(minutes=15, seconds=1))


@pytest.mark.parametrize(
    ("atr", "params", "lots"),
    [
        ("400", {}, 125),
        ("399", {}, 125),
        ("401", {}, 124),
        ("400", {"capital": "20000", "risk_fraction": "0.02"}, 500),
        ("50", {}, 300),
        ("50", {"max_leverage": 1}, 100),
        ("60000", {"max_leverage": 1}, 0),
    ],
)
def test_size_is_the_risk_over_the_stop_in_whole_lots_within_the_leverage(
    atr: str, params: dict[str, Any], lots: int
) -> None:
    assert [leg.lots for signal in ask(atr=atr, params=params) for leg in signal.legs] == [lots][: bool(lots)]


def test_spot_is_only_bought_and_never_for_more_than_the_capital() -> None:
    params = {"instrument": SPOT}
    told: dict[str, Any] = {"params": params, "instrument": bitcoin(SPOT), "instrument_id": SPOT, "atr": "50"}

    # `instrument_id` belongs to the event, `instrument` to the view.
    (bought,) = ask(**told)

    assert bought.legs[0].lots * Decimal("0.00001") * 100_000 == 10_000
    assert not ask(**told, cross=-1)


def test_a_perpetual_can_be_kept_to_one_side() -> None:
    assert ask(params={"sides": "long"})
    assert not ask(params={"sides": "long"}, cross=-1)


def test_makes_no_trade_below_the_least_value_that_the_venue_takes() -> None:
    assert ask(params={"capital": "100"})[0].legs[0].lots == 1
    assert not ask(params={"capital": "100"}, price="99999")  # 0.001 of it is less than 100


def test_the_stop_is_reckoned_from_the_average_of_the_day() -> None:
    before: dict[str, Any] = {"emitted": [EARLIER, f"{EARLIER}:cross:2024-12-06T1100Z"]}

    (signal,) = ask(**before, leg=held("0", entry_px="100400"))

    # 0.125 at 100,400 and 0.125 at 100,000 make 100,200; the stop shall be at 99,200.
    assert signal.legs[0].protection is not None
    assert signal.legs[0].protection.stop_fraction == Decimal("0.009980")
    assert not ask(**before, leg=held("0", entry_px="98400"))


@pytest.mark.parametrize(
    ("end", "at", "cross", "is_entered"),
    [
        ("cross:2024-12-06T1145Z", AT, -2, True),
        ("cross:2024-12-06T1130Z", AT, -2, False),
        ("cross:2024-12-06T1130Z", AT, -3, False),
        ("gone:2024-12-06T1145Z", AT, -2, True),
        ("trail:2024-12-06T1145Z", AT, -1, True),
        ("stopped:2024-12-06T1145Z", AT, -2, False),
        ("stopped:2024-12-06T1145Z", AT, -1, False),
        ("stopped:2024-12-06T1130Z", AT, -1, False),
        ("stopped:2024-12-06T1115Z", AT, -1, True),
    ],
)
def test_enters_again_at_once_after_a_cross_and_after_a_pause_after_a_stop(
    end: str, at: timedelta, cross: int, *, is_entered: bool
) -> None:
    assert bool(ask(at=at, cross=cross, emitted=[EARLIER, f"{EARLIER}:{end}"])) is is_entered


def test_the_pause_is_a_parameter() -> None:
    emitted = [EARLIER, f"{EARLIER}:stopped:2024-12-06T1145Z"]

    assert ask(emitted=emitted, params={"cooldown_bars": 0})
    assert not ask(emitted=emitted, params={"cooldown_bars": 1})


def test_holds_one_position() -> None:
    over = [EARLIER, f"{EARLIER}:cross:2024-12-06T1145Z"]

    assert ask(emitted=over, leg=held("0"))
    assert not ask(emitted=over, leg=held("0.125"))  # its exit is still on the way
    assert not ask(emitted=[EARLIER], leg=held("0.125"))


def test_enters_no_more_than_its_number_of_times() -> None:
    first = "2024-12-06T0800Z:ema_cross:short"
    emitted = [first, f"{first}:trail:2024-12-06T0900Z", EARLIER, f"{EARLIER}:trail:2024-12-06T1100Z"]

    assert ask(emitted=emitted, params={"max_entries": 3})
    assert not ask(emitted=emitted, params={"max_entries": 2})


@pytest.mark.parametrize(
    ("quantity", "told", "rule"),
    [
        ("0.125", {"cross": 9, "close": "100000", "best": "101199.99"}, None),
        ("0.125", {"cross": 9, "close": "100000", "best": "101200"}, "trail"),
        ("-0.125", {"cross": -9, "close": "100000", "best": "98800.01"}, None),
        ("-0.125", {"cross": -9, "close": "100000", "best": "98800"}, "trail"),
        ("0.125", {"cross": -1}, "cross"),
        ("-0.125", {"cross": 1}, "cross"),
        ("0.125", {"cross": None, "adx": None, "best": None}, None),
        ("0.125", {"cross": 9, "atr": None, "best": "200000"}, None),
        ("0.125", {"cross": 9, "at": timedelta(hours=23, minutes=15)}, None),
        ("0.125", {"cross": 9, "at": timedelta(hours=23, minutes=30)}, "day-end"),
        ("0", {"cross": 9}, "gone"),
    ],
)
def test_leaves_by_the_opposite_cross_the_trail_or_the_end_of_the_day(
    quantity: str, told: dict[str, Any], rule: str | None
) -> None:
    signals = ask(emitted=[EARLIER], leg=held(quantity), **told)

    assert [signal.key.split(":")[3] for signal in signals] == ([] if rule is None else [rule])
    assert all((s.kind, s.instrument_id) == (SignalKind.EXIT, PERPETUAL) for s in signals)


def test_an_exit_waits_for_no_price_and_is_never_late() -> None:
    assert ask(emitted=[EARLIER], leg=held("0.125"), cross=-1, delay_s=3000, tick_age=timedelta(hours=1))


def test_a_stop_is_told_from_an_entry_that_never_filled_and_both_are_noted_once() -> None:
    (stopped,) = ask(emitted=[EARLIER], leg=held("0", is_stopped=True), cross=9)
    (unfilled,) = ask(emitted=[EARLIER], cross=9)

    assert stopped.key == f"{EARLIER}:stopped:2024-12-06T1200Z"
    assert unfilled.key == f"{EARLIER}:gone:2024-12-06T1200Z"
    assert not ask(emitted=[EARLIER, stopped.key], leg=held("0", is_stopped=True), cross=9)


def test_a_bar_from_before_the_entry_ends_nothing() -> None:
    assert not ask(emitted=[LONG], leg=held("0.125"), cross=-1)
    assert not ask(at=AT - timedelta(minutes=15), emitted=[LONG], leg=held("0.125"), cross=-1)
    assert not ask(emitted=[EARLIER, f"{EARLIER}:cross:2024-12-06T1200Z"])


def test_no_entry_in_the_last_minutes_of_the_day() -> None:
    assert ask(at=timedelta(hours=23, minutes=15))
    assert not ask(at=timedelta(hours=23, minutes=30))
    assert not ask(at=timedelta(hours=23, minutes=15), params={"flat_before_close_minutes": 30})


def test_keys_of_another_strategy_are_none_of_its_business() -> None:
    assert ask(emitted=["2024-12-06:orb:long", "2024-12-06:straddle:entry", "x"])


def test_other_bars_ticks_and_instruments_are_none_of_its_business() -> None:
    strategy, shown = EmaCross(EmaCrossParams()), view(SESSION.open_at + AT)

    assert not ask(spec=FIVE_MINUTES)
    assert not ask(instrument_id=EURUSD)
    assert not strategy.on_event(TickEvent(ts_event=shown.now), shown)
    (need,) = strategy.indicator_needs()
    assert (need.instrument_id, need.spec) == (PERPETUAL, FIFTEEN_MINUTES)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"fast": 21, "slow": 21}, "slow: .*more bars than the fast"),
        ({"fast": 30}, "slow: .*more bars than the fast"),
        ({"fast": 1}, "fast: "),
        ({"sides": "short"}, "sides: "),
        ({"risk_fraction": "0.06"}, "risk_fraction: "),
        ({"capital": 0}, "capital: "),
        ({"max_leverage": 21}, "max_leverage: "),
        ({"flat_before_close_minutes": 0}, "flat_before_close_minutes: "),
        ({"flat_before_close_minutes": 20}, "flat_before_close_minutes: .*multiple"),
        ({"stop_atr": "NaN"}, "stop_atr: .*finite"),
        ({"min_adx": 100}, "min_adx: "),
        ({"lots": 1}, "lots: .*[Uu]nexpected"),
    ],
)
def test_names_each_parameter_that_does_not_fit(params: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_registry().validate("ema_cross", params)
