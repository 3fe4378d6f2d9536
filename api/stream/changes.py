"""Find what changed in the tables since the last look, and write it as frames.

The tables are the truth: events of other processes only say when to look, so a lost event, a dead
Valkey or a writer that forgot to tell costs a second, never a wrong page.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.schemas.accounts import Login
from api.schemas.day import Alarm, PhaseInfo, PnlInfo, Run
from api.schemas.stream import MarkedLeg, Marks
from api.schemas.trading import Order, Position
from api.stream.hub import STAFF, Audience, Body
from api.valuation import show_position
from app.db.scope import DataScope
from app.db.views import AnyRow
from app.db.views.accounts import read_logins
from app.db.views.day import read_alarms, read_runs
from app.db.views.trading import read_changed_orders, read_legs
from app.domain.charges import ChargeSum
from app.services.costs import LegId
from app.services.overview import Sources
from app.services.pnl import LegPnl, add_up, value_legs
from app.services.risk_control import Moment
from app.services.timeline import phases_of, session_of

_EVERYBODY = DataScope(user_id=None)
_LATE_COMMITS = timedelta(seconds=2)
"""A row may become visible this long after its `updated_at`; the full look finds still later ones."""
_LISTS: dict[str, TypeAdapter[Any]] = {
    "orders": TypeAdapter(list[Order]),
    "positions": TypeAdapter(list[Position]),
    "logins": TypeAdapter(list[Login]),
    "phases": TypeAdapter(list[PhaseInfo]),
    "runs": TypeAdapter(list[Run]),
    "alarms": TypeAdapter(list[Alarm]),
}


class Seen:
    """Remember the rows of one kind, to tell which are new."""

    def __init__(self, key: Callable[[Any], Hashable], same: Callable[[Any], object] = tuple) -> None:
        """Args: key: identifies a row. same: what must differ for the row to count as changed."""
        self._key, self._same = key, same
        self.rows: dict[Hashable, Any] = {}

    def changed(self, rows: Iterable[Any]) -> list[Any]:
        """Take in rows and return those that differ from what was seen."""
        fresh = []
        for row in rows:
            key = self._key(row)
            before = self.rows.get(key)
            if before is None or self._same(before) != self._same(row):
                self.rows[key] = row
                fresh.append(row)
        return fresh


class Changes:
    """Follow one trading day. Not thread-safe: one thread owns it."""

    def __init__(self, sources: Sources, *, day_of: Moment) -> None:
        self._sources = sources
        self.day = day_of.day
        self._since: datetime | None = None
        self._orders = Seen(lambda row: row.id)
        self._legs = Seen(lambda row: (row.deployment_id, row.instrument_id))
        self._logins = Seen(lambda row: row.account_id)
        self._alarms = Seen(lambda row: row.id)
        self._runs = Seen(lambda row: row.name, lambda row: (*row[:6], row.is_alive, row.progress))
        self._phases: list[PhaseInfo] = []
        self._values: dict[Hashable, LegPnl] = {}
        self._charges: dict[LegId, ChargeSum] = {}
        self.marks: Mapping[str, Decimal] = {}

    def look(
        self, session: Session, moment: Moment, *, audiences: frozenset[Audience], is_full: bool
    ) -> list[Body]:
        """Return frames for what changed; `is_full` reads all rows instead of the recently written ones."""
        since = None if is_full or self._since is None else self._since - _LATE_COMMITS
        self._since = session.scalar(select(func.clock_timestamp()))
        frames = _Frames(moment.now, audiences)
        orders = read_changed_orders(session, _EVERYBODY, day=self.day, since=since)
        frames.add_rows("orders", self._orders.changed(orders), Order.model_validate)
        logins = read_logins(session, _EVERYBODY, day=self.day, since=since)
        frames.add_rows("logins", self._logins.changed(logins), Login.model_validate)
        legs = self._legs.changed(read_legs(session, _EVERYBODY, day=self.day, since=since))
        self._look_at_charges(session, legs, is_full=is_full)
        frames.add_rows("positions", legs, self._show_position)
        start = moment.now.replace(hour=0, minute=0)
        alarms = read_alarms(session, _EVERYBODY, since=start, limit=1000)
        frames.add_rows("alarms", self._alarms.changed(alarms), Alarm.model_validate)
        if STAFF in audiences:
            frames.add_rows("runs", self._runs.changed(read_runs(session)), Run.model_validate, STAFF)
        self._look_at_phases(session, moment, frames)
        return frames.bodies

    def open_instruments(self) -> set[str]:
        """Return the instruments whose marks are needed."""
        return {leg.instrument_id for leg in self._legs.rows.values() if leg.net_qty != 0}

    def users(self) -> set[int]:
        """Return the users whose accounts are watched."""
        return {row.user_id for row in self._logins.rows.values()}

    def revalue(
        self, marks: Mapping[str, Decimal], moment: Moment, *, audiences: frozenset[Audience]
    ) -> list[Body]:
        """Return frames with the legs whose value changed at new marks."""
        self.marks = marks
        rows = self._legs.rows
        values = dict(zip(rows, value_legs(rows.values(), marks, self._charges), strict=True))
        fresh = [key for key, value in values.items() if value != self._values.get(key)]
        self._values = values
        if not fresh:
            return []
        frames = _Frames(moment.now, audiences)
        for audience in audiences:
            mine = {
                key: value
                for key, value in values.items()
                if audience in (STAFF, self._legs.rows[key].user_id)
            }
            moved = [_marked(self._legs.rows[key], values[key]) for key in fresh if key in mine]
            legs = [leg for leg in moved if leg is not None]
            sums = [PnlInfo.model_validate(pnl) for pnl in add_up(mine.values())]
            frames.add("marks", Marks(pnl=sums, legs=legs), audience)
        return frames.bodies

    def _look_at_charges(self, session: Session, legs: list[AnyRow], *, is_full: bool) -> None:
        """Reckon anew what deployments paid whose legs changed; a full look finds fees that came later."""
        deployments = None if is_full else {leg.deployment_id for leg in legs}
        if is_full or deployments:
            costs = self._sources.costs
            self._charges |= costs.of_day(session, _EVERYBODY, day=self.day, deployments=deployments)

    def _show_position(self, leg: AnyRow) -> Position:
        [value] = value_legs([leg], self.marks, self._charges)
        return show_position(leg, value)

    def _look_at_phases(self, session: Session, moment: Moment, frames: "_Frames") -> None:
        trading = session_of(session, self._sources.calendar, day=self.day)
        views = phases_of(session, trading, day=self.day, now=moment.now)
        phases = [PhaseInfo.model_validate(view) for view in views]
        if _without_lateness(phases) != _without_lateness(self._phases):
            self._phases = phases
            for audience in frames.audiences:
                frames.add_list("phases", phases, audience)


class _Frames:
    """Collect frames, each serialized once per audience."""

    def __init__(self, at: datetime, audiences: frozenset[Audience]) -> None:
        self._at = at.isoformat()
        self.audiences = audiences
        self.bodies: list[Body] = []

    def add_rows(
        self,
        kind: str,
        rows: list[AnyRow],
        show: Callable[[AnyRow], BaseModel],
        *only: Audience,
    ) -> None:
        """Add rows for staff, and each row for the user who owns it."""
        wanted = self.audiences & frozenset(only) if only else self.audiences
        mine: dict[Audience, list[BaseModel]] = defaultdict(list)
        for row in rows:
            audiences = wanted & ({STAFF} if only else {STAFF, row.user_id})
            if audiences:
                shown = show(row)
                for audience in audiences:
                    mine[audience].append(shown)
        for audience, items in mine.items():
            self.add_list(kind, items, audience)

    def add_list(self, kind: str, items: Iterable[BaseModel], audience: Audience) -> None:
        """Add one frame of whole rows."""
        self._add(kind, _LISTS[kind].dump_json(list(items)).decode(), audience)

    def add(self, kind: str, item: BaseModel, audience: Audience) -> None:
        """Add one frame with a single value."""
        self._add(kind, item.model_dump_json(), audience)

    def _add(self, kind: str, data: str, audience: Audience) -> None:
        text = f'"at":"{self._at}","type":"{kind}","data":{data}}}'
        self.bodies.append(Body(audience=audience, text=text))


def _marked(leg: AnyRow, value: LegPnl) -> MarkedLeg | None:
    if value.mark is None or value.unrealized is None or value.total is None:
        return None
    return MarkedLeg(
        deployment_id=leg.deployment_id,
        instrument_id=leg.instrument_id,
        mark=value.mark,
        unrealized=value.unrealized,
        total=value.total,
    )


def _without_lateness(phases: list[PhaseInfo]) -> list[dict[str, Any]]:
    return [phase.model_dump(exclude={"late_s"}) for phase in phases]
