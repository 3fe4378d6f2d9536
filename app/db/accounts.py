"""Read and write broker accounts; every query names the user it is for, or says that it is for staff."""

from collections.abc import Iterable, Mapping
from typing import TypedDict, Unpack

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AccountRow, LegRow, OrderRow, UserRow
from app.domain.accounts import AccountMode, BrokerAccount, BrokerCode, TradingState
from app.domain.errors import ConflictError, NotFoundError
from app.domain.ids import AccountId, UserId
from app.domain.orders import TERMINAL


class AccountChanges(TypedDict, total=False):
    """Name the columns of an account that may change; the trading state is risk control's."""

    mode: AccountMode
    egress: str
    ip_group: str
    allows_shared_egress: bool
    is_enabled: bool
    settings: Mapping[str, object]


def add_account(
    session: Session, user_id: UserId, *, name: str, broker: BrokerCode, **changes: Unpack[AccountChanges]
) -> BrokerAccount:
    """Insert an account of a user. Raises ConflictError when the user has one of this name."""
    statement = (
        insert(AccountRow)
        .values(user_id=user_id, name=name, broker=broker, **changes)
        .on_conflict_do_nothing(index_elements=["user_id", "name"])
        .returning(AccountRow)
    )
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise ConflictError(f"expected a new account name for this user, got {name!r}, which exists")
    return _account(row)


def get_account(session: Session, user_id: UserId, account_id: AccountId) -> BrokerAccount:
    """Return an account of a user. Raises NotFoundError when it does not exist or is another's."""
    return _one(session, _of(user_id).where(AccountRow.id == account_id), account_id)


def get_account_for_staff(session: Session, account_id: AccountId) -> BrokerAccount:
    """Return any account, for staff and for jobs. Raises NotFoundError."""
    return _one(session, select(AccountRow).where(AccountRow.id == account_id), account_id)


def find_account(session: Session, user_id: UserId, name: str) -> BrokerAccount | None:
    """Return the account of this name of a user, or None."""
    row = session.scalars(_of(user_id).where(AccountRow.name == name)).one_or_none()
    return None if row is None else _account(row)


def list_accounts(session: Session, user_id: UserId) -> list[BrokerAccount]:
    """Return the accounts of a user by name."""
    return _many(session.scalars(_of(user_id).order_by(AccountRow.name)))


def list_accounts_for_staff(session: Session) -> list[BrokerAccount]:
    """Return the accounts of all users."""
    return _many(session.scalars(select(AccountRow).order_by(AccountRow.user_id, AccountRow.name)))


def list_enabled_accounts_for_staff(session: Session) -> list[BrokerAccount]:
    """Return the accounts that take part in a trading day: enabled, of enabled users."""
    statement = (
        select(AccountRow)
        .join(UserRow, UserRow.id == AccountRow.user_id)
        .where(AccountRow.is_enabled, UserRow.is_enabled)
        .order_by(AccountRow.id)
    )
    return _many(session.scalars(statement))


def has_enabled_accounts_for_staff(session: Session, broker: BrokerCode) -> bool:
    """Say whether an account at this broker takes part in a trading day."""
    found = (
        exists()
        .where(AccountRow.broker == broker, AccountRow.is_enabled)
        .where(UserRow.id == AccountRow.user_id, UserRow.is_enabled)
    )
    return bool(session.scalar(select(found)))


def lock_egress_for_staff(session: Session, broker: BrokerCode, egress: str) -> list[BrokerAccount]:
    """Return the accounts of a broker on one source address, which nobody else can join until commit."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"egress {broker} {egress}", 0))))
    statement = select(AccountRow).where(AccountRow.broker == broker, AccountRow.egress == egress)
    return _many(session.scalars(statement.order_by(AccountRow.id)))


def change_account(
    session: Session, user_id: UserId, account_id: AccountId, **changes: Unpack[AccountChanges]
) -> BrokerAccount:
    """Change columns of a user's account and return it. Raises NotFoundError."""
    statement = (
        update(AccountRow)
        .where(AccountRow.id == account_id, AccountRow.user_id == user_id)
        .values(**changes)
        .returning(AccountRow)
        .execution_options(populate_existing=True)
    )
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise _not_found(account_id)
    return _account(row)


def lock_settings(session: Session, user_id: UserId, account_id: AccountId) -> Mapping[str, object]:
    """Lock a user's account and return its settings, so that two changes cannot lose one. NotFoundError."""
    statement = select(AccountRow.settings).where(AccountRow.id == account_id, AccountRow.user_id == user_id)
    settings: Mapping[str, object] | None = session.scalar(statement.with_for_update(key_share=True))
    if settings is None:
        raise _not_found(account_id)
    return settings


def lock_open_business(session: Session, user_id: UserId, account_id: AccountId) -> bool:
    """Say whether an account holds a position or an order that has not ended; no new one until commit."""
    # A new order's foreign key needs a share of this lock, so the answer stays true until we commit.
    session.execute(_of(user_id).where(AccountRow.id == account_id).with_for_update())
    is_open = exists().where(
        OrderRow.account_id == account_id,
        OrderRow.user_id == user_id,
        OrderRow.status.not_in([status.value for status in TERMINAL]),
    )
    is_held = exists().where(LegRow.account_id == account_id, LegRow.user_id == user_id, LegRow.net_qty != 0)
    return bool(session.scalar(select(is_open | is_held)))


def _of(user_id: UserId) -> Select[AccountRow]:
    return select(AccountRow).where(AccountRow.user_id == user_id)


def _one(session: Session, statement: Select[AccountRow], account_id: AccountId) -> BrokerAccount:
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise _not_found(account_id)
    return _account(row)


def _not_found(account_id: AccountId) -> NotFoundError:
    return NotFoundError(f"expected an existing account of this user, got id {account_id}")


def _many(rows: Iterable[AccountRow]) -> list[BrokerAccount]:
    return [_account(row) for row in rows]


def _account(row: AccountRow) -> BrokerAccount:
    return BrokerAccount(
        account_id=AccountId(row.id),
        user_id=UserId(row.user_id),
        name=row.name,
        broker=BrokerCode(row.broker),
        mode=AccountMode(row.mode),
        egress=row.egress,
        trading_state=TradingState(row.trading_state),
        state_reason=row.state_reason,
        is_enabled=row.is_enabled,
        ip_group=row.ip_group,
        allows_shared_egress=row.allows_shared_egress,
    )
