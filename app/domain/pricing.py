"""Price orders: limits that trade at once inside the protection bands, and the terms of stops.

Indian venues take no true market orders from programs any more, so "at market" means a limit at the
last price plus or minus a band (MPP), inside the limit price protection (LPP), which rejects what is
too far away. Source: reference of market rules 1.4 and 1.6 (Kotak MPP grid; NSE and BSE LPP for index
options: 40 % of the reference above 50 rupees, else 20 rupees), as of 2026-08. Binance takes market
orders, but a limit bounds what a thin book may cost; its own price filter lies at 5 % for perpetuals.
"""

from decimal import Decimal
from typing import Final

from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market_data import Tick
from app.domain.numbers import Rounding, round_to_step
from app.domain.orders import Side

_BAND_BELOW_ONE: Final = Decimal("0.10")
# Prices below the first number get the second as their band, a fraction of the price.
_BAND_FRACTIONS: Final = (
    (Decimal(5), Decimal("0.10")),
    (Decimal(10), Decimal("0.05")),
    (Decimal(100), Decimal("0.03")),
    (Decimal(500), Decimal("0.02")),
)
_BAND_FRACTION_ABOVE: Final = Decimal("0.01")
_COIN_BAND: Final = Decimal("0.002")
_COIN_PROTECTION: Final = Decimal("0.04")
_COINS: Final = (InstrumentKind.SPOT, InstrumentKind.PERPETUAL)
_PROTECTION_FRACTION: Final = Decimal("0.40")
_PROTECTION_RUPEES: Final = Decimal(20)
_PROTECTION_FRACTION_ABOVE: Final = Decimal(50)


def protection_band(price: Decimal, kind: InstrumentKind = InstrumentKind.OPTION) -> Decimal:
    """Return how far from `price` a protected order may reach, in its currency (options: MPP grid)."""
    if kind in _COINS:
        return price * _COIN_BAND
    if price < 1:
        return _BAND_BELOW_ONE
    for below, fraction in _BAND_FRACTIONS:
        if price < below:
            return price * fraction
    return price * _BAND_FRACTION_ABOVE


def marketable_limit(side: Side, tick: Tick, *, instrument: Instrument, step: int = 0) -> Decimal:
    """Return a limit price that trades at once, so that an exit or entry does not rest.

    Args:
        side: side of the order.
        tick: the latest tick; the worse of the last price and the opposite quote is the base.
        instrument: what is traded; gives the tick size and the bands.
        step: 0 for the first try; every chase step adds one band.

    Returns:
        A positive multiple of the tick size, inside the LPP around the last price, rounded so that
        we never pay more or sell lower than the band says.

    Raises:
        InvalidInputError: the last price is not positive, `step` is negative, or it is an index.
    """
    if instrument.kind is InstrumentKind.INDEX:
        raise InvalidInputError(f"{instrument.instrument_id}: expected something to trade, got an index")
    if tick.last <= 0 or step < 0:
        raise InvalidInputError(
            f"{instrument.instrument_id}: expected a positive last price and a step from 0, "
            f"got {tick.last} and {step}"
        )
    reach = protection_band(tick.last, instrument.kind) * (step + 1)
    furthest = protected_distance(tick.last, instrument.kind)
    if side is Side.BUY:
        limit = min(_base(side, tick) + reach, tick.last + furthest)
    else:
        limit = max(_base(side, tick) - reach, tick.last - furthest)
    return _on_grid(side, limit, instrument)


def chased_limit(
    side: Side, limit: Decimal, tick: Tick, *, instrument: Instrument, is_bounded: bool = True
) -> Decimal | None:
    """Return the limit at which an entry that rests follows the market, or None where that brings nothing.

    Bounded, it moves at most one protection band away from its present limit, so that the number of steps
    bounds how much worse than approved an entry can get.
    """
    wanted = marketable_limit(side, tick, instrument=instrument)
    if is_bounded:
        reach = protection_band(limit, instrument.kind)
        wanted = min(wanted, limit + reach) if side is Side.BUY else max(wanted, limit - reach)
    chased = _on_grid(side, wanted, instrument)
    return chased if (chased - limit) * side.sign > 0 else None


def stop_terms(
    avg_px: Decimal, side_of_exit: Side, *, stop_fraction: Decimal, instrument: Instrument
) -> tuple[Decimal, Decimal]:
    """Return (trigger, limit) of the resting stop that protects a leg filled at `avg_px`.

    The trigger moves onto the grid towards the earlier exit, but stays at least one tick away from
    the fill, where it would go off at once. The limit lies the wider of the MPP band and two ticks
    beyond, so that the stop trades when it triggers.

    Raises:
        InvalidInputError: `avg_px` or `stop_fraction` is not positive.
    """
    if avg_px <= 0 or stop_fraction <= 0:
        raise InvalidInputError(
            f"{instrument.instrument_id}: expected a positive average price and stop fraction, "
            f"got {avg_px} and {stop_fraction}"
        )
    size = instrument.tick_size
    wanted = avg_px * (1 + side_of_exit.sign * stop_fraction)
    if side_of_exit is Side.BUY:
        nearest = round_to_step(avg_px, size, Rounding.DOWN) + size
        trigger = max(round_to_step(wanted, size, Rounding.DOWN), nearest)
    else:
        nearest = round_to_step(avg_px, size, Rounding.UP) - size
        trigger = max(min(round_to_step(wanted, size, Rounding.UP), nearest), size)
    distance = max(protection_band(trigger, instrument.kind), 2 * size)
    return trigger, _on_grid(side_of_exit, trigger + side_of_exit.sign * distance, instrument)


def _base(side: Side, tick: Tick) -> Decimal:
    quote = tick.ask if side is Side.BUY else tick.bid
    if quote is None or quote <= 0:  # an empty side of the book is sent as zero
        return tick.last
    return max(tick.last, quote) if side is Side.BUY else min(tick.last, quote)


def protected_distance(last: Decimal, kind: InstrumentKind = InstrumentKind.OPTION) -> Decimal:
    """Return how far from the last price the venue takes a limit at all (options: LPP, rupees)."""
    if kind in _COINS:
        return last * _COIN_PROTECTION
    if last > _PROTECTION_FRACTION_ABOVE:
        return last * _PROTECTION_FRACTION
    return _PROTECTION_RUPEES


def _on_grid(side: Side, limit: Decimal, instrument: Instrument) -> Decimal:
    rounding = Rounding.DOWN if side is Side.BUY else Rounding.UP
    return max(round_to_step(limit, instrument.tick_size, rounding), instrument.tick_size)
