"""Strategies are found by name and their parameters are checked before anything runs."""

import sys
from decimal import Decimal
from types import ModuleType

import pytest

from app.domain.errors import ConfigError, InvalidInputError
from strategies.registry import Registry, StrategyDefinition, load_registry
from strategies.short_straddle import STRATEGIES as STRADDLES
from strategies.short_straddle import ShortStraddle, ShortStraddleParams


def test_knows_the_built_in_strategies_with_a_sentence_each() -> None:
    registry = load_registry()

    assert registry.names() == ("ema_cross", "external", "london_breakout", "opening_range", "short_straddle")
    assert all(registry.summary(name).endswith(".") for name in registry.names())


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("ema_cross", {"max_entries": 3}),
        ("london_breakout", {"lots": 3}),
        ("opening_range", {"lots": 3}),
        ("short_straddle", {"lots": 3}),
    ],
)
def test_stored_parameters_are_complete_json_and_build_again(name: str, chosen: dict[str, int]) -> None:
    registry = load_registry()

    stored = registry.validate(name, chosen)

    assert chosen.items() <= stored.items()
    properties = registry.schema(name)["properties"]
    assert isinstance(properties, dict)
    assert set(stored) == set(properties)
    assert all(isinstance(value, str | int | bool | None) for value in stored.values())
    assert registry.validate(name, stored) == stored
    assert registry.build(name, stored) is not None


def test_a_number_from_a_file_becomes_an_exact_fraction() -> None:
    assert load_registry().validate("short_straddle", {"stop_fraction": 0.3})["stop_fraction"] == "0.3"
    assert ShortStraddleParams(stop_fraction=Decimal("0.3")).stop_fraction == Decimal("0.3")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lots": 0}, "lots: .*greater than or equal to 1, got 0"),
        ({"lot": 1}, "lot: .*[Uu]nexpected.*got 1"),
        ({"stop_fraction": "NaN"}, "stop_fraction: .*finite"),
        ({"entry_offset_s": -1, "entry_window_s": 0}, "entry_offset_s: .*; entry_window_s: "),
    ],
)
def test_names_each_parameter_that_does_not_fit(params: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_registry().validate("short_straddle", params)


def test_an_unknown_strategy_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"expected one of ema_cross, .*, short_straddle, got 'x'"):
        load_registry().build("x", {})


def test_a_name_cannot_be_claimed_twice() -> None:
    with pytest.raises(ConfigError, match="'short_straddle' is defined twice"):
        Registry((*STRADDLES, *STRADDLES))


def test_loads_the_modules_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("their_strategies")
    theirs = StrategyDefinition(
        name="theirs", summary="Theirs.", params=ShortStraddleParams, factory=ShortStraddle
    )
    monkeypatch.setattr(module, "STRATEGIES", (theirs,), raising=False)
    monkeypatch.setitem(sys.modules, "their_strategies", module)

    assert "theirs" in load_registry(("their_strategies",)).names()


def test_says_which_module_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match=r"OPENBELL_STRATEGY_MODULES: .*got no_such_module"):
        load_registry(("no_such_module",))
    with pytest.raises(ConfigError, match="decimal: expected a tuple STRATEGIES"):
        load_registry(("decimal",))
