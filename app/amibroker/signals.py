"""Read the signals that AFL posts: which bar they are of, what they ask, and whether they come in time.

AFL is run again on every refresh of a chart, so one signal is posted many times. Its key is made here, from
the bar's start, which is the same for all four ways in which AmiBroker may stamp a bar; never by AFL.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from app.amibroker.symbols import instrument_named
from app.domain.errors import InvalidInputError
from app.domain.external import Amount, ExternalWish, Leave, Target, Unit
from app.domain.ids import InstrumentId
from app.domain.instruments import venue_of
from app.domain.markets import market_at
from app.domain.numbers import parse_decimal
from app.domain.orders import Side

MOST_BYTES: Final = 4096
_STRATEGY = re.compile(r"[A-Za-z0-9_-]{1,32}")
_STAMP = re.compile(r"\d{14}")
_BARS: Final = (60, 86_400)
_EARLY = timedelta(seconds=5)
_LEAST_LATE_S, _MOST_LATE_S, _LATE_FRACTION = 10, 60, Decimal("0.15")
_PATIENCE_WITH_EXITS: Final = 5


class Act(StrEnum):
    """Name what AFL asks: its four arrays, a position, the way out, or only whether anybody answers."""

    BUY = "BUY"
    SELL = "SELL"
    SHORT = "SHORT"
    COVER = "COVER"
    TARGET = "TARGET"
    FLAT = "FLAT"
    PING = "PING"


_LEAVES: Final[Mapping[Act, Leave]] = {
    Act.SELL: Leave(only=Side.BUY),
    Act.COVER: Leave(only=Side.SELL),
    Act.FLAT: Leave(),
}


class StaleSignalError(InvalidInputError):
    """The bar of the signal closed too long ago, or has not closed."""

    code = "STALE"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSignal:
    """Hold a signal of a closed bar. `bar_start` is aware UTC, `bar_s` the bar's length in seconds."""

    strategy: str
    instrument_id: InstrumentId
    ask: Target | Leave
    act: Act
    bar_start: datetime
    bar_s: int
    number: int

    @property
    def is_exit(self) -> bool:
        """Whether it can only close."""
        return isinstance(self.ask, Leave) or self.ask.amount.value == 0

    def require_in_time(self, now: datetime) -> None:
        """Raise StaleSignalError unless the bar has just closed; exits may come five times as late."""
        late_s = min(max(_LATE_FRACTION * self.bar_s, Decimal(_LEAST_LATE_S)), Decimal(_MOST_LATE_S))
        most = timedelta(seconds=int(late_s)) * (_PATIENCE_WITH_EXITS if self.is_exit else 1)
        age = now - (self.bar_start + timedelta(seconds=self.bar_s))
        if not -_EARLY <= age <= most:
            raise StaleSignalError(f"age={age.total_seconds():.0f} max={most.total_seconds():.0f}")

    def wish(self) -> ExternalWish:
        """Return the wish, under the key of its bar."""
        facts = (
            self.strategy,
            self.instrument_id,
            self.bar_s,
            int(self.bar_start.timestamp()),
            self.act,
            self.number,
        )
        key = hashlib.sha256("|".join(map(str, facts)).encode()).hexdigest()[:32]
        return ExternalWish(
            key=f"ab-{key}",
            instrument_id=self.instrument_id,
            ask=self.ask,
            reason=f"amibroker {self.strategy} {self.act}",
        )


def parse_fields(raw: bytes) -> Mapping[str, str]:
    """Return the fields of a form or of a JSON object, whatever the content type says.

    Raises:
        InvalidInputError: too long, or neither.
    """
    if len(raw) > MOST_BYTES:
        raise InvalidInputError(f"expected at most {MOST_BYTES} bytes, got more")
    try:
        body = raw.decode("ascii").strip()
        fields = json.loads(body, parse_float=str) if body.startswith("{") else dict(parse_qsl(body))
    except ValueError as e:
        raise InvalidInputError("expected ASCII fields as a form or a JSON object") from e
    return {str(name): str(value) for name, value in fields.items()}


def act_of(fields: Mapping[str, str]) -> Act:
    """Return what is asked. Raises InvalidInputError."""
    if fields.get("v") != "1":
        raise InvalidInputError(f"v: expected 1, got {fields.get('v', 'none')}")
    act = fields.get("act", "").upper()
    if act not in Act.__members__:
        raise InvalidInputError(f"act: expected one of {', '.join(Act)}, got {act or 'none'}")
    return Act(act)


def read_signal(fields: Mapping[str, str], act: Act) -> BarSignal:
    """Return the signal. Raises InvalidInputError naming the field."""
    strategy = fields.get("strat", "")
    if _STRATEGY.fullmatch(strategy) is None:
        raise InvalidInputError(f"strat: expected 1 to 32 of A-Z a-z 0-9 _ -, got {strategy!r}")
    if fields.get("bs", "closed") != "closed":
        raise InvalidInputError("bs: expected closed, signals of forming bars may still vanish")
    instrument_id = instrument_named(fields.get("sym", ""))
    bar_s = _whole(fields, "tf")
    if not _BARS[0] <= bar_s <= _BARS[1]:
        raise InvalidInputError(f"tf: expected {_BARS[0]} to {_BARS[1]} seconds, got {bar_s}")
    timezone = market_at(venue_of(instrument_id)).timezone
    return BarSignal(
        strategy=strategy,
        instrument_id=instrument_id,
        ask=_ask(fields, act),
        act=act,
        bar_start=bar_start(fields.get("bt", ""), bar_s, timezone),
        bar_s=bar_s,
        number=_whole(fields, "leg", 0) * 10 + _whole(fields, "seq", 0),
    )


def bar_start(stamp: str, bar_s: int, timezone: ZoneInfo) -> datetime:
    """Return when the bar of a stamp began; bars are counted from local midnight.

    Args: stamp: YYYYMMDDHHMMSS in the market's time, anywhere within the bar. bar_s: seconds.

    Raises:
        InvalidInputError: no such time.
    """
    if _STAMP.fullmatch(stamp) is None:
        raise InvalidInputError(f"bt: expected YYYYMMDDHHMMSS, got {stamp!r}")
    try:
        at = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=timezone)
    except ValueError as e:
        raise InvalidInputError(f"bt: expected a time that exists, got {stamp!r}") from e
    midnight = at.replace(hour=0, minute=0, second=0)
    since = (at.hour * 60 + at.minute) * 60 + at.second
    # Wall-clock arithmetic on purpose: AmiBroker counts its bars on the clock of the database.
    start = midnight + timedelta(seconds=since - since % bar_s)
    return start.astimezone(ZoneInfo("UTC"))


def _ask(fields: Mapping[str, str], act: Act) -> Target | Leave:
    if act in _LEAVES:
        return _LEAVES[act]
    if act is Act.TARGET:
        return Target(amount=_lots(_whole(fields, "tgt")))
    lots = _whole(fields, "qty")
    if lots < 1:
        raise InvalidInputError(f"qty: expected the lots to hold, 1 or more, got {lots}")
    return Target(amount=_lots(-lots if act is Act.SHORT else lots))


def _lots(lots: int) -> Amount:
    return Amount(value=Decimal(lots), unit=Unit.LOTS)


def _whole(fields: Mapping[str, str], name: str, default: int | None = None) -> int:
    value = fields.get(name, "" if default is None else str(default))
    number = parse_decimal(value, name=name)  # AFL writes whole numbers as 2.0
    if number % 1 != 0 or abs(number) > 10**6:
        raise InvalidInputError(f"{name}: expected a whole number, got {value!r}")
    return int(number)
