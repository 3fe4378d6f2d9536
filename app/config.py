"""Read every setting once, at start, into one frozen value."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from app.domain.accounts import BrokerCode
from app.domain.errors import ConfigError
from app.domain.instruments import Venue

_EXITS_LEASE_PART = 0.4


class Settings(BaseSettings):
    """Hold the configuration; each field is the environment variable OPENBELL_<NAME>, see .env.example."""

    model_config = SettingsConfigDict(env_prefix="OPENBELL_", env_file=".env", extra="forbid", frozen=True)

    home: Path = Path(".openbell")
    redis_url: SecretStr | None = None
    database_url: SecretStr | None = None
    secret_keys: Annotated[SecretStr | None, NoDecode] = None
    """Comma-separated Fernet keys, newest first; unset -> a key file is made under `home`."""
    jwt_secret: SecretStr | None = None
    is_live_trading_allowed: bool = False

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    flower_port: int = Field(default=5555, ge=0, le=65535)
    flower_password: SecretStr | None = None
    paper_port: int = Field(default=8788, ge=1, le=65535)
    """Port of the paper exchange, on 127.0.0.1 only."""

    clock_file: Path | None = None
    """Virtual clock of the demo; unset -> the system clock."""
    broker_urls: dict[str, str] = Field(default_factory=dict)
    """Base URL per broker code, JSON; set only to point an adapter at a simulator."""

    venues: tuple[Venue, ...] = (Venue.NSE,)
    """Markets that this installation trades, JSON list of NSE, BINANCE, MT5."""

    strategy_modules: tuple[str, ...] = ()
    """Importable modules with strategies of your own, JSON list; each has a tuple STRATEGIES."""

    telegram_token: SecretStr | None = None
    """Token of a Telegram bot; set -> it tells people of alarms and takes their kill switches."""
    telegram_people: dict[str, str] = Field(default_factory=dict)
    """User name by Telegram's number of the person, JSON; nobody else is told or heard."""
    telegram_url: str = "https://api.telegram.org"

    login_concurrency: int = Field(default=16, ge=1, le=200)
    login_timeout_s: float = Field(default=10.0, gt=0)
    order_timeout_s: float = Field(default=10.0, gt=0)
    read_timeout_s: float = Field(default=5.0, gt=0)
    not_placed_after_s: float | None = Field(default=None, gt=0)
    """How long after sending two clean reads may prove an order absent; unset -> the adapter's own value."""
    breaker_open_s: float = Field(default=5.0, gt=0)
    """How long a breaker stays open at first; it doubles up to a minute while the broker goes on failing."""
    reconcile_period_s: float = Field(default=5.0, gt=0)
    risk_watch_period_s: float = Field(default=1.0, gt=0, le=5)
    equity_kept_days: int = Field(default=400, ge=2)
    """How many days the course of profit and loss is kept, today included."""
    lease_ttl_s: float = Field(default=3.0, gt=0.2)
    run_length_s: float = Field(default=900.0, gt=1)
    users_per_shard: int = Field(default=50, ge=1)
    orders_per_second: int = Field(default=8, ge=1, le=10)
    tick_max_age_s: float = Field(default=5.0, gt=0)
    step_budget_s: float = Field(default=0.5, gt=0)
    log_level: str = "INFO"

    @property
    def paper_home(self) -> Path:
        """Folder of the paper exchange: its book and its token."""
        return self.home / "paper"

    @property
    def paper_url(self) -> str:
        """Address of the paper exchange: our own unless `broker_urls` names one."""
        return self.broker_urls.get(BrokerCode.PAPER.value, f"http://127.0.0.1:{self.paper_port}")

    def is_simulated(self, broker: BrokerCode) -> bool:
        """Whether a broker's accounts meet a simulator, never the live broker."""
        return broker.value in self.broker_urls

    @property
    def lease_ttl(self) -> timedelta:
        """Length of a lease in real time."""
        return timedelta(seconds=self.lease_ttl_s)

    @property
    def exits_lease_ttl(self) -> timedelta:
        """The same for an exits lane: its successor must stand within the three seconds of I5."""
        return timedelta(seconds=self.lease_ttl_s * _EXITS_LEASE_PART)


@cache
def load_settings() -> Settings:
    """Return the settings of this process; raises ConfigError naming each bad variable."""
    try:
        return Settings()
    except ValidationError as e:
        lines = [f"OPENBELL_{'_'.join(map(str, x['loc'])).upper()}: {x['msg']}" for x in e.errors()]
        raise ConfigError("The configuration cannot be used:\n" + "\n".join(lines)) from e
    except SettingsError as e:  # a value that should be JSON and is not; its message names the field
        raise ConfigError(f"The configuration cannot be used: {e}") from e
