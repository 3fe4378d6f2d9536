"""Leases are swept without waiting for anybody who is at work on one."""

from datetime import timedelta

import pytest

from app.db.leases import check_fence, claim_lapsed, want_run
from app.db.session import Database
from app.infra.names import RunKind

pytestmark = pytest.mark.integration


def test_a_sweep_leaves_a_lease_that_somebody_holds_and_takes_it_the_next_time(database: Database) -> None:
    with database.begin() as session:
        for name in ("exits:a", "exits:b"):
            want_run(session, name=name, kind=RunKind.EXITS, queue="exits.nse", spec={"venue": "NSE"})

    with database.begin() as at_work:
        check_fence(at_work, "exits:a", fence=0)
        assert _swept(database) == {"exits:b"}
    assert _swept(database) == {"exits:a"}


def _swept(database: Database) -> set[str]:
    with database.begin() as session:
        return {name for name, _, _ in claim_lapsed(session, redispatch_after=timedelta(seconds=30))}
