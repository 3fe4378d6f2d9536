"""Read what the loops of a shard start from, and halt deployments."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.loss_locks import deployment_is_locked
from app.db.models import AccountRow, DeploymentRow, LegRow, SignalRow
from app.db.shards import at_brokers
from app.db.views import AnyRow
from app.domain.accounts import BrokerCode
from app.domain.deployments import Deployment, DeploymentState
from app.domain.ids import AccountId, DeploymentId, InstrumentId, SignalKey, UserId
from app.domain.numbers import ZERO
from app.domain.strategy import LegView

_LEG = (
    LegRow.deployment_id,
    LegRow.instrument_id,
    LegRow.net_qty,
    LegRow.entry_qty,
    LegRow.entry_value,
    LegRow.is_stopped,
    LegRow.exit_reason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentToday:
    """Hold what is known of a deployment today: recorded signal keys and legs."""

    deployment: Deployment
    emitted: frozenset[SignalKey]
    legs: Mapping[InstrumentId, LegView]


def load_shard(
    session: Session, *, shard: int, of: int, day: date, brokers: Collection[BrokerCode]
) -> list[DeploymentToday]:
    """Return the active, armed, unlocked deployments of users with `user_id % of == shard`, in order of id.

    Only those at one of the `brokers`, which are those of one market.
    """
    rows = session.scalars(
        select(DeploymentRow)
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .where(
            DeploymentRow.user_id % of == shard,
            DeploymentRow.state == DeploymentState.ACTIVE,
            DeploymentRow.armed_on == day,
            ~deployment_is_locked(day),
            at_brokers(DeploymentRow.account_id, brokers),
        )
        .order_by(DeploymentRow.id)
    )
    emitted: dict[int, set[SignalKey]] = defaultdict(set)
    of_market = select(DeploymentRow.id).where(at_brokers(DeploymentRow.account_id, brokers))
    keys = select(SignalRow.deployment_id, SignalRow.key).where(
        SignalRow.user_id % of == shard, SignalRow.day == day, SignalRow.deployment_id.in_(of_market)
    )
    for deployment_id, key in session.execute(keys):
        emitted[deployment_id].add(SignalKey(key))
    legs: dict[int, dict[InstrumentId, LegView]] = defaultdict(dict)
    # Rows, not objects: this is asked for again with every piece of news, of all legs of the day.
    held = select(*_LEG).where(
        LegRow.user_id % of == shard, LegRow.day == day, at_brokers(LegRow.account_id, brokers)
    )
    for leg in session.execute(held):
        legs[leg.deployment_id][InstrumentId(leg.instrument_id)] = _to_leg(leg)
    return [
        DeploymentToday(deployment=_to_deployment(row), emitted=frozenset(emitted[row.id]), legs=legs[row.id])
        for row in rows
    ]


def active_deployments(
    session: Session, brokers: Collection[BrokerCode]
) -> Sequence[tuple[str, dict[str, object]]]:
    """Return the distinct (strategy, parameters) of all active deployments at these brokers."""
    statement = (
        select(DeploymentRow.strategy, DeploymentRow.params)
        .where(DeploymentRow.state == DeploymentState.ACTIVE, at_brokers(DeploymentRow.account_id, brokers))
        .distinct()
    )
    return [(strategy, params) for strategy, params in session.execute(statement)]


def halt_deployment(session: Session, deployment_id: DeploymentId, *, user_id: UserId, reason: str) -> bool:
    """Halt an active deployment; return False when it was not active any more."""
    statement = (
        update(DeploymentRow)
        .where(
            DeploymentRow.id == deployment_id,
            DeploymentRow.user_id == user_id,
            DeploymentRow.state == DeploymentState.ACTIVE,
        )
        .values(state=DeploymentState.HALTED, state_reason=reason)
        .returning(DeploymentRow.id)
    )
    return session.execute(statement).one_or_none() is not None


def _to_deployment(row: DeploymentRow) -> Deployment:
    return Deployment(
        deployment_id=DeploymentId(row.id),
        user_id=UserId(row.user_id),
        account_id=AccountId(row.account_id),
        name=row.name,
        strategy=row.strategy,
        params=row.params,
        limits=row.limits,
        state=DeploymentState(row.state),
        state_reason=row.state_reason,
        sizing=row.sizing,
    )


def _to_leg(row: AnyRow) -> LegView:
    return LegView(
        instrument_id=InstrumentId(row.instrument_id),
        net_qty=row.net_qty,
        entry_qty=row.entry_qty,
        entry_px=row.entry_value / row.entry_qty if row.entry_qty else ZERO,
        is_stopped=row.is_stopped,
        exit_reason=row.exit_reason,
    )
