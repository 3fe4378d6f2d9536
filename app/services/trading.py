"""Record decisions: signal, verdict and durable intent in one transaction, before anything is sent (I1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.alarms import clear_alarm, open_alarm_subjects, raise_alarm
from app.db.deployments import states_of_deployments
from app.db.leases import check_fence
from app.db.legs import lock_legs
from app.db.limits import limits_of_deployments
from app.db.loss_locks import locked_deployments
from app.db.models import LegRow, OrderEventRow, OrderRow, SignalRow
from app.db.risk_book import WatchedLeg
from app.db.risk_state import EntryWindow, lock_risk_states
from app.db.session import Database
from app.db.trades import load_ended_trades
from app.domain.deployments import DeploymentState
from app.domain.ids import AccountId, DeploymentId, InstrumentId, SignalKey
from app.domain.instruments import Venue
from app.domain.markets import MARKETS, Currency, Market
from app.domain.numbers import ZERO
from app.domain.orders import OrderEventKind, OrderIntent, OrderStatus, ProtectionTerms
from app.domain.ports import Clock
from app.domain.risk.gate import Approved, Denied
from app.domain.risk.limits import RiskLimits
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import is_outdated
from app.domain.risk.state import Quote, RiskState
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import MarketView
from app.engine.engine import decide
from app.engine.state import quotes_for
from app.infra.names import RunKind, run_name
from app.services.costs import Costs, WatchedCosts
from app.services.loops.ports import Lease, RecordResult, Wish
from app.services.news import News, order_news
from app.services.scope_values import net_of_accounts

log = structlog.get_logger()

EntryWindows = Callable[[Market, date], EntryWindow]
_UNREADABLE = "limits_unreadable"
LimitsInForce = Mapping[DeploymentId, RiskLimits]


class Trading:
    """Turn the wishes of a round into durable intents, all users of a shard in one commit."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        news: News,
        costs: Costs,
        windows: EntryWindows,
    ) -> None:
        """Args: windows: when entries may leave on a day."""
        self._database = database
        self._clock = clock
        self._news = news
        self._costs = WatchedCosts(costs, clock)
        self._windows = windows

    def record(self, wishes: Sequence[Wish], *, market: MarketView, lease: Lease) -> RecordResult:
        """Commit the wishes of one round; a key that stands already is not written again.

        An entry on a price that has grown old, or whose limits cannot be read, is left out: its strategy
        wishes again on the next round, while a denial would spend its key for the day.

        Raises:
            LeaseLostError: another holder took over; nothing was written.
        """
        venue = MARKETS[Venue(lease.spec["venue"])]
        day = venue.day_of(self._clock.now())
        quotes = quotes_for((w.signal for w in wishes), market, age_of=lambda i: self._age(market, i))
        orders: list[OrderRow] = []
        with self._database.begin() as session:
            check_fence(session, lease.name, fence=lease.fence)
            accounts = sorted({w.deployment.account_id for w in wishes})
            pnls = partial(self._net_pnls, market=market, venue=venue, day=day)
            window = self._windows(venue, day)
            states = lock_risk_states(session, accounts, day=day, window=window, quotes=quotes, net_pnls=pnls)
            # Read after the locks: a limit that was changed while we waited for them binds this order.
            limits = self._limits_in_force(session, wishes)
            states = _looking_back(session, states, limits, day)
            wishes = [w for w in wishes if _can_be_judged(w, limits, quotes)]
            running = _states_of_now(session, wishes, day)
            for wish in wishes:
                signal_id = self._insert_signal(session, wish, day)
                if signal_id is None:
                    continue
                if wish.signal.kind is SignalKind.EXIT:
                    self._ask_for_exit(session, wish, day)
                    continue
                decision = decide(
                    [wish.signal],
                    replace(wish.deployment, state=running[wish.deployment.deployment_id]),
                    limits=limits[wish.deployment.deployment_id],
                    market=market,
                    risk_state=states[wish.deployment.account_id],
                    now=self._clock.now(),
                    valid_until=self._valid_until(wish.signal),
                )
                if decision.risk_state is not None:
                    states[wish.deployment.account_id] = decision.risk_state
                orders += self._insert_orders(
                    session, wish, signal_id, verdicts=(*decision.approved, *decision.denied), day=day
                )
        self._publish(wishes, orders, venue)
        return RecordResult(recorded=frozenset((w.deployment.deployment_id, w.signal.key) for w in wishes))

    def _limits_in_force(self, session: Session, wishes: Sequence[Wish]) -> LimitsInForce:
        """Return the limits by deployment; what cannot be read is left out, and a person is called."""
        deployments = {w.deployment.deployment_id: w.deployment for w in wishes}
        limits = limits_of_deployments(session, deployments)
        now, alarmed = self._clock.now(), open_alarm_subjects(session, _UNREADABLE)
        for deployment_id, deployment in deployments.items():
            subject = f"deployment:{deployment_id}"
            if deployment_id not in limits:
                what = "its entries wait: set the limits of the scopes that cover it again"
                log.error(_UNREADABLE, deployment_id=deployment_id)
                raise_alarm(
                    session, _UNREADABLE, subject=subject, message=what, user_id=deployment.user_id, now=now
                )
            elif subject in alarmed:
                clear_alarm(session, _UNREADABLE, subject=subject, now=now)
        return limits

    def _net_pnls(
        self, session: Session, legs: Sequence[WatchedLeg], *, market: MarketView, venue: Market, day: date
    ) -> dict[AccountId, dict[Currency, NetPnl]]:
        """Return what the accounts of these legs earned or lost: the sum that the watch on losses judges."""
        charges = self._costs.of_legs(session, legs, day)
        held = {InstrumentId(leg.instrument_id) for leg in legs if leg.net_qty != 0}
        marks = {str(i): tick.last for i in held if (tick := market.tick(i)) is not None}
        return net_of_accounts(legs, marks, charges, venue.currency)

    def _age(self, market: MarketView, instrument_id: InstrumentId) -> timedelta | None:
        tick = market.tick(instrument_id)
        return None if tick is None else max(self._clock.wall() - tick.ts_init, timedelta(0))

    def _valid_until(self, signal: Signal) -> datetime:
        return self._clock.now() + timedelta(seconds=float(signal.valid_for_s))

    def _insert_signal(self, session: Session, wish: Wish, day: date) -> int | None:
        signal = wish.signal
        is_exit = signal.kind is SignalKind.EXIT
        statement = (
            insert(SignalRow)
            .values(
                user_id=wish.deployment.user_id,
                deployment_id=wish.deployment.deployment_id,
                day=day,
                key=signal.key,
                kind=signal.kind,
                reason=signal.reason,
                payload=_payload(signal),
                ts_event=wish.ts_event,
                ts_init=self._clock.now(),
                valid_until=None if is_exit else self._valid_until(signal),
                leg_timeout_s=signal.leg_timeout_s,
                when_unfilled=signal.when_unfilled,
            )
            .on_conflict_do_nothing(index_elements=["deployment_id", "key"])
            .returning(SignalRow.id)
        )
        return session.scalar(statement)

    def _ask_for_exit(self, session: Session, wish: Wish, day: date) -> None:
        conditions = [
            LegRow.deployment_id == wish.deployment.deployment_id,
            LegRow.day == day,
            LegRow.exit_reason.is_(None),
        ]
        if wish.signal.instrument_id is not None:
            conditions.append(LegRow.instrument_id == wish.signal.instrument_id)
        for leg in lock_legs(session, *conditions):
            leg.exit_reason, leg.exit_requested_wall = wish.signal.reason, self._clock.wall()

    def _insert_orders(
        self,
        session: Session,
        wish: Wish,
        signal_id: int,
        *,
        verdicts: Sequence[Approved[OrderIntent] | Denied],
        day: date,
    ) -> list[OrderRow]:
        now = self._clock.now()
        rows = [_order_row(v, wish, signal_id=signal_id, day=day, now=now) for v in verdicts]
        session.add_all(rows)
        session.flush()
        for row in rows:
            if row.status == OrderStatus.DENIED:
                session.add(
                    OrderEventRow(
                        order_id=row.id,
                        kind=OrderEventKind.DENIED,
                        source="risk_gate",
                        details={"code": row.denial_code, "message": row.reject_reason},
                        ts_init=now,
                    )
                )
        self._make_legs(session, [r for r in rows if r.status == OrderStatus.INITIALIZED], day)
        return rows

    @staticmethod
    def _make_legs(session: Session, rows: Sequence[OrderRow], day: date) -> None:
        """Make the legs with the intent, so that "flat" can be asked for before the first fill."""
        values = [
            {
                "deployment_id": row.deployment_id,
                "day": day,
                "instrument_id": row.instrument_id,
                "user_id": row.user_id,
                "account_id": row.account_id,
                "stop_fraction": row.stop_fraction,
                "exit_terms": row.exit_terms,
            }
            for row in rows
        ]
        if values:
            statement = insert(LegRow)
            reopened = {"exit_reason": None, "exit_requested_wall": None}
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["deployment_id", "day", "instrument_id"], set_=reopened
                ),
                values,
            )

    def _publish(self, wishes: Sequence[Wish], orders: Sequence[OrderRow], venue: Market) -> None:
        self._news.wake(run_name(RunKind.ENTRIES, venue))
        if any(w.signal.kind is SignalKind.EXIT for w in wishes):
            self._news.wake(run_name(RunKind.EXITS, venue))
        for row in orders:
            self._news.tell_user(row.user_id, "order", order_news(row))
        log.info("decisions_recorded", signals=len(wishes), orders=len(orders))


