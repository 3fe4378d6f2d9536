"""Define orders: the wish that was approved, its life, and the one table of allowed transitions."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.domain.errors import InvalidInputError, InvariantError
from app.domain.exit_terms import ExitTerms
from app.domain.ids import AccountId, ClientOrderId, DeploymentId, InstrumentId, SignalKey


class Side(StrEnum):
    """Buy or sell."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that closes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """Name the order types that the platform knows."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_MARKET = "STOP_MARKET"
    STOP_LIMIT = "STOP_LIMIT"


class TimeInForce(StrEnum):
    """Say how long an order works."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderRole(StrEnum):
    """Say why an order exists: ENTRY opens exposure, the others only close it and never queue behind it."""

    ENTRY = "ENTRY"
    STOP = "STOP"
    EXIT = "EXIT"

    @property
    def is_exit(self) -> bool:
        """Whether the order can only reduce exposure."""
        return self is not OrderRole.ENTRY


class OrderStatus(StrEnum):
    """Name the states of an order, see conventions.md for the FIX equivalents."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    TRIGGERED = "TRIGGERED"
    PENDING_UPDATE = "PENDING_UPDATE"
    PENDING_CANCEL = "PENDING_CANCEL"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        """Whether the order has ended (a late fill may still correct CANCELED, EXPIRED or REJECTED)."""
        return self in TERMINAL

    @property
    def is_working(self) -> bool:
        """Whether the order may be live at the venue."""
        return not self.is_terminal and self is not OrderStatus.INITIALIZED


TERMINAL = frozenset(
    {
        OrderStatus.DENIED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.EXPIRED,
    }
)


class OrderEventKind(StrEnum):
    """Name what can happen to an order."""

    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    NOT_SENT = "NOT_SENT"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    TRIGGERED = "TRIGGERED"
    UPDATE_REQUESTED = "UPDATE_REQUESTED"
    UPDATED = "UPDATED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FILLED = "FILLED"


Transitions = dict[tuple[OrderStatus, OrderEventKind], OrderStatus]

_S, _K = OrderStatus, OrderEventKind
_WORKING = (
    _S.SUBMITTED,
    _S.ACCEPTED,
    _S.TRIGGERED,
    _S.PARTIALLY_FILLED,
    _S.PENDING_UPDATE,
    _S.PENDING_CANCEL,
)
_ENDED_AT_VENUE = (_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED)


def _same(states: tuple[OrderStatus, ...], *kinds: OrderEventKind) -> Transitions:
    return {(state, kind): state for state in states for kind in kinds}


def _to(after: OrderStatus, kind: OrderEventKind, *states: OrderStatus) -> Transitions:
    return {(state, kind): after for state in states}


# A fill is not in the table: it is decided by quantity, see `next_status`.
# Later lines win over earlier ones; the `_same` lines say that news which comes late or twice must
# not undo what is known.
TRANSITIONS: Transitions = {
    **_same((*_WORKING, *_ENDED_AT_VENUE), _K.ACCEPTED, _K.OUTCOME_UNKNOWN),
    **_same(_WORKING[1:], _K.TRIGGERED, _K.UPDATED),
    **_same(_ENDED_AT_VENUE, _K.TRIGGERED, _K.UPDATED, _K.REQUEST_REFUSED),
    **_same((_S.FILLED, _S.CANCELED, _S.EXPIRED), _K.CANCELED, _K.EXPIRED),
    **_same((_S.REJECTED,), _K.REJECTED, _K.NOT_SENT),
    **_to(_S.DENIED, _K.DENIED, _S.INITIALIZED),
    **_to(_S.SUBMITTED, _K.SUBMITTED, _S.INITIALIZED),
    **_to(_S.EXPIRED, _K.EXPIRED, _S.INITIALIZED, *_WORKING),
    **_to(_S.CANCELED, _K.CANCELED, _S.INITIALIZED, *_WORKING),
    **_to(_S.REJECTED, _K.NOT_SENT, _S.SUBMITTED),
    **_to(_S.REJECTED, _K.REJECTED, *_WORKING),
    **_to(_S.ACCEPTED, _K.ACCEPTED, _S.SUBMITTED),
    **_to(_S.TRIGGERED, _K.TRIGGERED, _S.SUBMITTED, _S.ACCEPTED, _S.PENDING_UPDATE),
    **_to(
        _S.PENDING_UPDATE,
        _K.UPDATE_REQUESTED,
        _S.ACCEPTED,
        _S.TRIGGERED,
        _S.PARTIALLY_FILLED,
        _S.PENDING_UPDATE,
    ),
    **_to(_S.ACCEPTED, _K.UPDATED, _S.PENDING_UPDATE),
    **_to(_S.PENDING_CANCEL, _K.CANCEL_REQUESTED, *_WORKING),
    **_to(_S.ACCEPTED, _K.REQUEST_REFUSED, _S.ACCEPTED, _S.PENDING_UPDATE, _S.PENDING_CANCEL),
    **_same((_S.TRIGGERED, _S.PARTIALLY_FILLED), _K.REQUEST_REFUSED),
    # An order that we took for not placed can appear late (I3): it is canceled at the venue while it
    # stays REJECTED here, and then ends as the venue says.
    **_same((_S.REJECTED,), _K.CANCEL_REQUESTED),
    **_to(_S.CANCELED, _K.CANCELED, _S.REJECTED),
    **_to(_S.EXPIRED, _K.EXPIRED, _S.REJECTED),
}

