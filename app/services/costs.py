"""Reckon what the executed orders of a day cost, per leg, at the time of reading: the fills are the truth."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from app.db.scope import DataScope
from app.db.views import AnyRow
from app.db.views.costs import read_executed, read_reported_fees
from app.domain.charges import (
    COIN_STEP,
    RUPEE_STEP,
    AccountTerms,
    Charge,
    ChargeLine,
    ChargeSum,
    Execution,
    NoRatesError,
    Rate,
    RateBook,
    add_charges,
    charges_of,
    modeled,
    product_of,
    reported,
)
from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.instruments import InstrumentKind, Venue, venue_of
from app.domain.markets import INR, Currency, currency_of
from app.domain.orders import Side

LegId = tuple[int, str]
"""Deployment and instrument."""
_Fees = Mapping[tuple[int, str], list[AnyRow]]


class Costs:
    """Reckon charges with one book of rates. A fee that the broker itself reports wins over the rates."""

    def __init__(self, book: RateBook) -> None:
        self._book = book

    def of_day(
        self,
        session: Session,
        scope: DataScope,
        *,
        day: date,
        deployments: Collection[int] | None = None,
    ) -> dict[LegId, ChargeSum]:
        """Return the charges of each leg of a day; a leg without an executed order is left out.

        Reported fees win where the broker's trades cover all that an order filled; until then, and for
        brokers that report none, the rates in force on the day are applied. An order without rates is counted
        in `uncharged`.
        """
        fees: dict[tuple[int, str], list[AnyRow]] = defaultdict(list)
        for row in read_reported_fees(session, scope, day=day, deployments=deployments):
            fees[row.account_id, row.broker_order_id].append(row)
        desk = _Desk(self._book, day)
        sums: dict[LegId, list[ChargeSum]] = defaultdict(list)
        for row in read_executed(session, scope, day=day, deployments=deployments):
            told = _reported(row, fees)
            sums[row.deployment_id, row.instrument_id].append(desk.modeled(row) if told is None else told)
        return {leg: add_charges(parts) for leg, parts in sums.items()}


class _Desk:
    """Apply the rates of one day; each market's rows are looked up once."""

    def __init__(self, book: RateBook, day: date) -> None:
        self._book, self._day = book, day
        self._rates: dict[tuple[Venue, str], tuple[Rate, ...]] = {}

    def modeled(self, row: AnyRow) -> ChargeSum:
        try:
            rates = self._in_force(venue_of(row.instrument_id), row.kind)
            terms = AccountTerms.from_mapping(row.settings)
        except (NoRatesError, InvalidInputError):
            return ChargeSum(uncharged=1)
        currency = currency_of(InstrumentId(row.instrument_id), row.currency)
        execution = Execution(
            side=Side(row.side),
            turnover=row.turnover,
            contracts=row.quantity / row.contract_size,
            currency=currency,
            step=_step(currency),
        )
        return modeled(charges_of(execution, rates, terms))

    def _in_force(self, venue: Venue, kind: str | None) -> tuple[Rate, ...]:
        if kind is None:
            raise NoRatesError("expected an instrument of the day's master, got an unlisted one")
        if (venue, kind) not in self._rates:
            product = product_of(InstrumentKind(kind))
            self._rates[venue, kind] = self._book.in_force(venue, product, self._day)
        return self._rates[venue, kind]


def _reported(row: AnyRow, fees: _Fees) -> ChargeSum | None:
    """Return what the broker says, None while its trades do not cover all of the order."""
    told = fees.get((row.account_id, row.broker_order_id), [])
    if sum((fee.quantity for fee in told), Decimal(0)) < row.quantity:
        return None
    return reported(_lines(told))


def _lines(told: Iterable[AnyRow]) -> list[ChargeLine]:
    return [
        ChargeLine(charge=Charge.TRADE_FEE, amount=fee.fee, currency=Currency(fee.fee_currency))
        for fee in told
        if fee.fee
    ]


def _step(currency: Currency) -> Decimal:
    return RUPEE_STEP if currency == INR else COIN_STEP
