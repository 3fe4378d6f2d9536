"""Share the breakers between all processes, in Valkey: what one lane hears helps the others.

Nothing else needs them to survive: a breaker that was lost is CLOSED and opens again by the next faults.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from redis import Redis
from redis.exceptions import WatchError

from app.domain.accounts import BrokerCode
from app.domain.breaker import Breaker, BreakerState, EndpointClass, Witness
from app.domain.ids import AccountId
from app.infra.names import BREAKER_KEY

# Longer than any open time: what nobody has touched for so long is forgotten, after a night for example.
_FORGOTTEN_AFTER_S = 1800
_ATTEMPTS = 50


class BreakerStore:
    """Read and change breakers. Thread-safe; every method raises redis.RedisError when Valkey is away."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    def read(self, broker: BrokerCode, endpoints: EndpointClass) -> Breaker:
        """Return one breaker; a CLOSED one where nothing was ever heard."""
        return _decode(self._valkey.get(_key(broker, endpoints)))

    def read_all(self) -> Mapping[tuple[BrokerCode, EndpointClass], Breaker]:
        """Return the breakers of which something is known."""
        names = [(broker, endpoints) for broker in BrokerCode for endpoints in EndpointClass]
        found = self._valkey.mget([_key(*name) for name in names])
        return {
            name: _decode(text)
            for name, text in zip(names, found, strict=True)  # type: ignore[arg-type]  # sync client
            if text is not None
        }

    def change(
        self, broker: BrokerCode, endpoints: EndpointClass, step: Callable[[Breaker], Breaker | None]
    ) -> Breaker | None:
        """Apply a pure step to a breaker, again where another process was faster; return what it returned."""
        key = _key(broker, endpoints)
        with self._valkey.pipeline() as pipe:
            for _ in range(_ATTEMPTS):
                pipe.watch(key)  # type: ignore[no-untyped-call]  # redis-py
                before = _decode(pipe.get(key))
                after = step(before)
                if after is None or after == before:
                    return after
                pipe.multi()
                pipe.set(key, _encode(after), ex=_FORGOTTEN_AFTER_S)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return after
        raise WatchError(f"{key}: others changed it {_ATTEMPTS} times in a row")


def _key(broker: BrokerCode, endpoints: EndpointClass) -> str:
    return BREAKER_KEY.format(broker=broker, endpoints=endpoints)


def _encode(breaker: Breaker) -> str:
    return json.dumps(
        {
            "state": breaker.state,
            "since": breaker.since.timestamp(),
            "until": breaker.until.timestamp(),
            "open_for": breaker.open_for.total_seconds(),
            "probed": breaker.probed,
            "heard": [(e.account_id, e.asked_at.timestamp(), e.is_against) for e in breaker.heard],
        }
    )


def _decode(text: object) -> Breaker:
    if text is None:
        return Breaker()
    told = json.loads(str(text))
    return Breaker(
        state=BreakerState(told["state"]),
        since=_instant(told["since"]),
        until=_instant(told["until"]),
        open_for=timedelta(seconds=told["open_for"]),
        probed=tuple(AccountId(i) for i in told["probed"]),
        heard=tuple(
            Witness(account_id=AccountId(i), asked_at=_instant(at), is_against=is_against)
            for i, at, is_against in told["heard"]
        ),
    )


def _instant(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
