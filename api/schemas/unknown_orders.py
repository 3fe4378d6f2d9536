"""Describe orders whose outcome is unknown, the evidence about them, and what a person says of one."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.schemas.base import Asked, DecimalStr, Shown
from api.schemas.trading import OrderEvent, OrderFacts
from app.domain.accounts import BrokerCode
from app.domain.markets import Currency
from app.domain.unknown_orders import REASON_LENGTH, EvidenceSource, Fate


class EvidenceEntry(Shown):
    """Show what a source answered; `looks` equal answers from `first_wall` to `last_wall` (machine time)."""

    id: int
    source: EvidenceSource
    is_clean: bool
    is_proof: bool
    """Whether absence counted: the read was clean and after the deadline."""
    seen: str
    broker_order_ids: list[str]
    looks: int
    ts_init: datetime
    first_wall: datetime
    last_wall: datetime


class UnknownOrder(OrderFacts):
    """Show one order with unknown outcome; `at_stake` is its value at its own price, in `currency`."""

    broker: BrokerCode
    submitted_wall: datetime | None
    age_s: int | None
    at_stake: DecimalStr | None
    currency: Currency
    clean_misses: int
    misses_needed: int
    provable_from: datetime | None
    """The deadline for late orders (machine time): before it, absence proves nothing."""
    provable_in_s: int | None
    looked_at: datetime | None
    missed_at: datetime | None
    """The last clean read after the deadline that did not show the order."""
    lookalikes: list[str]
    """Broker orders of unknown origin that may be this one."""
    next_step: str


class UnknownOrderWithEvidence(Shown):
    """Show an order, everything that happened to it, and every look for it, oldest first."""

    order: UnknownOrder
    events: list[OrderEvent]
    evidence: list[EvidenceEntry]


class SettleUnknown(Asked):
    """Say what became of an order: PLACED as `broker_order_id`, or NOT_PLACED.

    `is_confirmed` says for the second time that you have asked the broker; it overrules the evidence.
    """

    fate: Fate
    broker_order_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    reason: Annotated[str, Field(min_length=REASON_LENGTH, max_length=500)]
    is_confirmed: bool = False
