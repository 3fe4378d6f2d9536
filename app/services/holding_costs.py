"""Book what holding brought or cost: fundings and swaps as the broker tells them, exercises by rate.

Every event is booked once and never changed (`app.db.bookings.book`); what holding cost is a part of the
charges of its leg from then on, so of net profit and of what loss limits judge.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import structlog
from sqlalchemy.orm import Session

from app.db.bookings import (
    book,
    deployment_of_order,
    exercised_legs,
    holders_at,
    instruments_by_symbol,
)
from app.domain.bookings import Booking
from app.domain.calendar_rules import TradingSession
from app.domain.charges import (
    COIN_STEP,
    Charge,
    NoRatesError,
    Product,
    RateBook,
    exercise_charges,
    intrinsic_value,
)
from app.domain.financing import share_out
from app.domain.ids import AccountId, DeploymentId, InstrumentId
from app.domain.instruments import venue_of
from app.domain.markets import Market, Money, currency_of
from app.domain.reports import FillReport, FundingReport

log = structlog.get_logger()


def book_fundings(
    session: Session,
    account_id: AccountId,
    reports: Iterable[FundingReport],
    *,
    market: Market,
    now: datetime,
) -> int:
    """Book what a broker took or gave at fundings, shared out to who held the instrument.

    Return how many rows are new. A part of the position that is nobody's of ours is booked to nobody.
    """
    bookings: list[Booking] = []
    for report in reports:
        day = market.day_of(report.ts_event)
        instrument_id = instruments_by_symbol(session, day, [report.broker_symbol]).get(report.broker_symbol)
        parts = _holders(session, account_id, report, instrument_id, day=day)
        bookings += [
            Booking(
                charge=Charge.FUNDING,
                ref=report.ref,
                day=day,
                instrument_id=instrument_id,
                deployment_id=holder,
                taken=Money(amount=amount, currency=report.taken.currency),
                ts_event=report.ts_event,
                is_estimated=False,
                formula=f"{amount:f} of {report.taken.amount:f} of the account, as the broker told",
            )
            for holder, amount in parts.items()
        ]
    return book(session, account_id, bookings, now=now)


def _holders(
    session: Session,
    account_id: AccountId,
    report: FundingReport,
    instrument_id: InstrumentId | None,
    *,
    day: date,
) -> Mapping[DeploymentId | None, Decimal]:
    if instrument_id is not None:
        held = holders_at(session, account_id, instrument_id, day=day, at=report.ts_event)
        parts = share_out(report.taken.amount, held, step=COIN_STEP)
        if parts:
            return parts
    return {None: report.taken.amount}


def book_swaps(
    session: Session, account_id: AccountId, fills: Sequence[FillReport], *, market: Market, now: datetime
) -> int:
    """Book what a broker took or gave for the nights with the fills that closed positions."""
    bookings: list[Booking] = []
    for fill in fills:
        if fill.swap is None:
            continue
        day = market.day_of(fill.ts_event)
        instrument_id = instruments_by_symbol(session, day, [fill.broker_symbol]).get(fill.broker_symbol)
        owner = deployment_of_order(session, account_id, fill.broker_order_id)
        bookings.append(
            Booking(
                charge=Charge.SWAP,
                ref=fill.trade_id,
                day=day,
                instrument_id=instrument_id,
                deployment_id=None if instrument_id is None else owner,
                taken=fill.swap,
                ts_event=fill.ts_event,
                is_estimated=False,
                formula=f"with deal {fill.trade_id} of {fill.quantity:f}, as the broker told",
            )
        )
    return book(session, account_id, bookings, now=now)


def book_exercises(
    session: Session, rates: RateBook, trading: TradingSession, *, market: Market, day: date, now: datetime
) -> int:
    """Book the tax on bought options that are held into their expiry in the money: estimated.

    The settlement price is the last close of the underlying that we know; without one nothing is booked, and
    the log says so. Return the new rows.
    """
    new = 0
    for leg in exercised_legs(session, market.brokers, day=day, since=trading.open_at):
        instrument_id = leg.instrument_id
        if leg.settlement is None:
            log.error("exercise_not_booked", deployment_id=leg.deployment_id, instrument_id=instrument_id)
            continue
        intrinsic = intrinsic_value(leg.terms, leg.settlement)
        try:
            in_force = rates.in_force(venue_of(instrument_id), Product.OPTION, day)
        except NoRatesError:
            log.exception("exercise_not_booked", instrument_id=instrument_id)
            continue
        currency = currency_of(instrument_id, leg.currency)
        for line in exercise_charges(intrinsic, leg.net_qty, in_force, currency=currency):
            one = Booking(
                charge=line.charge,
                ref=f"exercise:{day}:{leg.deployment_id}:{instrument_id}",
                day=day,
                instrument_id=instrument_id,
                deployment_id=leg.deployment_id,
                taken=Money(amount=line.amount, currency=line.currency),
                ts_event=trading.close_at,
                is_estimated=True,
                formula=f"intrinsic {intrinsic:f} at {leg.settlement:f} * {leg.net_qty:f} * rate of {day}",
            )
            new += book(session, leg.account_id, [one], now=now)
    return new
