"""Describe locks after a loss and the course of profit and loss."""

from datetime import date, datetime

from api.schemas.base import DecimalStr, Shown
from app.domain.instruments import Venue
from app.domain.markets import Currency
from app.domain.risk.breaches import LossRule
from app.domain.risk.scopes import LimitScope


class LossLock(Shown):
    """Show why a scope was closed and locked for a trading date, when it was flat, and who unlocked it.

    `value` broke `limit` by the `formula`, before charges; `flat_value` is the profit or loss that was left.
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
    """Show profit and loss in one minute, before charges; `peak` is the highest of the day so far.

    `pnl` is realized plus unrealized: money is added here, never in a browser.
    """

    minute: datetime
    pnl: DecimalStr
    realized: DecimalStr
    unrealized: DecimalStr
    peak: DecimalStr
