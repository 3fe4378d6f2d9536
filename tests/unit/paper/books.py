"""Drive the exchange's rules on a real book in a folder, without a process."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderType, Side, TimeInForce
from brokers.paper.exchange.exchange import Exchange, Ticket
from brokers.paper.exchange.orders import Contract, Order, Quote, Terms
from brokers.paper.exchange.rules import Rules
from brokers.paper.exchange.store import AccountRow, FillRow, Store

START = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
CONTRACT = Contract(
    instrument_id="NIFTY-20261201-26000-CE.NSE",
    symbol="NIFTY26D0126000CE",
    venue="NSE",
    kind=InstrumentKind.OPTION,
    tick_size=Decimal("0.05"),
    lot_size=Decimal(65),
    currency="INR",
)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class StillClock:
    """Stand still until it is moved."""

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> datetime:
        return self.instant

    def pass_by(self, seconds: float) -> None:
        """Move on."""
        self.instant += timedelta(seconds=seconds)


class Book:
    """Hold one exchange with one account in rupees."""

    def __init__(self, home: Path, rules: Rules) -> None:
        self.clock, self.rules = StillClock(), rules
        self.store = Store(home)
        self.exchange = Exchange(self.store, rules, self.clock)
        with self.store.transaction():
            self.store.add_account("asha", "INR", rules.opening_balance["INR"])

    @property
    def account(self) -> AccountRow:
        """The account as it stands."""
        account = self.store.account("asha")
        assert account is not None
        return account

    def quote(self, last: str, bid: str | None = None, ask: str | None = None) -> Quote:
        """Tell a price of now."""
        quote = Quote(
            instrument_id=CONTRACT.instrument_id,
            last=Decimal(last),
            bid=None if bid is None else Decimal(bid),
            ask=None if ask is None else Decimal(ask),
            time=self.clock.now(),
        )
        with self.store.transaction():
            self.exchange.take_quotes([quote])
        return quote

    def submit(
        self,
        tag: str,
        side: Side,
        asked: Terms,
        *,
        reduces_only: bool = False,
        contract: Contract = CONTRACT,
    ) -> Order:
        """Send an order."""
        ticket = Ticket(
            client_order_id=tag, contract=contract, side=side, terms=asked, reduces_only=reduces_only
        )
        with self.store.transaction():
            return self.exchange.submit(self.account, ticket)[0]

    def order(self, number: int) -> Order:
        """Return an order as it stands."""
        order = self.store.order("asha", number)
        assert order is not None
        return order

    def fills(self) -> list[FillRow]:
        """Return every fill."""
        return self.store.fills_since("asha", LONG_AGO)

    def net(self) -> Decimal:
        """Return the net position."""
        position = self.store.position("asha", CONTRACT.instrument_id)
        return Decimal(0) if position is None else position.net


def terms(
    kind: OrderType = OrderType.LIMIT,
    lots: int = 1,
    price: str | None = None,
    trigger: str | None = None,
    tif: TimeInForce = TimeInForce.DAY,
) -> Terms:
    """Return terms in lots and texts."""
    return Terms(
        order_type=kind,
        time_in_force=tif,
        quantity=lots * CONTRACT.lot_size,
        price=None if price is None else Decimal(price),
        trigger_price=None if trigger is None else Decimal(trigger),
    )
