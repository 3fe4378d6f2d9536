"""Repositories keep one user's rows from another's, and settle races in the database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.accounts import (
    add_account,
    change_account,
    find_account,
    get_account,
    list_accounts,
    list_enabled_accounts_for_staff,
    lock_open_business,
)
from app.db.alarms import clear_alarm, raise_alarm
from app.db.credentials import find_broker_session, put_broker_session, spend_totp_window
from app.db.day import claim_login, enroll_accounts, record_login
from app.db.deployments import add_deployment, change_deployment, get_deployment, list_deployments
from app.db.models import AlarmRow, DeploymentRow, LegRow, LoginRow
from app.db.session import Database
from app.db.users import add_user, find_user, set_user_enabled
from app.domain.accounts import AccountMode, BrokerAccount, BrokerCode, LoginReason, LoginStatus, TradingState
from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import ConflictError, NotFoundError
from app.domain.ids import UserId
from app.domain.users import Role, User

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 3, 45, tzinfo=UTC)


@pytest.fixture
def stranger(session: Session) -> User:
    return find_user(session, "stranger") or add_user(
        session, name="stranger", role=Role.TRADER, password_hash=None
    )


@pytest.fixture
def deployment(session: Session, account: BrokerAccount) -> Deployment:
    return add_deployment(
        session, account, name="d1", strategy="short_straddle", params={"lots": 1}, limits={}
    )


def test_a_user_name_is_taken_once(session: Session) -> None:
    add_user(session, name="twice", role=Role.TRADER, password_hash=None)

    with pytest.raises(ConflictError, match="'twice', which exists"):
        add_user(session, name="twice", role=Role.ADMIN, password_hash=None)


def test_a_new_account_is_on_paper_and_active(account: BrokerAccount) -> None:
    assert account.mode is AccountMode.PAPER
    assert account.trading_state is TradingState.ACTIVE
    assert account.is_enabled


def test_no_user_reaches_anothers_account(session: Session, account: BrokerAccount, stranger: User) -> None:
    with pytest.raises(NotFoundError):
        get_account(session, stranger.user_id, account.account_id)
    with pytest.raises(NotFoundError):
        change_account(session, stranger.user_id, account.account_id, is_enabled=False)
    assert find_account(session, stranger.user_id, account.name) is None
    assert list_accounts(session, stranger.user_id) == []
    assert get_account(session, account.user_id, account.account_id) == account


def test_no_user_reaches_anothers_deployment(
    session: Session, deployment: Deployment, stranger: User
) -> None:
    with pytest.raises(NotFoundError):
        get_deployment(session, stranger.user_id, deployment.deployment_id)
    with pytest.raises(NotFoundError):
        change_deployment(session, stranger.user_id, deployment.deployment_id, state=DeploymentState.HALTED)
    assert list_deployments(session, stranger.user_id) == []
    assert list_deployments(session, deployment.user_id) == [deployment]


def test_the_database_refuses_a_deployment_on_anothers_account(
    session: Session, account: BrokerAccount, stranger: User
) -> None:
    theft = DeploymentRow(
        user_id=stranger.user_id,
        account_id=account.account_id,
        name="theft",
        strategy="short_straddle",
        params={},
        limits={},
    )
    expected = "fk_deployments_account_id_user_id_accounts"
    with pytest.raises(IntegrityError, match=expected), session.begin_nested():
        session.add(theft)  # the block's end sends it


def test_a_changed_account_is_read_back_changed(session: Session, account: BrokerAccount) -> None:
    get_account(session, account.user_id, account.account_id)

    changed = change_account(session, account.user_id, account.account_id, egress="203.0.113.7")

    assert changed.egress == "203.0.113.7"
    assert get_account(session, account.user_id, account.account_id) == changed


def test_disabled_accounts_and_users_stay_out_of_the_day(session: Session) -> None:
    def enabled(user_id: UserId) -> list[str]:
        return [a.name for a in list_enabled_accounts_for_staff(session) if a.user_id == user_id]

    user = add_user(session, name="two-accounts", role=Role.TRADER, password_hash=None)
    add_account(session, user.user_id, name="on", broker=BrokerCode.PAPER)
    add_account(session, user.user_id, name="off", broker=BrokerCode.PAPER, is_enabled=False)

    assert enabled(user.user_id) == ["on"]
    set_user_enabled(session, user.user_id, is_enabled=False)
    assert enabled(user.user_id) == []


def test_a_position_is_open_business(session: Session, deployment: Deployment) -> None:
    assert not lock_open_business(session, deployment.user_id, deployment.account_id)

    session.add(
        LegRow(
            deployment_id=deployment.deployment_id,
            day=NOW.date(),
            instrument_id="NSE:NIFTY",
            user_id=deployment.user_id,
            account_id=deployment.account_id,
            net_qty=-75,
        )
    )
    session.flush()

    assert lock_open_business(session, deployment.user_id, deployment.account_id)


def test_a_totp_window_is_spent_once_and_never_backwards(session: Session, account: BrokerAccount) -> None:
    spent = [spend_totp_window(session, account.account_id, window) for window in (10, 10, 9, 11)]

    assert spent == [True, False, False, True]


def test_of_many_who_want_one_totp_window_one_gets_it(database: Database, account: BrokerAccount) -> None:
    def spend(_: int) -> bool:
        with database.begin() as session:
            return spend_totp_window(session, account.account_id, 58_000_000)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(spend, range(8))) == [False] * 7 + [True]


def test_a_login_that_waits_for_its_next_try_keeps_the_reason(
    session: Session, account: BrokerAccount, deployment: Deployment
) -> None:
    assert deployment.account_id == account.account_id
    enroll_accounts(session, NOW.date(), [account.broker])

    def ended(status: LoginStatus, reason: LoginReason) -> tuple[str, str]:
        claim_login(session, account.account_id, NOW.date(), now=NOW, hold=timedelta(seconds=1))
        record_login(
            session,
            account.account_id,
            NOW.date(),
            status=status,
            reason=reason,
            detail=f"because of {reason}",
            took_ms=1,
            now=NOW,
            next_try_at=NOW,
        )
        session.expire_all()
        row = session.get_one(LoginRow, (account.account_id, NOW.date()))
        return row.status, row.reason

    assert ended(LoginStatus.PENDING, LoginReason.NONE) == ("PENDING", "none")
    assert ended(LoginStatus.FAILED, LoginReason.BAD_TOTP) == ("FAILED", "bad_totp")
    assert ended(LoginStatus.PENDING, LoginReason.NONE) == ("PENDING", "bad_totp")
    assert ended(LoginStatus.READY, LoginReason.NONE) == ("READY", "none")


def test_every_login_makes_a_new_generation(session: Session, account: BrokerAccount) -> None:
    def put(secret: bytes) -> int:
        return put_broker_session(
            session, account, expires_at=NOW + timedelta(hours=8), egress="", ciphertext=secret
        )

    assert [put(b"one"), put(b"two")] == [1, 2]
    stored = find_broker_session(session, account)
    assert stored is not None
    assert (stored.generation, stored.ciphertext) == (2, b"two")


def test_an_alarm_is_raised_once_until_cleared(session: Session, account: BrokerAccount) -> None:
    subject = f"account {account.account_id}"

    def raise_it(message: str) -> bool:
        return raise_alarm(
            session, "login_failed", subject=subject, message=message, user_id=account.user_id, now=NOW
        )

    assert [raise_it("first"), raise_it("second")] == [True, False]
    row = session.scalars(select(AlarmRow).where(AlarmRow.subject == subject)).one()
    assert (row.seen, row.message) == (2, "second")
    assert clear_alarm(session, "login_failed", subject=subject, now=NOW)
    assert not clear_alarm(session, "login_failed", subject=subject, now=NOW)
    assert raise_it("third")
