"""Note every span in which a leg had no stop, by a trigger of the test's own in the day's database.

The ledger keeps only the longest span of each leg; here it also matters when it was, because no software
protects anything while every process and both engines are gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.chaos.driver import Struck
from tests.chaos.plan import Kind

_WATCH = (
    """
    CREATE TABLE chaos_bare_spans
      (account_id bigint, instrument_id text, began timestamptz, ended timestamptz)
    """,
    """
    CREATE FUNCTION chaos_note_bare() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.exposed_since IS NOT NULL AND NEW.exposed_since IS NULL AND NEW.net_qty <> 0 THEN
        INSERT INTO chaos_bare_spans
        VALUES (OLD.account_id, OLD.instrument_id, OLD.exposed_since, clock_timestamp());
      END IF;
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER chaos_bare AFTER UPDATE ON legs FOR EACH ROW EXECUTE FUNCTION chaos_note_bare()",
)


@dataclass(frozen=True, slots=True)
class BareSpan:
    """Show one span in which a leg had no stop, in the machine's time."""

    account_id: int
    instrument_id: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.ended - self.began).total_seconds()

    def __str__(self) -> str:
        leg = f"{self.instrument_id} of account {self.account_id}"
        return f"{self.seconds:.1f} s from {self.began:%H:%M:%S}: {leg}"


def watch_bare_legs(session: Session) -> None:
    """Put the trigger in place, before the first order."""
    for statement in _WATCH:
        session.execute(text(statement))


def bare_spans(session: Session) -> list[BareSpan]:
    """Return what was noted, the longest first."""
    rows = session.execute(text("SELECT account_id, instrument_id, began, ended FROM chaos_bare_spans"))
    return sorted((BareSpan(*row) for row in rows), key=lambda span: -span.seconds)


def while_we_ran(spans: Sequence[BareSpan], struck: Sequence[Struck]) -> list[BareSpan]:
    """Return the spans in which something of ours ran all the time, the longest first."""
    cuts = [(s.began, s.ended) for s in struck if s.fault.kind is Kind.POWER_CUT]
    return [
        span
        for span in spans
        if not any(began and ended and began <= span.ended and span.began <= ended for began, ended in cuts)
    ]
