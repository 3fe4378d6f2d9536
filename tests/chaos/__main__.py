"""Run the long form and write docs/reliability.md: `python -m tests.chaos`.

The page is written only when the day held everything; a run that did not says why, and which seed repeats it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.page import PAGE, RECORD, page_of
from tests.chaos.run import LONG, SHORT, run_chaos
from tests.chaos.verdict import stamp

_SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chaos suite; return 0 when nothing was lost, doubled or left open."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description="Break a trading day on purpose.")
    parser.add_argument("--seed", type=int, default=_SEED, help="repeats a plan of faults")
    parser.add_argument("--short", action="store_true", help="the form of the tests; writes no page")
    parser.add_argument("--accounts", type=int, help="how many accounts trade")
    parser.add_argument("--faults", type=int, help="how many faults are played")
    parser.add_argument("--folder", type=Path, help="where the day lives, kept afterwards")
    options = parser.parse_args(arguments)
    shape = SHORT if options.short else LONG
    shape = replace(shape, accounts=options.accounts or shape.accounts, faults=options.faults or shape.faults)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="openbell-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    run = run_chaos(shape, seed=options.seed, folder=folder, say=_say)
    if run.reasons:
        _say("\n".join((f"The day did not hold. Repeat it with --seed {options.seed}.", *run.reasons)))
        _say(f"Everything it left is in {folder}.")
        return 1
    _say(f"The day held {run.record['played']} faults of {len(run.record['kinds'])} kinds.")
    if not options.short:
        kept = {"at": stamp(datetime.now(UTC)), **run.record}
        RECORD.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page_of(kept), encoding="utf-8")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
