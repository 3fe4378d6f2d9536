"""Turn the price of a stop into the fraction of the average fill that protection is asked for with."""

from decimal import Decimal

from app.domain.numbers import Rounding, round_to_step
from app.domain.orders import Side
from app.domain.strategy import LegView

_STEP = Decimal("0.000001")
"""A millionth of the price: a tenth of a dollar of a bitcoin, a hundredth of a pip of a euro."""


def stop_fraction(
    side: Side, *, price: Decimal, stop: Decimal, quantity: Decimal, leg: LegView | None
) -> Decimal | None:
    """Return the fraction that puts the stop of an entry at a price.

    The platform measures it from the average of all the day's entry fills of the instrument, so an earlier
    trade of the day is reckoned in.

    Args:
        side: side of the entry.
        price: where it is expected to fill.
        stop: where its stop shall be, below the price of a purchase, above that of a sale.
        quantity: units of the entry.
        leg: the instrument's leg of today, if it was traded.

    Returns:
        A multiple of a millionth, rounded towards the earlier exit, above 0 and below 1; None where no such
        fraction puts the stop there: without its stop the trade must not be made.
    """
    filled, average = (Decimal(0), price) if leg is None else (leg.entry_qty, leg.entry_px)
    expected = (filled * average + quantity * price) / (filled + quantity)
    fraction = round_to_step(side.sign * (expected - stop) / expected, _STEP, Rounding.DOWN)
    return fraction if 0 < fraction < 1 else None
