"""Record decisions: signal, verdict and durable intent in one transaction, before anything is sent (I1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.alarms import clear_alarm, open_alarm_subjects, raise_alarm
from app.db.deployments import states_of_deployments
from app.db.funds import load_funds
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
from app.domain.orders import OrderEventKind, OrderIntent, OrderStatus
from app.domain.ports import Clock
from app.domain.risk.gate import Approved, Denied
from app.domain.risk.limits import MarginCheck, RiskLimits
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import is_outdated
from app.domain.risk.state import Quote, RiskState
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import MarketView
from app.engine.engine import decide
from app.engine.state import Decision, quotes_for
from app.infra.names import RunKind, run_name
from app.services.costs import Costs, WatchedCosts
from app.services.intent_rows import order_row, payload_of
from app.services.loops.ports import Lease, RecordResult, Wish
from app.services.news import News, order_news
from app.services.scope_values import net_of_accounts

log = structlog.get_logger()

EntryWindows = Callable[[Market, date], EntryWindow]
_UNREADABLE = "limits_unreadable"
LimitsInForce = Mapping[DeploymentId, RiskLimits]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Hold what a round left in the tables: the wishes that stand, the ids of the new signals, their orders.

    `signal_ids` go by key: they serve a caller that has one deployment.
    """

    wishes: tuple[Wish, ...]
    signal_ids: Mapping[SignalKey, int]
    orders: tuple[OrderRow, ...]


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
        window = self._windows(venue, day)
        with self._database.begin() as session:
            check_fence(session, lease.name, fence=lease.fence)
            judged = self.judge(session, wishes, market=market, venue=venue, day=day, window=window)
        self.publish(judged, venue)
        recorded = ((w.deployment.deployment_id, w.signal.key) for w in judged.wishes)
        return RecordResult(recorded=frozenset(recorded))

    def judge(
        self,
        session: Session,
        wishes: Sequence[Wish],
        *,
        market: MarketView,
        venue: Market,
        day: date,
        window: EntryWindow,
        is_asked_again: bool = True,
    ) -> Judged:
        """Write wishes with their verdicts and durable intents, in the caller's transaction.

        Args: is_asked_again: whoever wishes will do so again, so that an entry on an old price is left out
            and keeps its key; otherwise it is denied. `publish` the answer after the commit.
        """
        quotes = quotes_for((w.signal for w in wishes), market, age_of=lambda i: self._age(market, i))
        orders: list[OrderRow] = []
        signal_ids: dict[SignalKey, int] = {}
        accounts = sorted({w.deployment.account_id for w in wishes})
        pnls = partial(self._net_pnls, market=market, venue=venue, day=day)
        states = lock_risk_states(session, accounts, day=day, window=window, quotes=quotes, net_pnls=pnls)
        # Read after the locks: a limit that was changed while we waited for them binds this order.
        limits = self._limits_in_force(session, wishes)
        states = _with_what_limits_need(session, states, limits, day)
        wishes = [w for w in wishes if _has_limits(w, limits)]
        if is_asked_again:
            wishes = [w for w in wishes if not _is_on_old_price(w, limits, quotes)]
        running = _states_of_now(session, wishes, day)
        for wish in wishes:
            signal_id = self._insert_signal(session, wish, day)
            if signal_id is None:
                continue
            signal_ids[wish.signal.key] = signal_id
            if wish.signal.kind is SignalKind.EXIT:
                self._ask_for_exit(session, wish, day)
                continue
            decision = self._decide(wish, running, limits, market=market, states=states)
            if decision.risk_state is not None:
                states[wish.deployment.account_id] = decision.risk_state
            orders += self._insert_orders(
                session, wish, signal_id, verdicts=(*decision.approved, *decision.denied), day=day
            )
        return Judged(wishes=tuple(wishes), signal_ids=signal_ids, orders=tuple(orders))

    def _decide(
        self,
        wish: Wish,
        running: Mapping[DeploymentId, DeploymentState],
        limits: LimitsInForce,
        *,
        market: MarketView,
        states: Mapping[AccountId, RiskState],
    ) -> Decision:
        deployment = wish.deployment
        return decide(
            [wish.signal],
            replace(deployment, state=running[deployment.deployment_id]),
            limits=limits[deployment.deployment_id],
            market=market,
            risk_state=states[deployment.account_id],
            now=self._clock.now(),
            valid_until=self._valid_until(wish.signal),
        )

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
                payload=payload_of(signal),
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
            or_(LegRow.day == day, LegRow.net_qty != 0),  # what another day left open is closed as well
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
        rows = [order_row(v, wish, signal_id=signal_id, day=day, now=now) for v in verdicts]
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

    def publish(self, judged: Judged, venue: Market) -> None:
        """Wake the lanes and tell the users, after the commit."""
        self._news.wake(run_name(RunKind.ENTRIES, venue))
        if any(w.signal.kind is SignalKind.EXIT for w in judged.wishes):
            self._news.wake(run_name(RunKind.EXITS, venue))
        for row in judged.orders:
            self._news.tell_user(row.user_id, "order", order_news(row))
        log.info("decisions_recorded", signals=len(judged.wishes), orders=len(judged.orders))


def _with_what_limits_need(
    session: Session, states: Mapping[AccountId, RiskState], limits: LimitsInForce, day: date
) -> dict[AccountId, RiskState]:
    """Add to the states what only some limits look at: the trades that ended, and the funds."""
    found = dict(states)
    if any(own.looks_back for own in limits.values()):
        trades = load_ended_trades(session, found, day)
        found = {a: replace(s, ended_trades=trades.get(a, ())) for a, s in found.items()}
    if any(own.margin_check is MarginCheck.ON for own in limits.values()):
        funds = load_funds(session, found, day)
        found = {a: replace(s, funds=funds.get(a)) for a, s in found.items()}
    return found


def _states_of_now(
    session: Session, wishes: Sequence[Wish], day: date
) -> dict[DeploymentId, DeploymentState]:
    """Return the states that count, of which the loops may not know yet; a loss lock pauses."""
    ids = {w.deployment.deployment_id for w in wishes}
    locked = locked_deployments(session, ids, day)
    return {**states_of_deployments(session, ids), **dict.fromkeys(locked, DeploymentState.PAUSED)}


def _has_limits(wish: Wish, limits: LimitsInForce) -> bool:
    return wish.signal.kind is SignalKind.EXIT or wish.deployment.deployment_id in limits


def _is_on_old_price(wish: Wish, limits: LimitsInForce, quotes: Mapping[InstrumentId, Quote]) -> bool:
    if wish.signal.kind is SignalKind.EXIT:
        return False
    own = limits[wish.deployment.deployment_id]
    old = [leg.instrument_id for leg in wish.signal.legs if is_outdated(quotes[leg.instrument_id], own)]
    if old:
        log.info(
            "entry_postponed",
            deployment_id=wish.deployment.deployment_id,
            key=wish.signal.key,
            old_prices=sorted(old),
        )
    return bool(old)


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
