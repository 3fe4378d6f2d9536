"""An account's requests per second, while the shared count in Valkey cannot be reached."""

import pytest
from redis import Redis

from app.domain.errors import UnavailableError
from app.infra.rate_limit import OrderBudget


def test_without_valkey_exits_leave_within_the_limit_and_entries_wait() -> None:
    budget = OrderBudget(Redis.from_url("redis://127.0.0.1:1"), per_second=3)

    assert [budget.take_for_exit(7) for _ in range(5)] == [True, True, True, False, False]
    assert budget.take_for_exit(8)
    with pytest.raises(UnavailableError):
        budget.take_for_entry(8)
