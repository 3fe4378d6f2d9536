"""Note every order that a run writes when it has lost its lease, by a trigger that looks as it is committed.

The auditor compares who sent what when; here also counts what a holder began in time and finished too late.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

_WATCH = (
    "CREATE TABLE chaos_stale_writes (order_id bigint, fence bigint, held bigint)",
    """
    CREATE FUNCTION chaos_note_stale() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE newest bigint;
    BEGIN
      SELECT max(l.fence) INTO newest FROM leases l JOIN accounts a ON a.id = NEW.account_id
       WHERE l.kind = CASE WHEN NEW.role = 'ENTRY' THEN 'entries' ELSE 'exits' END
         AND jsonb_exists(l.spec -> 'brokers', a.broker)
         AND NEW.account_id % (l.spec ->> 'of')::int = (l.spec ->> 'shard')::int;
      IF newest > NEW.fence THEN
        INSERT INTO chaos_stale_writes VALUES (NEW.id, NEW.fence, newest);
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER chaos_stale AFTER INSERT OR UPDATE OF fence ON orders
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.fence IS NOT NULL)
    EXECUTE FUNCTION chaos_note_stale()
    """,
)


def watch_stale_writes(session: Session) -> None:
    """Put the trigger in place, before the first order."""
    for statement in _WATCH:
        session.execute(text(statement))


def stale_writes(session: Session) -> list[str]:
    """Return in words what was noted."""
    rows = session.execute(text("SELECT order_id, fence, held FROM chaos_stale_writes ORDER BY order_id"))
    return [f"order {row.order_id}: fence {row.fence} wrote it while fence {row.held} held" for row in rows]
