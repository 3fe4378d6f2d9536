"""Find out by which rules each scope's profit and loss is watched."""

from collections.abc import Mapping
from dataclasses import replace

from app.db.risk_book import RiskBook
from app.domain.errors import InvalidInputError
from app.domain.markets import INR, Currency
from app.domain.risk.combined import CombinedRules
from app.domain.risk.limits import number_of, parse_limits
from app.domain.risk.losses import LossRules
from app.domain.risk.scopes import LimitScope, ScopeKey

_IN_RUPEES = frozenset({LimitScope.TENANT, LimitScope.FAMILY, LimitScope.USER})
"""Scopes that span markets: their limits are rupees and watch the markets that settle in rupees."""


def read_rules(book: RiskBook, currency: Currency) -> tuple[dict[ScopeKey, LossRules], dict[ScopeKey, str]]:
    """Return the rules of the scopes that have any, and why those of others cannot be read.

    A scope is closed by a limit that it names itself: what a wider one names is judged on the wider sum.
    """
    rules: dict[ScopeKey, LossRules] = {}
    unreadable: dict[ScopeKey, str] = {}
    for key in book.limits.keys() | book.combined.keys():
        if key[0] in _IN_RUPEES and currency != INR:
            continue
        try:
            found = _rules(book.limits.get(key, {}), book.combined.get(key, {}))
        except InvalidInputError as e:
            unreadable[key] = str(e)
            continue
        if not found.is_empty:
            rules[key] = found
    return rules, unreadable


def _rules(limits: Mapping[str, object], settings: Mapping[str, object]) -> LossRules:
    own = parse_limits(limits)
    rules = LossRules(
        max_daily_loss=number_of(own, "max_daily_loss"), max_drawdown=number_of(own, "max_drawdown")
    )
    return replace(rules, combined=CombinedRules.from_mapping(settings))
