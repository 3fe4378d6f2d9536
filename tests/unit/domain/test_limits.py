"""Check how limits are read."""

from dataclasses import fields
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.risk.limits import (
    MARGIN_CHECK,
    SYMBOL_LISTS,
    MarginCheck,
    RiskLimits,
    daily_losses,
    parse_limits,
    write_limits,
)

NUMBERS = sorted(
    {"max_daily_loss_USDT", *(field.name for field in fields(RiskLimits))}
    - SYMBOL_LISTS
    - {"daily_losses", MARGIN_CHECK}
)


def test_names_that_are_not_given_keep_their_default() -> None:
    limits = RiskLimits.from_mapping({"max_lots": 3, "max_daily_loss": "1500.50"})

    assert limits == RiskLimits(max_lots=Decimal(3), max_daily_loss=Decimal("1500.50"))
    assert RiskLimits.from_mapping({}) == RiskLimits()


def test_an_unknown_name_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidInputError, match=r"expected names out of allowed_symbols, .*, max_lots, .*, got max_lot$"
    ):
        RiskLimits.from_mapping({"max_lot": 3})


@pytest.mark.parametrize("value", [0.2, True, None, [1]])
def test_a_value_that_is_not_exact_is_refused(value: object) -> None:
    with pytest.raises(
        InvalidInputError, match="max_daily_loss: expected a whole number or a decimal in quotes"
    ):
        RiskLimits.from_mapping({"max_daily_loss": value})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["0", "-1"])
def test_no_limit_can_be_switched_off(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name}: expected a positive number"):
        RiskLimits.from_mapping({name: value})


@pytest.mark.parametrize(
    "name",
    [
        "max_lots",
        "max_entries_per_second",
        "max_orders_per_day",
        "max_open_positions",
        "max_open_orders",
        "max_stops",
        "max_losing_trades",
        "low_profit_trades",
    ],
)
def test_counts_are_whole_numbers(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name}: expected a whole number, got 1.5"):
        RiskLimits.from_mapping({name: "1.5"})


@pytest.mark.parametrize("value", ["many", "NaN", "Infinity"])
def test_a_value_is_a_number(value: str) -> None:
    with pytest.raises(InvalidInputError, match="max_lots: expected a"):
        RiskLimits.from_mapping({"max_lots": value})


def test_infinity_cannot_be_built_either() -> None:
    with pytest.raises(InvalidInputError, match="max_lots: expected a positive number, got Infinity"):
        RiskLimits(max_lots=Decimal("Infinity"))


@pytest.mark.parametrize("name", sorted(SYMBOL_LISTS))
@pytest.mark.parametrize("value", [["NIFTY", "BTCUSDT-PERP.BINANCE"], "BTCUSDT-PERP.BINANCE, NIFTY"])
def test_symbols_are_a_list_or_text_and_are_stored_in_one_spelling(name: str, value: object) -> None:
    assert write_limits(parse_limits({name: value})) == {name: ["BTCUSDT-PERP.BINANCE", "NIFTY"]}


@pytest.mark.parametrize("value", [[], "", "nifty", "NIFTY,", ["NIFTY", 5], 5, {"NIFTY": 1}, "NIFTY*"])
def test_symbols_that_would_match_nothing_are_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="denied_symbols: expected"):
        RiskLimits.from_mapping({"denied_symbols": value})


def test_a_set_is_written_as_it_was_read() -> None:
    values = {"allowed_symbols": ["NIFTY"], "max_daily_loss": "1500.5", "max_lots": "30"}

    assert write_limits(parse_limits(values | {"max_daily_loss": "1500.50", "max_lots": 30})) == values


def test_the_check_of_margin_is_a_word_that_is_always_shown() -> None:
    assert RiskLimits().named[MARGIN_CHECK] is MarginCheck.OFF
    assert RiskLimits.from_mapping({MARGIN_CHECK: "on"}).margin_check is MarginCheck.ON
    assert write_limits(parse_limits({MARGIN_CHECK: "on"})) == {MARGIN_CHECK: "on"}


@pytest.mark.parametrize("value", ["ON", "yes", "", 1, True, None, ["on"]])
def test_another_word_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="margin_check: expected off or on, got"):
        RiskLimits.from_mapping({MARGIN_CHECK: value})


def test_only_what_limits_is_named() -> None:
    named = RiskLimits(max_stops=Decimal(2)).named

    assert named["max_stops"] == 2
    assert named["max_lots"] == 50
    assert {"max_drawdown", "allowed_symbols", "denied_symbols", "cooldown_s"}.isdisjoint(named)


@pytest.mark.parametrize(
    "name", ["cooldown_s", "max_stops", "max_losing_trades", "max_trade_drawdown", "low_profit_trades"]
)
def test_ended_trades_are_asked_for_when_a_limit_needs_them(name: str) -> None:
    assert RiskLimits.from_mapping({name: 1}).looks_back
    assert not RiskLimits().looks_back


def test_a_daily_loss_may_name_its_currency_and_is_written_as_it_was_read() -> None:
    values = {"max_daily_loss": "5000", "max_daily_loss_USDT": "50.5", "max_daily_loss_JPY": "7000"}

    parsed = parse_limits(values)
    limits = RiskLimits.of(parsed)

    assert write_limits(parsed) == values
    assert daily_losses(parsed) == {"USDT": Decimal("50.5"), "JPY": Decimal(7000)}
    assert limits.daily_losses == (("JPY", Decimal(7000)), ("USDT", Decimal("50.5")))
    assert {name: limits.named[name] for name in values} == parsed
    assert RiskLimits.from_mapping(values) == limits


@pytest.mark.parametrize(
    "name", ["max_daily_loss_", "max_daily_loss_usdt", "max_drawdown_USDT", "daily_losses"]
)
def test_a_currency_that_is_none_is_no_limit(name: str) -> None:
    with pytest.raises(InvalidInputError, match="max_daily_loss_<CURRENCY>"):
        parse_limits({name: 5})
