"""Averages and their crosses agree with a plain reading of their definitions, and do not skip holes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from app.domain.bars import merge_bars
from app.domain.errors import InvalidInputError
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, Bar, BarSpec
from strategies.indicators import compute
from strategies.indicators.averages import average_directional_index, exponential_average, prices_of
from tests.unit.strategies.plain_averages import plain_adx, plain_atr, plain_ema
from tests.unit.strategies.real_days import bitcoin_day, euro_day

BITCOIN = bitcoin_day(date(2024, 12, 6))
OPEN = BITCOIN.session.open_at
QUARTERS = merge_bars((minute.bar for minute in BITCOIN.minutes), FIFTEEN_MINUTES, BITCOIN.session)
CROSS = ["ema_cross_bars:9/21", "ema_cross_high:9/21", "ema_cross_low:9/21"]


def triples(bars: Sequence[Bar]) -> list[tuple[float, float, float]]:
    return [(float(bar.high), float(bar.low), float(bar.close)) for bar in bars]


def approximately(values: Sequence[float | None]) -> list[object]:
    return [None if value is None else pytest.approx(value, rel=1e-9) for value in values]


def known(values: Sequence[float]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values]


@pytest.mark.parametrize("period", [2, 9, 21, 200])
def test_exponential_average_follows_its_definition(period: int) -> None:
    closes = [close for _, _, close in triples(QUARTERS)]

    found = known(exponential_average(np.array(closes), period).tolist())

    assert found == approximately(plain_ema(closes, period))


@pytest.mark.parametrize("period", [2, 14, 60])
def test_directional_index_is_wilders(period: int) -> None:
    found = known(average_directional_index(*prices_of(QUARTERS), period).tolist())

    assert found == approximately(plain_adx(triples(QUARTERS), period))


@pytest.mark.parametrize("spec", [FIVE_MINUTES, FIFTEEN_MINUTES, BarSpec(minutes=60)])
def test_averages_work_on_bars_of_any_length(spec: BarSpec) -> None:
    bars = merge_bars((minute.bar for minute in BITCOIN.minutes), spec, BITCOIN.session)[:40]
    closes = [close for _, _, close in triples(bars)]
    plain = {
        "ema:9": plain_ema(closes, 9)[-1],
        "atr:14": plain_atr(triples(bars), 14)[-1],
        "adx:14": plain_adx(triples(bars), 14)[-1],
    }

    found = compute(list(plain), bars, OPEN)

    assert {name: pytest.approx(value, abs=5.1e-5) for name, value in plain.items()} == {
        name: None if value is None else float(value) for name, value in found.items()
    }


@pytest.mark.parametrize(("name", "bars"), [("ema:21", 21), ("atr:14", 15), ("adx:14", 28)])
def test_values_are_unknown_until_enough_bars_of_the_session_are_there(name: str, bars: int) -> None:
    assert compute([name], QUARTERS[: bars - 1], OPEN)[name] is None
    assert compute([name], QUARTERS[:bars], OPEN)[name] is not None


@pytest.mark.parametrize(("name", "bars"), [("ema:21", 21), ("adx:14", 28)])
def test_a_hole_in_the_bars_starts_the_warm_up_anew(name: str, bars: int) -> None:
    broken = (*QUARTERS[:40], *QUARTERS[41:])

    assert compute([name], broken[: 40 + bars - 1], OPEN)[name] is None
    assert compute([name], broken[: 40 + bars], OPEN) == compute([name], broken[40 : 40 + bars], OPEN)
    assert compute([name], broken[: 40 + bars], OPEN)[name] is not None


def test_the_short_first_bar_of_a_forex_session_makes_no_hole() -> None:
    day = euro_day(date(2014, 5, 6))
    bars = merge_bars((minute.bar for minute in day.minutes), FIFTEEN_MINUTES, day.session)

    assert [f"{bar.start:%H%M}" for bar in bars[:3]] == ["2105", "2115", "2130"]
    assert compute(["ema:21"], bars[:21], day.session.open_at)["ema:21"] is not None


def test_values_of_a_currency_pair_keep_eight_digits_and_those_of_bitcoin_four() -> None:
    day = euro_day(date(2014, 5, 6))
    bars = merge_bars((minute.bar for minute in day.minutes), FIFTEEN_MINUTES, day.session)

    small, large = (compute(["atr:14"], of, OPEN)["atr:14"] for of in (bars[:40], QUARTERS[:40]))

    assert small is not None and large is not None  # noqa: PT018  both narrow a type
    assert small == small.quantize(Decimal("0.00000001")) != small.quantize(Decimal("0.0001"))
    assert large == large.quantize(Decimal("0.0001"))


def test_crosses_are_where_the_fast_average_changes_sides() -> None:
    closes = [close for _, _, close in triples(QUARTERS)]
    fast, slow = plain_ema(closes, 9), plain_ema(closes, 21)
    crossed_on: int | None = None
    seen = set()
    for i, bar in enumerate(QUARTERS):
        f, s, before_f, before_s = fast[i], slow[i], fast[i - 1], slow[i - 1]
        if i >= 21 and f is not None and s is not None and before_f is not None and before_s is not None:
            if (f > s) != (before_f > before_s):
                crossed_on = i
            is_up = f > s
        found = compute(CROSS, QUARTERS[: i + 1], OPEN)
        if crossed_on is None:
            assert set(found.values()) == {None}, bar
            continue
        after = QUARTERS[crossed_on + 1 : i + 1]
        assert list(found.values()) == [
            (i - crossed_on + 1) * (1 if is_up else -1),
            max((b.high for b in after), default=None),
            min((b.low for b in after), default=None),
        ], bar
        seen.add((crossed_on, is_up))
    assert len(seen) == 5


def closing_at(closes: Sequence[int]) -> list[Bar]:
    return [
        replace(bar, start=OPEN + i * bar.spec.length, high=close, low=close, close=close)
        for i, close in enumerate(map(Decimal, closes))
        for bar in QUARTERS[:1]
    ]


@pytest.mark.parametrize(
    ("last", "expected"), [([], None), ([120], None), ([90], -1), ([90, 80], -2), ([120, 90, 200], 1)]
)
def test_averages_that_meet_have_not_crossed(last: list[int], expected: int | None) -> None:
    until_they_meet = [100] * 5 + [110] * 200

    found = compute(["ema_cross_bars:2/3"], closing_at([*until_they_meet, *last]), OPEN)

    assert found == {"ema_cross_bars:2/3": expected}
    closes = np.array([float(bar.close) for bar in closing_at(until_they_meet)])
    assert exponential_average(closes, 2)[-1] == exponential_average(closes, 3)[-1]


@pytest.mark.parametrize("name", ["ema:1", "adx:1", "ema_cross_bars:21/9", "ema_cross_bars:9/9"])
def test_refuses_periods_that_make_no_sense(name: str) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        compute([name], QUARTERS, OPEN)
