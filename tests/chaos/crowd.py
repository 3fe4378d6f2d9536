"""Give every account of a day trades of its own, spread so that some are under way at each tick."""

from datetime import timedelta

from sqlalchemy import func, select

from app.db.accounts import get_account_for_staff
from app.db.models import AccountRow
from app.demo.fault_schedule import INSTRUMENTS
from app.domain.calendar_rules import TradingSession
from app.domain.ids import AccountId
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.domain.users import Actor, Role
from app.services.deployments import NewDeployment, create_deployment
from strategies.registry import load_registry
from tests.e2e.days import RunningDay
from tests.strategies import busy_trader

_ACTOR = Actor(name="chaos", role=Role.ADMIN, origin="test")
_TICK_S, _EVERY_S, _HOLD_S, _MOST_ROUNDS = 30, 90, 60, 20
# As far as lets a stop rest at the venue: beyond, the platform only watches the price.
_STOPS = {Venue.NSE: "0.3", Venue.BINANCE: "0.03", Venue.MT5: "0.03"}
_LIMITS = {"max_lots": 2000, "max_daily_loss": "100000000", "max_open_positions": 50}


def trade_all_day(day: RunningDay, session: TradingSession, *, accounts: int) -> None:
    """Add deployments to every account, before the day prepares; each covers some rounds."""
    # Who tests the strategy module has an account more.
    day.wait_for("the accounts", lambda: "api" in day.processes() and _count(day) >= accounts)
    book = load_registry((busy_trader.__name__,))
    until = session.close_at - session.open_at - timedelta(minutes=12)
    length_s = _EVERY_S * _MOST_ROUNDS
    with day.ledger() as ledger:
        for account_id in ledger.scalars(select(AccountRow.id).order_by(AccountRow.id)).all():
            account = get_account_for_staff(ledger, AccountId(account_id))
            venue = next(v for v in Venue if v in MARKETS and account.broker in MARKETS[v].brokers)
            for number in range(max(1, -(-until // timedelta(seconds=length_s)))):
                first_s = length_s * number + account_id * _TICK_S % _EVERY_S
                params = {
                    "instrument": INSTRUMENTS[venue],
                    "first_after_s": first_s,
                    "rounds": _MOST_ROUNDS,
                    "every_s": _EVERY_S,
                    "hold_s": _HOLD_S,
                    "stop_fraction": _STOPS[venue],
                    "lots": 1 if venue is Venue.NSE else 10,
                }
                wish = NewDeployment(
                    name=f"busy-{number + 1}", strategy=busy_trader.NAME, params=params, limits=_LIMITS
                )
                create_deployment(ledger, _ACTOR, account, wish, book=book)


def _count(day: RunningDay) -> int:
    with day.ledger() as ledger:
        return ledger.scalar(select(func.count(AccountRow.id))) or 0
