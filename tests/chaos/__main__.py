"""Run the long form and write docs/reliability.md: `python -m tests.chaos`.

The page is written only when the day held everything; a run that did not says why, and which seed repeats it.
With `--mutants` the day must fail instead, once for each safeguard that is taken out.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.mutants import MUTANTS
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
    parser.add_argument(
        "--mutants", nargs="*", choices=MUTANTS, help="safeguards to take out; all by default"
    )
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="openbell-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    if options.mutants is not None:
        return _play_mutants(options.mutants or tuple(MUTANTS), seed=options.seed, folder=folder)
    shape = SHORT if options.short else LONG
    shape = replace(shape, accounts=options.accounts or shape.accounts, faults=options.faults or shape.faults)
    run = run_chaos(shape, seed=options.seed, folder=folder, say=_say)
    if run.reasons:
        _say("\n".join((f"The day did not hold. Repeat it with --seed {options.seed}.", *run.reasons)))
        _say(f"Everything it left is in {folder}.")
        return 1
    _say(f"The day held {run.record['played']} faults of {len(run.record['kinds'])} kinds.")
    if not options.short:
        _write(_read() | run.record | {"at": stamp(datetime.now(UTC)), "remarks": []})
    return 0


def _play_mutants(names: Sequence[str], *, seed: int, folder: Path) -> int:
    """Play the faults that ask for a safeguard, with it and without; return 0 when only its loss is told."""
    found = {}
    for name in names:
        mutant = MUTANTS[name]
        for is_mutated in (False, True):
            place = folder / (f"without-{name}" if is_mutated else f"with-{name}")
            place.mkdir()
            run = run_chaos(
                mutant.shape, seed=seed, folder=place, say=_say, mutant=name if is_mutated else mutant.beside
            )
            if run.reasons and not is_mutated:
                _say("\n".join((f"With {mutant.what} the day did not hold either.", *run.reasons)))
                return 1
        told = mutant.tells(run.reasons)
        if told is None:
            _say("\n".join((f"Nobody noticed that it lacked {mutant.what}.", *run.reasons)))
            return 1
        _say(f"Without {mutant.what}: {told}")
        found[name] = {"what": mutant.what, "told": told, "reasons": len(run.reasons)}
    kept = _read()
    _write(kept | {"mutants": kept.get("mutants", {}) | found})
    return 0


def _read() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return kept


def _write(record: dict[str, Any]) -> None:
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page_of(record), encoding="utf-8")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
