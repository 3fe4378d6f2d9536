"""Describe the processes of simulators."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from app.demo.simulators.control import Row
from app.infra.processes import ProcessSpec
from app.infra.stack import answers


def write_accounts(file: Path, accounts: Sequence[Row]) -> Path:
    """Write the accounts that a simulator shall know; return the file."""
    file.write_text(json.dumps(list(accounts), indent=1), encoding="utf-8")
    file.chmod(0o600)
    return file


def simulator_spec(name: str, arguments: Sequence[str], *, port: int) -> ProcessSpec:
    """Return a simulator's process.

    Its book is the evidence of the day: a simulator that died cannot be replaced by a fresh one.
    """
    module, *rest = arguments
    url = f"http://127.0.0.1:{port}/_sim/clock"
    argv = (sys.executable, "-m", module, "--host", "127.0.0.1", "--port", str(port), *rest)
    return ProcessSpec(name=name, argv=argv, ready=lambda: answers(url), restart=False)
