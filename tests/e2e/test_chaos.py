"""The short form of `make chaos`: each kind of fault once in half an hour of trading, and nothing lost."""

from pathlib import Path

import pytest

from tests.chaos.plan import Kind
from tests.chaos.run import SHORT, run_chaos

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

_SEED = 5
# They need an order at the right place in time, which nobody can promise.
_MAY_MISS = {Kind.DIE_AT_HOP, Kind.SLEEP_AT_HOP, Kind.BROKER}


def test_a_day_holds_while_everything_that_can_break_breaks_once(tmp_path: Path) -> None:
    run = run_chaos(SHORT, seed=_SEED, folder=tmp_path, say=print)

    repeat = f"make chaos ARGS='--short --seed {_SEED}' repeats it"
    assert run.reasons == [], repeat
    assert {one.fault.kind for one in run.struck if not one.missed} >= set(Kind) - _MAY_MISS, repeat
    assert run.record["orders"]["filled"] >= 30, "too little was under way to prove anything"
