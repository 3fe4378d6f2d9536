"""Judge the profit and loss of a scope by its limits: two samples in a row decide, never one.

For a scope (deployment, account, user, broker, tenant), all in one currency:

    pnl      = realized + unrealized - charges, over the legs of the date, open ones at the latest mark
    peak     = highest profit of the date that two samples in a row reached, at least 0
    daily loss is broken when  pnl <= -max_daily_loss
    drawdown is broken when    peak - pnl >= max_drawdown

A single wrong price therefore neither closes anything nor raises the peak. After an unlock the peak, and
what a deployment's combined rules count from, begin anew at the profit or loss that was left (`base`); the
daily loss does not: its limit holds for the date.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.domain.numbers import ZERO
from app.domain.risk.breaches import Breach, LossRule
from app.domain.risk.combined import CombinedRules
from app.domain.risk.net_pnl import NetPnl


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Value a scope at one moment of the market; every open leg had a mark, from a feed that was alive."""

    as_of: datetime
    net: NetPnl

    @property
    def pnl(self) -> Decimal:
        """The whole profit or loss, after charges."""
        return self.net.net


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRules:
    """Hold what a scope's profit and loss is judged by; None means not limited here."""

    max_daily_loss: Decimal | None = None
    max_drawdown: Decimal | None = None
    combined: CombinedRules = field(default_factory=CombinedRules)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is watched."""
        return self.max_daily_loss is None and self.max_drawdown is None and self.combined.is_empty

    def breaches(self, sample: Sample, *, peak: Decimal, base: Decimal = ZERO) -> Iterator[Breach]:
        """Yield what a sample breaks, the gravest rule first; see the module for the formulas."""
        pnl, parts = sample.pnl, sample.net.formula
        if self.max_daily_loss is not None and pnl <= -self.max_daily_loss:
            yield Breach(
                rule=LossRule.MAX_DAILY_LOSS,
                limit=self.max_daily_loss,
                value=pnl,
                formula=f"{parts} = {pnl:f} <= -{self.max_daily_loss:f}",
            )
        if self.max_drawdown is not None and peak - pnl >= self.max_drawdown:
            yield Breach(
                rule=LossRule.MAX_DRAWDOWN,
                limit=self.max_drawdown,
                value=peak - pnl,
                formula=f"peak {peak:f} - ({parts}) = {peak - pnl:f} >= {self.max_drawdown:f}",
            )
        yield from self.combined.breaches(pnl - base, peak - base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Hold what is remembered of a scope between two samples.

    `since` is when a person last unlocked the scope, None when nobody did today.
    """

    peak: Decimal = ZERO
    base: Decimal = ZERO
    since: datetime | None = None
    last: Sample | None = None
    suspected: frozenset[LossRule] = frozenset()


def judge(standing: Standing, sample: Sample, rules: LossRules) -> tuple[Standing, Breach | None]:
    """Return the standing after a sample, and the breach that it confirms.

    A sample that is not newer than the last one is no sample: the same prices cannot confirm themselves.
    """
    last = standing.last
    if last is not None and sample.as_of <= last.as_of:
        return standing, None
    peak = standing.peak if last is None else max(standing.peak, min(last.pnl, sample.pnl))
    broken = tuple(rules.breaches(sample, peak=peak, base=standing.base))
    after = Standing(
        peak=peak,
        base=standing.base,
        since=standing.since,
        last=sample,
        suspected=frozenset(breach.rule for breach in broken),
    )
    return after, next((breach for breach in broken if breach.rule in standing.suspected), None)
