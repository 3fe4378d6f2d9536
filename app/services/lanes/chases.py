"""Let entries that rest unfilled follow the market, a bounded number of times, where their signal says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.entries import WaitingEntry, entries_to_chase
from app.db.leases import LeaseLostError, check_fence
from app.db.orders import move_order
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.breaker import EndpointClass, Witness
from app.domain.errors import BrokerError, ConfigError, NotFoundError
from app.domain.ids import AccountId, InstrumentId
from app.domain.market_data import Tick
from app.domain.orders import OrderEventKind, Side
from app.domain.ports import Clock, OrderChange
from app.domain.pricing import chased_limit
from app.domain.reports import WriteResult
from app.domain.signals import WhenUnfilled
from app.infra.marks import read_marks
from app.infra.rate_limit import OrderBudget
from app.services.breakers import Breakers
from app.services.execution import Execution
from app.services.gateways import Gateways
from app.services.lanes.answers import Answers
from app.services.lanes.bulkhead import Seats
from app.services.lanes.calls import ask_once
from app.services.lanes.doors import Doors, gate_of, nobody
from app.services.lanes.requests import ContractBook, change_request
from app.services.lanes.wakes import Wakes
from app.services.runs import Lease

log = structlog.get_logger()

_LOOK_EVERY_S = 0.5
_Answer = tuple[int, WriteResult, Witness | None]


@dataclass(frozen=True, slots=True)
class Chase:
    """One committed change of an entry's limit that now must be asked for, once."""

    order_id: int
    account_id: AccountId
    change: OrderChange


class Chases:
    """Move limits of an entry lane's orders: commit, ask once, record. One owner; `make` in any thread."""

    def __init__(  # noqa: PLR0913  a composition root hands over the parts
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        execution: Execution,
        gateways: Gateways,
        budget: OrderBudget,
        breakers: Breakers,
        contracts: ContractBook,
        valkey: Any,  # noqa: ANN401  redis-py's generics differ between sync and async
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._execution = execution
        self._gateways = gateways
        self._budget = budget
        self._breakers = breakers
        self._contracts = contracts
        self._valkey = valkey
        self._answers = Answers[_Answer]()
        self._looked: dict[BrokerCode, float] = {}

    def commit(self, lease: Lease, broker: BrokerCode, seats: Seats) -> list[Chase]:
        """Take one look if it is due: commit the changes that may leave to one broker, and return them."""
        at = self._clock.monotonic()
        if at - self._looked.get(broker, float("-inf")) < _LOOK_EVERY_S:
            return []
        self._looked[broker] = at
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                return self._commit_due(session, lease.spec, broker, seats)
        except LeaseLostError:
            log.warning("chase_refused", run=lease.name, fence=lease.fence)
        except OperationalError as e:
            # Nothing was committed, so nothing is asked for; the entry rests as before.
            log.warning("chase_postponed", run=lease.name, error=type(e.orig).__name__)
        return []

    def _commit_due(
        self, session: Session, spec: dict[str, Any], broker: BrokerCode, seats: Seats
    ) -> list[Chase]:
        now, wall = self._clock.now(), self._clock.wall()
        due = entries_to_chase(session, {**spec, "brokers": [broker]}, now=now, wall=wall)
        doors = Doors(seats, gate_of(self._breakers, broker) if due else nobody, self._budget)
        marks = read_marks(self._valkey, [InstrumentId(entry.order.instrument_id) for entry in due])
        chases = []
        for entry in due:
            tick = marks.get(InstrumentId(entry.order.instrument_id))
            change = None if tick is None else self._change(entry, tick)
            if change is None or doors.why_closed(AccountId(entry.order.account_id)) is not None:
                continue
            order = entry.order
            order.price, order.chase_step, order.changed_wall = change.price, order.chase_step + 1, wall
            move_order(
                session,
                order,
                OrderEventKind.UPDATE_REQUESTED,
                source="entry_lane",
                now=now,
                wall=wall,
                details={"price": str(order.price), "chase_step": order.chase_step},
            )
            chases.append(Chase(order.id, AccountId(order.account_id), change))
        return chases

    def _change(self, entry: WaitingEntry, tick: Tick) -> OrderChange | None:
        """Return the change that brings an entry to the market, or None to leave it as it is."""
        order, account_id = entry.order, AccountId(entry.order.account_id)
        is_stale = self._clock.wall() - tick.ts_init > timedelta(seconds=self._settings.tick_max_age_s)
        if is_stale or not entry.state.allows_entries or entry.why_held is not None or order.price is None:
            return None
        try:
            instrument = self._contracts.get(order.day, InstrumentId(order.instrument_id))
            if not self._gateways.get(account_id).capabilities().changes_in_place:
                return None
        except (BrokerError, ConfigError, NotFoundError):
            return None
        is_bounded = entry.when_unfilled is WhenUnfilled.CHASE
        side = Side(order.side)
        price = chased_limit(side, order.price, tick, instrument=instrument, is_bounded=is_bounded)
        if price is None:
            return None
        return replace(change_request(order, instrument), price=price, trigger_price=None)

    def make(self, chase: Chase, wakes: Wakes) -> Witness | None:
        """Make one committed call. Runs in a pool thread."""
        timeout_s = self._settings.order_timeout_s
        result, witness = ask_once(
            self._gateways,
            self._clock,
            chase.account_id,
            lambda gateway: gateway.modify_order(chase.change, timeout_s=timeout_s),
        )
        self._answers.put((chase.order_id, result, witness))
        wakes.set()
        return witness

    def record(self, *, tries: int) -> None:
        """Bring the answers into the ledger."""
        recorded = self._answers.record(self._write, tries=tries)
        self._breakers.hear(EndpointClass.ORDERS, [witness for _, _, witness in recorded])

    def _write(self, answers: Sequence[_Answer]) -> Sequence[_Answer]:
        outcomes = [(order_id, result) for order_id, result, _ in answers]
        held = self._execution.apply_change_outcomes(outcomes, source="entry_lane")
        return [answer for answer in answers if answer[0] in held]
