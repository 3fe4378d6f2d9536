"""Describe locks after a loss and the course of profit and loss."""

from datetime import date, datetime

from api.schemas.base import DecimalStr, Shown
from app.domain.instruments import Venue
from app.domain.markets import Currency
from app.domain.risk.breaches import LossRule
from app.domain.risk.scopes import LimitScope


class LossLock(Shown):
    """Show why a scope was closed and locked for a trading date, when it was flat, and who unlocked it.

    `value` broke `limit` by the `formula`, which names the charges and whether they are estimated; profit and
    loss counts after charges. `flat_value` is what was left of it.
    """

    id: int
    venue: Venue
    day: date
    scope: LimitScope
    target: str
    rule: LossRule
    limit: DecimalStr
    value: DecimalStr
    currency: Currency
    formula: str
    breached_at: datetime
    flat_at: datetime | None
    flat_value: DecimalStr | None
    unlocked_at: datetime | None
    unlocked_by: str | None
    unlock_reason: str | None


class EquityPoint(Shown):
    """Show profit and loss in one minute: `net` is realized and unrealized less charges.

    Loss limits judge `net`; `peak` is its highest of the day so far. `is_estimated`: some of the charges were
    reckoned from rates or have none, the others are the broker's word.
    Money is added here, never in a browser.
    """

    minute: datetime
    realized: DecimalStr
    unrealized: DecimalStr
    charges: DecimalStr
    net: DecimalStr
    is_estimated: bool
    peak: DecimalStr
