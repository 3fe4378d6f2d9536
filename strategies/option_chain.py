"""Pick option contracts from the day's contract master; steps and expiries are read, never assumed."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, OptionRight, OptionTerms
from app.domain.numbers import Rounding, round_to_step
from app.domain.strategy import MarketView

_NEAR = 5
"""Strikes on each side of the spot that decide the step: far strikes are listed sparser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTheMoney:
    """Hold the call and the put at the strike next to the spot."""

    strike: Decimal
    call: Instrument
    put: Instrument


def at_the_money(
    market: MarketView, underlying: InstrumentId, *, spot: Decimal, day: date, avoid_expiry: bool
) -> AtTheMoney | None:
    """Return both contracts at round_half_up(spot / step) * step of the nearest expiry.

    Args:
        market: where the day's contracts are listed.
        underlying: the index.
        spot: the index level.
        day: the trading date.
        avoid_expiry: take the next expiry when the nearest one is today.

    Returns:
        None when the master lists no such pair: better no trade than another strike.

    Source: reference markets.md 6, conventions and S1.
    """
    chain = _nearest_expiry(market.options(underlying), day, avoid_expiry=avoid_expiry)
    step = strike_step(sorted({terms.strike for terms, _ in chain}), spot)
    if step is None:
        return None
    strike = round_to_step(spot, step, Rounding.NEAREST)
    pair = {terms.right: contract for terms, contract in chain if terms.strike == strike}
    if len(pair) != len(OptionRight):
        return None
    return AtTheMoney(strike=strike, call=pair[OptionRight.CALL], put=pair[OptionRight.PUT])


def wing(market: MarketView, near: Instrument, *, points: int) -> Instrument | None:
    """Return the contract so many points further out of the money than `near`; None when there is none."""
    if near.option is None:
        return None
    outwards = points if near.option.right is OptionRight.CALL else -points
    wanted = replace(near.option, strike=near.option.strike + outwards)
    return next((o for o in market.options(near.option.underlying) if o.option == wanted), None)


def strike_step(strikes: Sequence[Decimal], spot: Decimal) -> Decimal | None:
    """Return the smallest distance of listed strikes near the spot, or None with fewer than two.

    Args:
        strikes: distinct, ascending.
        spot: the index level.
    """
    near = sorted(sorted(strikes, key=lambda strike: abs(strike - spot))[: 2 * _NEAR])
    return min((b - a for a, b in itertools.pairwise(near)), default=None)


def _nearest_expiry(
    options: Sequence[Instrument], day: date, *, avoid_expiry: bool
) -> list[tuple[OptionTerms, Instrument]]:
    listed = [(option.option, option) for option in options if option.option is not None]
    alive = [
        terms.expiry
        for terms, _ in listed
        if terms.expiry > day or (terms.expiry == day and not avoid_expiry)
    ]
    if not alive:
        return []
    nearest = min(alive)
    return [(terms, option) for terms, option in listed if terms.expiry == nearest]
