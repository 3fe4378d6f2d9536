"""Examine the settings, and read what can be read even when some are wrong."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.config import Settings
from app.services.doctor.findings import Finding, error, fine, warning

_PREFIX = "OPENBELL_"
_REMEDY = "correct it in the environment or in .env; .env.example explains every variable"


class _Environment(EnvSettingsSource):
    """Pass on a value that should be JSON and is not, so that it is judged like every other wrong value."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class _EnvironmentFile(_Environment, DotEnvSettingsSource):
    pass


class _Readable(Settings):
    """Read the settings without stopping at unknown names, which are findings of their own."""

    model_config = SettingsConfigDict(extra="ignore")

    @classmethod
    def settings_customise_sources(  # noqa: PLR0917  the signature is pydantic's
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  replaced by one that does not stop
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  we keep no secrets folder
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls), _EnvironmentFile(settings_cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Hold the settings to go on with, where each wrong one has its default, and what was found."""

    settings: Settings
    findings: tuple[Finding, ...]


def examine_configuration(environment: Mapping[str, str] | None = None) -> Examined:
    """Return usable settings and one finding per wrong or unknown variable; never raises for them."""
    present = os.environ if environment is None else environment
    findings: list[Finding] = list(_unknown(present))
    defaults: dict[str, object] = {}
    while True:
        try:
            settings = _Readable(**defaults)  # type: ignore[arg-type]  # names are fields of Settings
            break
        except ValidationError as e:
            wrong = {str(x["loc"][0]): x["msg"] for x in e.errors() if x["loc"]}
        for name, message in wrong.items():
            findings.append(error("configuration", f"{_PREFIX}{name.upper()}: {message}", _REMEDY))
            defaults[name] = Settings.model_fields[name].get_default(call_default_factory=True)
    if not findings:
        findings.append(fine("configuration", "every setting can be read"))
    return Examined(settings=settings, findings=tuple(findings))


def examine_live_switch(settings: Settings, *, live_accounts: int) -> Finding:
    """Say plainly whether orders can cost real money."""
    code = "live_trading"
    if not settings.is_live_trading_allowed:
        if live_accounts:
            return warning(
                code,
                f"{live_accounts} account(s) are LIVE but live trading is off, so they do not trade",
                f"set {_PREFIX}IS_LIVE_TRADING_ALLOWED=true, or put them on paper: openbell accounts paper",
            )
        return fine(code, "off: no order can reach a live broker")
    if settings.broker_urls:
        return warning(
            code,
            f"on, but orders to {', '.join(sorted(settings.broker_urls))} do not go to the broker itself",
            f"unset {_PREFIX}BROKER_URLS unless this is a rehearsal",
        )
    return warning(
        code,
        f"on: orders of {live_accounts} LIVE account(s) cost real money",
        f"unset {_PREFIX}IS_LIVE_TRADING_ALLOWED unless that is intended",
    )


def _unknown(environment: Mapping[str, str]) -> list[Finding]:
    # Pydantic overlooks unknown variables of the environment; a misspelt limit must not pass unseen.
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    found = []
    for name in sorted(environment):
        if name.upper().startswith(_PREFIX) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {close[0]}?" if close else "remove it"
            found.append(error("configuration", f"{name} is no setting", hint))
    return found
