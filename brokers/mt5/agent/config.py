"""Read an agent's settings from a TOML file and refuse what would be unsafe."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import ConfigError
from brokers.mt5.addresses import is_loopback

_LEAST_TOKEN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """Hold the settings of one agent. `state` is the folder of its journal, private to this account.

    `utc_offset_s` is the server's time minus UTC, for the hours before the first tick. `hang_after_s` is how
    long one call to the terminal may take before it is given up as hung.
    """

    module: str
    host: str
    port: int
    token: str
    login: int
    server: str
    password: str
    terminal: str
    state: Path
    symbols: tuple[str, ...]
    tls_certificate: Path | None
    tls_key: Path | None
    allowed_peers: tuple[str, ...]
    utc_offset_s: int | None
    market_deviation_points: int
    hang_after_s: float
    start_timeout_s: float

    def __repr__(self) -> str:
        return f"AgentConfig({self.login} at {self.server}, {self.host}:{self.port}, secrets hidden)"

    @property
    def url(self) -> str:
        """The address of the agent."""
        scheme = "http" if self.tls_certificate is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def load_agent_config(path: Path) -> AgentConfig:
    """Return the settings in `path`.

    Raises:
        ConfigError: unreadable, incomplete, a word that nobody knows, a short token, or a plain connection
            that other machines could listen to.
    """
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file).get("agent")
    except (OSError, tomllib.TOMLDecodeError) as e:
        raise ConfigError(f"{path}: expected a readable TOML file ({e})") from e
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a table [agent], got {type(raw).__name__}")
    return parse_agent_config(raw, folder=path.parent)


def parse_agent_config(raw: Mapping[str, object], *, folder: Path) -> AgentConfig:
    """Return checked settings; relative paths start at `folder`. Raises ConfigError."""
    settings = _Settings(raw, folder)
    config = AgentConfig(
        module=settings.text("module", "MetaTrader5"),
        host=settings.text("host", "127.0.0.1"),
        port=settings.whole("port", least=1, most=65535),
        token=settings.text("token"),
        login=settings.whole("login", least=1, most=10**12),
        server=settings.text("server"),
        password=settings.text("password", ""),
        terminal=settings.text("terminal", ""),
        state=settings.path("state") or folder,
        symbols=settings.texts("symbols"),
        tls_certificate=settings.path("tls_certificate"),
        tls_key=settings.path("tls_key"),
        allowed_peers=settings.texts("allowed_peers"),
        utc_offset_s=settings.optional_whole("utc_offset_s", least=-43_200, most=50_400),
        market_deviation_points=settings.whole("market_deviation_points", 50, least=0, most=10_000),
        hang_after_s=settings.seconds("hang_after_s", 20.0),
        start_timeout_s=settings.seconds("start_timeout_s", 60.0),
    )
    settings.check_all_known()
    _check_safe(config)
    return config


def _check_safe(config: AgentConfig) -> None:
    if len(config.token) < _LEAST_TOKEN or any(letter.isspace() for letter in config.token):
        raise ConfigError(f"token: expected at least {_LEAST_TOKEN} characters without spaces")
    if not config.token.isascii():
        raise ConfigError("token: expected ASCII characters")
    if (config.tls_certificate is None) != (config.tls_key is None):
        raise ConfigError("tls_certificate, tls_key: expected both or none")
    if config.tls_certificate is None and not is_loopback(config.host):
        raise ConfigError(
            f"host: expected a loopback address or a certificate (tls_certificate, tls_key), "
            f"got {config.host}: the token and the password would travel in plain text"
        )
    for file in (config.tls_certificate, config.tls_key):
        if file is not None and not file.is_file():
            raise ConfigError(f"tls_certificate, tls_key: expected a file, found none at {file}")


class _Settings:
    def __init__(self, raw: Mapping[str, object], folder: Path) -> None:
        self._raw = raw
        self._folder = folder
        self._asked: set[str] = set()

    def check_all_known(self) -> None:
        unknown = sorted(set(self._raw) - self._asked)
        if unknown:
            raise ConfigError(f"{', '.join(unknown)}: expected one of {', '.join(sorted(self._asked))}")

    def _value(self, name: str, default: object) -> object:
        self._asked.add(name)
        value = self._raw.get(name, default)
        if value is None:
            raise ConfigError(f"{name}: expected a value, got none")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value = self._value(name, default)
        if not isinstance(value, str):
            raise ConfigError(f"{name}: expected text, got {type(value).__name__}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._value(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise ConfigError(f"{name}: expected a list of texts")
        return tuple(value)

    def path(self, name: str) -> Path | None:
        text = self.text(name, "")
        return self._folder / text if text else None

    def whole(self, name: str, default: int | None = None, *, least: int, most: int) -> int:
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigError(f"{name}: expected a whole number from {least} to {most}")
        return value

    def optional_whole(self, name: str, *, least: int, most: int) -> int | None:
        if name not in self._raw:
            self._asked.add(name)
            return None
        return self.whole(name, least=least, most=most)

    def seconds(self, name: str, default: float) -> float:
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 3600:
            raise ConfigError(f"{name}: expected seconds from 0.1 to 3600")
        return float(value)
