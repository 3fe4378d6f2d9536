"""Say what kind of day the demo shall run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.domain.numbers import parse_decimal

_MOST_AGENTS = 3
_FILL_ALL_MARKETS = 10


class Faults(StrEnum):
    """Name the climates of the simulated broker."""

    CALM = "calm"
    OPEN = "open"
    STORM = "storm"
    EACH = "each"
    """Calm, but for one fault after the other, each with minutes of its own."""


class Breakage(StrEnum):
    """Name what can be wrong with a single account."""

    BAD_TOTP = "bad_totp"
    HUNG_LOGIN = "hung_login"
    DEAD_EGRESS = "dead_egress"


class Bell(StrEnum):
    """Say how the bell rings: once, twice, or with the schedule held up for 40 s."""

    ONCE = "once"
    TWICE = "twice"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Hold the choices of one demo; `speed` is virtual seconds per real second, at most."""

    accounts: int = 30
    speed: float = 600.0
    day: date = date(2019, 1, 4)
    closes: time = time(15, 30)
    """India; an earlier close makes a shorter day, with its square-off before it."""
    seed: int = 7
    faults: Faults = Faults.CALM
    exits: bool = False
    report: Path | None = None
    journal: Path | None = None
    port: int | None = None
    flower_port: int | None = None
    broken: Mapping[Breakage, int] = field(default_factory=dict)
    bell: Bell = Bell.ONCE
    kill_at: time | None = None
    """India; everybody's kill switch is pressed then."""
    strategy_module: str | None = None
    only: tuple[int, ...] = ()
    """Numbers of the faults to play one at a time; all of them when empty."""
    loss_limits: Mapping[str, Decimal] = field(default_factory=dict)
    """Daily loss, by user, at which that user's account is closed and locked."""
    venues: tuple[Venue, ...] = (Venue.NSE,)
    """Markets of the day; NSE always, the others keep its hours beside it."""

    def __post_init__(self) -> None:
        """Refuse a day that cannot be run, in one sentence."""
        if not 1 <= self.accounts <= 500:
            raise InvalidInputError(f"--accounts: expected 1 to 500, got {self.accounts}")
        if not 1 <= self.speed <= 100_000:
            raise InvalidInputError(f"--speed: expected 1 to 100000, got {self.speed}")
        if not time(9, 45) <= self.closes <= time(15, 30):
            raise InvalidInputError(f"--close: expected 09:45 to 15:30, got {self.closes:%H:%M}")
        if self.kill_at is not None and not time(9, 16) <= self.kill_at < self.closes:
            raise InvalidInputError(f"--kill: expected a time of the session, got {self.kill_at:%H:%M}")
        if Venue.NSE not in self.venues:
            raise InvalidInputError("--venues: expected NSE among them, its hours are the demo's day")
        if self.only and self.faults is not Faults.EACH:
            raise InvalidInputError("--only: expected it together with --faults each")
        if self.plays_each and self.strategy_module is not None:
            raise InvalidInputError("--faults each: expected no --strategy-module, it trades by the clock")
        at_nse = self.accounts - sum(self.elsewhere.values())
        if at_nse < 1:
            raise InvalidInputError(f"--accounts: expected one at least for each market, got {self.accounts}")
        if (broken := sum(self.broken.values())) >= at_nse:
            raise InvalidInputError(
                f"--broken: expected fewer than the {at_nse} accounts at NSE, got {broken}"
            )

    @property
    def elsewhere(self) -> Mapping[Venue, int]:
        """How many accounts trade on the other markets: a fifth at Binance, a tenth at MT5, three at most."""
        shares = {
            Venue.BINANCE: max(1, self.accounts // 5),
            # Each has a process of its own.
            Venue.MT5: min(_MOST_AGENTS, max(1, self.accounts // 10)),
        }
        return {venue: count for venue, count in shares.items() if venue in self.venues}

    @property
    def plays_each(self) -> bool:
        """Whether the faults are played one at a time."""
        return self.faults is Faults.EACH

    @property
    def climate(self) -> str:
        """Name of the simulators' profile."""
        return Faults.CALM if self.plays_each else self.faults


def parse_broken(text: str) -> dict[Breakage, int]:
    """Read "bad_totp:1,hung_login:1". Raises InvalidInputError."""
    broken: dict[Breakage, int] = {}
    for part in filter(None, text.split(",")):
        name, _, count = part.partition(":")
        if name not in set(Breakage) or not count.isdigit():
            raise InvalidInputError(
                f"--broken: expected KIND:COUNT with a kind of {', '.join(Breakage)}, got {part!r}"
            )
        broken[Breakage(name)] = int(count)
    return broken


def parse_loss_limits(text: str) -> dict[str, Decimal]:
    """Read "u002:1500,u004:900". Raises InvalidInputError."""
    limits: dict[str, Decimal] = {}
    for part in filter(None, text.split(",")):
        user, separator, amount = part.partition(":")
        if not separator or not user:
            raise InvalidInputError(f"--loss-limit: expected USER:AMOUNT like u002:1500, got {part!r}")
        limits[user] = parse_decimal(amount, name=f"--loss-limit {user}")
    return limits


def parse_numbers(text: str) -> tuple[int, ...]:
    """Read "2,13". Raises InvalidInputError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise InvalidInputError(f"--only: expected numbers of faults like 2,13, got {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def usual_venues(accounts: int, faults: Faults) -> tuple[Venue, ...]:
    """Return the markets of a day that names none: all, or NSE alone for a few accounts."""
    return tuple(MARKETS) if accounts >= _FILL_ALL_MARKETS or faults is Faults.EACH else (Venue.NSE,)


def parse_venues(text: str) -> tuple[Venue, ...]:
    """Read "NSE,BINANCE,MT5". Raises InvalidInputError."""
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in Venue.__members__ or Venue(name) not in MARKETS]
    if unknown or not names:
        raise InvalidInputError(f"--venues: expected some of {', '.join(MARKETS)}, got {text!r}")
    return tuple(dict.fromkeys(Venue(name) for name in names))
