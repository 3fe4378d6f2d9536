"""Keep what brokers told of their accounts' money, and read what of it entries have spoken for."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AccountFundsRow, AccountRow, DeploymentRow, InstrumentRow, LimitVersionRow, OrderRow
from app.db.views import AnyRow
from app.domain.account_settings import AccountSettings
from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.ids import AccountId
from app.domain.instruments import InstrumentKind
from app.domain.markets import Currency, Money, market_of
from app.domain.orders import TERMINAL, OrderRole, OrderStatus, Side
from app.domain.reports import Balance
from app.domain.risk.funds import Funds, MarginTerms
from app.domain.risk.limits import MARGIN_CHECK

_SHOWN_AFTER = timedelta(seconds=5)
"""How late a broker's figure may show what an entry's fill has bound."""


def save_funds(session: Session, account_id: AccountId, balance: Balance, *, asked: datetime) -> None:
    """Keep the newest figure of an account; `asked` is the machine's time when the broker was asked."""
    values = {"available": balance.available, "used": balance.used, "asked_wall": asked}
    statement = insert(AccountFundsRow).values(account_id=account_id, **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["account_id"], set_=values, where=AccountFundsRow.asked_wall < asked
        )
    )


def asks_for_funds(session: Session, account_id: AccountId) -> bool:
    """Say whether a set of limits may check the margin of this account; a wider answer does no harm."""
    named = exists().where(LimitVersionRow.values.has_key(MARGIN_CHECK))
    initial = exists().where(
        DeploymentRow.account_id == account_id, DeploymentRow.limits.has_key(MARGIN_CHECK)
    )
    return session.scalar(select(or_(named, initial))) is True


def load_funds(session: Session, account_ids: Collection[AccountId], day: date) -> dict[AccountId, Funds]:
    """Return the funds of the accounts that have a figure, with what the entries of a day need of them."""
    statement = (
        select(
            AccountFundsRow.account_id,
            AccountFundsRow.available,
            (func.clock_timestamp() - AccountFundsRow.asked_wall).label("age"),
            AccountRow.broker,
            AccountRow.settings,
        )
        .join(AccountRow, AccountRow.id == AccountFundsRow.account_id)
        .where(AccountFundsRow.account_id.in_(account_ids))
    )
    entries = _entries(session, account_ids, day)
    found: dict[AccountId, Funds] = {}
    for row in session.execute(statement):
        try:
            terms = AccountSettings.from_mapping(row.settings).margin
        except InvalidInputError:
            continue  # what cannot be read covers nothing
        currency = market_of(BrokerCode(row.broker)).currency
        found[AccountId(row.account_id)] = _committed(
            Funds(
                available=Money(amount=row.available, currency=currency),
                age=max(row.age, timedelta(0)),
                terms=terms,
            ),
            entries[row.account_id],
        )
    return found


def _entries(session: Session, account_ids: Collection[AccountId], day: date) -> dict[int, list[AnyRow]]:
    """Return the entries that live, and those whose fills the figure may not show yet."""
    may_be_hidden = and_(
        OrderRow.filled_qty > 0, OrderRow.ended_wall > AccountFundsRow.asked_wall - _SHOWN_AFTER
    )
    statement = (
        select(
            OrderRow.account_id,
            OrderRow.side,
            OrderRow.status,
            OrderRow.quantity,
            OrderRow.filled_qty,
            OrderRow.price,
            OrderRow.avg_px,
            InstrumentRow.kind,
            InstrumentRow.strike,
            InstrumentRow.currency,
        )
        .join(AccountFundsRow, AccountFundsRow.account_id == OrderRow.account_id)
        .outerjoin(
            InstrumentRow,
            and_(InstrumentRow.as_of == OrderRow.day, InstrumentRow.instrument_id == OrderRow.instrument_id),
        )
        .where(
            OrderRow.account_id.in_(account_ids),
            OrderRow.day == day,
            OrderRow.role == OrderRole.ENTRY,
            or_(OrderRow.status.not_in(TERMINAL), may_be_hidden),
        )
    )
    found: dict[int, list[AnyRow]] = defaultdict(list)
    for row in session.execute(statement):
        found[row.account_id].append(row)
    return found


def _committed(funds: Funds, entries: Collection[AnyRow]) -> Funds:
    for entry in entries:
        funds = funds.after(_need(entry, funds.terms, funds.available.currency))
    return funds


def _need(entry: AnyRow, terms: MarginTerms, currency: Currency) -> Decimal | None:
    prices = [price for price in (entry.price, entry.avg_px) if price is not None]
    if entry.kind is None or entry.currency != currency or not prices:
        return None
    return terms.need(
        InstrumentKind(entry.kind),
        Side(entry.side),
        quantity=entry.filled_qty if OrderStatus(entry.status).is_terminal else entry.quantity,
        price=max(prices),
        strike=entry.strike,
    )
