"""What holding cost is booked once, to whom it belongs, and is a part of what a day cost."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app.db.deployments import add_deployment
from app.db.models import BarRow, BookingRow, ExternalFillRow, LegRow
from app.db.scope import DataScope
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.charges import Charge
from app.domain.ids import AccountId, BrokerOrderId, TradeId, UserId
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import BINANCE, INR, MT5, NSE, USD, USDT, Money
from app.domain.orders import OrderStatus, Side
from app.domain.reports import FillReport, FundingReport
from app.domain.users import Actor, User
from app.infra.charge_tables import load_charges
from app.services.accounts import create_account
from app.services.costs import Costs
from app.services.holding_costs import book_exercises, book_fundings, book_swaps
from tests.dashboard.seed import DAY, Person, add_order, at, list_instrument

pytestmark = pytest.mark.integration

PERP = "BTCUSDT-PERP.BINANCE"
EUROS = "EURUSD.MT5"
CALL, PUT = "NIFTY-20261120-26000-CE.NSE", "NIFTY-20261120-26000-PE.NSE"
FUNDED = at(13, 30)
"""08:00 UTC of the seeded day."""
EVERYBODY = DataScope(user_id=None)


@pytest.fixture
def account(session: Session, admin: Actor, user: User) -> BrokerAccount:
    return create_account(session, admin, user.user_id, name="perps", broker=BrokerCode.BINANCE_FUTURES)


@pytest.fixture(autouse=True)
def _listed(session: Session) -> Iterable[None]:
    session.add(list_instrument(PERP, InstrumentKind.PERPETUAL, "USDT", Decimal(1)))
    session.add(list_instrument(EUROS, InstrumentKind.FOREX, "USD", Decimal(100_000)))
    session.flush()
    yield
    session.rollback()


def deployed(session: Session, account: BrokerAccount, user: User, name: str) -> Person:
    made = add_deployment(session, account, name=name, strategy="ema_cross", params={}, limits={})
    return Person(
        user_id=user.user_id, name=user.name, account_id=account.account_id, deployment_id=made.deployment_id
    )


def trade(
    session: Session, person: Person, key: str, side: Side, quantity: str, moment: datetime, what: str = PERP
) -> BrokerOrderId:
    order = add_order(
        session,
        person,
        key=f"{person.account_id}-{key}",
        instrument=what,
        side=side,
        status=OrderStatus.FILLED,
        price=Decimal(97000),
        quantity=Decimal(quantity),
        filled=Decimal(quantity),
        moment=moment,
    )
    session.flush()
    return BrokerOrderId(str(order.broker_order_id))


def funding(ref: str, taken: str, at_moment: datetime = FUNDED, symbol: str = PERP) -> FundingReport:
    money = Money(amount=Decimal(taken), currency=USDT)
    return FundingReport(ref=ref, broker_symbol=symbol, taken=money, ts_event=at_moment)


def rows(session: Session) -> list[tuple[int | None, Decimal]]:
    statement = select(BookingRow).order_by(BookingRow.ref, BookingRow.part)
    return [(row.deployment_id, row.amount) for row in session.scalars(statement)]


def test_a_funding_is_booked_once_and_charged_to_who_held(
    session: Session, account: BrokerAccount, user: User
) -> None:
    holder, gone = (deployed(session, account, user, name) for name in ("holder", "gone"))
    trade(session, holder, "1", Side.BUY, "0.3", FUNDED - timedelta(hours=1))
    trade(session, gone, "2", Side.BUY, "0.1", FUNDED - timedelta(hours=1))
    trade(session, gone, "3", Side.SELL, "0.1", FUNDED - timedelta(minutes=1))
    trade(session, gone, "4", Side.BUY, "0.1", FUNDED + timedelta(minutes=1))

    told = [funding("7001", "2.91")]
    new = [
        book_fundings(session, account.account_id, told, market=BINANCE, now=FUNDED + timedelta(minutes=n))
        for n in (2, 3)
    ]

    assert new == [1, 0]
    assert rows(session) == [(holder.deployment_id, Decimal("2.91"))]
    costs = Costs(load_charges())
    paid = costs.of_day(session, EVERYBODY, day=DAY)[holder.deployment_id, PERP]
    assert paid.amounts[USDT, Charge.FUNDING] == Decimal("2.91")
    assert (paid.modeled, paid.reported) == (1, 1), "the order by its rate, the funding by the broker's word"
    nobody = DataScope(user_id=UserId(user.user_id + 1))
    assert costs.of_day(session, nobody, day=DAY) == {}


def test_a_repeat_that_would_share_it_out_otherwise_adds_nothing(
    session: Session, account: BrokerAccount, user: User
) -> None:
    one, late = (deployed(session, account, user, name) for name in ("one", "late"))
    trade(session, one, "1", Side.BUY, "0.3", FUNDED - timedelta(hours=1))
    book_fundings(session, account.account_id, [funding("1", "3")], market=BINANCE, now=FUNDED)
    trade(session, late, "2", Side.BUY, "0.3", FUNDED - timedelta(minutes=5))  # its report came late

    again = book_fundings(
        session, account.account_id, [funding("1", "3"), funding("2", "-1")], market=BINANCE, now=FUNDED
    )

    assert again == 2
    assert rows(session) == [
        (one.deployment_id, Decimal(3)),
        (one.deployment_id, Decimal("-0.5")),
        (late.deployment_id, Decimal("-0.5")),
    ]


def test_a_strangers_part_of_a_position_is_nobodys_cost_of_ours(
    session: Session, account: BrokerAccount, user: User
) -> None:
    holder = deployed(session, account, user, "holder")
    trade(session, holder, "1", Side.BUY, "0.1", FUNDED - timedelta(hours=1))
    session.add(
        ExternalFillRow(
            account_id=account.account_id,
            broker_order_id="by-hand",
            cumulative_qty=Decimal("0.2"),
            user_id=user.user_id,
            day=DAY,
            broker_symbol=PERP,
            instrument_id=PERP,
            deployment_id=None,
            side=Side.BUY,
            quantity=Decimal("0.2"),
            price=Decimal(97000),
            ts_init=FUNDED - timedelta(hours=1),
        )
    )
    session.flush()

    told = [funding("1", "3"), funding("2", "9", symbol="ETHUSDT")]
    book_fundings(session, account.account_id, told, market=BINANCE, now=FUNDED)

    by_holder = set(rows(session))
    assert by_holder == {(holder.deployment_id, Decimal(1)), (None, Decimal(2)), (None, Decimal(9))}
    paid = Costs(load_charges()).of_day(session, EVERYBODY, day=DAY)
    assert {leg: p.amounts.get((USDT, Charge.FUNDING)) for leg, p in paid.items()} == {
        (holder.deployment_id, PERP): Decimal(1)
    }


def test_a_swap_is_booked_with_the_deal_that_closed(session: Session, admin: Actor, user: User) -> None:
    forex = create_account(session, admin, user.user_id, name="fx", broker=BrokerCode.MT5)
    person = deployed(session, forex, user, "nights")
    number = trade(session, person, "1", Side.SELL, "20000", at(14, 0), EUROS)
    closing = FillReport(
        trade_id=TradeId("700000001"),
        broker_order_id=number,
        broker_symbol=EUROS,
        side=Side.SELL,
        quantity=Decimal(20000),
        price=Decimal("1.08"),
        ts_event=at(14, 0),
        swap=Money(amount=Decimal("1.24"), currency=USD),
    )

    for fills in ([closing], [closing]):
        book_swaps(session, forex.account_id, fills, market=MT5, now=at(14, 1))

    assert rows(session) == [(person.deployment_id, Decimal("1.24"))]
    paid = Costs(load_charges()).of_day(session, EVERYBODY, day=DAY, in_known_currencies=True)
    assert paid[person.deployment_id, EUROS].amounts[USD, Charge.SWAP] == Decimal("1.24")


def test_an_option_held_into_its_expiry_pays_by_intrinsic_value_and_says_that_it_is_reckoned(
    session: Session, admin: Actor, user: User
) -> None:
    options = create_account(session, admin, user.user_id, name="nse", broker=BrokerCode.PAPER)
    person = deployed(session, options, user, "late")
    for name, right in ((CALL, "CE"), (PUT, "PE")):
        row = list_instrument(name, InstrumentKind.OPTION, "INR", Decimal(1))
        row.underlying, row.expiry, row.strike, row.option_right = "NIFTY.NSE", DAY, Decimal(26000), right
        session.add(row)
    session.flush()
    for name, held in ((CALL, 75), (PUT, 150)):
        session.add(_leg(person, name, held))
    bought = {"instrument_id": "NIFTY.NSE", "minutes": 1, "volume": 0}
    for minute, close in ((28, "26090"), (29, "26100.5")):
        prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(close))
        session.add(BarRow(start=at(15, minute), **bought, **prices))
    session.flush()
    trading = TradingSession(
        venue=Venue.NSE,
        segment="FO",
        date=DAY,
        open_at=at(9, 15),
        close_at=at(15, 30),
        kind=SessionKind.REGULAR,
        source="test",
    )

    new = [
        book_exercises(session, load_charges(), trading, market=NSE, day=DAY, now=at(15, 31))
        for _ in range(2)
    ]

    assert new == [1, 0], "the put expires worthless"
    (booked,) = session.scalars(select(BookingRow)).all()
    # 100.5 * 75 * 0.15 %
    assert (booked.amount, booked.charge, booked.is_estimated) == (Decimal("11.3063"), Charge.STT, True)
    paid = Costs(load_charges()).of_day(session, EVERYBODY, day=DAY)[person.deployment_id, CALL]
    assert (paid.total(INR), paid.modeled) == (Decimal("11.3063"), 1)


def _leg(person: Person, name: str, held: int) -> LegRow:
    return LegRow(
        deployment_id=person.deployment_id,
        day=DAY,
        instrument_id=name,
        user_id=person.user_id,
        account_id=person.account_id,
        net_qty=Decimal(held),
        entry_qty=Decimal(held),
        entry_value=Decimal(held) * 100,
        cash=-Decimal(held) * 100,
    )


def test_the_database_refuses_to_change_what_is_booked(
    session: Session, account: BrokerAccount, user: User
) -> None:
    holder = deployed(session, account, user, "holder")
    trade(session, holder, "1", Side.BUY, "0.3", FUNDED - timedelta(hours=1))
    book_fundings(session, AccountId(account.account_id), [funding("1", "3")], market=BINANCE, now=FUNDED)

    with pytest.raises(DatabaseError, match="bookings"):
        session.execute(text("UPDATE bookings SET amount = 0"))
