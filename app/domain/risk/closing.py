"""Decide in which order the legs of one deployment leave: what was sold first, what covers it last.

A bought option that leaves before the sold one it covers leaves a naked short behind: the margin jumps, and
the broker may refuse the very exits that follow. Source: exchanges give the spread its lower margin only
while both legs are held (reference of market rules 4, SPAN offsets).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument

HEDGE_WAITS_S = 5.0
"""How long a hedge waits at most, real time: nothing waits for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingLeg:
    """Show a leg of a deployment that shall be flat.

    `held_qty` is what the broker's book holds of it, signed; `instrument` is None where the day's master does
    not list it, so that no order can close it; `is_being_sold` says that an entry which sells may yet fill.
    """

    instrument: Instrument | None
    held_qty: Decimal
    is_being_sold: bool = False

    @property
    def sold_underlying(self) -> InstrumentId | None:
        """What the leg must be covered against while it can still be closed, None for other legs."""
        is_short = self.held_qty < 0 or self.is_being_sold
        return _underlying(self.instrument) if is_short else None


def hedge_waits(leg: LeavingLeg, others: Iterable[LeavingLeg], *, waited_s: float) -> bool:
    """Return whether a leg keeps its place because an option sold on the same underlying still leaves.

    Args:
        leg: the leg that would leave now.
        others: the legs of the same deployment that shall be flat; `leg` itself among them does no harm.
        waited_s: real seconds since it was first held back.
    """
    covers = _underlying(leg.instrument)
    if leg.held_qty <= 0 or covers is None or waited_s >= HEDGE_WAITS_S:
        return False
    return any(other.sold_underlying == covers for other in others)


def _underlying(instrument: Instrument | None) -> InstrumentId | None:
    return None if instrument is None or instrument.option is None else instrument.option.underlying
