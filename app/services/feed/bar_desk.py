"""Build the one-, five- and fifteen-minute bars of all subscribed instruments."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.domain.bars import BarBuilder, bar_start
from app.domain.calendar_rules import TradingSession
from app.domain.ids import InstrumentId
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, ONE_MINUTE, Bar, BarSpec, Tick

SPECS = (ONE_MINUTE, FIVE_MINUTES, FIFTEEN_MINUTES)
_GRACE = timedelta(seconds=2)
"""An instrument that does not trade on closes its bar this long after the bar's end."""


class BarDesk:
    """Keep one builder per instrument and bar length of a session. One owner, not thread-safe."""

    def __init__(self, instrument_ids: Iterable[InstrumentId], session: TradingSession) -> None:
        self._session = session
        self._builders: dict[InstrumentId, dict[BarSpec, BarBuilder]] = {
            instrument_id: {spec: BarBuilder(instrument_id, spec, session) for spec in SPECS}
            for instrument_id in instrument_ids
        }
        self._closed_until = session.open_at

    def on_ticks(self, ticks: Iterable[Tick]) -> list[Bar]:
        """Apply the ticks of a round; return the bars that they close."""
        closed: list[Bar] = []
        for tick in ticks:
            for builder in self._builders.get(tick.instrument_id, {}).values():
                bar = builder.on_tick(tick)
                if bar is not None:
                    closed.append(bar)
        return closed

    def on_time(self, at: datetime) -> list[Bar]:
        """Close what ended a grace before this moment for lack of ticks; cheap when no minute has passed."""
        settled = at - _GRACE
        if (
            settled < self._session.open_at
            or bar_start(settled, ONE_MINUTE, self._session) <= self._closed_until
        ):
            return []
        self._closed_until = bar_start(settled, ONE_MINUTE, self._session)
        bars = (b.on_time(settled) for specs in self._builders.values() for b in specs.values())
        return [bar for bar in bars if bar is not None]
