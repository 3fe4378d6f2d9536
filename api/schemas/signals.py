"""Describe signals that are handed in, and what they came to."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from api.schemas.base import Asked, DecimalStr, Shown
from app.domain.external import Amount, Door, ExternalWish, Leave, Target, Trade, Unit
from app.domain.ids import InstrumentId
from app.domain.orders import OrderStatus, Side
from app.domain.signals import LEG_TIMEOUT_S, WhenUnfilled
from app.domain.targets import MoveKind
from app.services.external_signals import Answer

_SIZES = {"lots": Unit.LOTS, "quantity": Unit.UNITS, "target_lots": Unit.LOTS, "target_quantity": Unit.UNITS}


class NewSignal(Asked):
    """Hand in one wish, with exactly one of the four sizes, or `leaves` for the way out.

    `target_*` is the position that shall be held, signed, 0 for flat; `lots` or `quantity` (units) with a
    `side` trades so much more. `key` makes it idempotent. `deployment_id` may be left out with an API key.
    """

    deployment_id: int | None = None
    key: Annotated[str, Field(min_length=1, max_length=120)]
    instrument_id: Annotated[str, Field(max_length=64)] | None = None
    side: Side | None = None
    lots: int | None = None
    quantity: Decimal | None = None
    target_lots: int | None = None
    target_quantity: Decimal | None = None
    leaves: bool = False
    stop_fraction: Decimal | None = None
    valid_for_s: Decimal = Decimal(10)
    leg_timeout_s: Annotated[Decimal, Field(gt=0, le=300)] = LEG_TIMEOUT_S
    when_unfilled: WhenUnfilled = WhenUnfilled.CANCEL
    reason: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def check_size(self) -> Self:
        """Refuse what says two things at once, or nothing."""
        sizes = self._sizes()
        if len(sizes) + self.leaves != 1:
            raise ValueError(f"expected exactly one of {', '.join(_SIZES)} and leaves, got {sizes or 'none'}")
        if (self.side is not None) != any(name in ("lots", "quantity") for name in sizes):
            raise ValueError("expected a side with lots or quantity, and none with a target or leaves")
        return self

    def wish(self) -> ExternalWish:
        """Return the wish. Raises InvalidInputError for what is out of bounds."""
        return ExternalWish(
            key=self.key,
            instrument_id=None if self.instrument_id is None else InstrumentId(self.instrument_id),
            ask=self._ask(),
            reason=self.reason,
            stop_fraction=self.stop_fraction,
            valid_for_s=self.valid_for_s,
            leg_timeout_s=self.leg_timeout_s,
            when_unfilled=self.when_unfilled,
        )

    def _ask(self) -> Target | Trade | Leave:
        if self.leaves:
            return Leave()
        ((name, value),) = self._sizes().items()
        amount = Amount(value=Decimal(value), unit=_SIZES[name])
        return Target(amount=amount) if self.side is None else Trade(side=self.side, amount=amount)

    def _sizes(self) -> dict[str, Decimal | int]:
        sizes = {name: getattr(self, name) for name in _SIZES}
        return {name: value for name, value in sizes.items() if value is not None}


class SignalOrder(Shown):
    """Show one entry that a signal became."""

    id: int
    client_order_id: str
    instrument_id: str
    side: Side
    quantity: DecimalStr
    price: DecimalStr | None
    filled_qty: DecimalStr
    avg_px: DecimalStr | None
    status: OrderStatus
    denial_code: str | None


class Signal(Shown):
    """Show what was handed in and what it came to.

    `outcome`: ENTER, EXIT, NOTHING (it is held already) or REFUSED. `code` says why it came to nothing or to
    less: a denial code of the gate, or LEAVING, REDUCTION, REVERSAL, UNSETTLED, BROKEN_LOT. `is_repeat`: it
    had been handed in before and nothing was done now.
    """

    id: int
    deployment_id: int
    key: str
    door: Door
    outcome: MoveKind
    code: str | None
    message: str
    remedy: str
    instrument_id: str | None
    side: Side | None
    quantity: DecimalStr | None
    is_repeat: bool
    ts_init: datetime
    orders: list[SignalOrder]


def show_signal(answer: Answer) -> Signal:
    """Return an answer as it is shown."""
    signal = answer.signal
    return Signal(
        id=signal.id,
        deployment_id=signal.deployment_id,
        key=signal.key,
        door=signal.door,
        outcome=signal.outcome,
        code=answer.code,
        message=answer.message,
        remedy=answer.remedy,
        instrument_id=signal.instrument_id,
        side=signal.side,
        quantity=signal.quantity,
        is_repeat=answer.is_repeat,
        ts_init=signal.ts_init,
        orders=[SignalOrder.model_validate(order) for order in answer.orders],
    )
