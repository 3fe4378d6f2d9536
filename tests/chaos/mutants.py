"""Name the safeguards whose loss the suite must notice, and the faults in which each of them counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.services.lanes.exits import ExitLane
from app.services.trading import Trading
from tests.chaos.plan import Choice, Kind, hops_at
from tests.chaos.run import Shape

_ACCOUNTS, _FAULTS = 6, 8
_LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One safeguard that is missing. `signs`: beginnings of reasons, one of which must be given.

    `beside`: what is out in both days, because it would do the safeguard's work.
    """

    what: str
    choice: Choice
    signs: tuple[str, ...]
    beside: str = ""

    @property
    def shape(self) -> Shape:
        """A small day with nothing but faults that ask for the safeguard; as strict as its signs are."""
        return Shape(
            accounts=_ACCOUNTS,
            faults=_FAULTS,
            is_short=True,
            is_strict=False,
            is_prompt=_LATE in self.signs,
            choice=self.choice,
        )

    def tells(self, reasons: Iterable[str]) -> str | None:
        """Return the first reason that names what went wrong without it, None when there is none."""
        return next((reason for reason in reasons if reason.startswith(self.signs)), None)


MUTANTS: Mapping[str, Mutant] = {
    "fencing": Mutant(
        what="the check of the fencing number before a write (and PostgreSQL's limit on frozen transactions)",
        beside="idle-limit",
        choice=Choice(
            kinds=(Kind.SLEEP_AT_HOP,),
            hops=hops_at("before_commit", ExitLane._take_steps),
        ),
        signs=("without a lease", "audit: I11"),
    ),
    "sweeper": Mutant(
        what="the lanes' own look at their tables, beside the wake-ups",
        choice=Choice(kinds=(Kind.DIE_AT_HOP,), hops=hops_at("after_commit", Trading.record)),
        signs=(_LATE,),
    ),
    "tags": Mutant(
        what="the look-up of an order by its tag",
        choice=Choice(kinds=(Kind.BROKER,), rules=("ack_lost",)),
        signs=("doubled", "mismatched", "lost", "audit: I2", "audit: I4"),
    ),
    "second-read": Mutant(
        what="the second clean read before an order counts as not placed",
        choice=Choice(kinds=(Kind.BROKER,), rules=("request_lost",)),
        signs=("audit: I3",),
    ),
}
