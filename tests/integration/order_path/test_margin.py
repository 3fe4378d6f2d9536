"""An entry leaves only where the funds that the broker told cover it, once a limit asks for that."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, update

from app.db.funds import asks_for_funds, load_funds, save_funds
from app.db.models import AccountFundsRow, AccountRow, OrderRow
from app.domain.deployments import Deployment
from app.domain.instruments import OptionRight
from app.domain.orders import OrderStatus
from app.domain.reports import Balance
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope
from app.domain.users import Actor, Role
from app.infra.names import RunKind
from app.services.limits import set_limits
from app.services.runs import Lease
from tests.integration.order_path.desk import TODAY, Desk

ADMIN = Actor(name="risk", role=Role.ADMIN, origin="test")
MARGIN = {DenialCode.MARGIN, DenialCode.OTHER_LEG}
PENNY = Decimal("0.01")


def check_margin(desk: Desk, scope: LimitScope = LimitScope.TENANT, target: str = "") -> None:
    with desk.database.begin() as session:
        now = desk.clock.now()
        values = {"margin_check": "on"}
        set_limits(session, ADMIN, (scope, target), values, expected_version=0, reason="test", now=now)


def wish(desk: Desk, key: str, deployment: Deployment, loop: Lease) -> Sequence[OrderRow]:
    before = {order.id for order in desk.orders()}
    desk.record(desk.straddle(key), loop, [deployment])
    return [order for order in desk.orders() if order.id not in before]


def codes(orders: Sequence[OrderRow]) -> set[str | None]:
    return {order.denial_code for order in orders}


def tell(desk: Desk, deployment: Deployment, available: Decimal) -> None:
    """Let the broker have told this figure just now."""
    with desk.database.begin() as session:
        balance = Balance(available=available, used=Decimal(0))
        save_funds(session, deployment.account_id, balance, asked=desk.clock.wall())


def need_of(desk: Desk, orders: Sequence[OrderRow]) -> Decimal:
    strikes = [i.option.strike for i in map(desk.option, OptionRight) if i.option is not None]
    pairs = zip(orders, strikes, strict=True)
    need = sum((o.quantity * ((o.price or Decimal(0)) + strike) for o, strike in pairs), Decimal(0))
    return need * Decimal("0.20")


def test_what_login_told_covers_an_entry_and_no_figure_covers_none(desk: Desk) -> None:
    rich, unknown = desk.deployments
    beside = desk.deploy_beside(unknown)
    with desk.database.begin() as session:
        session.execute(delete(AccountFundsRow).where(AccountFundsRow.account_id == unknown.account_id))
    with desk.lease(RunKind.LOOPS) as loop:
        assert codes(wish(desk, "unchecked", beside, loop)) == {None}
        check_margin(desk)

        assert codes(wish(desk, "rich", rich, loop)) == {None}
        assert codes(wish(desk, "unknown", unknown, loop)) == MARGIN


def test_the_last_rupee_decides_and_only_where_the_limit_covers_the_account(desk: Desk) -> None:
    checked, other = desk.deployments
    check_margin(desk, LimitScope.ACCOUNT, str(checked.account_id))
    with desk.lease(RunKind.LOOPS) as loop:
        tell(desk, checked, Decimal(0))
        tell(desk, other, Decimal(0))
        need = need_of(desk, wish(desk, "poor", checked, loop))
        tell(desk, checked, need - PENNY)
        short = wish(desk, "short", checked, loop)
        tell(desk, checked, need)

        assert codes(short) == MARGIN
        assert codes(wish(desk, "enough", checked, loop)) == {None}
        assert codes(wish(desk, "other", other, loop)) == {None}


def test_what_lives_or_has_just_filled_is_counted_until_the_figure_shows_it(desk: Desk) -> None:
    first = desk.deployments[0]
    second = desk.deploy_beside(first)
    check_margin(desk)
    with desk.lease(RunKind.LOOPS) as loop:
        need = need_of(desk, wish(desk, "first", first, loop))
        tell(desk, first, 2 * need - PENNY)
        assert codes(wish(desk, "waits", second, loop)) == MARGIN

        _fill(desk, first, ago=timedelta(seconds=3))
        tell(desk, first, 2 * need - PENNY)
        assert codes(wish(desk, "just filled", second, loop)) == MARGIN

        _fill(desk, first, ago=timedelta(seconds=30))
        tell(desk, first, need)
        assert codes(wish(desk, "shown", second, loop)) == {None}


def _fill(desk: Desk, deployment: Deployment, *, ago: timedelta) -> None:
    with desk.database.begin() as session:
        live = OrderRow.deployment_id == deployment.deployment_id
        filled = {"status": OrderStatus.FILLED, "filled_qty": OrderRow.quantity}
        session.execute(update(OrderRow).where(live).values(**filled, ended_wall=desk.clock.wall() - ago))


def test_the_accounts_own_terms_decide_and_those_that_cannot_be_read_deny(desk: Desk) -> None:
    deployment = desk.deployments[0]
    check_margin(desk)
    with desk.lease(RunKind.LOOPS) as loop:
        tell(desk, deployment, Decimal(0))
        need = need_of(desk, wish(desk, "poor", deployment, loop))
        tell(desk, deployment, need / 4)
        assert codes(wish(desk, "default", deployment, loop)) == MARGIN
        _settle(desk, deployment, {"option_margin": "a lot"})
        assert codes(wish(desk, "unreadable", deployment, loop)) == MARGIN
        _settle(desk, deployment, {"option_margin": "0.05"})
        assert codes(wish(desk, "hedged", deployment, loop)) == {None}


def _settle(desk: Desk, deployment: Deployment, settings: dict[str, str]) -> None:
    with desk.database.begin() as session:
        own = AccountRow.id == deployment.account_id
        session.execute(update(AccountRow).where(own).values(settings=settings))


def test_an_old_figure_denies_until_the_books_bring_a_new_one(desk: Desk) -> None:
    deployment = desk.deployments[0]
    check_margin(desk, LimitScope.ACCOUNT, str(deployment.account_id))
    with desk.database.begin() as session:
        old = desk.clock.wall() - timedelta(minutes=2)
        session.execute(update(AccountFundsRow).values(asked_wall=old, available=1))
    with desk.lease(RunKind.LOOPS) as loop:
        (leg, _) = wish(desk, "old", deployment, loop)
        assert leg.denial_code == DenialCode.MARGIN
        assert "told within 60 s, got a figure of 12" in leg.reject_reason
        with desk.running(RunKind.BOOKS):
            desk.wait_for(lambda: _figure(desk, deployment) > 1)

        assert codes(wish(desk, "fresh", deployment, loop)) == {None}


def _figure(desk: Desk, deployment: Deployment) -> Decimal:
    with desk.database.begin() as session:
        own = AccountFundsRow.account_id == deployment.account_id
        return session.scalars(select(AccountFundsRow.available).where(own)).one()


def test_funds_are_read_only_where_somebody_asks_for_them(desk: Desk) -> None:
    deployment = desk.deployments[0]
    with desk.database.begin() as session:
        assert not asks_for_funds(session, deployment.account_id)
    desk.deploy_beside(deployment)
    check_margin(desk)
    with desk.database.begin() as session:
        assert asks_for_funds(session, deployment.account_id)


def test_news_that_comes_late_does_not_replace_a_newer_figure(desk: Desk) -> None:
    deployment = desk.deployments[0]
    tell(desk, deployment, Decimal(500))
    with desk.database.begin() as session:
        late = desk.clock.wall() - timedelta(seconds=5)
        balance = Balance(available=Decimal(900), used=Decimal(0))
        save_funds(session, deployment.account_id, balance, asked=late)

        told = load_funds(session, [deployment.account_id], TODAY)[deployment.account_id]

    assert told.available.amount == 500
    assert told.age < timedelta(seconds=5)


@pytest.mark.parametrize("price", [None, Decimal(40)])
def test_an_entry_without_price_or_contract_is_not_guessed(desk: Desk, price: Decimal | None) -> None:
    deployment = desk.deployments[0]
    with desk.lease(RunKind.LOOPS) as loop:
        wish(desk, "first", deployment, loop)
    changed: dict[str, str | None] = {"price": None} if price is None else {"instrument_id": "GONE.NSE"}
    with desk.database.begin() as session:
        session.execute(update(OrderRow).values(**changed))

        told = load_funds(session, [deployment.account_id], TODAY)[deployment.account_id]

    assert told.left is None
