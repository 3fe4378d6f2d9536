"""Breakers are shared through Valkey, survive writers that race, and tell people through one alarm each."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import select

from app.config import Settings
from app.db.models import AlarmRow
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.breaker import BreakerState, EndpointClass, Witness
from app.domain.errors import UnavailableError
from app.domain.ids import AccountId
from app.infra.breaker_store import BreakerStore
from app.infra.clock import SystemClock
from app.services.breakers import Breakers

KOTAK, ORDERS = BrokerCode.KOTAK_NEO, EndpointClass.ORDERS


@pytest.fixture
def store(redis_url: str) -> Iterator[BreakerStore]:
    valkey = Redis.from_url(redis_url, decode_responses=True)
    valkey.flushdb()
    yield BreakerStore(valkey)
    valkey.close()


class _Later(SystemClock):
    """An hour later."""

    def wall(self) -> datetime:
        return super().wall() + timedelta(hours=1)


def _breakers(store: BreakerStore) -> Breakers:
    return Breakers(store, SystemClock(), Settings(breaker_open_s=60), broker_of=lambda _: KOTAK)


def _later(store: BreakerStore) -> Breakers:
    return Breakers(store, _Later(), Settings(), broker_of=lambda _: KOTAK)


def _faults(*accounts: int) -> list[Witness]:
    now = datetime.now(UTC)
    return [Witness(account_id=AccountId(a), asked_at=now, is_against=True) for a in accounts]


def _opened(store: BreakerStore) -> Breakers:
    breakers = _breakers(store)
    breakers.hear(ORDERS, _faults(1, 2, 3, 4, 5))
    return breakers


def test_what_one_process_hears_stops_the_entries_of_another(store: BreakerStore) -> None:
    _opened(store)

    assert not _breakers(store).gate(KOTAK, ORDERS)(AccountId(9))
    assert _breakers(store).gate(KOTAK, EndpointClass.READS)(AccountId(9))
    assert _breakers(store).gate(BrokerCode.PAPER, ORDERS)(AccountId(9))


def test_racing_processes_lose_no_evidence_and_give_away_no_probe_twice(store: BreakerStore) -> None:
    quiet = [
        Witness(account_id=e.account_id, asked_at=e.asked_at, is_against=False) for e in _faults(*range(16))
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: _breakers(store).hear(ORDERS, [one]), quiet))
    assert {e.account_id for e in store.read(KOTAK, ORDERS).heard} == set(range(16))
    assert store.read(KOTAK, ORDERS).heard[0].asked_at == quiet[0].asked_at

    _breakers(store).hear(ORDERS, _faults(*range(100, 140)))
    gate = _later(store).gate(KOTAK, ORDERS)
    with ThreadPoolExecutor(8) as pool:
        went = list(pool.map(lambda i: gate(AccountId(i)), range(16)))
    assert sum(went) == 2


def test_nothing_can_be_asked_and_nothing_breaks_while_valkey_is_away() -> None:
    breakers = _breakers(BreakerStore(Redis(port=1, decode_responses=True)))

    breakers.hear(ORDERS, _faults(1))
    with pytest.raises(UnavailableError):
        breakers.gate(KOTAK, ORDERS)


def test_one_alarm_stands_while_a_breaker_is_not_closed(store: BreakerStore, fresh_database_url: str) -> None:
    database = Database(fresh_database_url)
    breakers = _opened(store)

    def alarms() -> list[tuple[str, int, bool]]:
        breakers.align_alarms(database)
        with database.begin() as session:
            rows = session.scalars(select(AlarmRow).order_by(AlarmRow.id))
            return [(row.subject, row.seen, row.cleared_at is None) for row in rows]

    assert alarms() == alarms() == [("kotak_neo:ORDERS", 1, True)]
    due = store.read(KOTAK, ORDERS).until + timedelta(seconds=1)
    answer = Witness(account_id=AccountId(1), asked_at=due, is_against=False)
    _later(store).hear(ORDERS, [answer])
    assert store.read(KOTAK, ORDERS).state is BreakerState.CLOSED
    assert alarms() == [("kotak_neo:ORDERS", 1, False)]
    database.close()
