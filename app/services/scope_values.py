"""Add up the legs of a trading date for every scope that covers them, and say which sums are complete."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.db.risk_book import WatchedLeg
from app.domain.markets import Currency
from app.domain.numbers import ZERO
from app.domain.risk.losses import Sample
from app.domain.risk.scopes import ScopeKey
from app.services.pnl import LegPnl, value_leg


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeValue:
    """Hold a scope's sums in its market's currency, before charges.

    `unpriced` are the held instruments without a fresh mark: with one of them the sums are no sample.
    `is_flat` says that nothing is held and that no entry is under way.
    """

    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    unpriced: Sequence[str] = ()
    holds: bool = False
    is_flat: bool = True

    def sample(self, *, published: datetime | None, now: datetime) -> Sample | None:
        """Return the sums as a sample, None where a price is missing.

        What is held is worth what the market said at its last published instant; without any holding the
        sums are exact at any time.
        """
        as_of = published if self.holds else now
        if self.unpriced or as_of is None:
            return None
        return Sample(as_of=as_of, realized=self.realized, unrealized=self.unrealized)


def value_scopes(
    legs: Iterable[WatchedLeg], marks: Mapping[str, Decimal], currency: Currency
) -> dict[ScopeKey, ScopeValue]:
    """Return the sums of every scope that has a leg, in a market's currency; `marks` are the fresh prices.

    A leg in another currency has no price in this one, so sums with it are no samples.
    """
    groups: dict[ScopeKey, list[tuple[WatchedLeg, LegPnl]]] = defaultdict(list)
    for leg in legs:
        pair = leg, value_leg(leg, marks)
        for key in leg.covered_by:
            groups[key].append(pair)
    return {key: _sum_of(pairs, currency) for key, pairs in groups.items()}


def _sum_of(pairs: Sequence[tuple[WatchedLeg, LegPnl]], currency: Currency) -> ScopeValue:
    realized = unrealized = ZERO
    unpriced = []
    for leg, value in pairs:
        if value.currency != currency or value.realized is None or value.unrealized is None:
            unpriced.append(leg.instrument_id)
            continue
        realized += value.realized
        unrealized += value.unrealized
    return ScopeValue(
        realized=realized,
        unrealized=unrealized,
        unpriced=sorted(set(unpriced)),
        holds=any(leg.net_qty != 0 for leg, _ in pairs),
        is_flat=not any(leg.is_open or leg.has_live_entry for leg, _ in pairs),
    )
