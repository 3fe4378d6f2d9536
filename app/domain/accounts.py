"""Describe broker accounts and what they may do right now."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.ids import AccountId, UserId


class BrokerCode(StrEnum):
    """Name the broker behind an account."""

    KOTAK_NEO = "kotak_neo"
    BINANCE_SPOT = "binance_spot"
    BINANCE_FUTURES = "binance_futures"
    MT5 = "mt5"
    PAPER = "paper"

    @property
    def holds_one_way(self) -> bool:
        """Whether an exit there must reduce what the whole account holds of the instrument.

        Then two deployments of one account that hold an instrument in opposite directions cannot both leave
        it, nor have their stops rest. Kotak Neo knows plain orders only, and takes any.
        """
        return self is not BrokerCode.KOTAK_NEO


class AccountMode(StrEnum):
    """Say whether orders of an account reach a live broker. Paper is the default (I15)."""

    PAPER = "PAPER"
    LIVE = "LIVE"


class TradingState(StrEnum):
    """Say what may leave: everything, only exits, or nothing but exits by a person's order."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"

    @property
    def allows_entries(self) -> bool:
        """Whether new exposure may be opened."""
        return self is TradingState.ACTIVE


def strictest(*states: TradingState) -> TradingState:
    """Return the strictest of the states that apply to an order (account, user, tenant)."""
    order = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)
    return max(states, key=order.index, default=TradingState.ACTIVE)


class LoginStatus(StrEnum):
    """Say how far an account is today: nobody is started before READY."""

    PENDING = "PENDING"
    LOGGING_IN = "LOGGING_IN"
    LOGGED_IN = "LOGGED_IN"
    READY = "READY"
    FAILED = "FAILED"


class LoginReason(StrEnum):
    """Say why a login did not succeed, in words that point at the remedy."""

    NONE = "none"
    BAD_CREDENTIALS = "bad_credentials"
    BAD_TOTP = "bad_totp"
    IP_DENIED = "ip_denied"
    EGRESS_DOWN = "egress_down"
    TIMEOUT = "timeout"
    BROKER_DOWN = "broker_down"
    PROTOCOL = "protocol"
    NO_CREDENTIALS = "no_credentials"
    PAPER_MODE = "paper_mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """Identify one account at a broker.

    `egress` is a source address, "" for the default route. `ip_group` names the family that may share
    one; `allows_shared_egress` says that an operator answers for sharing it with strangers.
    """

    account_id: AccountId
    user_id: UserId
    name: str
    broker: BrokerCode
    mode: AccountMode
    egress: str
    trading_state: TradingState
    state_reason: str = ""
    is_enabled: bool = True
    ip_group: str = ""
    allows_shared_egress: bool = False


def may_open_exposure(broker: BrokerCode, mode: AccountMode, *, is_simulated: bool) -> bool:
    """Say whether entries may leave: on paper, at a simulator, or with the account's live switch (I15)."""
    return broker is BrokerCode.PAPER or is_simulated or mode is AccountMode.LIVE


def may_share_egress(one: BrokerAccount, other: BrokerAccount) -> bool:
    """Say whether two accounts may leave through the same source address.

    One registered address serves one client or one family; strangers only where an operator took the
    responsibility. Source: SEBI retail algo framework, NSE/INVG/67858 of 2025-05-05.
    """
    return (
        one.egress != other.egress
        or one.broker != other.broker
        or one.broker is not BrokerCode.KOTAK_NEO
        or one.user_id == other.user_id
        or (one.ip_group != "" and one.ip_group == other.ip_group)
        or one.allows_shared_egress
        or other.allows_shared_egress
    )
