"""Book what holding positions brought or cost, each once, and read it. Callers hold the transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import count

from sqlalchemy import Case, and_, case, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.instruments import option_terms
from app.db.locks import lock_accounts
from app.db.models import (
    AccountRow,
    BarRow,
    BookingRow,
    ExternalFillRow,
    FillRow,
    InstrumentRow,
    LegRow,
    OrderRow,
)
from app.db.scope import DataScope
from app.db.shards import at_brokers
from app.domain.accounts import BrokerCode
from app.domain.bookings import Booking
from app.domain.charges import Charge
from app.domain.ids import AccountId, BrokerOrderId, DeploymentId, InstrumentId
from app.domain.instruments import OptionTerms
from app.domain.numbers import ZERO
from app.domain.orders import Side

Event = tuple[Charge, str]
"""What was charged, and the reference that tells it from other events of the account."""


def read_bookings(
    session: Session, scope: DataScope, *, day: date, deployments: Collection[int] | None = None
) -> list[tuple[tuple[int, str], BookingRow]]:
    """Return what was booked on a trading date with its leg: deployment and instrument."""
    statement = select(BookingRow).where(
        BookingRow.day == day, BookingRow.deployment_id.is_not(None), scope.allows(BookingRow.user_id)
    )
    if deployments is not None:
        statement = statement.where(BookingRow.deployment_id.in_(deployments))
    rows = session.scalars(statement.order_by(BookingRow.account_id, BookingRow.ref))
    return [
        ((row.deployment_id, row.instrument_id), row)
        for row in rows
        if row.deployment_id is not None and row.instrument_id is not None
    ]


def known_events(session: Session, account_id: AccountId, events: Collection[Event]) -> frozenset[Event]:
    """Return which of these events of an account are booked."""
    statement = select(BookingRow.charge, BookingRow.ref).where(
        BookingRow.account_id == account_id, BookingRow.ref.in_({ref for _, ref in events})
    )
    found = {(Charge(charge), ref) for charge, ref in session.execute(statement)}
    return frozenset(found & set(events))


def book(session: Session, account_id: AccountId, bookings: Iterable[Booking], *, now: datetime) -> int:
    """Book the events that are not booked yet; return how many rows are new.

    All parts of an event are booked at once, under the account's lock: a repeat that would share it out
    otherwise adds nothing.
    """
    given = list(bookings)
    if not given or not _new(given, known_events(session, account_id, {b.event for b in given})):
        return 0
    lock_accounts(session, AccountRow.id == account_id)
    user_id = session.scalar(select(AccountRow.user_id).where(AccountRow.id == account_id))
    fresh = _new(given, known_events(session, account_id, {b.event for b in given}))
    parts: dict[Event, count[int]] = defaultdict(count)
    rows = [
        {
            "account_id": account_id,
            "charge": one.charge,
            "ref": one.ref,
            "part": next(parts[one.event]),
            "user_id": user_id,
            "deployment_id": one.deployment_id,
            "instrument_id": one.instrument_id,
            "day": one.day,
            "amount": one.taken.amount,
            "currency": one.taken.currency,
            "is_estimated": one.is_estimated,
            "formula": one.formula,
            "ts_event": one.ts_event,
            "ts_init": now,
        }
        for one in fresh
    ]
    if rows:
        session.execute(insert(BookingRow).on_conflict_do_nothing(), rows)
    return len(rows)


def _new(bookings: Iterable[Booking], known: Collection[Event]) -> list[Booking]:
    return [one for one in bookings if one.event not in known]


def holders_at(
    session: Session, account_id: AccountId, instrument_id: InstrumentId, *, day: date, at: datetime
) -> dict[DeploymentId | None, Decimal]:
    """Return who held an instrument of an account at a moment (platform time); None: nobody of ours.

    Folded from the fills that were booked by then, on the trading date.
    """
    held: dict[DeploymentId | None, Decimal] = {}
    ours = (
        select(OrderRow.deployment_id, func.sum(_signed(FillRow)))
        .join(OrderRow, OrderRow.id == FillRow.order_id)
        .where(
            FillRow.account_id == account_id,
            FillRow.instrument_id == instrument_id,
            FillRow.ts_init <= at,
            OrderRow.day == day,
        )
        .group_by(OrderRow.deployment_id)
    )
    listed = (
        select(InstrumentRow.broker_symbol)
        .where(InstrumentRow.as_of == day, InstrumentRow.instrument_id == instrument_id)
        .scalar_subquery()
    )
    strangers = (
        select(ExternalFillRow.deployment_id, func.sum(_signed(ExternalFillRow)))
        .where(
            ExternalFillRow.account_id == account_id,
            ExternalFillRow.day == day,
            ExternalFillRow.ts_init <= at,
            or_(
                ExternalFillRow.instrument_id == instrument_id,
                ExternalFillRow.broker_symbol == listed,
            ),
        )
        .group_by(ExternalFillRow.deployment_id)
    )
    for deployment_id, quantity in (*session.execute(ours), *session.execute(strangers)):
        holder = None if deployment_id is None else DeploymentId(deployment_id)
        held[holder] = held.get(holder, ZERO) + quantity
    return held


@dataclass(frozen=True, slots=True, kw_only=True)
class ExercisedLeg:
    """Show a bought option that is held on its last day; `settlement` is None without a known price."""

    account_id: AccountId
    deployment_id: DeploymentId
    instrument_id: InstrumentId
    terms: OptionTerms
    currency: str
    net_qty: Decimal
    settlement: Decimal | None


def exercised_legs(
    session: Session, brokers: Collection[BrokerCode], *, day: date, since: datetime
) -> list[ExercisedLeg]:
    """Return what is held long of options whose last day this is, with the underlying's last close."""
    last_close = (
        select(BarRow.close)
        .where(BarRow.instrument_id == InstrumentRow.underlying, BarRow.start >= since)
        .order_by(BarRow.start.desc(), BarRow.minutes)
        .limit(1)
        .scalar_subquery()
    )
    listed = and_(InstrumentRow.as_of == LegRow.day, InstrumentRow.instrument_id == LegRow.instrument_id)
    statement = (
        select(LegRow, InstrumentRow, last_close)
        .join(InstrumentRow, listed)
        .where(
            LegRow.day == day,
            LegRow.net_qty > 0,
            at_brokers(LegRow.account_id, brokers),
            InstrumentRow.expiry == day,
        )
        .order_by(LegRow.account_id, LegRow.deployment_id, LegRow.instrument_id)
    )
    found = []
    for leg, listing, settlement in session.execute(statement):
        terms = option_terms(listing)
        if terms is not None:
            found.append(_exercised(leg, terms, currency=listing.currency, settlement=settlement))
    return found