def _states_of_now(
    session: Session, wishes: Sequence[Wish], day: date
) -> dict[DeploymentId, DeploymentState]:
    """Return the states that count, of which the loops may not know yet; a loss lock pauses."""
    ids = {w.deployment.deployment_id for w in wishes}
    locked = locked_deployments(session, ids, day)
    return {**states_of_deployments(session, ids), **dict.fromkeys(locked, DeploymentState.PAUSED)}


def _looking_back(
    session: Session, states: Mapping[AccountId, RiskState], limits: LimitsInForce, day: date
) -> dict[AccountId, RiskState]:
    """Add the trades that ended today where a limit asks for them."""
    if not any(own.looks_back for own in limits.values()):
        return dict(states)
    trades = load_ended_trades(session, sorted(states), day)
    return {a: replace(s, ended_trades=trades.get(a, ())) for a, s in states.items()}


def _can_be_judged(wish: Wish, limits: LimitsInForce, quotes: Mapping[InstrumentId, Quote]) -> bool:
    if wish.signal.kind is SignalKind.EXIT:
        return True
    own = limits.get(wish.deployment.deployment_id)
    if own is None:
        return False
    old = [leg.instrument_id for leg in wish.signal.legs if is_outdated(quotes[leg.instrument_id], own)]
    if old:
        log.info(
            "entry_postponed",
            deployment_id=wish.deployment.deployment_id,
            key=wish.signal.key,
            old_prices=sorted(old),
        )
    return not old


