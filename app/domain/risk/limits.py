"""Hold the limits of a deployment and read them from its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.numbers import exact

_WHOLE_NUMBERS = frozenset({"max_lots", "max_entries_per_second", "max_open_positions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Bound what entries may do; exits are never bound. Every limit is positive, none can be switched off.

    Attributes:
        max_lots: lots of one leg, all its slices together.
        max_order_notional: quantity times price of one order (option premium), rupees.
        max_account_notional: the same over the account's positions, live entries and this order.
        price_band_fraction: how far a price may lie from the last one, as a fraction of it.
        price_band_floor: the band is never narrower than this, rupees; cheap options need it.
        max_entries_per_second: entry orders of the account in one second (venue: 10 for everything).
        max_tick_age_s: real seconds that the last price may be old.
        max_daily_loss: realized plus unrealized loss of the account at which entries stop, rupees.
        max_open_positions: instruments that the account may hold or be entering at a time.
    """

    max_lots: Decimal = Decimal(50)
    max_order_notional: Decimal = Decimal(1_000_000)
    max_account_notional: Decimal = Decimal(5_000_000)
    price_band_fraction: Decimal = Decimal("0.20")
    price_band_floor: Decimal = Decimal(1)
    max_entries_per_second: Decimal = Decimal(8)
    max_tick_age_s: Decimal = Decimal(5)
    max_daily_loss: Decimal = Decimal(25_000)
    max_open_positions: Decimal = Decimal(10)

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Decimal = getattr(self, field.name)
            if not value.is_finite() or value <= 0:
                raise InvalidInputError(f"{field.name}: expected a positive number, got {value}")
            if field.name in _WHOLE_NUMBERS and value != value.to_integral_value():
                raise InvalidInputError(f"{field.name}: expected a whole number, got {value}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "RiskLimits":
        """Read limits by name from a deployment's settings; what is not named keeps its default.

        Raises:
            InvalidInputError: an unknown name, or a value that is not exact (text or whole number).
        """
        known = sorted(field.name for field in fields(cls))
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InvalidInputError(
                f"limits: expected names out of {', '.join(known)}, got {', '.join(unknown)}"
            )
        return cls(**{name: exact(name, value) for name, value in values.items()})
