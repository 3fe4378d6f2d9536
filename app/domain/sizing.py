"""Turn a wished leg into orders: lots into units, slices below the freeze quantity, a price that trades."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from app.domain.deployments import Deployment
from app.domain.errors import InvalidInputError
from app.domain.ids import client_order_id
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market_data import Tick
from app.domain.numbers import floor_to_lot
from app.domain.orders import OrderIntent, OrderRole, OrderType, TimeInForce
from app.domain.pricing import marketable_limit
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import MarketView


def sliced(quantity: Decimal, instrument: Instrument) -> tuple[Decimal, ...]:
    """Split a quantity into orders that the venue takes, largest first; serves entries and exits.

    Raises:
        InvalidInputError: `quantity` is not a positive number of whole lots.
    """
    if quantity <= 0 or floor_to_lot(quantity, instrument.lot_size) != quantity:
        raise InvalidInputError(
            f"{instrument.instrument_id}: expected a positive multiple of the lot {instrument.lot_size}, "
            f"got {quantity}"
        )
    most = instrument.max_order_qty
    if most is None or quantity <= most:
        return (quantity,)
    full, rest = divmod(quantity, most)
    return (most,) * int(full) + ((rest,) if rest else ())


def resting_time_in_force(instrument: Instrument) -> TimeInForce:
    """Return how long an order that may wait works: the day in India, until canceled elsewhere."""
    return TimeInForce.DAY if instrument.kind is InstrumentKind.OPTION else TimeInForce.GTC


def intents_for(
    signal: Signal, deployment: Deployment, *, market: MarketView, valid_until: datetime
) -> Sequence[OrderIntent]:
    """Return the entry orders that an ENTER signal wishes, hedge legs first.

    Without a tick the price comes from the signal's reference price; the gate then refuses the order
    as stale, and the refusal still shows what was wished.

    Raises:
        InvalidInputError: the signal is an EXIT, or a leg has no lots or names an index.
        NotFoundError: a leg names an unknown instrument.
    """
    if signal.kind is not SignalKind.ENTER:
        raise InvalidInputError(f"signal {signal.key}: expected ENTER, got {signal.kind}")
    order = sorted(enumerate(signal.legs), key=lambda item: not item[1].is_hedge)
    return [
        _entry(
            signal, deployment, market=market, at=(index, part), quantity=quantity, valid_until=valid_until
        )
        for index, leg in order
        for part, quantity in enumerate(_quantities(leg, market.instrument(leg.instrument_id)))
    ]


def _quantities(leg: SignalLeg, instrument: Instrument) -> tuple[Decimal, ...]:
    if leg.lots <= 0:
        raise InvalidInputError(f"{leg.instrument_id}: expected at least one lot, got {leg.lots}")
    return sliced(leg.lots * instrument.lot_size, instrument)


def _entry(
    signal: Signal,
    deployment: Deployment,
    *,
    market: MarketView,
    at: tuple[int, int],
    quantity: Decimal,
    valid_until: datetime,
) -> OrderIntent:
    index, part = at
    leg = signal.legs[index]
    instrument = market.instrument(leg.instrument_id)
    is_at_market = instrument.kind is InstrumentKind.FOREX  # a limit beyond the price is refused there
    return OrderIntent(
        client_order_id=client_order_id(
            deployment.deployment_id, signal.key, leg=index, attempt=0, part=part
        ),
        account_id=deployment.account_id,
        deployment_id=deployment.deployment_id,
        signal_key=signal.key,
        leg=index,
        part=part,
        instrument_id=leg.instrument_id,
        side=leg.side,
        role=OrderRole.ENTRY,
        order_type=OrderType.MARKET if is_at_market else OrderType.LIMIT,
        time_in_force=resting_time_in_force(instrument),
        quantity=quantity,
        price=None if is_at_market else _entry_price(leg, market, valid_until),
        trigger_price=None,
        valid_until=valid_until,
        protection=leg.protection,
        is_hedge=leg.is_hedge,
    )


def _entry_price(leg: SignalLeg, market: MarketView, at: datetime) -> Decimal:
    tick = market.tick(leg.instrument_id) or _tick_from_reference(leg, at)
    return marketable_limit(leg.side, tick, instrument=market.instrument(leg.instrument_id))


def _tick_from_reference(leg: SignalLeg, at: datetime) -> Tick:
    return Tick(
        instrument_id=leg.instrument_id,
        last=leg.reference_price,
        bid=None,
        ask=None,
        ts_event=at,
        ts_init=at,
        sequence=0,
    )