_FILLABLE = (*_WORKING, *_ENDED_AT_VENUE)


class InvalidTransitionError(InvariantError):
    """An order event came that its state does not allow; journal it and alert."""


def next_status(
    status: OrderStatus, kind: OrderEventKind, *, filled: Decimal, quantity: Decimal
) -> OrderStatus:
    """Return the state after an event.

    Args:
        status: the state before.
        kind: what happened.
        filled: quantity filled after the event.
        quantity: quantity of the order.

    Returns:
        The new state; a working order with fills is PARTIALLY_FILLED, never ACCEPTED. A fill of a
        canceled, expired or rejected order is believed: venues do that, and a complete one ends in
        FILLED; a partial one keeps the terminal state.

    Raises:
        InvalidTransitionError: the pair is not in the table; nothing may be assumed.
    """
    if kind is OrderEventKind.FILLED:
        return _status_after_fill(status, filled=filled, quantity=quantity)
    try:
        after = TRANSITIONS[(status, kind)]
    except KeyError as e:
        raise InvalidTransitionError(f"an order in {status} cannot take the event {kind}") from e
    return OrderStatus.PARTIALLY_FILLED if after is OrderStatus.ACCEPTED and filled > 0 else after


def _status_after_fill(status: OrderStatus, *, filled: Decimal, quantity: Decimal) -> OrderStatus:
    if status not in _FILLABLE:
        raise InvalidTransitionError(f"an order in {status} cannot be filled")
    if not 0 < filled <= quantity:
        raise InvalidTransitionError(f"filled: expected above 0 and up to {quantity}, got {filled}")
    if filled == quantity:
        return OrderStatus.FILLED
    if status.is_terminal or status in (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_UPDATE):
        return status
    return OrderStatus.PARTIALLY_FILLED


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionTerms:
    """Say how an entry is protected once it fills: a stop at `stop_fraction` from the average fill price.

    0.25 means 25 %: a short sold at 100 is bought back from 125. `exits` are the rules by which the position
    is left otherwise, or the stop moved.
    """

    stop_fraction: Decimal
    exits: ExitTerms | None = None

    def __post_init__(self) -> None:
        if not 0 < self.stop_fraction < 10:
            raise InvalidInputError(f"stop_fraction: expected between 0 and 10, got {self.stop_fraction}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """Hold what is wished, exactly as it will be sent.

    `price` is the limit (LIMIT, STOP_LIMIT), `trigger_price` the stop condition. `valid_until` bounds
    sending (I12); exits carry None and never expire. `protection` and `is_hedge` belong to
    entries. `attempt` and `part` are those of `client_order_id`.
    """

    client_order_id: ClientOrderId
    account_id: AccountId
    deployment_id: DeploymentId
    signal_key: SignalKey
    leg: int
    instrument_id: InstrumentId
    side: Side
    role: OrderRole
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    valid_until: datetime | None
    protection: ProtectionTerms | None = None
    is_hedge: bool = False
    attempt: int = 0
    part: int = 0

    def __post_init__(self) -> None:
        if not self.quantity.is_finite() or self.quantity <= 0:
            raise InvalidInputError(f"quantity: expected a positive number, got {self.quantity}")
        for name, value in (("price", self.price), ("trigger_price", self.trigger_price)):
            if value is not None and (not value.is_finite() or value <= 0):
                raise InvalidInputError(f"{name}: expected a positive number, got {value}")
        needs_price = self.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        needs_trigger = self.order_type in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
        if needs_price != (self.price is not None) or needs_trigger != (self.trigger_price is not None):
            raise InvalidInputError(
                f"{self.order_type}: expected price {needs_price} and trigger {needs_trigger}, "
                f"got price {self.price} and trigger {self.trigger_price}"
            )
