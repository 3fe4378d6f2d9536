"""Add up the legs of a trading date for every scope that covers them, and say which sums are complete."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.db.risk_book import WatchedLeg
from app.domain.charges import ChargeSum
from app.domain.ids import AccountId
from app.domain.markets import Currency
from app.domain.risk.losses import Sample
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.scopes import ScopeKey
from app.services.costs import LegId
from app.services.pnl import LegPnl, net_of, value_legs


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeValue:
    """Hold a scope's sums in its market's currency, and what they cost.

    `unpriced` are the held instruments without a fresh mark: with one of them the sums are no sample.
    `is_flat` says that nothing is held and that no entry is under way.
    """

    pnl: NetPnl = field(default_factory=NetPnl)
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
        return Sample(as_of=as_of, net=self.pnl)


def value_scopes(
    legs: Sequence[WatchedLeg],
    marks: Mapping[str, Decimal],
    charges: Mapping[LegId, ChargeSum],
    currency: Currency,
) -> dict[ScopeKey, ScopeValue]:
    """Return the sums of every scope that has a leg, in a market's currency; `marks` are the fresh prices.

    A leg in another currency has no price in this one, so sums with it are no samples.
    """
    groups: dict[ScopeKey, list[tuple[WatchedLeg, LegPnl]]] = defaultdict(list)
    for leg, value in zip(legs, value_legs(legs, marks, charges), strict=True):
        for key in leg.covered_by:
            groups[key].append((leg, value))
    return {key: _sum_of(pairs, currency) for key, pairs in groups.items()}


def net_of_accounts(
    legs: Iterable[WatchedLeg],
    marks: Mapping[str, Decimal],
    charges: Mapping[LegId, ChargeSum],
    currency: Currency,
) -> dict[AccountId, NetPnl]:
    """Return what each account earned or lost; a position without a mark counts at its entry price."""
    accounts: dict[AccountId, list[WatchedLeg]] = defaultdict(list)
    for leg in legs:
        accounts[leg.account_id].append(leg)
    return {
        account_id: net_of(
            value_legs(own, {leg.instrument_id: leg.entry_px for leg in own} | dict(marks), charges), currency
        )
        for account_id, own in accounts.items()
    }


def _sum_of(pairs: Sequence[tuple[WatchedLeg, LegPnl]], currency: Currency) -> ScopeValue:
    unpriced = {
        leg.instrument_id for leg, value in pairs if value.currency != currency or value.total is None
    }
    return ScopeValue(
        pnl=net_of((value for _, value in pairs), currency),
        unpriced=sorted(unpriced),
        holds=any(leg.net_qty != 0 for leg, _ in pairs),
        is_flat=not any(leg.is_open or leg.has_live_entry for leg, _ in pairs),
    )
