"""Check how limits are read."""

from dataclasses import fields
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.risk.limits import RiskLimits


def test_names_that_are_not_given_keep_their_default() -> None:
    limits = RiskLimits.from_mapping({"max_lots": 3, "max_daily_loss": "1500.50"})

    assert limits == RiskLimits(max_lots=Decimal(3), max_daily_loss=Decimal("1500.50"))
    assert RiskLimits.from_mapping({}) == RiskLimits()


def test_an_unknown_name_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidInputError, match=r"expected names out of max_account_notional, .*, got max_lot$"
    ):
        RiskLimits.from_mapping({"max_lot": 3})


@pytest.mark.parametrize("value", [0.2, True, None, [1]])
def test_a_value_that_is_not_exact_is_refused(value: object) -> None:
    with pytest.raises(
        InvalidInputError, match="max_daily_loss: expected a whole number or a decimal in quotes"
    ):
        RiskLimits.from_mapping({"max_daily_loss": value})


@pytest.mark.parametrize("name", [field.name for field in fields(RiskLimits)])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_no_limit_can_be_switched_off(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name}: expected a positive number"):
        RiskLimits.from_mapping({name: value})


@pytest.mark.parametrize("name", ["max_lots", "max_entries_per_second", "max_open_positions"])
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
