"""Write the exits lane's steps into the ledger; each returns the one network call that is due after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.db.exit_rules import resting_terms
from app.db.exits import LegWork, exit_order_row
from app.db.models import OrderRow
from app.db.orders import move_order
from app.domain.ids import AccountId, BrokerOrderId, InstrumentId
from app.domain.orders import OrderEventKind, OrderRole
from app.domain.ports import Clock
from app.domain.risk.exits import CancelExit, ChangeExit, PlaceExit, exit_side
from app.domain.sizing import resting_time_in_force
from app.services.lanes.calls import Ask
from app.services.lanes.requests import ContractBook, change_request, order_request

_SOURCE = "exit_lane"


@dataclass(frozen=True, slots=True)
class ExitCall:
    """One committed network call that now must be made, once."""

    kind: OrderEventKind
    order_id: int
    account_id: AccountId
    make: Ask


class ExitSteps:
    """Place, change and cancel exits in the caller's transaction."""

    def __init__(self, clock: Clock, contracts: ContractBook, *, timeout_s: float) -> None:
        """Args: timeout_s: how long a call waits for the broker, in seconds."""
        self._clock = clock
        self._contracts = contracts
        self._timeout_s = timeout_s

    def take(
        self, session: Session, work: LegWork, step: PlaceExit | ChangeExit | CancelExit, *, fence: int
    ) -> ExitCall:
        """Write a leg's step; `fence` is that of the lease which allows it."""
        match step:
            case PlaceExit():
                return self._place(session, work, step, fence)
            case ChangeExit():
                return self._change(session, work, step)
            case CancelExit():
                assert work.live is not None  # noqa: S101  the rules cancel only what is live
                return self.cancel(session, work.live)

    def cancel(self, session: Session, row: OrderRow) -> ExitCall:
        """Write that an order, an entry too, shall go."""
        self._note_request(session, row, OrderEventKind.CANCEL_REQUESTED)
        broker_order_id = BrokerOrderId(str(row.broker_order_id))
        return _call(
            OrderEventKind.CANCEL_REQUESTED,
            row,
            lambda gateway: gateway.cancel_order(broker_order_id, timeout_s=self._timeout_s),
        )

    def _place(self, session: Session, work: LegWork, step: PlaceExit, fence: int) -> ExitCall:
        now, wall = self._clock.now(), self._clock.wall()
        instrument = self._contracts.get(work.leg.day, work.instrument_id)
        row = exit_order_row(
            work.leg,
            step,
            side=exit_side(work.held),
            part=work.part,
            attempt=work.leg.exit_attempts,
            time_in_force=resting_time_in_force(instrument),
            now=now,
        )
        work.leg.exit_attempts += 1
        session.add(row)
        session.flush()
        row.fence, row.submitted_wall, row.changed_wall = fence, wall, wall
        move_order(session, row, OrderEventKind.SUBMITTED, source=_SOURCE, now=now, wall=wall)
        request = order_request(row, instrument)
        return _call(
            OrderEventKind.SUBMITTED,
            row,
            lambda gateway: gateway.submit_order(request, timeout_s=self._timeout_s),
        )

    def _change(self, session: Session, work: LegWork, step: ChangeExit) -> ExitCall:
        row = work.live
        assert row is not None  # noqa: S101  the rules change only what is live
        was = resting_terms(row)
        row.order_type, row.quantity = step.order_type, step.quantity
        row.price, row.trigger_price = step.price, step.trigger_price
        row.chase_step = step.chase_step
        if work.leg.exit_reason is not None:
            # From here on the order is the way out, not the stop it was placed as.
            row.role, row.reason = OrderRole.EXIT, work.leg.exit_reason
        self._note_request(session, row, OrderEventKind.UPDATE_REQUESTED, was)
        change = change_request(row, self._contracts.get(row.day, InstrumentId(row.instrument_id)))
        return _call(
            OrderEventKind.UPDATE_REQUESTED,
            row,
            lambda gateway: gateway.modify_order(change, timeout_s=self._timeout_s),
        )

    def _note_request(
        self, session: Session, row: OrderRow, kind: OrderEventKind, was: Mapping[str, Any] | None = None
    ) -> None:
        now, wall = self._clock.now(), self._clock.wall()
        row.changed_wall = wall
        details = {"price": str(row.price), "trigger": str(row.trigger_price), "quantity": str(row.quantity)}
        details |= was or {}
        move_order(session, row, kind, source=_SOURCE, now=now, wall=wall, details=details)


def _call(kind: OrderEventKind, row: OrderRow, make: Ask) -> ExitCall:
    return ExitCall(kind, row.id, AccountId(row.account_id), make)