def load_emitted(
    session: Session, deployment_ids: Sequence[DeploymentId], day: date
) -> dict[int, set[SignalKey]]:
    """Return the keys of today's recorded signals by deployment."""
    statement = select(SignalRow.deployment_id, SignalRow.key).where(
        SignalRow.deployment_id.in_(deployment_ids), SignalRow.day == day
    )
    found: dict[int, set[SignalKey]] = {}
    for deployment_id, key in session.execute(statement):
        found.setdefault(deployment_id, set()).add(SignalKey(key))
    return found


def _order_row(
    verdict: Approved[OrderIntent] | Denied, wish: Wish, *, signal_id: int, day: date, now: datetime
) -> OrderRow:
    intent = verdict.intent if isinstance(verdict, Denied) else verdict.value
    is_denied = isinstance(verdict, Denied)
    return OrderRow(
        client_order_id=intent.client_order_id,
        user_id=wish.deployment.user_id,
        account_id=AccountId(intent.account_id),
        deployment_id=intent.deployment_id,
        signal_id=signal_id,
        day=day,
        leg=intent.leg,
        attempt=0,
        part=intent.part,
        instrument_id=intent.instrument_id,
        side=intent.side,
        role=intent.role,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        price=intent.price,
        trigger_price=intent.trigger_price,
        stop_fraction=None if intent.protection is None else intent.protection.stop_fraction,
        exit_terms=_exits_of(intent.protection),
        is_hedge=intent.is_hedge,
        valid_until=intent.valid_until,
        reason=wish.signal.reason,
        status=OrderStatus.DENIED if is_denied else OrderStatus.INITIALIZED,
        denial_code=verdict.code if isinstance(verdict, Denied) else None,
        reject_reason=verdict.message if isinstance(verdict, Denied) else "",
        filled_qty=ZERO,
        venue_version=0,
        is_unknown=False,
        was_unknown=False,
        chase_step=0,
        ts_init=now,
    )


def _payload(signal: Signal) -> dict[str, Any]:
    """Return the signal as JSON: what was wished, for the journal."""
    legs = [
        {
            "instrument_id": leg.instrument_id,
            "side": leg.side,
            "lots": leg.lots,
            "reference_price": str(leg.reference_price),
            "stop_fraction": None if leg.protection is None else str(leg.protection.stop_fraction),
            "is_hedge": leg.is_hedge,
        }
        | ({} if (exits := _exits_of(leg.protection)) is None else {"exits": exits})
        for leg in signal.legs
    ]
    scalars = {k: v for k, v in asdict(signal).items() if k in ("key", "kind", "reason", "instrument_id")}
    return {**scalars, "valid_for_s": str(signal.valid_for_s), "legs": legs}


def _exits_of(protection: ProtectionTerms | None) -> dict[str, Any] | None:
    if protection is None or protection.exits is None:
        return None
    return protection.exits.to_mapping()
