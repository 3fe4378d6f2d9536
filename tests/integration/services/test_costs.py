"""Charges from the ledger: the broker's word first, then the rates of the day; nobody sees another's."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from app.db.accounts import change_account
from app.db.books import save_broker_trades
from app.db.deployments import add_deployment
from app.db.models import ExternalFillRow
from app.db.scope import DataScope
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.charges import Charge, ChargeSum
from app.domain.ids import BrokerOrderId, TradeId, UserId
from app.domain.instruments import InstrumentKind
from app.domain.markets import Currency, Money
from app.domain.orders import OrderStatus, Side
from app.domain.reports import FillReport
from app.domain.users import Actor, User
from app.infra.charge_tables import load_charges
from app.services.accounts import create_account
from app.services.costs import Costs
from tests.dashboard.seed import DAY, Person, add_order, at, list_instrument

pytestmark = pytest.mark.integration

PAIR = "ETHBTC.BINANCE"
ONE = Decimal(1)


@pytest.fixture
def person(session: Session, admin: Actor, user: User) -> Person:
    account = create_account(session, admin, user.user_id, name="coins", broker=BrokerCode.BINANCE_SPOT)
    return _deployed(session, account, user)


@pytest.fixture(autouse=True)
def _listed(session: Session) -> Iterable[None]:
    session.add(list_instrument(PAIR, InstrumentKind.SPOT, "BTC", ONE))
    session.flush()
    yield
    session.rollback()


def _deployed(session: Session, account: BrokerAccount, user: User) -> Person:
    made = add_deployment(session, account, name="d", strategy="ema_cross", params={}, limits={})
    return Person(
        user_id=user.user_id,
        name=user.name,
        account_id=account.account_id,
        deployment_id=made.deployment_id,
    )


def _buy(session: Session, person: Person, key: str) -> BrokerOrderId:
    order = add_order(
        session,
        person,
        key=f"{person.account_id}-{key}",
        instrument=PAIR,
        side=Side.BUY,
        status=OrderStatus.FILLED,
        price=Decimal("0.05"),
        quantity=Decimal(2),
        filled=Decimal(2),
        moment=at(9, 30),
    )
    session.flush()
    assert order.broker_order_id is not None
    return BrokerOrderId(order.broker_order_id)


def _trade(number: BrokerOrderId, trade: str, fee: str, currency: str) -> FillReport:
    return FillReport(
        trade_id=TradeId(trade),
        broker_order_id=number,
        broker_symbol="ETHBTC",
        side=Side.BUY,
        quantity=ONE,
        price=Decimal("0.05"),
        ts_event=datetime(2026, 11, 20, 4, tzinfo=UTC),
        fee=Money(amount=Decimal(fee), currency=Currency(currency)),
    )


def _charges(session: Session, person: Person, *, scope: DataScope | None = None) -> ChargeSum | None:
    found = Costs(load_charges()).of_day(session, scope or DataScope(user_id=None), day=DAY)
    return found.get((person.deployment_id, PAIR))


def test_what_the_broker_says_wins_once_it_covers_the_whole_order(session: Session, person: Person) -> None:
    number = _buy(session, person, "1")
    account = person.account_id

    save_broker_trades(session, account, DAY, [_trade(number, "t1", "0.0004", "BNB")])  # type: ignore[arg-type]
    half = _charges(session, person)
    save_broker_trades(session, account, DAY, [_trade(number, "t2", "-0.00001", "BTC")])  # type: ignore[arg-type]
    whole = _charges(session, person)

    assert half is not None
    assert whole is not None
    # 2 at 0.05 with 0.1 %, in the currency of the quote.
    assert half.amounts == {("BTC", Charge.TRADE_FEE): Decimal("0.0001")}
    assert (half.modeled, half.reported) == (1, 0)
    assert whole.amounts == {
        ("BNB", Charge.TRADE_FEE): Decimal("0.0004"),
        ("BTC", Charge.TRADE_FEE): Decimal("-0.00001"),
    }
    assert (whole.modeled, whole.reported) == (0, 1)


def test_an_account_pays_by_its_own_agreement(session: Session, person: Person) -> None:
    _buy(session, person, "2")
    change_account(
        session,
        UserId(person.user_id),
        person.account_id,  # type: ignore[arg-type]
        settings={"taker_rate": "0.0005", "brokerage": "0.001"},
    )

    paid = _charges(session, person)

    assert paid is not None
    assert paid.amounts == {
        ("BTC", Charge.TRADE_FEE): Decimal("0.00005"),
        ("BTC", Charge.BROKERAGE): Decimal("0.001"),
    }


def test_an_order_that_a_person_placed_and_a_leg_claims_is_charged(session: Session, person: Person) -> None:
    _buy(session, person, "3")
    session.add(
        ExternalFillRow(
            account_id=person.account_id,
            broker_order_id="by-hand",
            cumulative_qty=ONE,
            user_id=person.user_id,
            day=DAY,
            broker_symbol="ETHBTC",
            instrument_id=PAIR,
            deployment_id=person.deployment_id,
            side=Side.SELL,
            quantity=ONE,
            price=Decimal("0.06"),
            ts_init=at(10, 0),
        )
    )
    session.flush()

    paid = _charges(session, person)

    assert paid is not None
    assert (paid.modeled, paid.total(Currency("BTC"))) == (2, Decimal("0.00016"))


def test_nobody_sees_what_another_pays(session: Session, person: Person) -> None:
    _buy(session, person, "4")
    own = DataScope(user_id=UserId(person.user_id))

    assert _charges(session, person, scope=own) is not None
    assert _charges(session, person, scope=DataScope(user_id=UserId(person.user_id + 1))) is None
