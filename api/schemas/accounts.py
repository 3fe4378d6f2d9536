"""Describe accounts, logins and deployments."""

from datetime import date, datetime
from typing import Any

from api.schemas.base import Asked, DecimalStr, Reason, Shown
from api.schemas.day import PnlInfo
from app.domain.accounts import AccountMode, BrokerCode, LoginReason, LoginStatus, TradingState
from app.domain.deployments import DeploymentState
from app.domain.markets import Currency


class Account(Shown):
    """Show one account; credentials are never shown."""

    id: int
    user_id: int
    user_name: str
    name: str
    broker: BrokerCode
    mode: AccountMode
    currency: Currency
    """What it is held in, and what the amounts of its limits mean."""
    egress: str
    is_enabled: bool
    trading_state: TradingState
    state_reason: str
    user_trading_state: TradingState
    settings: dict[str, Any]


class Login(Shown):
    """Show one cell of the login matrix; `took_ms` in real milliseconds."""

    account_id: int
    user_id: int
    account_name: str
    user_name: str
    broker: BrokerCode
    mode: AccountMode
    status: LoginStatus
    reason: LoginReason
    detail: str
    attempts: int
    took_ms: int | None
    started_at: datetime | None
    finished_at: datetime | None
    next_try_at: datetime | None


class Deployment(Shown):
    """Show a strategy that runs for a user on an account."""

    id: int
    user_id: int
    account_id: int
    account_name: str
    user_name: str
    name: str
    strategy: str
    params: dict[str, Any]
    sizing: dict[str, Any]
    state: DeploymentState
    state_reason: str
    armed_on: date | None


class ChangeSizing(Asked):
    """Name a sizing model with its numbers, as text or whole numbers; empty: as the strategy wishes."""

    sizing: dict[str, str | int]
    reason: Reason


class ChangeSettings(Asked):
    """Change the named settings of an account; null takes one back."""

    settings: dict[str, str | int | None]
    reason: Reason


class Drift(Shown):
    """Show what an account wished and got of one leg of a signal, in lots; `wished` is before rounding."""

    strategy: str
    signal: str
    leg: int
    instrument_id: str
    account: str
    deployment_id: int
    deployment_name: str
    wished: DecimalStr
    sized: DecimalStr
    got: DecimalStr
    drift: DecimalStr
    drift_fraction: DecimalStr | None
    denial_code: str | None


class PnlLine(PnlInfo):
    """Sum up profit and loss of an account, a user or a deployment in one currency."""

    key: str
    name: str
