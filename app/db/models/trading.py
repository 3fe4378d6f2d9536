"""Hold what was wished, sent and done. An order row is the durable intent and its own outbox."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Stamped, one_of
from app.domain.baskets import BasketResult
from app.domain.charges import Charge
from app.domain.external import Door
from app.domain.orders import TERMINAL, OrderEventKind, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from app.domain.signals import SignalKind, WhenUnfilled
from app.domain.targets import MoveKind
from app.domain.unknown_orders import EvidenceSource

OPEN_BASKET = f"kind = '{SignalKind.ENTER}' AND (result IS NULL OR result = '{BasketResult.UNWINDING}')"
"""The condition on signals that the entries of a signal have not come to their common end."""
_OPEN = "status NOT IN (" + ", ".join(f"'{s.value}'" for s in sorted(TERMINAL)) + ")"


class SignalRow(Base):
    """Record a strategy's wish once per deployment and key; `ts_event` is the exchange's time.

    `result` says how the legs of an ENTER ended together, None while that is open.
    """

    __tablename__ = "signals"
    __table_args__ = (
        UniqueConstraint("deployment_id", "key"),
        one_of("when_unfilled", WhenUnfilled),
        one_of("result", BasketResult),
        Index("ix_signals_open", "id", postgresql_where=text(OPEN_BASKET)),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    day: Mapped[date] = mapped_column(index=True)
    key: Mapped[str]
    kind: Mapped[str]
    reason: Mapped[str]
    payload: Mapped[dict[str, Any]]
    ts_event: Mapped[datetime]
    ts_init: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    is_expired: Mapped[bool] = mapped_column(server_default="false")
    leg_timeout_s: Mapped[Decimal] = mapped_column(server_default="10")
    when_unfilled: Mapped[str] = mapped_column(server_default=WhenUnfilled.CANCEL)
    result: Mapped[str | None]
    recorded_wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ExternalSignalRow(Base):
    """Record what somebody handed in and what it came to, once per deployment and key; append-only.

    `wish` is what makes two wishes the same. `signal_id` names the signal that it became, if any; `code` says
    why it came to nothing, or to less than was asked. The gate's own denials stand on the signal's orders.
    """

    __tablename__ = "external_signals"
    __table_args__ = (
        UniqueConstraint("deployment_id", "key"),
        one_of("door", Door),
        one_of("outcome", MoveKind),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    day: Mapped[date] = mapped_column(index=True)
    key: Mapped[str]
    door: Mapped[str]
    actor: Mapped[str]
    wish: Mapped[dict[str, Any]]
    outcome: Mapped[str]
    code: Mapped[str | None]
    message: Mapped[str]
    instrument_id: Mapped[str | None]
    side: Mapped[str | None]
    quantity: Mapped[Decimal | None]
    signal_id: Mapped[int | None] = mapped_column(ForeignKey("signals.id"), index=True)
    ts_init: Mapped[datetime]
    wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OrderRow(Stamped, Base):
    """Hold one order from the approved wish to its end.

    INITIALIZED rows are the outbox: a lane claims one by moving it to SUBMITTED, and only who
    moved it may send it (I1, I2). `is_unknown` marks a SUBMITTED order whose outcome is not proven
    (I3). `_wall` columns are the machine's time, for measurements.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "broker_order_id"),
        UniqueConstraint("signal_id", "leg", "attempt", "part"),
        one_of("side", Side),
        one_of("role", OrderRole),
        one_of("order_type", OrderType),
        one_of("time_in_force", TimeInForce),
        one_of("status", OrderStatus),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("filled_qty >= 0 AND filled_qty <= quantity", name="filled_within_quantity"),
        # I6: the database refuses a second live exit of one leg.
        Index(
            "uq_orders_one_live_exit",
            "deployment_id",
            "instrument_id",
            "part",
            unique=True,
            postgresql_where=text(f"role <> '{OrderRole.ENTRY}' AND {_OPEN}"),
        ),
        Index("ix_orders_open", "account_id", "role", postgresql_where=text(_OPEN)),
        Index("ix_orders_unknown", "account_id", postgresql_where=text("is_unknown")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    client_order_id: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    signal_id: Mapped[int | None] = mapped_column(ForeignKey("signals.id"))
    day: Mapped[date] = mapped_column(index=True)
    leg: Mapped[int]
    attempt: Mapped[int]
    part: Mapped[int]
    instrument_id: Mapped[str]
    side: Mapped[str]
    role: Mapped[str]
    order_type: Mapped[str]
    time_in_force: Mapped[str]
    quantity: Mapped[Decimal]
    price: Mapped[Decimal | None]
    trigger_price: Mapped[Decimal | None]
    stop_fraction: Mapped[Decimal | None]
    exit_terms: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    valid_until: Mapped[datetime | None]
    is_hedge: Mapped[bool] = mapped_column(server_default="false")
    reason: Mapped[str]

    status: Mapped[str]
    denial_code: Mapped[str | None]
    reject_reason: Mapped[str] = mapped_column(server_default="")
    broker_order_id: Mapped[str | None]
    filled_qty: Mapped[Decimal] = mapped_column(server_default="0")
    avg_px: Mapped[Decimal | None]
    venue_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    is_unknown: Mapped[bool] = mapped_column(server_default="false")
    was_unknown: Mapped[bool] = mapped_column(server_default="false")
    clean_misses: Mapped[int] = mapped_column(server_default="0")
    chase_step: Mapped[int] = mapped_column(server_default="0")
    fence: Mapped[int | None] = mapped_column(BigInteger)
    ts_init: Mapped[datetime]
    submitted_wall: Mapped[datetime | None]
    changed_wall: Mapped[datetime | None]
    answered_wall: Mapped[datetime | None]
    ended_wall: Mapped[datetime | None]


class OrderEventRow(Base):
    """Record everything that happened to an order; append-only."""

    __tablename__ = "order_events"
    __table_args__ = (one_of("kind", OrderEventKind),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str]
    source: Mapped[str]
    details: Mapped[dict[str, Any]]
    ts_init: Mapped[datetime]
    wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OrderEvidenceRow(Base):
    """Record what a look for an UNKNOWN order showed (I3); append-only, but an equal look is counted.

    `is_proof` marks clean looks after `provable_from`, when absence counts. `_wall` columns are the
    machine's time, `ts_init` the platform's at the first look.
    """

    __tablename__ = "order_evidence"
    __table_args__ = (one_of("source", EvidenceSource), CheckConstraint("looks > 0", name="looks_positive"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    source: Mapped[str]
    is_clean: Mapped[bool]
    is_proof: Mapped[bool]
    seen: Mapped[str]
    broker_order_ids: Mapped[list[str]] = mapped_column(JSONB)
    provable_from: Mapped[datetime | None]
    looks: Mapped[int] = mapped_column(server_default="1")
    ts_init: Mapped[datetime]
    first_wall: Mapped[datetime]
    last_wall: Mapped[datetime]


class FillRow(Base):
    """Book one step of an order's cumulative fill; append-only, and a repeated report collides."""

    __tablename__ = "fills"
    __table_args__ = (UniqueConstraint("order_id", "cumulative_qty"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    instrument_id: Mapped[str]
    side: Mapped[str]
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    cumulative_qty: Mapped[Decimal]
    ts_init: Mapped[datetime]
    wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ExternalFillRow(Base):
    """Book one step of the cumulative fill of an order that Openbell did not send; append-only.

    A step with a `deployment_id` closed a part of that deployment's leg (claimed); one without belongs to
    nobody of ours (quarantined): it is counted, shown and never traded. The key makes a repeated report
    collide.
    """

    __tablename__ = "external_fills"
    __table_args__ = (
        one_of("side", Side),
        CheckConstraint("quantity > 0 AND quantity <= cumulative_qty", name="quantity_within_cumulative"),
        CheckConstraint("deployment_id IS NULL OR instrument_id IS NOT NULL", name="claimed_by_a_leg"),
        Index("ix_external_fills_account_id_day", "account_id", "day"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    broker_order_id: Mapped[str] = mapped_column(primary_key=True)
    cumulative_qty: Mapped[Decimal] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    day: Mapped[date]
    broker_symbol: Mapped[str]
    instrument_id: Mapped[str | None]
    deployment_id: Mapped[int | None] = mapped_column(ForeignKey("deployments.id"))
    side: Mapped[str]
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    ts_init: Mapped[datetime]
    wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class BrokerTradeRow(Base):
    """Hold a fill as the broker's trade book lists it: the evidence that `fills` is audited against.

    `fee` is what the broker says that it took (negative: gave), None where it does not tell.
    """

    __tablename__ = "broker_trades"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    trade_id: Mapped[str] = mapped_column(primary_key=True)
    broker_order_id: Mapped[str]
    broker_symbol: Mapped[str]
    side: Mapped[str]
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    ts_event: Mapped[datetime]
    fee: Mapped[Decimal | None]
    fee_currency: Mapped[str | None]


class BookingRow(Base):
    """Book what holding a position brought or cost, once per event and holder; append-only.

    The key is made of what happened, so that a repeated report collides: `ref` names the event among the
    account's of its charge, `part` counts the holders whom it was shared out to. `amount` is what was taken
    (negative: given). Without a `deployment_id` it belongs to nobody of ours. `is_estimated` amounts were
    reckoned by us, the others are the broker's word.
    """

    __tablename__ = "bookings"
    __table_args__ = (
        one_of("charge", Charge),
        CheckConstraint("deployment_id IS NULL OR instrument_id IS NOT NULL", name="booked_to_a_leg"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    charge: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    deployment_id: Mapped[int | None] = mapped_column(ForeignKey("deployments.id"))
    instrument_id: Mapped[str | None]
    day: Mapped[date] = mapped_column(index=True)
    amount: Mapped[Decimal]
    currency: Mapped[str]
    is_estimated: Mapped[bool]
    formula: Mapped[str]
    ts_event: Mapped[datetime]
    ts_init: Mapped[datetime]
    wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LostOrderRow(Base):
    """Name an order at a broker that bears our tag and is not in the ledger, as after a restore.

    Its client order id is spent: nothing is sent under it again.
    """

    __tablename__ = "lost_orders"

    client_order_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    broker_order_id: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LegRow(Stamped, Base):
    """Hold one instrument of a deployment on a day: the position, its protection and its way out.

    The exits lane compares what is wanted (a stop, or flat once `exit_reason` is set) with the live
    exit order and acts; so protection survives any crash. `exposed_since` (machine time) runs while
    a position has no stop. `missing_qty` of the position is proven not to be in the broker's book, and
    nothing explains where it went: no exit may close it. `exit_terms` are the rules asked for with the newest
    entry, `exit_state` what they remember of the position (app.domain.risk.exit_rules).
    """

    __tablename__ = "legs"

    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    instrument_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    net_qty: Mapped[Decimal] = mapped_column(server_default="0")
    missing_qty: Mapped[Decimal] = mapped_column(server_default="0")
    entry_qty: Mapped[Decimal] = mapped_column(server_default="0")
    entry_value: Mapped[Decimal] = mapped_column(server_default="0")
    cash: Mapped[Decimal] = mapped_column(server_default="0")
    stop_fraction: Mapped[Decimal | None]
    exit_terms: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    exit_state: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    is_stopped: Mapped[bool] = mapped_column(server_default="false")
    exit_reason: Mapped[str | None]
    exit_requested_wall: Mapped[datetime | None]
    exposed_since: Mapped[datetime | None]
    unprotected_max_ms: Mapped[int] = mapped_column(server_default="0")
    exit_attempts: Mapped[int] = mapped_column(server_default="0")
