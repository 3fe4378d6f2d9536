"""Turn order rows into broker requests with the day's contract terms."""

from datetime import date

from app.db.instruments import load_instruments
from app.db.models import OrderRow
from app.db.session import Database
from app.domain.errors import NotFoundError
from app.domain.ids import BrokerOrderId, ClientOrderId, InstrumentId
from app.domain.instruments import Instrument, Venue, venue_of
from app.domain.markets import NSE, Market, market_at
from app.domain.orders import OrderRole, OrderType, Side, TimeInForce
from app.domain.ports import OrderChange, OrderRequest


class ContractBook:
    """Remember each market's contracts of its current day; they do not change within it. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._days: dict[Venue, tuple[date, dict[InstrumentId, Instrument]]] = {}

    def get(self, day: date, instrument_id: InstrumentId) -> Instrument:
        """Return a contract's terms; raises NotFoundError for one that the master does not list."""
        contracts = self.of_day(day, market_at(venue_of(instrument_id)))
        if instrument_id not in contracts:
            raise NotFoundError(f"{instrument_id} is not in the contract master of {day}")
        return contracts[instrument_id]

    def of_day(self, day: date, market: Market = NSE) -> dict[InstrumentId, Instrument]:
        """Return the day's contracts of a market by id; empty before the download."""
        known = self._days.get(market.venue)
        if known is not None and known[0] == day and known[1]:
            return known[1]
        with self._database.begin() as session:
            contracts = load_instruments(session, day, market.venues)
        self._days[market.venue] = (day, contracts)
        return contracts


def order_request(row: OrderRow, instrument: Instrument) -> OrderRequest:
    """Return the request exactly as the committed row says."""
    return OrderRequest(
        client_order_id=ClientOrderId(row.client_order_id),
        instrument=instrument,
        side=Side(row.side),
        order_type=OrderType(row.order_type),
        time_in_force=TimeInForce(row.time_in_force),
        quantity=row.quantity,
        price=row.price,
        trigger_price=row.trigger_price,
        reduces_only=OrderRole(row.role).is_exit,
    )


def change_request(row: OrderRow, instrument: Instrument) -> OrderChange:
    """Return the change that brings an order at the broker to what its row says."""
    return OrderChange(
        broker_order_id=BrokerOrderId(str(row.broker_order_id)),
        instrument=instrument,
        order_type=OrderType(row.order_type),
        time_in_force=TimeInForce(row.time_in_force),
        quantity=row.quantity,
        price=row.price,
        trigger_price=row.trigger_price,
    )
