"""Hold the one number that loss limits judge: profit and loss after everything that it cost.

    net = realized + unrealized - charges

over the legs of a trading date, all in one currency. The gate (`DAILY_LOSS`) and the watch on losses both
judge `NetPnl.net`, summed by the same function (`app.services.pnl.net_of`).
"""

from dataclasses import dataclass
from decimal import Decimal

from app.domain.numbers import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class NetPnl:
    """Sum up profit and loss in one currency, with what is known of its charges.

    `charges` are those of the executed orders and of holding (funding, swap, tax on an exercise); what was
    earned by holding counts as negative. `estimated` of the charged orders and bookings were reckoned from
    rates and not told by the broker; `uncharged` orders have no rates, so their charges are missing.
    """

    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    charges: Decimal = ZERO
    estimated: int = 0
    uncharged: int = 0

    @property
    def net(self) -> Decimal:
        """What is left after charges."""
        return self.realized + self.unrealized - self.charges

    @property
    def is_estimated(self) -> bool:
        """Whether some of the charges are reckoned or missing, not told by the broker."""
        return self.estimated + self.uncharged > 0

    @property
    def formula(self) -> str:
        """The sum in numbers, and how the charges are known where the broker did not tell them."""
        known = ["estimated"] if self.estimated else []
        known += [f"without those of {self.uncharged} orders"] if self.uncharged else []
        how = f" ({', '.join(known)})" if known else ""
        return f"realized {self.realized:f} + unrealized {self.unrealized:f} - charges {self.charges:f}{how}"
