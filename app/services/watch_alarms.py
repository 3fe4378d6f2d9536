"""Call a person when a loss limit cannot be watched, or when what it closed does not become flat."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.db.alarms import clear_alarm, open_alarm_subjects, raise_alarm
from app.db.models import LossLockRow
from app.db.session import Database
from app.domain.markets import Currency, Market
from app.domain.ports import Clock
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.services.loss_locks import name_of
from app.services.risk_control import Moment

BLIND, UNREADABLE, NOT_FLAT = "loss_watch_blind", "loss_limits_unreadable", "loss_lock_not_flat"
UNLIMITED = "loss_currency_unlimited"
_BLIND_FOR_S = 30.0
_FLAT_WITHIN = timedelta(seconds=60)

_Alarm = tuple[str, str]
"""Code and subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """Hold what a look found that a person must know.

    `blind` are scopes with a limit and no sample, with the instruments that lack a fresh price; `unlimited`
    scopes with a limit that hold something in currencies which it does not name; `unreadable` scopes whose
    limits cannot be read, and why; `stuck` the locks whose scope is not flat.
    """

    blind: Mapping[ScopeKey, Collection[str]]
    unlimited: Mapping[ScopeKey, Collection[Currency]]
    unreadable: Mapping[ScopeKey, str]
    stuck: Sequence[LossLockRow]


class WatchAlarms:
    """Raise each alarm once and clear it when its cause is gone; knows those of a predecessor. One thread."""

    def __init__(self, database: Database, clock: Clock, market: Market) -> None:
        self._database = database
        self._clock = clock
        self._market = market
        self._open: set[_Alarm] | None = None
        self._blind_since: dict[ScopeKey, float] = {}

    def align(self, causes: Causes, moment: Moment) -> None:
        """Let the open alarms be those for which there is a cause now."""
        wanted = {
            **self._of_blind(causes.blind),
            **self._of_unlimited(causes.unlimited),
            **{(UNREADABLE, self._subject(key)): why for key, why in causes.unreadable.items()},
            **self._of_stuck(causes.stuck, moment),
        }
        if self._open is None or wanted.keys() != self._open:
            self._write(wanted, moment)

    def _of_unlimited(self, unlimited: Mapping[ScopeKey, Collection[Currency]]) -> dict[_Alarm, str]:
        return {
            (UNLIMITED, self._subject(key)): (
                f"what it holds in {', '.join(sorted(currencies))} counts for no loss limit: set "
                f"{', '.join(f'max_daily_loss_{currency}' for currency in sorted(currencies))}"
            )
            for key, currencies in unlimited.items()
        }

    def _of_blind(self, blind: Mapping[ScopeKey, Collection[str]]) -> dict[_Alarm, str]:
        now = self._clock.monotonic()
        self._blind_since = {key: self._blind_since.get(key, now) for key in blind}
        return {
            (
                BLIND,
                self._subject(key),
            ): f"its loss limit is not watched, no fresh price of {', '.join(sorted(blind[key]))}"
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
                    for code in (BLIND, UNLIMITED, UNREADABLE, NOT_FLAT)
                    for subject in open_alarm_subjects(session, code)
                    if subject.endswith(f" {self._market.venue}")
                }
            for code, subject in sorted(wanted.keys() - known):
                raise_alarm(
                    session,
                    code,
                    subject=subject,
                    message=wanted[code, subject],
                    user_id=None,
                    now=moment.now,
                )
            for code, subject in sorted(known - wanted.keys()):
                clear_alarm(session, code, subject=subject, now=moment.now)
        self._open = set(wanted)
