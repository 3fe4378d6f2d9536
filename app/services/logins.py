"""Log accounts in, in parallel, so that one that fails or hangs never blocks the others (I9)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog

from app.config import Settings
from app.db.accounts import get_account_for_staff
from app.db.credentials import drop_broker_session, spend_totp_window
from app.db.day import claim_login, record_login
from app.db.funds import save_funds
from app.db.session import Database
from app.domain.accounts import BrokerAccount, BrokerCode, LoginReason, LoginStatus, may_open_exposure
from app.domain.breaker import EndpointClass, Witness
from app.domain.entry_checks import needs_totp
from app.domain.errors import (
    AddressDeniedError,
    BrokerError,
    LoginRefusedError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from app.domain.ids import AccountId
from app.domain.ports import Clock, Credentials
from app.infra.vault import Vault
from app.services.breakers import Breakers
from app.services.credentials import load_credentials, save_broker_session
from app.services.execution import Execution
from app.services.gateways import Adapters
from app.services.news import News
from app.services.paper import Paper

log = structlog.get_logger()

TOTP_WINDOW_S = 30
_BACK_OFF_S = (2, 4, 8, 15, 30)
_PERSON_NEEDED_RETRY_S = 60
_BROKER_AT_FAULT = frozenset({LoginReason.TIMEOUT, LoginReason.BROKER_DOWN})
_PERSON_NEEDED = frozenset(
    {LoginReason.BAD_CREDENTIALS, LoginReason.IP_DENIED, LoginReason.NO_CREDENTIALS, LoginReason.PAPER_MODE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOutcome:
    """Tell how one account's login ended: a value, never an exception."""

    status: LoginStatus
    reason: LoginReason
    detail: str


