"""Keep what was traded at the brokers without us. Callers hold the transaction and the account's lock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from app.db.legs import lock_legs
from app.db.models import AccountRow, ExternalFillRow, InstrumentRow, LegRow, OrderRow
from app.db.orders import OPEN_STATUSES, fold_fill, leave_if_overclosed
from app.domain.ids import CLIENT_ORDER_ID_LENGTH, AccountId, BrokerOrderId, DeploymentId, InstrumentId
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole, Side
from app.domain.reconciliation import Holding, Share
from app.domain.reports import OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalStep:
    """Describe what one report adds to the cumulative fill of an order that is not ours.

    `booked` is what was booked of it before. `instrument_id` is None when the contract is not listed here,
    so that no leg can hold it. `now` is the platform's time, `wall` the machine's.
    """

    report: OrderReport
    day: date
    instrument_id: InstrumentId | None
    booked: Decimal
    price: Decimal
    now: datetime
    wall: datetime


def lock_account(session: Session, account_id: AccountId) -> AccountRow:
    """Lock an account, so that one writer at a time decides whose its external fills are."""
    statement = select(AccountRow).where(AccountRow.id == account_id).with_for_update(key_share=True)
    return session.scalars(statement).one()


def external_positions(session: Session, account_id: AccountId, day: date) -> dict[str, Decimal]:
    """Return what strangers traded by the broker's symbol: signed, claimed and quarantined together."""
    return _sums(session, account_id, day)


def quarantined_positions(session: Session, account_id: AccountId, day: date) -> dict[str, Decimal]:
    """Return what strangers hold by the broker's symbol, signed; what they closed again is left out."""
    sums = _sums(session, account_id, day, ExternalFillRow.deployment_id.is_(None))
    return {symbol: quantity for symbol, quantity in sums.items() if quantity != 0}


def _sums(
    session: Session, account_id: AccountId, day: date, *conditions: ColumnElement[bool]
) -> dict[str, Decimal]:
    row = ExternalFillRow
    signed = func.sum(case((row.side == Side.BUY, row.quantity), else_=-row.quantity))
    statement = (
        select(row.broker_symbol, signed)
        .where(row.account_id == account_id, row.day == day, *conditions)
        .group_by(row.broker_symbol)
    )
    return {symbol: Decimal(quantity) for symbol, quantity in session.execute(statement)}


def fills_of(
    session: Session, account_id: AccountId, numbers: Collection[BrokerOrderId]
) -> Mapping[str, Sequence[ExternalFillRow]]:
    """Return the booked steps of these external orders by the broker's number, oldest first."""
    statement = (
        select(ExternalFillRow)
        .where(ExternalFillRow.account_id == account_id, ExternalFillRow.broker_order_id.in_(numbers))
        .order_by(ExternalFillRow.cumulative_qty)
    )
    found: dict[str, list[ExternalFillRow]] = {}
    for row in session.scalars(statement):
        found.setdefault(row.broker_order_id, []).append(row)
    return found


def instrument_of(session: Session, day: date, broker_symbol: str) -> InstrumentId | None:
    """Return the instrument that the broker calls so on a day, None when it is not listed here."""
    statement = select(InstrumentRow.instrument_id).where(
        InstrumentRow.as_of == day, InstrumentRow.broker_symbol == broker_symbol
    )
    found = session.scalar(statement)
    return None if found is None else InstrumentId(found)


def may_be_ours(
    session: Session, account_id: AccountId, report: OrderReport, instrument_id: InstrumentId | None
) -> bool:
    """Whether this may be an order of ours, so that its fills are counted under our own.

    It bears a number or a tag of ours (what a conditional order became bears the tag of that one), or an
    order of ours, sent and without a number yet, looks like it, its tag lost (I3).
    """
    has_no_number = and_(
        OrderRow.instrument_id == instrument_id,
        OrderRow.side == report.side,
        OrderRow.status.in_(OPEN_STATUSES),
        OrderRow.submitted_wall.is_not(None),
        OrderRow.broker_order_id.is_(None),
    )
    statement = select(
        exists().where(
            OrderRow.account_id == account_id,
            or_(
                OrderRow.broker_order_id == report.broker_order_id,
                OrderRow.client_order_id == report.tag[:CLIENT_ORDER_ID_LENGTH],
                has_no_number,
            ),
        )
    )
    return session.scalar(statement) is True


def lock_holders(
    session: Session, account_id: AccountId, day: date, instrument_id: InstrumentId | None
) -> dict[DeploymentId, LegRow]:
    """Lock and return the account's legs in an instrument by deployment."""
    if instrument_id is None:
        return {}
    legs = lock_legs(
        session,
        LegRow.account_id == account_id,
        LegRow.day == day,
        LegRow.instrument_id == instrument_id,
    )
    return {DeploymentId(leg.deployment_id): leg for leg in legs}


def holdings_of(
    legs: Mapping[DeploymentId, LegRow], *, closed: Mapping[DeploymentId, Decimal] | None = None
) -> list[Holding]:
    """Return the domain's view of locked legs, as if our exits had not `closed` these signed quantities."""
    undone = closed or {}
    return [Holding(deployment_id=i, net_qty=leg.net_qty - undone.get(i, ZERO)) for i, leg in legs.items()]


def closed_since(
    session: Session,
    legs: Mapping[DeploymentId, LegRow],
    *,
    since: datetime,
    updated_at: Mapping[BrokerOrderId, datetime],
) -> dict[DeploymentId, Decimal]:
    """Return what our exits have traded of these legs since a moment, signed.

    Args:
        session: the transaction.
        legs: the locked legs of one instrument.
        since: when a stranger traded, in the venue's time.
        updated_at: the venue's time of our orders' last news; one that is missing here is older.
    """
    closed: dict[DeploymentId, Decimal] = {}
    for deployment_id, leg in legs.items():
        statement = select(OrderRow).where(
            OrderRow.deployment_id == deployment_id,
            OrderRow.day == leg.day,
            OrderRow.instrument_id == leg.instrument_id,
            OrderRow.role != OrderRole.ENTRY,
            OrderRow.filled_qty > 0,
        )
        later = [
            Side(order.side).sign * order.filled_qty
            for order in session.scalars(statement)
            if (at := updated_at.get(BrokerOrderId(str(order.broker_order_id)))) is not None and at >= since
        ]
        closed[deployment_id] = sum(later, ZERO)
    return closed


def book_shares(
    session: Session,
    account: AccountRow,
    step: ExternalStep,
    shares: Sequence[Share],
    *,
    legs: Mapping[DeploymentId, LegRow],
) -> None:
    """Append the shares of a step to the ledger and fold the claimed ones into their legs."""
    report, booked = step.report, step.booked
    for share in shares:
        booked += abs(share.quantity)
        session.add(
            ExternalFillRow(
                account_id=account.id,
                broker_order_id=report.broker_order_id,
                cumulative_qty=booked,
                user_id=account.user_id,
                day=step.day,
                broker_symbol=report.broker_symbol,
                instrument_id=step.instrument_id,
                deployment_id=share.deployment_id,
                side=report.side,
                quantity=abs(share.quantity),
                price=step.price,
                ts_init=step.now,
            )
        )
        if share.deployment_id is not None:
            leg = legs[share.deployment_id]
            held = leg.net_qty
            fold_fill(
                leg, side=report.side, quantity=abs(share.quantity), price=step.price, role=OrderRole.EXIT
            )
            leave_if_overclosed(leg, before=held, wall=step.wall)
            leg.missing_qty = ZERO  # explained now; the next read of the positions says what is still missing
    session.flush()
