"""Find the entries that left late although nothing stood in their way: somebody's wake-up was lost.

A lane is woken for each wish, and looks at its tables several times a second besides. That look is what saves
a wish whose wake-up died with its sender, and no other part of the verdict notices when it is gone.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.services.trading import Trading
from tests.chaos.driver import Struck
from tests.chaos.plan import hops_at
from tests.e2e.days import DAY

_MAX_LATE_S = 3.0
# Who dies there had the wish in the ledger: only its wake-up is lost, and nothing is in the wish's way.
_WISHED = hops_at("after_commit", Trading.record)
# The only leg of its signal: it waits for no hedge. What was given up unsent had waited too.
_LEFT = text("""
SELECT o.id, o.account_id, o.created_at AS wished, coalesce(o.submitted_wall, o.ended_wall) AS left_at
  FROM (SELECT orders.*, count(*) OVER (PARTITION BY signal_id) AS legs FROM orders
         WHERE day = :day AND role = 'ENTRY') o
 WHERE o.legs = 1 AND coalesce(o.submitted_wall, o.ended_wall) IS NOT NULL
 ORDER BY o.id
""")


def late_entries(session: Session, struck: Sequence[Struck]) -> list[str]:
    """Return in words the entries that still waited long after the last fault that they had met was over."""
    felt = [
        (s.began, s.ended)
        for s in struck
        if s.began is not None and s.ended is not None and s.fault.hop not in _WISHED
    ]
    found = []
    for row in session.execute(_LEFT, {"day": DAY}):
        free = max(
            (ended for began, ended in felt if began <= row.left_at and row.wished <= ended),
            default=row.wished,
        )
        late_s = (row.left_at - max(free, row.wished)).total_seconds()
        if late_s > _MAX_LATE_S:
            found.append(
                f"order {row.id} of account {row.account_id}, wished {row.wished:%H:%M:%S}: {late_s:.1f} s"
            )
    return found
