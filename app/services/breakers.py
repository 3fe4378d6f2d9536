"""Hold back what is not urgent while a broker fails for many accounts: entries, periodic reads, logins.

Exits and cancels never ask; what becomes of them is heard like everything else (I7).
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from app.config import Settings
from app.db.alarms import align_alarms
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.breaker import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    EndpointClass,
    Witness,
    admit,
    advance,
    hear,
)
from app.domain.errors import UnavailableError
from app.domain.ids import AccountId
from app.domain.ports import Clock
from app.infra.breaker_store import BreakerStore

log = structlog.get_logger()

_ALARM = "breaker_open"
# A probe is lost when nothing was heard of it for its own time-out and this.
_PROBE_GRACE_S = 5.0

Gate = Callable[[AccountId], bool]
"""Says whether an account's call may leave now; asking may use up a probe."""


class Breakers:
    """Ask and feed the breakers that all processes share. Thread-safe."""

    def __init__(
        self,
        store: BreakerStore,
        clock: Clock,
        settings: Settings,
        *,
        broker_of: Callable[[AccountId], BrokerCode],
    ) -> None:
        self._store = store
        self._clock = clock
        self._broker_of = broker_of
        self._policy = BreakerPolicy(
            first_open=timedelta(seconds=settings.breaker_open_s),
            probe_wait=timedelta(seconds=settings.order_timeout_s + _PROBE_GRACE_S),
        )

    def gate(self, broker: BrokerCode, endpoints: EndpointClass) -> Gate:
        """Return the gate of this moment.

        Raises:
            UnavailableError: the breaker cannot be read; entries wait (fail closed), reads and logins go on.
        """
        try:
            breaker = self._store.read(broker, endpoints)
        except RedisError as e:
            raise UnavailableError("the breakers in Valkey cannot be read") from e
        match advance(breaker, now=self._clock.wall(), policy=self._policy).state:
            case BreakerState.CLOSED:
                return lambda _: True
            case BreakerState.OPEN:
                return lambda _: False
            case BreakerState.HALF_OPEN:
                return lambda account_id: self._takes_probe(account_id, broker, endpoints)

    def _takes_probe(self, account_id: AccountId, broker: BrokerCode, endpoints: EndpointClass) -> bool:
        def step(breaker: Breaker) -> Breaker | None:
            return admit(breaker, account_id, now=self._clock.wall(), policy=self._policy)

        try:
            return self._store.change(broker, endpoints, step) is not None
        except RedisError:
            return False

    def hear(self, endpoints: EndpointClass, said: Iterable[Witness | None]) -> None:
        """Tell the breakers how calls ended, whichever brokers they went to; without Valkey it is lost."""
        by_broker: dict[BrokerCode, list[Witness]] = {}
        for one in said:
            if one is not None:
                by_broker.setdefault(self._broker_of(one.account_id), []).append(one)
        for broker, witness in by_broker.items():
            try:
                self._hear(broker, endpoints, witness)
            except RedisError as e:
                log.warning("breaker_not_told", broker=broker, endpoints=endpoints, error=type(e).__name__)

    def _hear(self, broker: BrokerCode, endpoints: EndpointClass, witness: list[Witness]) -> None:
        before = Breaker()

        def step(breaker: Breaker) -> Breaker:
            nonlocal before
            before = breaker
            return hear(breaker, witness, now=self._clock.wall(), policy=self._policy)

        after = self._store.change(broker, endpoints, step)
        if after is not None and after.state is not before.state:
            log.warning("breaker_changed", broker=broker, endpoints=endpoints, state=after.state)

    def align_alarms(self, database: Database) -> None:
        """Raise an alarm for each breaker that is not CLOSED, and clear those of the others. Idempotent."""
        try:
            failing = {
                f"{broker}:{endpoints}": (None, failing_message(broker, endpoints))
                for (broker, endpoints), breaker in self._store.read_all().items()
                if breaker.state is not BreakerState.CLOSED
            }
        except RedisError as e:
            log.warning("breaker_alarms_not_aligned", error=type(e).__name__)
            return
        with database.begin() as session:
            align_alarms(session, _ALARM, failing, now=self._clock.now())


_CONSEQUENCES = {
    EndpointClass.ORDERS: "entries wait until it answers, exits and cancels go on",
    EndpointClass.READS: "its books are read for accounts in doubt and by a few probes only",
    EndpointClass.LOGINS: "accounts log in by a few probes until it answers",
}


def failing_message(broker: BrokerCode, endpoints: EndpointClass) -> str:
    """Say in a sentence what a breaker that is not CLOSED means."""
    return f"{broker} fails {endpoints.lower()} of several accounts: {_CONSEQUENCES[endpoints]}"
