"""A storm day in which everybody's kill switch is pressed."""

import pytest

from tests.e2e.conftest import StartDay
from tests.e2e.days import assert_sound

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_every_account_is_flat_after_the_press_or_listed_with_the_reason(start_day: StartDay) -> None:
    ended = start_day(
        "--accounts", "6", "--seed", "9", "--faults", "storm", "--kill", "09:35", "--close", "09:55"
    ).end()

    (kill,) = ended.report["kills"]
    assert kill["accounts"] > 0
    assert kill["flat"] + len(kill["not_flat"]) == kill["accounts"]
    assert all(row["why"] for row in kill["not_flat"])
    assert 0 < kill["press_to_last_order"]["p50_ms"] <= kill["press_to_last_order"]["p99_ms"]
    assert "press to last order p50" in ended.output
    assert_sound(ended)
    assert ended.report["risk"]["square_offs"] == 0, "nothing was left for the square-off"
