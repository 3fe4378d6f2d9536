"""Examine the machine: versions, disk, clock, calendar."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from app.domain.errors import ConfigError
from app.domain.ports import Clock
from app.infra.calendars import load_calendar
from app.infra.clock_sync import is_clock_synchronized
from app.services.doctor.findings import Finding, error, fine, warning

_OLDEST_PYTHON = (3, 11)
_FIRST_UNKNOWN_PYTHON = (3, 14)
_LITTLE_DISK = 5_000_000_000
_NO_DISK = 1_000_000_000
_CALENDAR_NOTICE = timedelta(days=30)
_SKEW_WARNING = timedelta(milliseconds=250)
_SKEW_ERROR = timedelta(seconds=2)
_SKEW_REMEDY = "synchronize both machines' clocks (chrony or systemd-timesyncd)"


def examine_versions() -> Iterator[Finding]:
    """Compare Python and the pinned libraries with what this release was tested with."""
    code = "versions"
    running = sys.version_info[:2]
    if not _OLDEST_PYTHON <= running < _FIRST_UNKNOWN_PYTHON:
        yield error(
            code,
            f"expected Python 3.11 to 3.13, running {running[0]}.{running[1]}",
            "make the environment anew with a supported Python: make setup",
        )
    wrong = list(_wrong_pins())
    for name, expected, found in wrong:
        yield error(code, f"expected {name} {expected}, found {found}", "run: make setup")
    if not wrong:
        yield fine(code, f"Python {running[0]}.{running[1]} and every pinned library are as tested")


def examine_disk(home: Path) -> Finding:
    """Look for room under the home folder, where the database and logs grow."""
    existing = next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    message = f"{free / 1e9:.1f} GB free at {existing}"
    remedy = "free some space, or set OPENBELL_HOME to a larger disk"
    if free < _NO_DISK:
        return error("disk", message, remedy)
    return warning("disk", message, remedy) if free < _LITTLE_DISK else fine("disk", message)


def examine_time(
    clock: Clock, ask_kernel: Callable[[], bool | None] = is_clock_synchronized
) -> Iterator[Finding]:
    """Look whether the platform's time is the machine's, and the machine's is kept in step."""
    ahead = clock.now() - clock.wall()
    if abs(ahead) > _SKEW_ERROR:
        yield error(
            "clock_skew",
            f"the platform's clock is {_lead(ahead)} the machine's; only a rehearsal does that",
            "unset OPENBELL_CLOCK_FILE",
        )
    match ask_kernel():
        case True:
            yield fine("clock_sync", "the kernel's clock is synchronized")
        case False:
            yield warning(
                "clock_sync",
                "nothing keeps this machine's clock in step; TOTP codes and the bell depend on it",
                "switch time synchronization on, for example: timedatectl set-ntp true",
            )
        case None:
            yield warning(
                "clock_sync",
                "cannot tell whether this machine's clock is synchronized",
                "compare it with a time server",
            )


def examine_skew(server: str, skew: timedelta) -> Finding:
    """Judge how far a server's clock is from ours; positive is ahead."""
    code = "clock_skew"
    if abs(skew) > _SKEW_ERROR:
        return error(code, f"the clock of {server} is {_lead(skew)} ours", _SKEW_REMEDY)
    if abs(skew) > _SKEW_WARNING:
        return warning(code, f"the clock of {server} is {_lead(skew)} ours", _SKEW_REMEDY)
    return fine(code, f"the clock of {server} agrees with ours")


def examine_calendar(clock: Clock) -> Iterator[Finding]:
    """Look whether the calendar files can be read and cover today and the weeks ahead."""
    code = "calendar"
    remedy = "update Openbell, or add the exchange's new dates to app/data/calendar/*.toml"
    try:
        calendar = load_calendar()
    except ConfigError as e:
        yield error(code, str(e), "correct the calendar file")
        return
    for rules in calendar.markets.values():
        today = clock.now().astimezone(rules.timezone).date()
        until = f"{rules.market} is valid from {rules.valid_from} to {rules.valid_until}"
        if not rules.valid_from <= today <= rules.valid_until:
            yield error(code, f"{until}, today is {today}: no session opens", remedy)
        elif rules.valid_until - today < _CALENDAR_NOTICE:
            yield warning(code, f"{until}, today is {today}", remedy)
        else:
            yield fine(code, until)


def _wrong_pins() -> Iterator[tuple[str, str, str]]:
    for requirement in metadata.requires("openbell") or []:
        pin = re.fullmatch(r"([A-Za-z0-9_.-]+)==([^;\s]+)", requirement)
        if pin is None:
            continue
        try:
            found = metadata.version(pin[1])
        except metadata.PackageNotFoundError:
            found = "none"
        if found != pin[2]:
            yield pin[1], pin[2], found


def _lead(ahead: timedelta) -> str:
    seconds = abs(ahead).total_seconds()
    amount = f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"
    return f"{amount} {'ahead of' if ahead > timedelta(0) else 'behind'}"
