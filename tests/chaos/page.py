"""Write docs/reliability.md from the record of a run."""

from collections.abc import Mapping
from typing import Any

from tests.e2e.days import ROOT

PAGE = ROOT / "docs" / "reliability.md"
RECORD = PAGE.with_suffix(".json")
_HEAD = """# Reliability: what was broken on purpose, and what it cost

`make chaos` runs a whole trading day on the simulated brokers, breaks it by a plan that its seed repeats, and
compares the ledger with the brokers' own books, which know nothing of us. It writes this page and its record
(`docs/reliability.json`) when the day held; a run that did not says why and prints its seed.
`make chaos ARGS=--mutants` takes one safeguard after the other out of the workers: then the day must fail.
"""
_TAIL = """
## How to read it

- **Recovery** is real time from the fault until every process ran, both engines answered and every run was
  held and renewed. It contains the fault's own length. `-` means that nothing of ours had to recover.
- **A hop** is a side of a commit or of a call to a broker between a strategy's wish and the order's end. The
  worker dies or sleeps exactly there (`tests/chaos/hops`); nothing of the product knows of it.
- **Without a stop** counts from the fill to a stop that the broker has confirmed, or that we watch
  while it does not answer or takes no connection (docs/adr/0012), in every account, through every fault but
  one: where every process and both engines are killed at once, nothing of ours can protect what had just been
  filled, and that span has a line of its own.
- **Exits behind entries** are exits asked for before an entry of their account was wished, whose first step
  came after that entry had left, while no fault was under way.
- **Entries that waited** left more than three seconds after their wish, and after the last fault that they
  met. They are counted, and fail the day only in the run without the lanes' own look: a broker that throttles
  or is doubted keeps an account's entries waiting for longer than its fault lasts, as it should.

## What is not played, and why

- The machine's own clock is not set (that needs root): `Clock.wall` of a worker is off by four seconds
  instead. Leases ask the database for the time.
- The whole of PostgreSQL hangs for a second and a half at most. No order leaves without its row (I1), so what
  had just been filled is without a stop for as long as the ledger stands still, and a moment more. Half of
  its connections stand still for up to four seconds, and Valkey hangs as long.
- Both exits workers at once die in the power cut only: until one has started again, nothing can protect.
- A full disk is a limit on the size of files (`RLIMIT_FSIZE`) of processes of ours. PostgreSQL and
  Valkey get none: Valkey would end, which is played as a kill.
- The brokers' own weather stays calm between the faults: in a storm each twentieth order is unknown for
  half a minute, which leaves no room for five thousand. `openbell demo --faults storm` is that day.
- Connections are cut and delayed by the engines themselves and by stopped processes; a lossy network looks
  the same to us, because TCP sends again.
- Tasks are delivered again, and phases fired again, but not put into another order: a queue of ours holds one
  message at most times, and no task depends on another's place.
- The paper exchange does not run on a demo day; `tests/contract/paper` proves that it survives kill -9.
"""


def page_of(record: Mapping[str, Any]) -> str:
    """Return the text of the page."""
    orders = record["orders"]
    facts = {
        "when": record["at"],
        "seed": record["seed"],
        "accounts": record["accounts"],
        "single calls and messages that the brokers spoiled": record["by_broker_itself"],
        "took": f"{record['took_s'] / 60:.0f} minutes",
        "faults played": f"{record['played']} of {len(record['kinds'])} kinds",
        "processes started again": record["restarts"],
        "orders": f"{orders['intents']} wished, {orders['sent']} sent, {orders['filled']} filled, "
        f"{orders['denied']} denied, {orders['rejected']} rejected",
        "outcomes that were unknown for a while": record["unknown_seen"],
        "**lost**": record["lost"],
        "**doubled**": record["duplicates"],
        "**mismatched with the brokers' books**": record["mismatched"],
        "**still unknown at the end**": record["unknown_open"],
        "**still open at the end**": record["open_at_end"],
        "**exits behind entries**": record["exits_behind_entries"],
        "**orders written by who had lost the lease**": record["writes_without_a_lease"],
        "**longest without a stop**": f"{record['unprotected_max_s']} s",
        "the same, while everything of ours was dead": f"{record['unprotected_in_power_cut_s']} s",
        "entries that waited although no fault was under way": record["entries_late"],
    }
    lines = [_HEAD, "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
    lines += ["", "## Faults by kind", "", "| fault | played | recovery p50 | longest |", "|---|---|---|---|"]
    for name, kind in record["kinds"].items():
        lines.append(
            f"| {name} | {kind['played']} | {_s(kind['recovery_p50_s'])} | {_s(kind['recovery_max_s'])} |"
        )
    if record["missed"]:
        lines += ["", "## Planned and not played", "", "| fault | times |", "|---|---|"]
        lines += [f"| {what} | {count} |" for what, count in sorted(record["missed"].items())]
    lines += _mutants(record["mutants"])
    if record["remarks"]:
        lines += ["", "## What this run did otherwise than planned", "", *record["remarks"]]
    return "\n".join(lines) + "\n" + _TAIL


def _mutants(mutants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["", "## What the suite says when a safeguard is missing", ""]
    lines += ["| taken out | first reason given | reasons |", "|---|---|---|"]
    return lines + [f"| {m['what']} | {m['told']} | {m['reasons']} |" for m in mutants.values()]


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds} s"
