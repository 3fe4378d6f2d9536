"""Say what money an entry needs, and what of an account's funds is left for it.

The need is a simple model on the safe side, because no venue of ours tells the margin of an order without a
call of its own, and a decision makes no calls: no position offsets another, no premium is credited, and an
entry counts in full as long as it lives, whether or not the broker has set money aside for it already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from app.domain.errors import InvalidInputError
from app.domain.instruments import InstrumentKind
from app.domain.markets import Money
from app.domain.numbers import ZERO, parse_exact
from app.domain.orders import Side

MARGIN_NAMES: Final = ("option_margin", "leverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTerms:
    """Say what an account's broker blocks, as a person knows it.

    Attributes:
        option_margin: fraction of strike plus premium that a sold option binds; above 0, at most 1. The
            default is more than exchanges ask for index options (12 to 15 % of the notional).
        leverage: notional of a perpetual or a forex position for each unit of money that it binds; from 1,
            which assumes none.
    """

    option_margin: Decimal = Decimal("0.20")
    leverage: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if not (self.option_margin.is_finite() and 0 < self.option_margin <= 1):
            raise InvalidInputError(
                f"option_margin: expected a fraction above 0 and up to 1, got {self.option_margin}"
            )
        if not (self.leverage.is_finite() and self.leverage >= 1):
            raise InvalidInputError(f"leverage: expected 1 or more, got {self.leverage}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "MarginTerms":
        """Read the terms out of an account's settings; other settings are left alone.

        Raises:
            InvalidInputError: a value that is not exact (text or whole number) or out of range.
        """
        names = [name for name in MARGIN_NAMES if values.get(name) is not None]
        return cls(**{name: parse_exact(name, values[name]) for name in names})

    def need(
        self,
        kind: InstrumentKind,
        side: Side,
        *,
        quantity: Decimal,
        price: Decimal,
        strike: Decimal | None = None,
    ) -> Decimal:
        """Return the money that an entry binds, in the currency that its instrument is quoted in.

        Args: quantity: in units. price: of one unit. strike: of an option.
        """
        if kind is InstrumentKind.OPTION and side is Side.SELL:
            return quantity * ((strike or ZERO) + price) * self.option_margin
        if kind in {InstrumentKind.PERPETUAL, InstrumentKind.FOREX}:
            return quantity * price / self.leverage
        return quantity * price


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """Show an account's money as its broker told it, and what of it is spoken for.

    `age` is how long ago the broker was asked, in real time. `committed` is what entries need that the
    figure may not show; None where that cannot be told.
    """

    available: Money
    age: timedelta
    terms: MarginTerms = MarginTerms()
    committed: Decimal | None = ZERO

    @property
    def left(self) -> Decimal | None:
        """What no entry needs, None where that cannot be told."""
        return None if self.committed is None else self.available.amount - self.committed

    def after(self, need: Decimal | None) -> "Funds":
        """Return the funds once an entry with this need was approved."""
        if need is None or self.committed is None:
            return replace(self, committed=None)
        return replace(self, committed=self.committed + need)
