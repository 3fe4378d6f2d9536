"""Accounts start on paper, go live only by several explicit acts, and never leave the day while they hold."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.accounts import get_account_for_staff, lock_open_business
from app.db.models import AuditRow, DeploymentRow, LegRow
from app.db.session import Database
from app.domain.accounts import AccountMode, BrokerAccount, BrokerCode
from app.domain.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.domain.users import Actor, Role, User
from app.infra.vault import Vault
from app.services.accounts import (
    EgressTakenError,
    create_account,
    get_visible_account,
    go_live,
    go_paper,
    list_accounts,
    live_confirmation,
    place_on_egress,
    set_enabled,
)
from app.services.credentials import store_credentials
from app.services.users import authenticate, create_user, disable_user, get_user_by_name, list_users
from tests.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def ready(
    session: Session, vault: Vault, owner: Actor, account: BrokerAccount, good: dict[str, str]
) -> BrokerAccount:
    """An account with credentials."""
    store_credentials(session, vault, owner, account, fields=good)
    return account


@pytest.fixture
def holding(database: Database, account: BrokerAccount) -> BrokerAccount:
    """An account with a short position."""
    with database.begin() as session:
        deployment = DeploymentRow(
            user_id=account.user_id,
            account_id=account.account_id,
            name="d",
            strategy="short_straddle",
            params={},
            limits={},
        )
        session.add(deployment)
        session.flush()
        session.add(
            LegRow(
                deployment_id=deployment.id,
                day=date(2026, 11, 20),
                instrument_id="NSE:X",
                user_id=account.user_id,
                account_id=account.account_id,
                net_qty=-75,
            )
        )
    return account


def live(session: Session, actor: Actor, account: BrokerAccount, **changes: object) -> BrokerAccount:
    words: dict[str, object] = {
        "confirmation": live_confirmation(account),
        "is_live_allowed": True,
        "reason": "a month on paper went well",
    }
    return go_live(session, actor, account.account_id, **{**words, **changes})  # type: ignore[arg-type]


def test_going_live_is_written_down_with_who_and_why(
    session: Session, owner: Actor, ready: BrokerAccount
) -> None:
    assert live(session, owner, ready).mode is AccountMode.LIVE

    act = session.scalars(select(AuditRow).where(AuditRow.action == "account.mode_set")).one()
    assert (act.actor, act.origin, act.subject) == (owner.name, "test", f"account {ready.account_id}")
    assert (act.reason, act.details) == ("a month on paper went well", {"mode": "LIVE"})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"is_live_allowed": False}, ForbiddenError, "OPENBELL_IS_LIVE_TRADING_ALLOWED"),
        ({"confirmation": "live main"}, InvalidInputError, "expected the words 'LIVE main', got 'live main'"),
        ({"confirmation": ""}, InvalidInputError, "expected the words"),
    ],
)
def test_live_needs_the_installations_and_the_persons_word(
    session: Session,
    owner: Actor,
    ready: BrokerAccount,
    changes: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        live(session, owner, ready, **changes)
    assert get_account_for_staff(session, ready.account_id).mode is AccountMode.PAPER


def test_no_account_goes_live_without_credentials(
    session: Session, owner: Actor, account: BrokerAccount
) -> None:
    with pytest.raises(ConflictError, match="expected stored credentials"):
        live(session, owner, account)


def test_a_paper_broker_never_goes_live(session: Session, owner: Actor, user: User) -> None:
    paper = create_account(session, owner, user.user_id, name="toy", broker=BrokerCode.PAPER)

    with pytest.raises(ConflictError, match="one at paper"):
        live(session, owner, paper)


def test_an_account_that_holds_something_stays_as_it_is(
    session: Session, admin: Actor, owner: Actor, holding: BrokerAccount, vault: Vault, good: dict[str, str]
) -> None:
    store_credentials(session, vault, owner, holding, fields=good)
    account_id = holding.account_id
    acts: list[Callable[[], object]] = [
        lambda: live(session, owner, holding),
        lambda: go_paper(session, owner, account_id, reason="x"),
        lambda: set_enabled(session, owner, account_id, is_enabled=False, reason="x"),
        lambda: place_on_egress(session, admin, account_id, egress="127.9.9.9", reason="x"),
        lambda: disable_user(session, admin, holding.user_id, reason="x"),
    ]
    for act in acts:
        with pytest.raises(ConflictError, match="square off first"):
            act()
    assert get_account_for_staff(session, account_id) == holding


def test_no_order_slips_in_between_the_look_and_the_switch(
    database: Database, account: BrokerAccount
) -> None:
    """Whatever refers to the account, like an order, waits for who looked whether it is flat."""

    def refer_to_the_account() -> None:
        with database.begin() as session:
            session.add(
                DeploymentRow(
                    user_id=account.user_id,
                    account_id=account.account_id,
                    name="late",
                    strategy="short_straddle",
                    params={},
                    limits={},
                )
            )

    def is_somebody_waiting() -> bool:
        with database.begin() as session:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return bool(session.scalar(text(waiting)) == 1)

    with ThreadPoolExecutor(1) as pool:
        with database.begin() as session:
            assert not lock_open_business(session, account.user_id, account.account_id)
            late = pool.submit(refer_to_the_account)
            eventually(is_somebody_waiting, timeout_s=4)  # less than the lock time-out
            assert not late.done()
        late.result(10)


def test_strangers_are_refused_one_address_and_a_family_is_not(
    session: Session, admin: Actor, account: BrokerAccount
) -> None:
    stranger = create_user(session, admin, name="stranger1", role=Role.TRADER, password=None)
    with (
        pytest.raises(EgressTakenError, match=f"{account.egress}, which 1 account") as caught,
        session.begin_nested(),
    ):
        create_account(
            session, admin, stranger.user_id, name="b", broker=BrokerCode.KOTAK_NEO, egress=account.egress
        )
    assert account.name not in str(caught.value)

    place_on_egress(session, admin, account.account_id, egress=account.egress, ip_group="rao")
    create_account(
        session,
        admin,
        stranger.user_id,
        name="b",
        broker=BrokerCode.KOTAK_NEO,
        egress=account.egress,
        ip_group="rao",
    )


def test_an_operator_may_answer_for_strangers_with_a_reason(
    session: Session, admin: Actor, account: BrokerAccount
) -> None:
    stranger = create_user(session, admin, name="stranger2", role=Role.TRADER, password=None)
    other = create_account(
        session, admin, stranger.user_id, name="c", broker=BrokerCode.KOTAK_NEO, egress="127.7.7.7"
    )
    with pytest.raises(InvalidInputError, match="expected a reason"):
        place_on_egress(session, admin, other.account_id, egress=account.egress, allows_shared_egress=True)

    shared = place_on_egress(
        session,
        admin,
        other.account_id,
        egress=account.egress,
        allows_shared_egress=True,
        reason="the broker agreed in writing",
    )

    assert shared.egress == account.egress


def test_two_strangers_cannot_take_one_address_at_the_same_moment(database: Database, admin: Actor) -> None:
    def take(name: str) -> bool:
        with database.begin() as session:
            user = create_user(session, admin, name=name, role=Role.TRADER, password=None)
            create_account(
                session, admin, user.user_id, name="x", broker=BrokerCode.KOTAK_NEO, egress="127.8.8.8"
            )
        return True

    def try_to_take(name: str) -> bool:
        try:
            return take(name)
        except EgressTakenError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_to_take, ["racer1", "racer2", "racer3", "racer4"])) == [False] * 3 + [True]


def test_a_trader_sees_and_changes_only_what_is_theirs(
    session: Session, admin: Actor, owner: Actor, account: BrokerAccount
) -> None:
    user = create_user(session, admin, name="nosy", role=Role.TRADER, password=None)
    nosy = Actor(name="nosy", role=Role.TRADER, origin="test", user_id=user.user_id)

    assert list_accounts(session, nosy) == []
    assert [found.account_id for found in list_accounts(session, owner)] == [account.account_id]
    assert list_users(session, nosy) == [user]
    with pytest.raises(NotFoundError):
        get_visible_account(session, nosy, account.account_id)
    with pytest.raises(NotFoundError):
        get_user_by_name(session, nosy, owner.name)
    with pytest.raises(NotFoundError):
        set_enabled(session, nosy, account.account_id, is_enabled=False, reason="x")
    with pytest.raises(ForbiddenError):
        create_account(session, nosy, account.user_id, name="mine", broker=BrokerCode.PAPER)
    with pytest.raises(ForbiddenError):
        create_user(session, nosy, name="friend", role=Role.ADMIN, password=None)


def test_ops_stop_but_do_not_start_other_peoples_accounts(session: Session, account: BrokerAccount) -> None:
    ops = Actor(name="ops", role=Role.OPS, origin="test")

    assert get_visible_account(session, ops, account.account_id) == account
    with pytest.raises(ForbiddenError):
        live(session, ops, account)


def test_only_the_right_password_of_an_enabled_user_signs_in(
    session: Session, admin: Actor, user: User
) -> None:
    assert authenticate(session, user.name, "correct horse battery") == user
    for name, password in [(user.name, "wrong"), ("nobody", "correct horse battery"), (user.name, "")]:
        with pytest.raises(ForbiddenError, match="name and password of an enabled user"):
            authenticate(session, name, password)

    disable_user(session, admin, user.user_id, reason="left")
    with pytest.raises(ForbiddenError, match="name and password of an enabled user"):
        authenticate(session, user.name, "correct horse battery")
