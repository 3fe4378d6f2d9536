"""Find out by which rules each scope's profit and loss is watched, in which currency."""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

from app.db.risk_book import RiskBook
from app.domain.errors import InvalidInputError
from app.domain.markets import INR, Currency
from app.domain.risk.combined import CombinedRules
from app.domain.risk.limits import (
    DAILY_LOSS,
    LimitSet,
    daily_losses,
    number_of,
    parse_initial_limits,
    parse_limits,
)
from app.domain.risk.losses import LossRules
from app.domain.risk.scopes import LimitScope, ScopeKey, strictest
from app.services.scope_values import WatchKey

_IN_RUPEES = frozenset({LimitScope.TENANT, LimitScope.FAMILY, LimitScope.USER})
"""Scopes that span markets: their limits are rupees where they name no currency."""
_REMEMBERED: Final = 10_000


def read_rules(book: RiskBook, currency: Currency) -> tuple[dict[WatchKey, LossRules], dict[ScopeKey, str]]:
    """Return the rules of the scopes that have any in a market, and why those of others cannot be read.

    A scope is closed by a limit that it names itself: what a wider one names is judged on the wider sum.
    Drawdown and combined rules are in the market's currency.
    """
    rules: dict[WatchKey, LossRules] = {}
    unreadable: dict[ScopeKey, str] = {}
    for key in book.limits.keys() | book.initial.keys():
        try:
            own, combined = _read(_text(book.limits.get(key, {})), _text(book.initial.get(key, {})))
        except InvalidInputError as e:
            unreadable[key] = str(e)
            continue
        losses = loss_limits(key, own, currency)
        for of in {currency, *losses}:
            found = LossRules(max_daily_loss=losses.get(of))
            if of == currency and _counts_in(key, currency):
                drawdown = number_of(own, "max_drawdown")
                found = LossRules(max_daily_loss=losses.get(of), max_drawdown=drawdown, combined=combined)
            if not found.is_empty:
                rules[key, of] = found
    return rules, unreadable


@lru_cache(_REMEMBERED)
def _read(newest: str, initial: str) -> tuple[LimitSet, CombinedRules]:
    """Read a scope's sets from text, once: from look to look they are the same."""
    settings = json.loads(initial)
    return own_limits(json.loads(newest), settings), CombinedRules.from_mapping(settings)


def _text(values: Mapping[str, object]) -> str:
    return json.dumps(dict(values), sort_keys=True)


def own_limits(newest: Mapping[str, object], initial: Mapping[str, object]) -> LimitSet:
    """Return what a scope names itself: its newest set and, of a deployment, the set that it was added with.

    Raises:
        InvalidInputError: a set cannot be read.
    """
    return strictest([parse_initial_limits(initial), parse_limits(newest)])


def loss_limits(key: ScopeKey, own: LimitSet, currency: Currency) -> dict[Currency, Decimal]:
    """Return by currency at which loss of the day a scope is closed in a market of some currency."""
    losses = daily_losses(own)
    plain = number_of(own, DAILY_LOSS)
    if plain is not None and _counts_in(key, currency):
        losses[currency] = min(plain, losses.get(currency, plain))
    return losses


def _counts_in(key: ScopeKey, currency: Currency) -> bool:
    """Whether limits of a scope that name no currency are in this one."""
    return currency == INR or key[0] not in _IN_RUPEES
