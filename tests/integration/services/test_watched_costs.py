"""Who asks for charges all the time gets them from memory, and from the ledger as soon as a leg changed."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.db.bookings import book
from app.db.books import save_broker_trades
from app.db.deployments import add_deployment
from app.db.risk_book import WatchedLeg
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.bookings import Booking
from app.domain.charges import Charge
from app.domain.ids import AccountId, BrokerOrderId, DeploymentId, InstrumentId, TradeId, UserId
from app.domain.instruments import InstrumentKind
from app.domain.markets import USDT, Currency, Money
from app.domain.orders import OrderStatus, Side
from app.domain.reports import FillReport
from app.domain.risk.scopes import covering
from app.domain.users import Actor, User
from app.infra.charge_tables import load_charges
from app.infra.clock import SystemClock
from app.services.accounts import create_account
from app.services.costs import Costs, WatchedCosts
from tests.dashboard.seed import DAY, Person, add_order, at, list_instrument

pytestmark = pytest.mark.integration

PERP = "BTCUSDT-PERP.BINANCE"
NO_SESSION: Any = None
"""What answers from memory touches no database."""


class Stopwatch(SystemClock):
    """A clock whose durations the test sets."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def account(session: Session, admin: Actor, user: User) -> BrokerAccount:
    return create_account(session, admin, user.user_id, name="perps", broker=BrokerCode.BINANCE_FUTURES)


@pytest.fixture
def person(session: Session, account: BrokerAccount, user: User) -> Iterable[Person]:
    session.add(list_instrument(PERP, InstrumentKind.PERPETUAL, "USDT", Decimal(1)))
    made = add_deployment(session, account, name="d", strategy="ema_cross", params={}, limits={})
    yield Person(
        user_id=user.user_id, name=user.name, account_id=account.account_id, deployment_id=made.deployment_id
    )
    session.rollback()


def leg(person: Person, *, net: str, cash: str, entry_px: str = "100") -> WatchedLeg:
    return WatchedLeg(
        account_id=AccountId(person.account_id),
        deployment_id=DeploymentId(person.deployment_id),
        covered_by=covering(
            broker=BrokerCode.BINANCE_FUTURES,
            family_id=None,
            user_id=UserId(person.user_id),
            account_id=AccountId(person.account_id),
        ),
        instrument_id=PERP,
        currency="USDT",
        net_qty=Decimal(net),
        entry_px=Decimal(entry_px),
        cash=Decimal(cash),
        is_open=True,
        has_live_entry=False,
    )


def trade(session: Session, person: Person, key: str, side: Side) -> BrokerOrderId:
    order = add_order(
        session,
        person,
        key=f"{person.account_id}-{key}",
        instrument=PERP,
        side=side,
        status=OrderStatus.FILLED,
        price=Decimal(100),
        quantity=Decimal(2),
        filled=Decimal(2),
        moment=at(9, 30),
    )
    session.flush()
    return BrokerOrderId(str(order.broker_order_id))


def fund(session: Session, person: Person, amount: str) -> None:
    one = Booking(
        charge=Charge.FUNDING,
        ref=amount,
        day=DAY,
        instrument_id=InstrumentId(PERP),
        deployment_id=DeploymentId(person.deployment_id),
        taken=Money(amount=Decimal(amount), currency=USDT),
        ts_event=at(13, 30),
        is_estimated=False,
        formula="test",
    )
    book(session, AccountId(person.account_id), [one], now=at(13, 30) + timedelta(seconds=9))


def test_only_what_changed_or_is_old_is_asked_for(session: Session, person: Person) -> None:
    clock = Stopwatch()
    costs = WatchedCosts(Costs(load_charges()), clock)

    def paid(of: Session, **state: str) -> Decimal:
        found = costs.of_legs(of, [leg(person, **state)], DAY)
        return sum((charged.total(USDT) for charged in found.values()), Decimal(0))

    assert paid(NO_SESSION, net="0", cash="0", entry_px="0") == 0, "what was never entered asks nothing"
    trade(session, person, "1", Side.BUY)
    assert paid(session, net="2", cash="-200") == Decimal("0.1")  # 200 at 0.05 %
    clock.seconds = 14.9
    fund(session, person, "0.4")
    assert paid(NO_SESSION, net="2", cash="-200") == Decimal("0.1"), "known"
    clock.seconds = 15
    assert paid(session, net="2", cash="-200") == Decimal("0.5"), "what came later, after a while"
    trade(session, person, "2", Side.SELL)
    assert paid(session, net="0", cash="0") == Decimal("0.6"), (
        "a changed leg at once, though it earned nothing"
    )


def test_a_fee_in_a_coin_counts_for_a_limit_as_the_rates_say(session: Session, person: Person) -> None:
    number = trade(session, person, "3", Side.BUY)
    told = FillReport(
        trade_id=TradeId("t1"),
        broker_order_id=number,
        broker_symbol=PERP,
        side=Side.BUY,
        quantity=Decimal(2),
        price=Decimal(100),
        ts_event=at(9, 31),
        fee=Money(amount=Decimal("0.0002"), currency=Currency("BNB")),
    )
    save_broker_trades(session, AccountId(person.account_id), DAY, [told])
    costs = WatchedCosts(Costs(load_charges()), Stopwatch())

    (charged,) = costs.of_legs(session, [leg(person, net="2", cash="-200")], DAY).values()

    assert charged.amounts == {(USDT, Charge.TRADE_FEE): Decimal("0.1")}
    assert (charged.modeled, charged.reported) == (1, 0), "and is said to be estimated"
