"""Find strategies by name, check their parameters and build them; the one list of what can be deployed."""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from app.domain.errors import ConfigError, InvalidInputError
from app.domain.strategy import Strategy

P = TypeVar("P")

BUILT_IN = (
    "strategies.short_straddle",
    "strategies.opening_range",
    "strategies.ema_cross",
    "strategies.london_breakout",
    "strategies.external",
)
"""Modules that ship with the platform. Each, like each module of a user, has a tuple STRATEGIES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyDefinition(Generic[P]):
    """Declare one strategy: its name, what it does in a sentence, its parameters and how to build it.

    `params` is a pydantic dataclass (frozen, `extra="forbid"`) whose fields carry bounds and a description;
    the form of the dashboard is made from it.
    """

    name: str
    summary: str
    params: type[P]
    factory: Callable[[P], Strategy]


class Registry:
    """Hold the strategies that this installation knows. Immutable after construction, so thread-safe."""

    def __init__(self, definitions: Iterable[StrategyDefinition[Any]]) -> None:
        """Raise ConfigError when two strategies claim one name."""
        self._definitions: dict[str, StrategyDefinition[Any]] = {}
        for definition in definitions:
            if definition.name in self._definitions:
                raise ConfigError(f"strategy {definition.name!r} is defined twice: rename one of them")
            self._definitions[definition.name] = definition

    def names(self) -> tuple[str, ...]:
        """Return the known names, sorted."""
        return tuple(sorted(self._definitions))

    def summary(self, name: str) -> str:
        """Return the sentence that describes the strategy."""
        return self._definition(name).summary

    def schema(self, name: str) -> Mapping[str, object]:
        """Return the JSON Schema of the parameters, with defaults, bounds and descriptions."""
        return TypeAdapter(self._definition(name).params).json_schema()

    def validate(self, name: str, params: Mapping[str, object]) -> Mapping[str, object]:
        """Return all parameters, defaults filled in, as JSON values fit for storing.

        Raises:
            InvalidInputError: the strategy is unknown or parameters do not fit; each is named.
        """
        adapter = TypeAdapter(self._definition(name).params)
        dumped: dict[str, object] = adapter.dump_python(self._parse(name, params), mode="json")
        return dumped

    def build(self, name: str, params: Mapping[str, object]) -> Strategy:
        """Return a strategy with these parameters; raises InvalidInputError like `validate`."""
        return self._definition(name).factory(self._parse(name, params))

    def _definition(self, name: str) -> StrategyDefinition[Any]:
        found = self._definitions.get(name)
        if found is None:
            raise InvalidInputError(f"strategy: expected one of {', '.join(self.names())}, got {name!r}")
        return found

    def _parse(self, name: str, params: Mapping[str, object]) -> object:
        try:
            return TypeAdapter(self._definition(name).params).validate_python(dict(params))
        except ValidationError as e:
            lines = [f"{'.'.join(map(str, x['loc']))}: {x['msg']}, got {x['input']!r}" for x in e.errors()]
            raise InvalidInputError(f"parameters of {name}: {'; '.join(lines)}") from e


def load_registry(modules: Sequence[str] = ()) -> Registry:
    """Return the built-in strategies and those of the named modules (setting OPENBELL_STRATEGY_MODULES).

    Raises:
        ConfigError: a module cannot be imported or has no tuple STRATEGIES.
    """
    return Registry(definition for module in (*BUILT_IN, *modules) for definition in _definitions_of(module))


def _definitions_of(module: str) -> tuple[StrategyDefinition[Any], ...]:
    try:
        found = getattr(importlib.import_module(module), "STRATEGIES", None)
    except ImportError as e:
        raise ConfigError(
            f"OPENBELL_STRATEGY_MODULES: expected an importable module, got {module}: {e}"
        ) from e
    if not isinstance(found, tuple) or not all(isinstance(item, StrategyDefinition) for item in found):
        raise ConfigError(
            f"{module}: expected a tuple STRATEGIES of StrategyDefinition, got {type(found).__name__}"
        )
    return found
