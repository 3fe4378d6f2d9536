"""Run the entry lane of a shard of accounts: claim, commit, send, record.

The order row is the outbox. A claim moves INITIALIZED to SUBMITTED and is committed before the
network call; only the claimer may send, so a crash in between leaves SUBMITTED, which is resolved by
evidence and never sent again (I1, I2).

What cannot leave at once is not claimed: it waits in the table, is judged again at each look, and ends
EXPIRED with the reason why it had to wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.entries import WaitingEntry, waiting_entries
from app.db.exits import accounts_with_session
from app.db.leases import LeaseLostError, check_fence
from app.db.models import AccountRow, OrderRow, SignalRow
from app.db.orders import move_order
from app.db.session import Database
from app.domain.accounts import AccountMode, BrokerCode, TradingState, may_open_exposure
from app.domain.breaker import EndpointClass, Witness
from app.domain.ids import AccountId, InstrumentId
from app.domain.orders import OrderEventKind
from app.domain.ports import BrokerGateway, Clock
from app.domain.reports import WriteResult
from app.infra.rate_limit import OrderBudget
from app.services.breakers import Breakers
from app.services.execution import Execution
from app.services.gateways import Gateways
from app.services.lanes.answers import LAST_TRIES, Answers
from app.services.lanes.bulkhead import Bounds, Bulkhead, Seats
from app.services.lanes.calls import ask_once
from app.services.lanes.chases import Chases
from app.services.lanes.doors import NO_SEAT, Doors, gate_of, nobody
from app.services.lanes.failures import came_too_late
from app.services.lanes.requests import ContractBook, order_request
from app.services.lanes.wakes import Wakes
from app.services.lanes.warmth import Warmth
from app.services.runs import Lease

log = structlog.get_logger()

_POLL_S = 0.5
_CALLS_PER_BROKER = 48
# Not more than an adapter has connections for orders: a claimed order must not wait for one.
_CALLS_PER_ACCOUNT = 4
_UNPROVEN = "no clean read of its account's books since the lane stood still"
_BEHIND_OTHERS = "earlier orders of its account had to leave first"


@dataclass(frozen=True, slots=True)
class _Answer:
    order_id: int
    result: WriteResult
    witness: Witness | None


class EntryLane:
    """Send approved entries of the accounts in one shard."""

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
        chases: Chases,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._execution = execution
        self._gateways = gateways
        self._budget = budget
        self._breakers = breakers
        self._contracts = contracts
        self._chases = chases
        self._bounds = Bounds(
            broker_of=gateways.broker_of, per_broker=_CALLS_PER_BROKER, per_account=_CALLS_PER_ACCOUNT
        )
        self._answers = Answers[_Answer]()
        self._held: dict[BrokerCode, dict[int, str]] = {}
        self._sent = 0

    def run(self, lease: Lease, wakes: Wakes) -> dict[str, Any]:
        """Work until the lease ends; calls in flight are finished and recorded."""
        brokers = [BrokerCode(broker) for broker in lease.spec["brokers"]]
        try:
            with (
                Warmth(self._gateways, self._clock) as warmth,
                Bulkhead("entry", self._bounds) as bulkhead,
                lease.working(),
            ):
                while lease.is_valid():
                    self._record_answers()
                    if warmth.is_due():
                        warmth.keep(self._accounts(lease))
                    for broker in brokers:
                        for order_id, account_id in self._claim(lease, broker, bulkhead.seats()):
                            bulkhead.start(account_id, partial(self._send, order_id, account_id, wakes))
                        for chase in self._chases.commit(lease, broker, bulkhead.seats()):
                            bulkhead.start(chase.account_id, partial(self._chases.make, chase, wakes))
                    lease.progress = {"sent": self._sent}
                    wakes.wait(_POLL_S)
        finally:
            self._record_answers(tries=LAST_TRIES)  # also where PostgreSQL has torn us out
        return {"sent": self._sent}

    def _accounts(self, lease: Lease) -> list[AccountId]:
        with self._database.begin() as session:
            return accounts_with_session(session, lease.spec)

    def _claim(self, lease: Lease, broker: BrokerCode, seats: Seats) -> list[tuple[int, AccountId]]:
        """Move what may leave to one broker to SUBMITTED in one transaction (group commit)."""
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                return self._claim_waiting(session, lease, broker, seats)
        except LeaseLostError:
            log.warning("claim_refused", run=lease.name, fence=lease.fence)
        except OperationalError as e:
            # Nothing was committed, so nothing is sent; the next pass sees the same orders.
            log.warning("claim_postponed", run=lease.name, error=type(e.orig).__name__)
        return []

    def _claim_waiting(
        self, session: Session, lease: Lease, broker: BrokerCode, seats: Seats
    ) -> list[tuple[int, AccountId]]:
        now, wall = self._clock.now(), self._clock.wall()
        spec = {**lease.spec, "brokers": [broker]}
        waiting = waiting_entries(session, spec, now=now, wall=wall, passing_over=seats.full_accounts())
        gate = gate_of(self._breakers, broker) if waiting else nobody
        doors = Doors(seats, gate, self._budget)
        claimed: list[tuple[int, AccountId]] = []
        held: dict[int, str] = {}
        for entry in waiting:
            order = entry.order
            kind = self._refusal(order, entry.account, entry.state)
            if kind is None:
                why = _why_held(entry) or doors.why_closed(AccountId(order.account_id))
                if why is not None:
                    held[order.id] = why
                    continue
                kind = OrderEventKind.SUBMITTED
                order.submitted_wall = wall
                claimed.append((order.id, AccountId(order.account_id)))
            elif kind is OrderEventKind.EXPIRED:
                self._note_expired(session, entry, seats)
            order.fence = lease.fence
            move_order(session, order, kind, source="entry_lane", now=now, wall=wall)
        self._held[broker] = held
        return claimed

    def _refusal(self, order: OrderRow, account: AccountRow, state: TradingState) -> OrderEventKind | None:
        """Return how an order ends that must not leave any more, or None."""
        broker = BrokerCode(account.broker)
        is_simulated = self._settings.is_simulated(broker)
        if not may_open_exposure(broker, AccountMode(account.mode), is_simulated=is_simulated):
            log.error("entry_of_a_paper_account_refused", order_id=order.id, account_id=account.id)
            return OrderEventKind.CANCELED
        if _is_over(order, self._clock.now()):
            return OrderEventKind.EXPIRED
        return None if state.allows_entries else OrderEventKind.CANCELED

    def _note_expired(self, session: Session, entry: WaitingEntry, seats: Seats) -> None:
        order = entry.order
        account_id = AccountId(order.account_id)
        unseen = _BEHIND_OTHERS if seats.has(account_id) else NO_SEAT
        held = self._held.get(self._gateways.broker_of(account_id), {})
        why = entry.why_held or held.get(order.id, unseen)
        order.reject_reason = f"not sent in time: {why}"
        if order.signal_id is not None:
            session.get_one(SignalRow, order.signal_id).is_expired = True

    def _send(self, order_id: int, account_id: AccountId, wakes: Wakes) -> Witness | None:
        """Make the one network call of a claimed order. Runs in a pool thread."""
        with self._database.begin() as session:
            order = session.get_one(OrderRow, order_id)
        timeout_s = self._settings.order_timeout_s

        def submit(gateway: BrokerGateway) -> WriteResult:
            request = order_request(order, self._contracts.get(order.day, InstrumentId(order.instrument_id)))
            # Whatever was waited for since the claim, a connection or a frozen process: nothing leaves late.
            if _is_over(order, self._clock.now()):
                return came_too_late()
            return gateway.submit_order(request, timeout_s=timeout_s)

        result, witness = ask_once(self._gateways, self._clock, account_id, submit)
        self._sent += 1
        self._answers.put(_Answer(order_id, result, witness))
        wakes.set()
        return witness

    def _record_answers(self, *, tries: int = 1) -> None:
        recorded = self._answers.record(self._write, tries=tries)
        self._breakers.hear(EndpointClass.ORDERS, [answer.witness for answer in recorded])
        self._chases.record(tries=tries)

    def _write(self, answers: Sequence[_Answer]) -> Sequence[_Answer]:
        outcomes = [(a.order_id, a.result) for a in answers]
        held = self._execution.apply_submit_outcomes(outcomes, source="entry_lane")
        return [a for a in answers if a.order_id in held]


def _why_held(entry: WaitingEntry) -> str | None:
    # What a restored ledger lacks is at the broker: nothing is sent before its book was read.
    return _UNPROVEN if entry.account.unproven_since is not None else entry.why_held


def _is_over(order: OrderRow, now: datetime) -> bool:
    return order.valid_until is not None and order.valid_until < now
