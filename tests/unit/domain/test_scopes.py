"""Check whom limits cover, and that the strictest of them wins."""

from decimal import Decimal

import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.ids import AccountId, DeploymentId, UserId
from app.domain.risk.limits import RiskLimits
from app.domain.risk.scopes import LimitScope, covering, limits_in_force, scope_key, strictest

WHO = {"broker": BrokerCode.PAPER, "user_id": UserId(3), "account_id": AccountId(5)}


def test_a_deployment_is_covered_by_every_scope_around_it() -> None:
    assert covering(**WHO, deployment_id=DeploymentId(7)) == (  # type: ignore[arg-type]  # one dict
        (LimitScope.TENANT, ""),
        (LimitScope.BROKER, "paper"),
        (LimitScope.USER, "3"),
        (LimitScope.ACCOUNT, "5"),
        (LimitScope.DEPLOYMENT, "7"),
    )


def test_an_account_is_covered_by_all_but_its_deployments() -> None:
    keys = covering(**WHO)  # type: ignore[arg-type]  # one dict

    assert [scope for scope, _ in keys] == list(LimitScope)[:-1]


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (LimitScope.TENANT, ""),
        (LimitScope.BROKER, "kotak_neo"),
        (LimitScope.USER, "1"),
        (LimitScope.ACCOUNT, "20"),
        (LimitScope.DEPLOYMENT, "300"),
    ],
)
def test_a_target_that_can_exist_is_taken(scope: LimitScope, target: str) -> None:
    assert scope_key(scope, target) == (scope, target)


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (LimitScope.TENANT, "1"),
        (LimitScope.BROKER, "kotak"),
        (LimitScope.USER, ""),
        (LimitScope.USER, "asha"),
        (LimitScope.ACCOUNT, "007"),
        (LimitScope.DEPLOYMENT, "٣"),
    ],
)
def test_a_target_that_would_cover_nobody_is_refused(scope: LimitScope, target: str) -> None:
    with pytest.raises(InvalidInputError, match=f"limits of scope {scope}: expected"):
        scope_key(scope, target)


def test_the_strictest_value_of_each_name_wins() -> None:
    joined = strictest(
        [
            {"max_lots": Decimal(5), "max_daily_loss": Decimal(900)},
            {"max_lots": Decimal(7), "max_drawdown": Decimal(100)},
            {"max_lots": Decimal(3)},
        ]
    )

    assert joined == {
        "max_lots": Decimal(3),
        "max_daily_loss": Decimal(900),
        "max_drawdown": Decimal(100),
    }


def test_scopes_tighten_the_deployment_and_never_loosen_it() -> None:
    base = RiskLimits(max_lots=Decimal(4), max_order_notional=Decimal(1000))

    in_force = limits_in_force(base, [{"max_lots": "9", "max_drawdown": "500"}, {"max_order_notional": 800}])

    assert in_force == RiskLimits(
        max_lots=Decimal(4), max_order_notional=Decimal(800), max_drawdown=Decimal(500)
    )


def test_no_scope_leaves_the_deployments_own() -> None:
    base = RiskLimits(max_lots=Decimal(4), max_drawdown=Decimal(70))

    assert limits_in_force(base, []) == base


def test_a_stored_set_that_cannot_be_read_is_an_error_and_not_ignored() -> None:
    with pytest.raises(InvalidInputError, match="got max_moon"):
        limits_in_force(RiskLimits(), [{"max_moon": "1"}])
