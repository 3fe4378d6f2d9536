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

WatchKey = tuple[ScopeKey, Currency]
"""A scope and the currency of one of its sums."""
_Pair = tuple[WatchedLeg, LegPnl]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeValue:
    """Hold a scope's sums in one currency, and what they cost.

    `unpriced` are the held instruments of this currency without a fresh mark: with one of them the sums are
    no sample. `is_flat` says that the scope holds nothing in any currency, and that no entry is under way.
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
) -> dict[WatchKey, ScopeValue]:
    """Return the sums of every scope that has a leg; `marks` are the fresh prices.

    One sum in the market's currency, and one in each other that something is quoted in: no two are added.
    """
    groups: dict[ScopeKey, list[_Pair]] = defaultdict(list)
    for pair in zip(legs, value_legs(legs, marks, charges), strict=True):
        for key in pair[0].covered_by:
            groups[key].append(pair)
    return {(key, of): _sum_of(pairs, of) for key, pairs in groups.items() for of in _in(pairs, currency)}


def net_of_accounts(
    legs: Iterable[WatchedLeg],
    marks: Mapping[str, Decimal],
    charges: Mapping[LegId, ChargeSum],
    currency: Currency,
) -> dict[AccountId, dict[Currency, NetPnl]]:
    """Return what each account earned or lost, by currency as `value_scopes` sums it up.

    A position without a mark counts at its entry price.
    """
    accounts: dict[AccountId, list[WatchedLeg]] = defaultdict(list)
    for leg in legs:
        accounts[leg.account_id].append(leg)
    found = {}
    for account_id, own in accounts.items():
        known = {leg.instrument_id: leg.entry_px for leg in own} | dict(marks)
        pairs = list(zip(own, value_legs(own, known, charges), strict=True))
        found[account_id] = {of: _sum_of(pairs, of).pnl for of in _in(pairs, currency)}
    return found


def _in(pairs: Iterable[_Pair], currency: Currency) -> set[Currency]:
    return {currency, *(value.currency for _, value in pairs)}


def _sum_of(pairs: Sequence[_Pair], currency: Currency) -> ScopeValue:
    own = [(leg, value) for leg, value in pairs if value.currency == currency]
    return ScopeValue(
        pnl=net_of((value for _, value in pairs), currency),
        unpriced=sorted({leg.instrument_id for leg, value in own if value.total is None}),
        holds=any(leg.net_qty != 0 for leg, _ in own),
        is_flat=not any(leg.is_open or leg.has_live_entry for leg, _ in pairs),
    )
