"""Reckon what a day cost, per leg, at the time of reading: the fills are the truth, and what was booked.

Charges of executed orders are reckoned from the fills; what holding cost or brought stands in `bookings`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from sqlalchemy.orm import Session

from app.db.bookings import read_bookings
from app.db.models import BookingRow
from app.db.risk_book import WatchedLeg
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
    RateBook,
    add_charges,
    charges_of,
    modeled,
    product_of,
    reported,
)
from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.instruments import InstrumentKind, venue_of
from app.domain.markets import INR, Currency, currency_of, market_at
from app.domain.orders import Side
from app.domain.ports import Clock

LegId = tuple[int, str]
"""Deployment and instrument."""
_REMEMBERED: Final = 50_000
_KNOWN_FOR_S: Final = 15.0
_EVERYBODY: Final = DataScope(user_id=None)
_LegState = tuple[date, Decimal, Decimal, Decimal]
_Fees = Mapping[tuple[int, str], list[AnyRow]]


@dataclass(frozen=True, slots=True)
class _Executed:
    """Hold what the charges of an executed order depend on, so that each is reckoned once."""

    day: date
    instrument_id: str
    kind: str | None
    contract_size: Decimal | None
    currency: str | None
    side: str
    quantity: Decimal
    turnover: Decimal
    settings: tuple[tuple[str, str], ...]


class Costs:
    """Reckon charges with one book of rates. A fee that the broker itself reports wins over the rates.

    Thread-safe. What was reckoned is remembered, because pages ask for the same orders all day.
    """

    def __init__(self, book: RateBook) -> None:
        self._in_force = lru_cache(maxsize=64)(book.in_force)
        self._modeled = lru_cache(maxsize=_REMEMBERED)(self._reckon)

    def of_day(
        self,
        session: Session,
        scope: DataScope,
        *,
        day: date,
        deployments: Collection[int] | None = None,
        in_known_currencies: bool = False,
    ) -> dict[LegId, ChargeSum]:
        """Return the charges of each leg of a day; a leg that was charged nothing is left out.

        Reported fees win where the broker's trades cover all that an order filled; until then, and for
        brokers that report none, the rates in force on the day are applied. An order without rates is counted
        in `uncharged`.

        Args:
            session: the transaction.
            scope: whose.
            day: the trading date.
            deployments: of these only; None means all.
            in_known_currencies: a fee that was taken in some other currency than the leg's or its market's
                (coins, BNB) counts as the rates say: a limit cannot add it up, and must not overlook it.
        """
        fees: dict[tuple[int, str], list[AnyRow]] = defaultdict(list)
        for row in read_reported_fees(session, scope, day=day, deployments=deployments):
            fees[row.account_id, row.broker_order_id].append(row)
        sums: dict[LegId, list[ChargeSum]] = defaultdict(list)
        for row in read_executed(session, scope, day=day, deployments=deployments):
            told = _reported(row, fees)
            if told is not None and in_known_currencies and not told.currencies <= _known_currencies(row):
                told = None
            paid = self._modeled(_executed(row, day)) if told is None else told
            sums[row.deployment_id, row.instrument_id].append(paid)
        for leg, booking in read_bookings(session, scope, day=day, deployments=deployments):
            sums[leg].append(_booked(booking))
        return {leg: add_charges(parts) for leg, parts in sums.items()}

    def _reckon(self, order: _Executed) -> ChargeSum:
        if order.kind is None or order.contract_size is None:
            return ChargeSum(uncharged=1)  # the day's contract master does not list it
        instrument_id = InstrumentId(order.instrument_id)
        try:
            product = product_of(InstrumentKind(order.kind))
            rates = self._in_force(venue_of(instrument_id), product, order.day)
            terms = AccountTerms.from_mapping(dict(order.settings))
        except (NoRatesError, InvalidInputError):
            return ChargeSum(uncharged=1)
        currency = currency_of(instrument_id, order.currency)
        execution = Execution(
            side=Side(order.side),
            turnover=order.turnover,
            contracts=order.quantity / order.contract_size,
            currency=currency,
            step=_step(currency),
        )
        return modeled(charges_of(execution, rates, terms))


def _executed(row: AnyRow, day: date) -> _Executed:
    return _Executed(
        day,
        row.instrument_id,
        row.kind,
        row.contract_size,
        row.currency,
        row.side,
        row.quantity,
        row.turnover,
        tuple(sorted((name, str(value)) for name, value in row.settings.items())),
    )


def _reported(row: AnyRow, fees: _Fees) -> ChargeSum | None:
    """Return what the broker says, None while its trades do not cover all of the order."""
    told = fees.get((row.account_id, row.broker_order_id), [])
    if sum((fee.quantity for fee in told), Decimal(0)) < row.quantity:
        return None
    return reported(_lines(told))


def _known_currencies(row: AnyRow) -> set[Currency]:
    instrument_id = InstrumentId(row.instrument_id)
    return {currency_of(instrument_id, row.currency), market_at(venue_of(instrument_id)).currency}


def _booked(row: BookingRow) -> ChargeSum:
    line = ChargeLine(charge=Charge(row.charge), amount=row.amount, currency=Currency(row.currency))
    return modeled([line]) if row.is_estimated else reported([line])


def _lines(told: Iterable[AnyRow]) -> list[ChargeLine]:
    return [
        ChargeLine(charge=Charge.TRADE_FEE, amount=fee.fee, currency=Currency(fee.fee_currency))
        for fee in told
        if fee.fee
    ]


def _step(currency: Currency) -> Decimal:
    return RUPEE_STEP if currency == INR else COIN_STEP


@dataclass(frozen=True, slots=True)
class _Known:
    """Hold what a leg was charged, and how it and the clock stood when that was reckoned."""

    state: _LegState
    at: float
    charged: ChargeSum


class WatchedCosts:
    """Know the charges of legs for who asks all the time: the watch on losses, and the gate at every entry.

    A fill changes its leg in the same transaction, so only deployments with a changed leg are reckoned anew;
    fees, bookings and agreements that come later are found when what is known is `_KNOWN_FOR_S` old. What was
    never entered costs nothing and asks nothing. Safe in threads: at worst something is reckoned twice.
    """

    def __init__(self, costs: Costs, clock: Clock) -> None:
        self._costs = costs
        self._clock = clock
        self._known: dict[LegId, _Known] = {}

    def of_legs(self, session: Session, legs: Iterable[WatchedLeg], day: date) -> dict[LegId, ChargeSum]:
        """Return the charges of these legs of a trading date, in currencies that a limit can add up."""
        now, known = self._clock.monotonic(), self._known
        entered: dict[LegId, _LegState] = {
            (leg.deployment_id, leg.instrument_id): _state_of(leg, day) for leg in legs if leg.entry_px
        }
        stale = {leg[0] for leg, state in entered.items() if not _holds(known.get(leg), state, now)}
        if stale:
            found = self._costs.of_day(
                session, _EVERYBODY, day=day, deployments=stale, in_known_currencies=True
            )
            fresh = {
                leg: _Known(state, now, found.get(leg, ChargeSum()))
                for leg, state in entered.items()
                if leg[0] in stale
            }
            # One assignment: who reads at the same time sees all of the old or all of the new.
            kept = known if len(known) < _REMEMBERED else {leg: known[leg] for leg in entered if leg in known}
            known = self._known = {**kept, **fresh}
        return {leg: known[leg].charged for leg in entered}


def _state_of(leg: WatchedLeg, day: date) -> _LegState:
    return day, leg.net_qty, leg.cash, leg.entry_px


def _holds(known: _Known | None, state: _LegState, now: float) -> bool:
    return known is not None and known.state == state and now - known.at < _KNOWN_FOR_S
