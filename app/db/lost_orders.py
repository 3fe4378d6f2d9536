"""Keep what a ledger may lack that is behind the brokers' books: it was restored from an older backup.

Such a ledger shows itself by its leases: nobody has held them since the backup was made. Callers hold the
transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AccountRow, LostOrderRow, OrderRow
from app.db.shards import Shard, in_shard, is_in, shard_of
from app.domain.ids import CLIENT_ORDER_ID_LENGTH, AccountId, ClientOrderId, is_client_order_id
from app.domain.orders import OrderStatus
from app.domain.reports import OrderReport


def doubt_ledger(session: Session, spec: Mapping[str, Any]) -> None:
    """Doubt the ledger of a shard's accounts until their books have been read."""
    statement = update(AccountRow).where(in_shard(AccountRow.id, spec))
    session.execute(statement.values(unproven_since=func.clock_timestamp()))


def unproven_accounts(session: Session, spec: Mapping[str, Any]) -> dict[AccountId, datetime]:
    """Return the shard's accounts whose ledger is in doubt, each with the moment that names the doubt."""
    found = session.execute(_unproven(shard_of(spec)))
    return {AccountId(i): since for i, since in found if since is not None}


@cache
def _unproven(shard: Shard) -> Select[int, datetime | None]:
    columns = (AccountRow.id, AccountRow.unproven_since)
    return select(*columns).where(AccountRow.unproven_since.is_not(None), is_in(shard, AccountRow.id))


def is_doubted(session: Session, account_id: AccountId, *, since: datetime) -> bool:
    """Say whether an account's ledger is still in the doubt of that moment."""
    return session.scalar(select(AccountRow.unproven_since).where(AccountRow.id == account_id)) == since


def end_doubt(session: Session, account_id: AccountId, *, since: datetime) -> None:
    """Believe an account's ledger again, unless the doubt is a newer one than `since`."""
    statement = update(AccountRow).where(AccountRow.id == account_id, AccountRow.unproven_since == since)
    session.execute(statement.values(unproven_since=None))


def lost_among(
    session: Session, account_id: AccountId, strangers: Iterable[OrderReport]
) -> dict[ClientOrderId, OrderReport]:
    """Return those of the reports without an order that bear a tag of ours which no order has, by this tag.

    What a conditional order became at its venue bears a tag that one has. A denied order never left: what
    bears its tag left before it was denied.
    """
    tagged = by_our_tag(strangers)
    statement = select(OrderRow.client_order_id).where(
        OrderRow.account_id == account_id,
        OrderRow.client_order_id.in_(tagged),
        OrderRow.status != OrderStatus.DENIED,
    )
    known = set(session.scalars(statement)) if tagged else set()
    return {tag: report for tag, report in tagged.items() if tag not in known}


def by_our_tag(reports: Iterable[OrderReport]) -> dict[ClientOrderId, OrderReport]:
    """Return the reports that bear a tag of our form, by client order id."""
    return {
        ClientOrderId(report.tag[:CLIENT_ORDER_ID_LENGTH]): report
        for report in reports
        if is_client_order_id(report.tag)
    }


def note_lost(
    session: Session, account_id: AccountId, lost: Mapping[ClientOrderId, OrderReport]
) -> Sequence[ClientOrderId]:
    """Remember that these client order ids are spent; return those that are new."""
    rows = [
        {"client_order_id": tag, "account_id": account_id, "broker_order_id": report.broker_order_id}
        for tag, report in lost.items()
    ]
    statement = insert(LostOrderRow).values(rows).on_conflict_do_nothing()
    return [ClientOrderId(tag) for tag in session.scalars(statement.returning(LostOrderRow.client_order_id))]


def lost_ids(session: Session, account_ids: Iterable[AccountId]) -> dict[int, set[ClientOrderId]]:
    """Return the spent client order ids by account."""
    statement = select(LostOrderRow.account_id, LostOrderRow.client_order_id).where(
        LostOrderRow.account_id.in_(list(account_ids))
    )
    found: dict[int, set[ClientOrderId]] = {}
    for account_id, tag in session.execute(statement):
        found.setdefault(account_id, set()).add(ClientOrderId(tag))
    return found
