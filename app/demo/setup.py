"""Put the invented people into the database, through the same doors that operators use."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.db.session import Database
from app.demo.options import DemoOptions
from app.demo.population import Person
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.ids import AccountId
from app.domain.markets import NSE, Market
from app.domain.risk.scopes import LimitScope, scope_key
from app.domain.users import Actor, Role
from app.infra.vault import Vault
from app.services.accounts import create_account
from app.services.credentials import store_credentials
from app.services.deployments import NewDeployment, StrategyBook, create_deployment
from app.services.limits import set_limits
from app.services.sessions import inject_session
from app.services.users import create_user

_INDIA = ZoneInfo("Asia/Kolkata")
_OPEN = time(9, 15)
_OPENS_EARLIER = timedelta(minutes=15)
_ENDS_EARLIER = timedelta(minutes=2)
STAFF = {"admin": Role.ADMIN, "ops": Role.OPS}
PASSWORD = "openbell-demo-{}"  # noqa: S105  printed for everybody: the demo's data are invented
_ACTOR = Actor(name="demo", role=Role.ADMIN, origin="demo")


def trading_session(options: DemoOptions, market: Market = NSE) -> TradingSession:
    """Return a market's session of the day, injected: the real calendars do not reach so far back.

    Markets that never close get hours around the demo's day: their logins do not meet NSE's bell, and they
    end a little before NSE does, so that every book is flat when the day is compared.
    """
    opens = datetime.combine(options.day, _OPEN, _INDIA).astimezone(UTC)
    ends = datetime.combine(options.day, options.closes, _INDIA).astimezone(UTC)
    return TradingSession(
        venue=market.venue,
        segment=market.segment,
        date=options.day,
        open_at=opens if market is NSE else opens - _OPENS_EARLIER,
        close_at=ends if market is NSE else ends - _ENDS_EARLIER,
        kind=SessionKind.INJECTED,
        source="injected",
        notes="demo",
    )


def settle_people(
    database: Database,
    vault: Vault,
    *,
    people: Sequence[Person],
    sessions: Sequence[TradingSession],
    book: StrategyBook,
) -> Mapping[AccountId, Person]:
    """Create staff, users, accounts, credentials, deployments and the session; return who owns what."""
    with database.begin() as session:
        for one in sessions:
            inject_session(session, _ACTOR, one)
        for name, role in STAFF.items():
            create_user(session, _ACTOR, name=name, role=role, password=PASSWORD.format(name))
        return {_settle(session, vault, person, book, at=sessions[0].open_at): person for person in people}


def sign_in_lines() -> list[str]:
    """Return how to sign in, for people."""
    return [f"{name} / {PASSWORD.format(name)}" for name in (*STAFF, first_user())]


def first_user() -> str:
    """Return the one trader who has a password; hashing hundreds would only cost time."""
    return "u001"


def _settle(session: Session, vault: Vault, person: Person, book: StrategyBook, *, at: datetime) -> AccountId:
    password = PASSWORD.format(person.user) if person.user == first_user() else None
    user = create_user(session, _ACTOR, name=person.user, role=Role.TRADER, password=password)
    account = create_account(
        session,
        _ACTOR,
        user.user_id,
        name=person.user,
        broker=person.broker,
        egress=person.egress,
    )
    store_credentials(session, vault, _ACTOR, account, fields=person.credentials)
    for placement in person.placements:
        wish = NewDeployment(
            name=placement.name, strategy=placement.strategy, params=placement.params, limits=placement.limits
        )
        create_deployment(session, _ACTOR, account, wish, book=book)
    if person.max_daily_loss is not None:
        _limit_loss(session, account.account_id, person.max_daily_loss, at=at)
    return account.account_id


def _limit_loss(session: Session, account_id: AccountId, amount: Decimal, *, at: datetime) -> None:
    key = scope_key(LimitScope.ACCOUNT, str(account_id))
    values = {"max_daily_loss": str(amount)}
    set_limits(session, _ACTOR, key, values, expected_version=0, reason="--loss-limit", now=at)
