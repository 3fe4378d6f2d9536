"""List the NIFTY option contracts of a day as the exchange would."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from brokers.simulators.kotak.clock import IST

LOT_SIZE = 65
FREEZE_QTY = 1800
STRIKE_STEP = 50
STRIKES_EACH_SIDE = 20
INDEX_TOKEN = 26000
INDEX_NAME = "Nifty 50"
_FIRST_TOKEN = 40001
_THURSDAY = 3
_WEEKLY_MONTHS = "123456789OND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One listed option; strike in rupees, expiry at 15:30 IST of its day, UTC."""

    token: int
    symbol: str
    strike: int
    right: str  # CE or PE
    expiry: date
    expires_at: datetime

    @property
    def key(self) -> str:
        """Return the name under which feeds and quotes know it."""
        return f"nse_fo|{self.token}"


def weekly_expiries(day: date) -> tuple[date, date]:
    """Return the first Thursday on or after the day and the one after it.

    Source: NSE weekly NIFTY options expired on Thursdays until August 2025; the data are of 2019.
    """
    first = day + timedelta(days=(_THURSDAY - day.weekday()) % 7)
    return first, first + timedelta(days=7)


def option_symbol(expiry: date, strike: int, right: str) -> str:
    """Return the trading symbol: NIFTY19103.. for a weekly, NIFTY19JAN.. for the month's last Thursday."""
    last_day = calendar.monthrange(expiry.year, expiry.month)[1]
    if expiry.day + 7 > last_day:
        middle = f"{expiry:%y}{calendar.month_abbr[expiry.month].upper()}"
    else:
        middle = f"{expiry:%y}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry:%d}"
    return f"NIFTY{middle}{strike}{right}"


def list_contracts(day: date, spot_paise: int) -> tuple[Contract, ...]:
    """List both rights of 41 strikes around the spot for two weekly expiries, tokens in that order."""
    return tuple(_contracts(day, round(spot_paise / 100 / STRIKE_STEP) * STRIKE_STEP))


def _contracts(day: date, center: int) -> Iterator[Contract]:
    token = _FIRST_TOKEN
    for expiry in weekly_expiries(day):
        expires_at = datetime(expiry.year, expiry.month, expiry.day, 15, 30, tzinfo=IST).astimezone(UTC)
        for steps in range(-STRIKES_EACH_SIDE, STRIKES_EACH_SIDE + 1):
            strike = center + steps * STRIKE_STEP
            for right in ("CE", "PE"):
                yield Contract(
                    token=token,
                    symbol=option_symbol(expiry, strike, right),
                    strike=strike,
                    right=right,
                    expiry=expiry,
                    expires_at=expires_at,
                )
                token += 1
