"""Hold hedges back until what they cover has left, in an exits lane. The rule is app/domain/risk/closing."""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy.orm import Session

from app.db.exits import LegWork
from app.db.leaving import LeavingRow, leaving_options
from app.domain.errors import NotFoundError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument
from app.domain.ports import Clock
from app.domain.risk.closing import LeavingLeg, hedge_waits
from app.services.lanes.requests import ContractBook

_Key = tuple[int, date, str]


class Closing:
    """Remember since when each hedge is held back. One owner."""

    def __init__(self, contracts: ContractBook, clock: Clock) -> None:
        self._contracts = contracts
        self._clock = clock
        self._since: dict[_Key, float] = {}
        self._waiting: set[_Key] = set()

    def look(self, session: Session, work: Sequence[LegWork]) -> None:
        """Decide which legs of one pass keep their place."""
        bought = [w for w in work if w.leg.exit_reason is not None and w.leg.net_qty > 0]
        leaving = leaving_options(session, {w.leg.deployment_id for w in bought}) if bought else {}
        at, since = self._clock.monotonic(), self._since
        self._since, self._waiting = {}, set()
        for each in bought:
            key = _key(each)
            began = since.get(key, at)
            if self._is_held_back(each, leaving, waited_s=at - began):
                self._waiting.add(key)
            if self._is_held_back(each, leaving, waited_s=0.0):
                self._since[key] = began  # remembered beyond its bound, or it would begin to wait anew

    def waits(self, work: LegWork) -> bool:
        """Whether a leg of the last look keeps its place although it shall be flat."""
        return _key(work) in self._waiting

    def _is_held_back(
        self, work: LegWork, leaving: Mapping[int, Sequence[LeavingRow]], *, waited_s: float
    ) -> bool:
        leg = LeavingLeg(
            instrument=self._contract(work.leg.day, work.leg.instrument_id), held_qty=work.leg.net_qty
        )
        others = [
            LeavingLeg(
                instrument=self._contract(row.day, row.instrument_id),
                held_qty=row.held_qty,
                is_being_sold=row.is_being_sold,
            )
            for row in leaving.get(work.leg.deployment_id, ())
        ]
        return hedge_waits(leg, others, waited_s=waited_s)

    def _contract(self, day: date, instrument_id: str) -> Instrument | None:
        try:
            return self._contracts.get(day, InstrumentId(instrument_id))
        except NotFoundError:
            return None


def _key(work: LegWork) -> _Key:
    return work.leg.deployment_id, work.leg.day, work.leg.instrument_id
