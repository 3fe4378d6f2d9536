"""Call a person when a loss limit cannot be watched, or when what it closed does not become flat."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from app.db.alarms import clear_alarm, open_alarm_subjects, raise_alarm
from app.db.models import LossLockRow
from app.db.session import Database
from app.domain.markets import Market
from app.domain.ports import Clock
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.services.loss_locks import name_of
from app.services.risk_control import Moment

BLIND, UNREADABLE, NOT_FLAT = "loss_watch_blind", "loss_limits_unreadable", "loss_lock_not_flat"
_BLIND_FOR_S = 30.0
_FLAT_WITHIN = timedelta(seconds=60)

_Alarm = tuple[str, str]
"""Code and subject."""


class WatchAlarms:
    """Raise each alarm once and clear it when its cause is gone; knows those of a predecessor. One thread."""

    def __init__(self, database: Database, clock: Clock, market: Market) -> None:
        self._database = database
        self._clock = clock
        self._market = market
        self._open: set[_Alarm] | None = None
        self._blind_since: dict[ScopeKey, float] = {}

    def align(
        self,
        *,
        blind: Mapping[ScopeKey, Sequence[str]],
        unreadable: Mapping[ScopeKey, str],
        stuck: Sequence[LossLockRow],
        moment: Moment,
    ) -> None:
        """Let the open alarms be those for which there is a cause now.

        Args:
            blind: scopes with a limit and no sample, with the instruments that lack a fresh price.
            unreadable: scopes whose limits cannot be read, and why.
            stuck: locks whose scope is not flat.
            moment: when.
        """
        wanted = {
            **self._of_blind(blind),
            **{(UNREADABLE, self._subject(key)): why for key, why in unreadable.items()},
            **self._of_stuck(stuck, moment),
        }
        if self._open is None or wanted.keys() != self._open:
            self._write(wanted, moment)

    def _of_blind(self, blind: Mapping[ScopeKey, Sequence[str]]) -> dict[_Alarm, str]:
        now = self._clock.monotonic()
        self._blind_since = {key: self._blind_since.get(key, now) for key in blind}
        return {
            (
                BLIND,
                self._subject(key),
            ): f"its loss limit is not watched, no fresh price of {', '.join(blind[key])}"
            for key, since in self._blind_since.items()
            if now - since >= _BLIND_FOR_S
        }

    def _of_stuck(self, stuck: Sequence[LossLockRow], moment: Moment) -> dict[_Alarm, str]:
        return {
            (NOT_FLAT, self._subject((LimitScope(lock.scope), lock.target))): (
                f"locked at {lock.breached_at:%H:%M:%S}Z ({lock.rule}), not flat yet: look at its exits"
            )
            for lock in stuck
            if moment.wall - lock.breached_wall >= _FLAT_WITHIN
        }

    def _subject(self, key: ScopeKey) -> str:
        # A user's or the tenant's limits may be watched in several markets.
        return f"{name_of(key)} {self._market.venue}"

    def _write(self, wanted: Mapping[_Alarm, str], moment: Moment) -> None:
        with self._database.begin() as session:
            known = self._open
            if known is None:
                known = {
                    (code, subject)
                    for code in (BLIND, UNREADABLE, NOT_FLAT)
                    for subject in open_alarm_subjects(session, code)
                    if subject.endswith(f" {self._market.venue}")
                }
            for code, subject in wanted.keys() - known:
                raise_alarm(
                    session,
                    code,
                    subject=subject,
                    message=wanted[code, subject],
                    user_id=None,
                    now=moment.now,
                )
            for code, subject in known - wanted.keys():
                clear_alarm(session, code, subject=subject, now=moment.now)
        self._open = set(wanted)