class Logins:
    """Open broker sessions and verify that the account can trade."""

    def __init__(  # noqa: PLR0913  a composition root hands over the parts
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        vault: Vault,
        adapters: Adapters,
        execution: Execution,
        breakers: Breakers,
        news: News,
        paper: Paper,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._vault = vault
        self._adapters = adapters
        self._execution = execution
        self._breakers = breakers
        self._news = news
        self._paper = paper

    def log_in(self, day: date, account_ids: Sequence[AccountId]) -> dict[str, int]:
        """Log a batch of accounts in concurrently; return how many ended in which status.

        Idempotent: an account that is ready, or that another task is logging in, is left alone. While a
        broker fails logins of several accounts, all but a few probes are held for a later call.
        """
        width = max(1, min(self._settings.login_concurrency, len(account_ids)))
        with ThreadPoolExecutor(width, thread_name_prefix="login") as pool:
            statuses = list(pool.map(lambda account_id: self._log_in_one(day, account_id), account_ids))
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    def _log_in_one(self, day: date, account_id: AccountId) -> str:
        hold = timedelta(seconds=self._settings.login_timeout_s * 3)
        with self._database.begin() as session:
            account = get_account_for_staff(session, account_id)
        if not self._may_try(account):
            return "held"
        with self._database.begin() as session:
            if not claim_login(session, account_id, day, now=self._clock.now(), hold=hold):
                return "skipped"
        started, asked_at = self._clock.monotonic(), self._clock.wall()
        outcome = self._try(account, day)
        took_ms = round((self._clock.monotonic() - started) * 1000)
        self._breakers.hear(EndpointClass.LOGINS, [_witness(account_id, asked_at, outcome)])
        with self._database.begin() as session:
            record_login(
                session,
                account_id,
                day,
                status=outcome.status,
                reason=outcome.reason,
                detail=outcome.detail,
                took_ms=took_ms,
                now=self._clock.now(),
                next_try_at=self._next_try(outcome, took_ms),
            )
        self._announce(account, outcome, took_ms)
        return outcome.status

    def _may_try(self, account: BrokerAccount) -> bool:
        try:
            return self._breakers.gate(account.broker, EndpointClass.LOGINS)(account.account_id)
        except UnavailableError:
            return True  # a login opens no exposure, and the exits need it

    def _try(self, account: BrokerAccount, day: date) -> LoginOutcome:
        is_simulated = self._settings.is_simulated(account.broker)
        if not may_open_exposure(account.broker, account.mode, is_simulated=is_simulated):
            return _failed(
                LoginReason.PAPER_MODE,
                "this account is on paper and its broker is the live one; see openbell accounts live, or add "
                "an account with the broker paper",
            )
        try:
            credentials = self._credentials(account)
            if needs_totp(account.broker) and not self._spend_code(account):
                return LoginOutcome(
                    status=LoginStatus.PENDING,
                    reason=LoginReason.NONE,
                    detail="this TOTP code is spent; waiting for the next one",
                )
            return self._open(account, credentials, day)
        except NotFoundError as e:
            return _failed(LoginReason.NO_CREDENTIALS, str(e))
        except BrokerError as e:
            return _failed(_reason_of(e), str(e))

    def _credentials(self, account: BrokerAccount) -> Credentials:
        if account.broker is BrokerCode.PAPER:
            return self._paper.credentials(account)
        with self._database.begin() as session:
            return load_credentials(session, self._vault, account)

    def _spend_code(self, account: BrokerAccount) -> bool:
        window = int(self._clock.now().timestamp()) // TOTP_WINDOW_S
        with self._database.begin() as session:
            return spend_totp_window(session, account.account_id, window)

    def _open(self, account: BrokerAccount, credentials: Credentials, day: date) -> LoginOutcome:
        adapter = self._adapters(account.broker)
        # The paper exchange is on loopback, which no address of the outer world reaches.
        egress = "" if account.broker is BrokerCode.PAPER else account.egress
        broker_session = adapter.login(credentials, egress=egress, timeout_s=self._settings.login_timeout_s)
        gateway = adapter.restore(broker_session)
        try:
            seen = gateway.request_egress_address()
            if egress and seen != egress:
                return _failed(
                    LoginReason.IP_DENIED,
                    f"the broker sees {seen}, this account must leave by {egress}",
                )
            asked, balance = self._clock.wall(), gateway.request_balance()
            self._execution.apply_reports(
                account.account_id, gateway.request_orders().data, source=f"start:{day}"
            )
        finally:
            gateway.close()
        with self._database.begin() as session:
            save_broker_session(session, self._vault, account, broker_session)
            save_funds(session, account.account_id, balance.data, asked=asked)
        return LoginOutcome(status=LoginStatus.READY, reason=LoginReason.NONE, detail="")

    def end_sessions(self, account_ids: Sequence[AccountId]) -> None:
        """Forget the broker sessions of these accounts at the end of the day."""
        with self._database.begin() as session:
            for account_id in account_ids:
                drop_broker_session(session, get_account_for_staff(session, account_id))

    def _next_try(self, outcome: LoginOutcome, took_ms: int) -> datetime | None:
        now = self._clock.now()
        if outcome.status is LoginStatus.READY:
            return None
        if outcome.status is LoginStatus.PENDING:
            window_end = (int(now.timestamp()) // TOTP_WINDOW_S + 1) * TOTP_WINDOW_S
            return now + timedelta(seconds=window_end - now.timestamp())
        if outcome.reason in _PERSON_NEEDED:
            return now + timedelta(seconds=_PERSON_NEEDED_RETRY_S)
        return now + timedelta(seconds=_BACK_OFF_S[min(took_ms // 1000, len(_BACK_OFF_S) - 1)])

    def _announce(self, account: BrokerAccount, outcome: LoginOutcome, took_ms: int) -> None:
        log.info(
            "login_ended",
            account_id=account.account_id,
            status=outcome.status,
            reason=outcome.reason,
            took_ms=took_ms,
        )
        data = {
            "account_id": account.account_id,
            "account": account.name,
            "status": outcome.status,
            "reason": outcome.reason,
            "detail": outcome.detail,
            "took_ms": took_ms,
        }
        self._news.tell_user(account.user_id, "login", data)
        self._news.tell_ops("login", data)


def _failed(reason: LoginReason, detail: str) -> LoginOutcome:
    return LoginOutcome(status=LoginStatus.FAILED, reason=reason, detail=detail)


def _witness(account_id: AccountId, asked_at: datetime, outcome: LoginOutcome) -> Witness | None:
    """Return what a login says about its broker; a refusal concerns the account alone."""
    is_against = outcome.reason in _BROKER_AT_FAULT
    if not is_against and outcome.status is not LoginStatus.READY:
        return None
    return Witness(account_id=account_id, asked_at=asked_at, is_against=is_against)


def _reason_of(error: BrokerError) -> LoginReason:
    if isinstance(error, LoginRefusedError):
        return LoginReason(error.reason)
    if isinstance(error, AddressDeniedError):
        return LoginReason.IP_DENIED
    if not isinstance(error, UnavailableError | RateLimitedError):
        return LoginReason.PROTOCOL
    text = str(error).lower()
    if text.startswith("egress"):
        return LoginReason.EGRESS_DOWN
    return LoginReason.TIMEOUT if "time" in text else LoginReason.BROKER_DOWN
