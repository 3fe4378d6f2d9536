"""Write and read market data on the wire between our processes: JSON text, Decimals as strings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.market_data import Bar, BarSpec, IndicatorBar, Tick

KEEP_ROUNDS = 6_000
"""Entries kept on a ticks stream: at 5 rounds a second 20 minutes, enough to rebuild an open bar."""
KEEP_BARS = 5_000
"""Entries kept on a bars stream: more than a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRound:
    """Carry the ticks of one exchange instant; instruments without news are absent.

    `number` grows per feed; `wall` is the machine's time of publishing.
    """

    ts_event: datetime
    number: int
    wall: datetime
    ticks: tuple[Tick, ...]


def encode_round(tick_round: TickRound) -> dict[str, str]:
    """Return the fields of a stream entry."""
    ticks = [[t.instrument_id, str(t.last), _text(t.bid), _text(t.ask)] for t in tick_round.ticks]
    body = {
        "ts": tick_round.ts_event.isoformat(),
        "n": tick_round.number,
        "w": tick_round.wall.timestamp(),
        "t": ticks,
    }
    return {"r": json.dumps(body, separators=(",", ":"))}


def decode_round(fields: Mapping[str, str]) -> TickRound | None:
    """Return the round of a stream entry, or None for a gap marker (`gap_reason`).

    Raises:
        InvalidInputError: the entry is neither.
    """
    if "g" in fields:
        return None
    try:
        body = json.loads(fields["r"])
        ts_event = datetime.fromisoformat(body["ts"])
        wall = datetime.fromtimestamp(body["w"], UTC)
        number = int(body["n"])
        ticks = tuple(
            Tick(
                instrument_id=InstrumentId(instrument_id),
                last=Decimal(last),
                bid=None if bid is None else Decimal(bid),
                ask=None if ask is None else Decimal(ask),
                ts_event=ts_event,
                ts_init=wall,
                sequence=number,
            )
            for instrument_id, last, bid, ask in body["t"]
        )
    except (KeyError, ValueError, ArithmeticError) as e:
        raise InvalidInputError(f"expected a round of ticks, got {str(dict(fields))[:200]}") from e
    return TickRound(ts_event=ts_event, number=number, wall=wall, ticks=ticks)


def encode_gap(reason: str) -> dict[str, str]:
    """Return the fields of a marker that says: prices before this entry may be missing."""
    return {"g": reason}


def gap_reason(fields: Mapping[str, str]) -> str | None:
    """Return why prices may be missing, or None for an ordinary entry."""
    return fields.get("g")


def encode_mark(tick: Tick, wall: datetime) -> str:
    """Return the latest price as MARKS_KEY holds it: [last, bid, ask, ts_event, wall epoch s]."""
    body = [str(tick.last), _text(tick.bid), _text(tick.ask), tick.ts_event.isoformat(), wall.timestamp()]
    return json.dumps(body, separators=(",", ":"))


def encode_bar(indicator_bar: IndicatorBar) -> dict[str, str]:
    """Return the fields of a stream entry."""
    bar = indicator_bar.bar
    body = {
        "id": bar.instrument_id,
        "m": bar.spec.minutes,
        "s": bar.start.isoformat(),
        "p": [str(p) for p in (bar.open, bar.high, bar.low, bar.close, bar.volume)],
        "v": {name: str(value) for name, value in indicator_bar.values},
    }
    return {"b": json.dumps(body, separators=(",", ":"))}


def decode_bar(fields: Mapping[str, str]) -> IndicatorBar:
    """Return the bar of a stream entry; raises InvalidInputError when it is something else."""
    try:
        body: dict[str, Any] = json.loads(fields["b"])
        opens, high, low, close, volume = map(Decimal, body["p"])
        bar = Bar(
            instrument_id=InstrumentId(body["id"]),
            spec=BarSpec(minutes=int(body["m"])),
            start=datetime.fromisoformat(body["s"]),
            open=opens,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        values = tuple((name, Decimal(value)) for name, value in body["v"].items())
    except (KeyError, ValueError, ArithmeticError) as e:
        raise InvalidInputError(f"expected a bar, got {str(dict(fields))[:200]}") from e
    return IndicatorBar(bar=bar, values=values)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
