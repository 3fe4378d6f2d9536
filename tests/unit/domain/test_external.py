"""Check what may be handed in."""

from decimal import Decimal
from typing import Any

import pytest

from app.domain.errors import InvalidInputError
from app.domain.external import Amount, ExternalTerms, ExternalWish, Leave, Target, Trade, Unit
from app.domain.ids import InstrumentId
from app.domain.orders import Side

CALL = InstrumentId("NIFTY-20190103-10850-CE.NSE")
LOTS = Amount(value=Decimal(2), unit=Unit.LOTS)


def wish(**changes: Any) -> ExternalWish:
    values: dict[str, Any] = {"key": "k-1", "instrument_id": CALL, "ask": Target(amount=LOTS), **changes}
    return ExternalWish(**values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": ""}, "key: expected 1 to 120"),
        ({"key": "a b"}, "key: expected 1 to 120"),
        ({"key": "x" * 121}, "key: expected 1 to 120"),
        ({"instrument_id": None}, "instrument_id: expected one to trade in"),
        ({"reason": "a\0b"}, "reason: expected up to 500"),
        ({"reason": "x" * 501}, "reason: expected up to 500"),
        ({"valid_for_s": Decimal(0)}, "valid_for_s: expected above 0"),
        ({"valid_for_s": Decimal(301)}, "valid_for_s: expected above 0"),
        ({"valid_for_s": Decimal("NaN")}, "valid_for_s: expected above 0"),
        ({"stop_fraction": Decimal(0)}, "stop_fraction: expected between 0 and 10"),
    ],
)
def test_a_wish_out_of_bounds_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        wish(**changes)


@pytest.mark.parametrize("value", ["1.5", "NaN", "1E+9"])
def test_lots_are_whole_and_finite(value: str) -> None:
    with pytest.raises(InvalidInputError, match=r"amount|lots"):
        Amount(value=Decimal(value), unit=Unit.LOTS)


def test_an_order_has_a_size() -> None:
    with pytest.raises(InvalidInputError, match="expected above 0, got 0"):
        Trade(side=Side.BUY, amount=Amount(value=Decimal(0), unit=Unit.UNITS))


def test_lots_become_units() -> None:
    assert LOTS.units(Decimal(75)) == 150
    assert Amount(value=Decimal("0.5"), unit=Unit.UNITS).units(Decimal(75)) == Decimal("0.5")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (wish(), {"target": "2", "unit": "LOTS", "stop_fraction": None, "instrument_id": CALL}),
        (
            wish(ask=Trade(side=Side.SELL, amount=LOTS), stop_fraction=Decimal("0.250")),
            {"side": "SELL", "amount": "2", "unit": "LOTS", "stop_fraction": "0.25", "instrument_id": CALL},
        ),
        (
            wish(ask=Leave(only=Side.BUY)),
            {"leave": "BUY", "stop_fraction": None, "instrument_id": CALL},
        ),
        (
            wish(ask=Leave(), instrument_id=None),
            {"leave": None, "stop_fraction": None, "instrument_id": None},
        ),
    ],
)
def test_two_wishes_are_the_same_by_what_they_ask(one: ExternalWish, expected: dict[str, Any]) -> None:
    assert one.to_mapping() == expected


def test_a_deployment_says_what_holds_for_all() -> None:
    every = ExternalTerms.from_mapping({"stop_fraction": "0.30"})
    some = ExternalTerms.from_mapping({"stop_fraction": "0.30", "instruments": [CALL]})

    assert every.protection.stop_fraction == Decimal("0.30")
    assert (every.allows(CALL), some.allows(CALL)) == (True, True)
    assert not some.allows(InstrumentId("OTHER.NSE"))


@pytest.mark.parametrize("params", [{}, {"stop_fraction": "0.3", "instruments": "x"}])
def test_parameters_that_nobody_checked_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        ExternalTerms.from_mapping(params)
