"""Put the invented people into the database, through the same doors that operators use."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.db.session import Database
from app.demo.options import DemoOptions
from app.demo.population import Person
from app.domain.accounts import BrokerCode
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.ids import AccountId
from app.domain.instruments import Venue
from app.domain.users import Actor, Role
from app.infra.vault import Vault
from app.services.accounts import create_account
from app.services.credentials import store_credentials
from app.services.deployments import NewDeployment, StrategyBook, create_deployment
from app.services.sessions import inject_session
from app.services.users import create_user

_INDIA = ZoneInfo("Asia/Kolkata")
_OPEN = time(9, 15)
SEGMENT = "FO"
STAFF = {"admin": Role.ADMIN, "ops": Role.OPS}
PASSWORD = "openbell-demo-{}"  # noqa: S105  printed for everybody: the demo's data are invented
_ACTOR = Actor(name="demo", role=Role.ADMIN, origin="demo")


def trading_session(options: DemoOptions) -> TradingSession:
    """Return the day's session, injected because the real calendar does not reach so far back."""
    return TradingSession(
        venue=Venue.NSE,
        segment=SEGMENT,
        date=options.day,
        open_at=datetime.combine(options.day, _OPEN, _INDIA).astimezone(UTC),
        close_at=datetime.combine(options.day, options.closes, _INDIA).astimezone(UTC),
        kind=SessionKind.INJECTED,
        source="injected",
        notes="demo",
    )


def settle_people(
    database: Database,
    vault: Vault,
    *,
    people: Sequence[Person],
    session_of_day: TradingSession,
    book: StrategyBook,
) -> Mapping[AccountId, Person]:
    """Create staff, users, accounts, credentials, deployments and the session; return who owns what."""
    with database.begin() as session:
        inject_session(session, _ACTOR, session_of_day)
        for name, role in STAFF.items():
            create_user(session, _ACTOR, name=name, role=role, password=PASSWORD.format(name))
        return {_settle(session, vault, person, book): person for person in people}


def sign_in_lines() -> list[str]:
    """Return how to sign in, for people."""
    return [f"{name} / {PASSWORD.format(name)}" for name in (*STAFF, first_user())]


def first_user() -> str:
    """Return the one trader who has a password; hashing hundreds would only cost time."""
    return "u001"


def _settle(session: Session, vault: Vault, person: Person, book: StrategyBook) -> AccountId:
    password = PASSWORD.format(person.user) if person.user == first_user() else None
    user = create_user(session, _ACTOR, name=person.user, role=Role.TRADER, password=password)
    account = create_account(
        session,
        _ACTOR,
        user.user_id,
        name=person.user,
        broker=BrokerCode.KOTAK_NEO,
        egress=person.egress,
    )
    store_credentials(session, vault, _ACTOR, account, fields=person.credentials)
    for placement in person.placements:
        wish = NewDeployment(
            name=placement.name, strategy=placement.strategy, params=placement.params, limits={}
        )
        create_deployment(session, _ACTOR, account, wish, book=book)
    return account.account_id
