"""Take wishes from outside: every door (REST, OpenAlgo, AmiBroker, CLI) ends in the strategies' gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from redis import Redis
from sqlalchemy.orm import Session

from app.db.controls import cancel_unsent_entries
from app.db.external import (
    EntryOrder,
    ExternalSignal,
    account_of,
    add_external,
    find_external,
    find_recent,
    holding_of,
    list_external,
    orders_of_signals,
    place_of,
    read_external,
)
from app.db.instruments import find_instrument
from app.db.locks import lock_accounts
from app.db.models import AccountRow
from app.db.risk_state import EntryWindow
from app.db.scope import DataScope, scope_of
from app.db.session import Database
from app.domain.calendar import Calendar
from app.domain.deployments import Deployment
from app.domain.errors import AppError, ConflictError, InvalidInputError, NotFoundError
from app.domain.external import EXTERNAL, Door, ExternalWish
from app.domain.ids import DeploymentId, InstrumentId
from app.domain.market_data import Tick
from app.domain.ports import Clock
from app.domain.risk.rules import DenialCode
from app.domain.targets import Move, MoveKind, TargetFault
from app.domain.users import Actor, require_control
from app.infra.marks import read_marks
from app.services.acts import record
from app.services.costs import Costs
from app.services.deployments import get_visible_deployment
from app.services.entry_windows import EntryWindows
from app.services.external_cases import Case
from app.services.loops.market import Contracts, MarketSnapshot
from app.services.loops.ports import Wish
from app.services.news import News
from app.services.time_book import TimeBook
from app.services.trading import Judged, Trading


class LimitsUnreadableError(AppError):
    """Limits that cover the deployment cannot be read; nothing was recorded, and a person was called."""

    code = "limits_unreadable"
    http_status = 503


class RefusedError(ConflictError):
    """Nothing was done for a wish; `code` is the gate's DenialCode or a TargetFault."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Tell what a wish came to; `orders` are its entries.

    `is_repeat`: it had been handed in before, and nothing was done now.
    """

    signal: ExternalSignal
    orders: Sequence[EntryOrder]
    is_repeat: bool = False

    @property
    def code(self) -> str | None:
        """Why it came to nothing or to less: a DenialCode of the gate or a TargetFault; None as wished."""
        denial = self._denial
        return self.signal.code if denial is None else denial.denial_code

    @property
    def message(self) -> str:
        """The reason in a sentence."""
        denial = self._denial
        return self.signal.message if denial is None else denial.reject_reason

    @property
    def remedy(self) -> str:
        """What can be done about it."""
        denial = self._denial
        if denial is not None:
            return DenialCode(denial.denial_code or "").remedy
        return "" if self.signal.code is None else TargetFault(self.signal.code).remedy

    def require_taken(self) -> None:
        """Raise RefusedError where a rule let nothing be done; what was held already is no refusal."""
        is_denied = bool(self.orders) and all(order.denial_code is not None for order in self.orders)
        if self.code is not None and (is_denied or self.signal.outcome is MoveKind.REFUSED):
            raise RefusedError(
                f"{self.code}: {self.message}. {self.remedy} (signal:{self.signal.id})", code=self.code
            )

    @property
    def _denial(self) -> EntryOrder | None:
        denied = [order for order in self.orders if order.denial_code is not None]
        first = (order for order in denied if order.denial_code != DenialCode.OTHER_LEG)
        return next(first, denied[0] if denied else None)


class ExternalSignals:
    """Hand wishes in, follow them, and take back what has not been sent. Thread-safe."""

    def __init__(
        self, database: Database, clock: Clock, *, valkey: Redis, trading: Trading, windows: EntryWindows
    ) -> None:
        self._database = database
        self._clock = clock
        self._valkey = valkey
        self._trading = trading
        self._windows = windows

    def hand_in(
        self,
        actor: Actor,
        deployment_id: DeploymentId,
        wish: ExternalWish,
        *,
        door: Door,
        repeats_within_s: float | None = None,
    ) -> Answer:
        """Turn a wish into a signal with its durable intents, or into a recorded reason why not.

        The same key gives the same answer, whoever asks at the same moment. Leaving is never refused for a
        limit, a state or a price.

        Args: repeats_within_s: the key is the fingerprint of a request without one of its own; another within
            so many seconds is taken for the same one.

        Raises:
            NotFoundError, ForbiddenError: no deployment of the actor's; an unknown instrument.
            InvalidInputError: no deployment for signals from outside, or the wish does not fit it.
            ConflictError: the key stands for another wish.
            NotArmedError, LimitsUnreadableError: nothing was recorded.
        """
        with self._database.begin() as session:
            _deployment_of(session, actor, deployment_id)
            market, _ = place_of(session, deployment_id)
            known = self._find(session, deployment_id, wish, repeats_within_s)
        if known is not None:
            return known
        # Read before the transaction: nothing waits for Valkey while it holds an account.
        ticks = {} if wish.instrument_id is None else read_marks(self._valkey, [wish.instrument_id])
        window = self._windows(market, market.day_of(self._clock.now()))
        with self._database.begin() as session:
            lock_accounts(session, AccountRow.id == account_of(session, deployment_id))
            known = self._find(session, deployment_id, wish, repeats_within_s)
            if known is not None:
                return known
            if repeats_within_s is not None:
                wish = replace(wish, key=f"{wish.key}@{self._clock.now().timestamp():.6f}")
            case = self._case(session, actor, deployment_id, wish)
            move = case.move()
            judged = self._judge(session, case, move, ticks=ticks, window=window)
            answer = self._keep(session, actor, case, move, judged=judged, door=door)
        if judged is not None:
            self._trading.publish(judged, market)
        if answer is None:
            raise LimitsUnreadableError("the limits cannot be read; nothing was recorded, try again later")
        return answer

    def _judge(
        self,
        session: Session,
        case: Case,
        move: Move,
        *,
        ticks: Mapping[InstrumentId, Tick],
        window: EntryWindow,
    ) -> Judged | None:
        """Write the signal of an entry or exit with its verdict; None where there is nothing to write."""
        if move.kind not in (MoveKind.ENTER, MoveKind.EXIT):
            return None
        now, tick = self._clock.now(), next(iter(ticks.values()), None)
        contracts = Contracts([] if case.instrument is None else [case.instrument])
        wish = Wish(deployment=case.deployment, signal=case.signal(move, tick), ts_event=now)
        return self._trading.judge(
            session,
            [wish],
            market=MarketSnapshot(contracts=contracts, ticks=ticks, now=now),
            venue=case.market,
            day=case.day,
            window=window,
            is_asked_again=False,
        )

    def follow(self, scope: DataScope, external_id: int) -> Answer:
        """Return what became of something handed in. Raises NotFoundError outside the scope."""
        with self._database.begin() as session:
            signal = read_external(session, scope, external_id)
            if signal is None:
                raise NotFoundError(f"expected a signal of yours, there is no signal:{external_id}")
            return _answer(session, signal)

    def list_day(self, actor: Actor, deployment_id: DeploymentId) -> list[Answer]:
        """Return what was handed in to a deployment today, oldest first."""
        with self._database.begin() as session:
            _deployment_of(session, actor, deployment_id)
            market, _ = place_of(session, deployment_id)
            signals = list_external(session, deployment_id, market.day_of(self._clock.now()))
            orders = orders_of_signals(session, [s.signal_id for s in signals if s.signal_id is not None])
        return [Answer(signal=s, orders=orders.get(s.signal_id or 0, [])) for s in signals]

    def withdraw(self, actor: Actor, external_id: int, *, reason: str) -> int:
        """Cancel the entries of a signal that no lane has sent yet; return how many.

        What was sent ends by itself within the signal's time, or is closed by leaving.

        Raises: NotFoundError, ForbiddenError.
        """
        scope = scope_of(actor)
        with self._database.begin() as session:
            signal = read_external(session, scope, external_id)
            if signal is None:
                raise NotFoundError(f"expected a signal of yours, there is no signal:{external_id}")
            _deployment_of(session, actor, DeploymentId(signal.deployment_id))
            if signal.signal_id is None:
                return 0
            where = {"signal_id": signal.signal_id, "user_id": signal.user_id}
            canceled = cancel_unsent_entries(session, where=where, reason=reason, at=self._clock.now())
            subject = f"deployment {signal.deployment_id}"
            facts = {"key": signal.key, "canceled": canceled}
            record(session, actor, "signal.withdrawn", subject=subject, reason=reason, **facts)
        return canceled

    def _find(
        self,
        session: Session,
        deployment_id: DeploymentId,
        wish: ExternalWish,
        repeats_within_s: float | None,
    ) -> Answer | None:
        if repeats_within_s is None:
            signal = find_external(session, deployment_id, wish.key)
        else:
            since = self._clock.now() - timedelta(seconds=repeats_within_s)
            signal = find_recent(session, deployment_id, f"{wish.key}@", since=since)
        if signal is None:
            return None
        if signal.wish != wish.to_mapping():
            raise ConflictError(
                f"key {wish.key!r}: expected what it stands for, {signal.wish}, got {wish.to_mapping()}"
            )
        return replace(_answer(session, signal), is_repeat=True)

    def _case(self, session: Session, actor: Actor, deployment_id: DeploymentId, wish: ExternalWish) -> Case:
        market, armed_on = place_of(session, deployment_id)
        day, name = market.day_of(self._clock.now()), wish.instrument_id
        return Case(
            deployment=_deployment_of(session, actor, deployment_id),
            wish=wish,
            holding=holding_of(session, deployment_id, name, day),
            instrument=None if name is None else find_instrument(session, day, name),
            market=market,
            day=day,
            armed_on=armed_on,
        )

    def _keep(
        self,
        session: Session,
        actor: Actor,
        case: Case,
        move: Move,
        *,
        judged: Judged | None,
        door: Door,
    ) -> Answer | None:
        """Record what was handed in with what it came to; nothing where its limits could not be read."""
        if judged is not None and not judged.wishes:
            return None
        wish, deployment = case.wish, case.deployment
        facts = {
            "key": wish.key,
            "door": door,
            "wish": wish.to_mapping(),
            "outcome": move.kind,
            "code": move.fault,
        }
        signal = add_external(
            session,
            **facts,
            user_id=deployment.user_id,
            deployment_id=deployment.deployment_id,
            day=case.day,
            actor=actor.name,
            message=move.message,
            instrument_id=wish.instrument_id,
            side=move.side,
            quantity=move.quantity or None,
            signal_id=None if judged is None else next(iter(judged.signal_ids.values())),
            ts_init=self._clock.now(),
        )
        subject = f"deployment {deployment.deployment_id}"
        record(session, actor, "signal.handed_in", subject=subject, reason=wish.reason, **facts)
        return _answer(session, signal)


def open_external_signals(
    database: Database, clock: Clock, calendar: Calendar, *, valkey: Redis, costs: Costs
) -> ExternalSignals:
    """Wire the use case together for a process that is no worker."""
    windows = EntryWindows(database, TimeBook(calendar))
    trading = Trading(database=database, clock=clock, news=News(valkey), costs=costs, windows=windows)
    return ExternalSignals(database, clock, valkey=valkey, trading=trading, windows=windows)


def _deployment_of(session: Session, actor: Actor, deployment_id: DeploymentId) -> Deployment:
    deployment = get_visible_deployment(session, actor, deployment_id)
    require_control(actor, deployment.user_id)
    if deployment.strategy != EXTERNAL:
        raise InvalidInputError(
            f"{deployment.name}: expected a deployment of the strategy {EXTERNAL}, got {deployment.strategy}"
        )
    return deployment


def _answer(session: Session, signal: ExternalSignal) -> Answer:
    if signal.signal_id is None:
        return Answer(signal=signal, orders=())
    orders = orders_of_signals(session, [signal.signal_id])
    return Answer(signal=signal, orders=orders.get(signal.signal_id, ()))
