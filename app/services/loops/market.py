"""Show the market to strategies: immutable snapshots that all loops of a process share."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import NotFoundError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument
from app.domain.market_data import Tick


class Contracts:
    """Index the day's contracts once. Immutable after construction."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {instrument.instrument_id: instrument for instrument in instruments}
        chains: dict[InstrumentId, list[Instrument]] = defaultdict(list)
        for instrument in self._instruments.values():
            if instrument.option is not None:
                chains[instrument.option.underlying].append(instrument)
        self._chains = {key: tuple(sorted(chain, key=_chain_order)) for key, chain in chains.items()}

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        """Return the terms of an instrument; raises NotFoundError."""
        found = self._instruments.get(instrument_id)
        if found is None:
            raise NotFoundError(f"{instrument_id} is not in the day's contract master")
        return found

    def options(self, underlying: InstrumentId) -> Sequence[Instrument]:
        """Return the option contracts of an underlying, nearest expiry first, then by strike and right."""
        return self._chains.get(underlying, ())

    def __contains__(self, instrument_id: InstrumentId) -> bool:
        return instrument_id in self._instruments


def _chain_order(instrument: Instrument) -> tuple[object, ...]:
    terms = instrument.option
    return () if terms is None else (terms.expiry, terms.strike, terms.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSnapshot:
    """Show the market as of `now`, the newest exchange instant seen; None before the first tick."""

    contracts: Contracts
    ticks: Mapping[InstrumentId, Tick]
    now: datetime | None

    def tick(self, instrument_id: InstrumentId) -> Tick | None:
        return self.ticks.get(instrument_id)

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        return self.contracts.instrument(instrument_id)

    def options(self, underlying: InstrumentId) -> Sequence[Instrument]:
        return self.contracts.options(underlying)

    def with_ticks(self, ticks: Iterable[Tick]) -> "MarketSnapshot":
        """Return the market after these ticks; one that is older than what is known changes nothing."""
        merged = dict(self.ticks)
        now = self.now
        for tick in ticks:
            known = merged.get(tick.instrument_id)
            if tick.instrument_id in self.contracts and (known is None or known.ts_event <= tick.ts_event):
                merged[tick.instrument_id] = tick
            now = tick.ts_event if now is None else max(now, tick.ts_event)
        return MarketSnapshot(contracts=self.contracts, ticks=merged, now=now)
