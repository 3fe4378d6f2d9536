"""Read which agents to watch from a TOML file."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import ConfigError
from brokers.mt5.agent.config import AgentConfig, load_agent_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Name one agent, its settings, and the command that starts it."""

    name: str
    config: AgentConfig
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorConfig:
    """Hold the agents and the limits, all in seconds.

    An agent that has not answered for `dead_after_s` is killed; a new one has `start_within_s` for its first
    answer. `backoff_s` is the first pause before a restart; it doubles up to `backoff_most_s`, and starts
    over for an agent that ran well for `steady_s`.
    """

    agents: tuple[Watched, ...]
    check_every_s: float
    answer_within_s: float
    dead_after_s: float
    start_within_s: float
    backoff_s: float
    backoff_most_s: float
    steady_s: float


_DEFAULTS = {
    "check_every_s": 1.0,
    "answer_within_s": 2.0,
    "dead_after_s": 15.0,
    "start_within_s": 90.0,
    "backoff_s": 1.0,
    "backoff_most_s": 60.0,
    "steady_s": 120.0,
}


def load_supervisor_config(path: Path) -> SupervisorConfig:
    """Return the settings in `path` and those of its agents. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as e:
        raise ConfigError(f"{path}: expected a readable TOML file ({e})") from e
    unknown = sorted(set(raw) - {"supervisor", "agents"})
    rows, limits = raw.get("agents"), raw.get("supervisor", {})
    if unknown or not isinstance(limits, dict) or not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: expected a table [supervisor] and tables [[agents]], nothing else")
    agents = tuple(_watched(row, path.parent) for row in rows)
    for what in ("name", "url", "state"):
        values = [agent.name if what == "name" else str(getattr(agent.config, what)) for agent in agents]
        if len(set(values)) < len(values):
            raise ConfigError(f"{path}: expected every agent to have a {what} of its own")
    return SupervisorConfig(agents=agents, **_limits(limits))


def _watched(row: object, folder: Path) -> Watched:
    if not isinstance(row, dict) or set(row) - {"name", "config", "command"}:
        raise ConfigError("agents: expected name, config and perhaps command")
    name, config, command = row.get("name"), row.get("config"), row.get("command", [sys.executable])
    if not isinstance(name, str) or not isinstance(config, str) or not name:
        raise ConfigError("agents: expected a name and a config file")
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command) or not command:
        raise ConfigError(f"agents, {name}: expected the Python to start as a list of texts")
    file = folder / config
    return Watched(
        name=name,
        config=load_agent_config(file),
        command=(*command, "-m", "brokers.mt5.agent", "--config", str(file)),
    )


def _limits(raw: Mapping[str, object]) -> dict[str, float]:
    unknown = sorted(set(raw) - set(_DEFAULTS))
    if unknown:
        raise ConfigError(f"supervisor, {', '.join(unknown)}: expected one of {', '.join(_DEFAULTS)}")
    limits = {}
    for name, default in _DEFAULTS.items():
        value = raw.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 3600:
            raise ConfigError(f"supervisor, {name}: expected seconds from 0.01 to 3600")
        limits[name] = float(value)
    return limits
