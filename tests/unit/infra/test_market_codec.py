"""What is written on a stream is read back exactly."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.market_data import Bar, BarSpec, IndicatorBar, Tick
from app.infra.market_codec import (
    TickRound,
    decode_bar,
    decode_round,
    encode_bar,
    encode_gap,
    encode_round,
    gap_reason,
)

WALL = datetime(2026, 1, 5, 3, 45, 0, 123456, tzinfo=UTC)
prices = st.decimals(min_value="0.05", max_value="99999", places=2, allow_nan=False)
instants = st.datetimes(timezones=st.just(UTC))


@given(instants, st.lists(st.tuples(prices, st.none() | prices, st.none() | prices), max_size=5))
def test_rounds(at: datetime, quotes: list[tuple[Decimal, Decimal | None, Decimal | None]]) -> None:
    ticks = tuple(
        Tick(
            instrument_id=InstrumentId(f"I{i}.NSE"),
            last=last,
            bid=bid,
            ask=ask,
            ts_event=at,
            ts_init=WALL,
            sequence=7,
        )
        for i, (last, bid, ask) in enumerate(quotes)
    )
    sent = TickRound(ts_event=at, number=7, wall=WALL, ticks=ticks)

    assert decode_round(encode_round(sent)) == sent


@given(instants, st.lists(prices, min_size=5, max_size=5), st.dictionaries(st.text(), prices, max_size=3))
def test_bars(at: datetime, ohlcv: list[Decimal], values: dict[str, Decimal]) -> None:
    opens, high, low, close, volume = ohlcv
    bar = Bar(
        instrument_id=InstrumentId("NIFTY.NSE"),
        spec=BarSpec(minutes=5),
        start=at,
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )
    sent = IndicatorBar(bar=bar, values=tuple(values.items()))

    assert decode_bar(encode_bar(sent)) == sent


def test_gaps() -> None:
    assert decode_round(encode_gap("lost")) is None
    assert gap_reason(encode_gap("lost")) == "lost"


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"ts":"x"}', '{"ts":"2019-01-02T03:45:00+00:00","n":1,"w":1,"t":[["I","x",null,null]]}'],
)
def test_refuses_what_is_no_round(body: str) -> None:
    with pytest.raises(InvalidInputError, match="expected a round of ticks, got"):
        decode_round({"r": body})
    with pytest.raises(InvalidInputError, match="expected a bar, got"):
        decode_bar({"b": body})
    assert timedelta(0) == WALL - WALL
