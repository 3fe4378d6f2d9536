"""Check whom limits cover, and that the strictest of them wins."""

from decimal import Decimal

import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError, InvariantError
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.risk.limits import RiskLimits, parse_limits
from app.domain.risk.scopes import LimitScope, covering, limits_in_force, loosened, scope_key, strictest

WHO = {
    "broker": BrokerCode.PAPER,
    "family_id": FamilyId(2),
    "user_id": UserId(3),
    "account_id": AccountId(5),
}


def test_a_deployment_is_covered_by_every_scope_around_it() -> None:
    assert covering(**WHO, deployment_id=DeploymentId(7)) == (  # type: ignore[arg-type]  # one dict
        (LimitScope.TENANT, ""),
        (LimitScope.BROKER, "paper"),
        (LimitScope.FAMILY, "2"),
        (LimitScope.USER, "3"),
        (LimitScope.ACCOUNT, "5"),
        (LimitScope.DEPLOYMENT, "7"),
    )


def test_an_account_is_covered_by_all_but_its_deployments() -> None:
    keys = covering(**WHO)  # type: ignore[arg-type]  # one dict

    assert [scope for scope, _ in keys] == list(LimitScope)[:-1]


def test_who_is_in_no_family_is_covered_by_none() -> None:
    keys = covering(**{**WHO, "family_id": None})  # type: ignore[arg-type]  # one dict

    assert LimitScope.FAMILY not in {scope for scope, _ in keys}


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (LimitScope.TENANT, ""),
        (LimitScope.FAMILY, "4"),
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
        (LimitScope.FAMILY, "sharma"),
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

    in_force = limits_in_force(
        base,
        [parse_limits({"max_lots": "9", "max_drawdown": "500"}), parse_limits({"max_order_notional": 800})],
    )

    assert in_force == RiskLimits(
        max_lots=Decimal(4), max_order_notional=Decimal(800), max_drawdown=Decimal(500)
    )


def test_no_scope_leaves_the_deployments_own() -> None:
    base = RiskLimits(max_lots=Decimal(4), max_drawdown=Decimal(70))

    assert limits_in_force(base, []) == base


def test_the_longer_pause_and_every_list_win() -> None:
    nifty, banks = frozenset({"NIFTY"}), frozenset({"BANKNIFTY", "NIFTY"})

    joined = strictest(
        [
            {"cooldown_s": Decimal(60), "allowed_symbols": (banks,), "denied_symbols": nifty},
            {"cooldown_s": Decimal(30), "allowed_symbols": (nifty, banks), "denied_symbols": banks},
        ]
    )

    assert joined == {
        "cooldown_s": Decimal(60),
        "allowed_symbols": (banks, nifty),
        "denied_symbols": banks,
    }


@pytest.mark.parametrize(
    ("own", "wider", "expected"), [("off", "on", "on"), ("on", "off", "on"), ("off", "off", "off")]
)
def test_the_stricter_word_wins(own: str, wider: str, expected: str) -> None:
    sets = [parse_limits({"margin_check": word}) for word in (own, wider)]

    assert strictest(sets) == parse_limits({"margin_check": expected})


def test_values_of_two_kinds_are_a_bug() -> None:
    with pytest.raises(InvariantError, match="max_lots: expected two values of one kind"):
        strictest([{"max_lots": Decimal(1)}, {"max_lots": frozenset({"NIFTY"})}])


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({}, {"max_lots": 9}, []),
        ({"max_lots": 9}, {"max_lots": 9}, []),
        ({"max_lots": 9}, {"max_lots": 8, "max_stops": 1}, []),
        ({"max_lots": 9}, {"max_lots": 10}, ["max_lots"]),
        ({"max_lots": 9, "max_stops": 1}, {"max_stops": 1}, ["max_lots"]),
        ({"cooldown_s": 9}, {"cooldown_s": 10}, []),
        ({"cooldown_s": 9}, {"cooldown_s": 8}, ["cooldown_s"]),
        ({"margin_check": "off"}, {"margin_check": "on"}, []),
        ({"margin_check": "on"}, {"margin_check": "on"}, []),
        ({"margin_check": "on"}, {"margin_check": "off"}, ["margin_check"]),
        ({"margin_check": "on"}, {}, ["margin_check"]),
        ({"denied_symbols": "A1"}, {"denied_symbols": "A1,B1"}, []),
        ({"denied_symbols": "A1,B1"}, {"denied_symbols": "A1"}, ["denied_symbols"]),
        ({"allowed_symbols": "A1,B1"}, {"allowed_symbols": "A1"}, []),
        ({"allowed_symbols": "A1"}, {"allowed_symbols": "A1,B1"}, ["allowed_symbols"]),
    ],
)
def test_loosening_is_seen_in_every_kind_of_limit(
    before: dict[str, object], after: dict[str, object], names: list[str]
) -> None:
    assert loosened(parse_limits(before), parse_limits(after)) == names
