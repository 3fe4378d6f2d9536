"""Give each fault its own minutes of the day, and trades that are under way in them. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.demo.fault_cases import AT_BELL, AT_LOGIN, CASES, IN_SESSION, FaultCase
from app.domain.calendar_rules import TradingSession
from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue

_FIRST_AFTER_OPEN = timedelta(minutes=11)
_LENGTH = timedelta(minutes=8)
_FIRST_TRADE = timedelta(minutes=1)
_LOGINS_FROM = timedelta(minutes=31)
_LOGINS_UNTIL = timedelta(minutes=5)
_BELL_FROM = timedelta(minutes=1)
_FREE_BEFORE_CLOSE = timedelta(minutes=25)
INSTRUMENTS = {Venue.NSE: "NIFTY.NSE", Venue.BINANCE: "BTCUSDT-PERP.BINANCE", Venue.MT5: "EURUSD.MT5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultWindow:
    """Say when a fault begins, when it ends, and until when what it left behind is counted as its own."""

    case: FaultCase
    begins: datetime
    ends: datetime
    counts_until: datetime


def plan_faults(session: TradingSession, numbers: Sequence[int]) -> tuple[FaultWindow, ...]:
    """Return the windows of these faults (all without numbers), one after the other, in order of time.

    Raises: InvalidInputError for unknown numbers, or when the day is too short for them.
    """
    wanted = frozenset(numbers) or frozenset(case.number for case in CASES)
    unknown = wanted - {case.number for case in CASES}
    if unknown:
        raise InvalidInputError(f"--only: expected numbers from 1 to {len(CASES)}, got {sorted(unknown)}")
    opens = session.open_at
    windows = []
    if AT_LOGIN.number in wanted:
        windows.append(_window(AT_LOGIN, opens - _LOGINS_FROM, opens - _LOGINS_UNTIL))
    if AT_BELL.number in wanted:
        windows.append(_window(AT_BELL, opens - _BELL_FROM, opens + _FIRST_AFTER_OPEN))
    begins = opens + _FIRST_AFTER_OPEN
    for case in IN_SESSION:
        if case.number in wanted and not case.unreachable:
            windows.append(_window(case, begins, begins + _LENGTH))
            begins += _LENGTH
    if begins > session.close_at - _FREE_BEFORE_CLOSE:
        raise InvalidInputError(
            f"--only: expected at most {_most(session)} faults before this close, got {len(windows)}"
        )
    return tuple(windows)


def _most(session: TradingSession) -> int:
    return (session.close_at - _FREE_BEFORE_CLOSE - session.open_at - _FIRST_AFTER_OPEN) // _LENGTH


def _window(case: FaultCase, begins: datetime, counts_until: datetime) -> FaultWindow:
    ends = min(begins + timedelta(seconds=case.lasts_s), counts_until)
    return FaultWindow(case=case, begins=begins, ends=ends, counts_until=counts_until)


def instants(windows: Sequence[FaultWindow]) -> Iterator[datetime]:
    """Return when something must be switched."""
    for window in windows:
        yield from (window.begins, window.ends)


def first_trade_after_s(window: FaultWindow, session: TradingSession) -> int:
    """Return when a market's first trade of a window is due, in seconds after that market's open."""
    begins = window.begins + (_BELL_FROM if window.case is AT_BELL else _FIRST_TRADE)
    return round((begins - session.open_at).total_seconds())
