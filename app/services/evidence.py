"""Write down what each read of an account shows of its orders with unknown outcome (I3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.db.models import OrderRow
from app.db.order_evidence import add_look, known_numbers, sought_of, unknown_orders_of
from app.db.orders import lock_orders
from app.domain.errors import BrokerError
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.ports import Clock
from app.domain.reports import FillReport, OrderReport, Read
from app.domain.unknown_orders import (
    EvidenceSource,
    Look,
    look_at_strangers,
    look_at_trades,
    look_for_tag,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRead:
    """Describe one read of an account's orders: when it was asked for, and the orders that are not ours.

    `proof_after` says for each missing order how long after its sending its absence counts.
    """

    asked: datetime
    is_clean: bool
    strangers: Sequence[OrderReport]
    proof_after: Mapping[int, timedelta]


class Evidence:
    """Record looks in the caller's transaction; an order that is not UNKNOWN has none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def note_orders(self, session: Session, orders: Sequence[OrderRow], read: BookRead) -> None:
        """Record a read of the orders book that shows none of these orders."""
        for order in lock_orders(session, [order.id for order in orders]).values():
            sent = order.submitted_wall
            deadline = None if sent is None else sent + read.proof_after[order.id]
            strangers = look_at_strangers(sought_of(session, order), read.strangers, is_clean=read.is_clean)
            for look in (look_for_tag(is_clean=read.is_clean), strangers):
                add_look(
                    session,
                    order.id,
                    look,
                    now=self._clock.now(),
                    wall=read.asked,
                    provable_from=deadline,
                )

    def note_trades(self, session: Session, account_id: AccountId, fills: Read[Sequence[FillReport]]) -> None:
        """Record what the account's trade book says about its orders with unknown outcome."""
        orders = unknown_orders_of(session, account_id)
        if not orders:
            return
        known = known_numbers(session, account_id, {fill.broker_order_id for fill in fills.data})
        for order in orders:
            sought = sought_of(session, order)
            self._note(session, order, look_at_trades(sought, fills.data, known=known, is_clean=fills.clean))

    def note_unreadable(self, session: Session, account_id: AccountId, error: BrokerError) -> None:
        """Record that the account's books could not be read; the log holds the whole story."""
        look = Look(
            source=EvidenceSource.TAG,
            is_clean=False,
            seen=f"The broker's books could not be read: {error.code.replace('_', ' ')}.",
        )
        for order in unknown_orders_of(session, account_id):
            self._note(session, order, look)

    def note_found(self, session: Session, order: OrderRow, number: BrokerOrderId, *, source: str) -> None:
        """Record who found a locked order at the broker."""
        is_stream = source == "stream"
        look = Look(
            source=EvidenceSource.STREAM if is_stream else EvidenceSource.TAG,
            is_clean=True,
            seen=f"The {'order stream' if is_stream else 'book'} shows it as broker order {number}.",
            broker_order_ids=(number,),
        )
        self._note(session, order, look)

    def _note(self, session: Session, order: OrderRow, look: Look) -> None:
        add_look(session, order.id, look, now=self._clock.now(), wall=self._clock.wall())
