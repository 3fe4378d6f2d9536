"""exchangeInfo becomes instruments, rules and limits, or a typed error."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidInputError, ProtocolError
from app.domain.instruments import Instrument, InstrumentKind, Venue
from brokers.binance.instruments import FUTURES_SEGMENT, SPOT_SEGMENT, Exchange, parse_exchange
from brokers.binance.spot import SPOT_LIMITS
from tests.unit.binance import payloads as p


def _parse(*symbols: object, segment: str = SPOT_SEGMENT, limits: object = None) -> Exchange:
    return parse_exchange(
        p.exchange(*symbols, limits=limits),  # type: ignore[arg-type]  # damaged on purpose
        segment=segment,
        fallback=SPOT_LIMITS,
    )


def test_a_spot_pair_is_an_instrument_of_its_quote_currency() -> None:
    (found,) = _parse(p.SPOT_SYMBOL).instruments

    assert (found.instrument_id, found.venue, found.kind) == (
        "BTCUSDT.BINANCE",
        Venue.BINANCE,
        InstrumentKind.SPOT,
    )
    assert (found.tick_size, found.lot_size, found.min_notional) == (
        Decimal("0.01"),
        Decimal("0.00001"),
        Decimal(5),
    )
    assert (found.segment, found.currency, found.broker_symbol) == ("spot", "USDT", "BTCUSDT")
    # A slice must pass as a market order too.
    assert found.max_order_qty == Decimal(100)


def test_a_perpetual_has_a_name_of_its_own() -> None:
    (found,) = _parse(p.FUTURES_SYMBOL, segment=FUTURES_SEGMENT).instruments

    assert (found.instrument_id, found.kind) == ("BTCUSDT-PERP.BINANCE", InstrumentKind.PERPETUAL)
    assert (found.segment, found.min_notional, found.freeze_qty) == (
        "um_futures",
        Decimal(100),
        Decimal(120),
    )


def test_only_what_trades_and_only_perpetuals_are_instruments() -> None:
    halted = {**p.SPOT_SYMBOL, "symbol": "LUNAUSDT", "status": "BREAK"}
    quarterly = {**p.FUTURES_SYMBOL, "symbol": "BTCUSDT_241227", "contractType": "CURRENT_QUARTER"}

    spot = _parse(p.SPOT_SYMBOL, halted)
    futures = _parse(p.FUTURES_SYMBOL, quarterly, segment=FUTURES_SEGMENT)

    assert [item.broker_symbol for item in spot.instruments] == ["BTCUSDT"]
    assert not spot.rules["LUNAUSDT"].is_trading
    assert set(futures.rules) == {"BTCUSDT"}


def test_limits_come_from_the_venue_and_else_stay() -> None:
    limits = _parse(p.SPOT_SYMBOL).limits

    assert limits.weight == 4000
    assert limits.orders == {"10s": 70, "1d": 160_000}
    assert _parse(p.SPOT_SYMBOL, limits=[]).limits == SPOT_LIMITS


def test_an_old_filter_name_is_understood() -> None:
    filters = [item for item in p.SPOT_SYMBOL["filters"] if item["filterType"] != "NOTIONAL"]  # type: ignore[attr-defined]  # a list
    old = {**p.SPOT_SYMBOL, "filters": [*filters, {"filterType": "MIN_NOTIONAL", "minNotional": "10"}]}

    assert _parse(old).rules["BTCUSDT"].min_notional == 10
    assert _parse({**p.SPOT_SYMBOL, "filters": filters}).rules["BTCUSDT"].min_notional == 0


@pytest.mark.parametrize("symbols", [(), ({**p.SPOT_SYMBOL, "filters": []},), ("BTCUSDT",)])
def test_an_exchange_without_readable_symbols_is_no_answer(symbols: tuple[object, ...]) -> None:
    with pytest.raises(ProtocolError):
        _parse(*symbols)


@given(p.damaged(p.SPOT_SYMBOL), st.sampled_from([SPOT_SEGMENT, FUTURES_SEGMENT]), p.JUNK)
def test_any_exchange_gives_instruments_or_a_typed_error(
    row: dict[str, object], segment: str, limit: object
) -> None:
    limits = [{"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": limit}]
    try:
        found = _parse(row, segment=segment, limits=limits)
    except (ProtocolError, InvalidInputError):
        return
    assert all(isinstance(item, Instrument) for item in found.instruments)


@given(st.data())
def test_any_filter_gives_rules_or_a_typed_error(data: st.DataObject) -> None:
    filters = [data.draw(p.damaged(item)) for item in p.SPOT_SYMBOL["filters"]]  # type: ignore[attr-defined]  # a list
    try:
        found = _parse({**p.SPOT_SYMBOL, "filters": filters})
    except (ProtocolError, InvalidInputError):
        return
    rules = found.rules["BTCUSDT"]
    assert min(rules.tick, rules.step) > 0