def _exercised(leg: LegRow, terms: OptionTerms, *, currency: str, settlement: Decimal | None) -> ExercisedLeg:
    return ExercisedLeg(
        account_id=AccountId(leg.account_id),
        deployment_id=DeploymentId(leg.deployment_id),
        instrument_id=InstrumentId(leg.instrument_id),
        terms=terms,
        currency=currency,
        net_qty=leg.net_qty,
        settlement=settlement,
    )


def deployment_of_order(
    session: Session, account_id: AccountId, broker_order_id: BrokerOrderId
) -> DeploymentId | None:
    """Return whose order of the account bears a broker's number, None for a stranger's."""
    statement = select(OrderRow.deployment_id).where(
        OrderRow.account_id == account_id, OrderRow.broker_order_id == broker_order_id
    )
    claimed = select(ExternalFillRow.deployment_id).where(
        ExternalFillRow.account_id == account_id,
        ExternalFillRow.broker_order_id == broker_order_id,
        ExternalFillRow.deployment_id.is_not(None),
    )
    found = session.scalar(statement) or session.scalar(claimed.limit(1))
    return None if found is None else DeploymentId(found)


def instruments_by_symbol(
    session: Session, day: date, symbols: Collection[str]
) -> Mapping[str, InstrumentId]:
    """Return the instruments of a trading date by the broker's symbol."""
    statement = select(InstrumentRow.broker_symbol, InstrumentRow.instrument_id).where(
        InstrumentRow.as_of == day, InstrumentRow.broker_symbol.in_(symbols)
    )
    return {symbol: InstrumentId(instrument_id) for symbol, instrument_id in session.execute(statement)}


def _signed(row: type[FillRow] | type[ExternalFillRow]) -> Case[Decimal]:
    return case((row.side == Side.BUY, row.quantity), else_=-row.quantity)
