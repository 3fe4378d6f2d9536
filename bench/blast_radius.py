"""Measure what a black-holed broker costs the others at the bell, as a ratio within one run.

Days with a healthy and with a hanging Binance alternate; Kotak's accounts ring the same bell in both. The
goal is a bell p99 of no more than 1.3 times the healthy one.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from tests.e2e.days import RunningDay

_GOAL = 1.3
_FIGURES = ("first_ms", "p50_ms", "p99_ms")


def main() -> None:
    """Run the days and print each bell, the medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=15, help="accounts, a fifth of them at Binance")
    parser.add_argument("--repeats", type=int, default=3, help="days of each kind")
    options = parser.parse_args()
    say = Console(highlight=False, soft_wrap=True).print
    bells: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for number in range(2 * options.repeats):
        is_black = number % 2 == 1
        load = os.getloadavg()[0]
        bell = _ring(options.accounts, is_black=is_black)
        bells[is_black].append(bell)
        say(f"{_name(is_black):<12} {_figures(bell)}  {bell['orders']} orders  load before {load:.1f}")
    for is_black, rung in bells.items():
        say(f"median {_name(is_black):<12} {_figures({name: _median(rung, name) for name in _FIGURES})}")
    ratio = _median(bells[True], "p99_ms") / _median(bells[False], "p99_ms")
    say(f"p99 with a black hole beside it: {ratio:.2f} x the healthy one, goal {_GOAL} x")


def _ring(accounts: int, *, is_black: bool) -> dict[str, Any]:
    """Run one day and return its bell; the hole opens a second before it and closes within its window."""
    with tempfile.TemporaryDirectory(prefix="openbell-bench-") as folder:
        day = RunningDay(
            Path(folder),
            *("--accounts", str(accounts), "--venues", "NSE,BINANCE", "--close", "09:45", "--seed", "5"),
        )
        try:
            day.wait_until("09:14:59")
            with day.frozen("simulator-binance") if is_black else nullcontext():
                day.wait_until("09:15:25")
            ended = day.end()
        finally:
            day.stop()
    if ended.status != 0:
        raise SystemExit(f"a day did not end well, so its bell proves nothing: {ended.report['reasons']}")
    bell: dict[str, Any] = ended.report["bell"]
    return bell


def _median(bells: Sequence[dict[str, Any]], figure: str) -> float:
    return float(median(bell[figure] for bell in bells))


def _figures(bell: dict[str, Any]) -> str:
    return "  ".join(f"{name.removesuffix('_ms')} {bell[name]:.0f} ms" for name in _FIGURES)


def _name(is_black: bool) -> str:  # noqa: FBT001  a column of the output
    return "black-holed" if is_black else "healthy"


if __name__ == "__main__":
    main()
