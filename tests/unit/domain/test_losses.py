"""Prove when a scope's profit and loss breaks a rule: at the limit, on the second sample, never on one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.risk.breaches import Breach, LossRule
from app.domain.risk.combined import CombinedRules
from app.domain.risk.limits import RiskLimits, number_of, parse_limits
from app.domain.risk.losses import LossRules, Sample, Standing, judge
from app.domain.risk.net_pnl import NetPnl

AT = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
CHARGES = Decimal("36.08")
DAILY = LossRules(max_daily_loss=Decimal(5000))
DRAWDOWN = LossRules(max_drawdown=Decimal(1500))
TRAIL = {
    "combined_lock_at": "2000",
    "combined_lock_keep": "500",
    "combined_trail_step": "1000",
    "combined_trail_by": "400",
}


def combined(**settings: object) -> LossRules:
    return LossRules(combined=CombinedRules.from_mapping({f"combined_{k}": v for k, v in settings.items()}))


def sample(number: int, pnl: str, *, realized: str = "0") -> Sample:
    """The sample of the second `number`, worth `pnl` after charges."""
    return Sample(
        as_of=AT + timedelta(seconds=number),
        net=NetPnl(
            realized=Decimal(realized),
            unrealized=Decimal(pnl) - Decimal(realized) + CHARGES,
            charges=CHARGES,
            estimated=1,
        ),
    )


def follow(
    rules: LossRules, *pnls: str, start: Standing | None = None
) -> tuple[Standing, list[Breach | None]]:
    """Judge one sample a second; return the last standing and what each sample confirmed."""
    standing, found = start or Standing(), []
    for number, pnl in enumerate(pnls):
        standing, breach = judge(standing, sample(number, pnl), rules)
        found.append(breach)
    return standing, found


def confirmed(rules: LossRules, *pnls: str) -> list[LossRule | None]:
    return [None if breach is None else breach.rule for breach in follow(rules, *pnls)[1]]


@pytest.mark.parametrize(
    ("rules", "pnls", "rule"),
    [
        pytest.param(DAILY, ("-5000", "-5000"), LossRule.MAX_DAILY_LOSS, id="loss exactly at the limit"),
        pytest.param(DAILY, ("-4999.99", "-4999.99"), None, id="a paisa short of it"),
        pytest.param(DAILY, ("-6000", "-4999.99"), None, id="one bad price"),
        pytest.param(DAILY, ("-6000", "-4999.99", "-6000"), None, id="two that are not in a row"),
        pytest.param(DRAWDOWN, ("1000", "1000", "-500", "-500"), LossRule.MAX_DRAWDOWN, id="from the peak"),
        pytest.param(DRAWDOWN, ("1000", "1000", "-499.99", "-499.99"), None, id="a paisa short of it too"),
        pytest.param(DRAWDOWN, ("-1500", "-1500"), LossRule.MAX_DRAWDOWN, id="the day begins at zero"),
        pytest.param(DRAWDOWN, ("0", "9000", "0", "0"), None, id="one high price is no peak"),
        pytest.param(DRAWDOWN, ("900", "2000", "-600", "-600"), LossRule.MAX_DRAWDOWN, id="the lower of two"),
        pytest.param(combined(stop=800), ("-800", "-800"), LossRule.COMBINED_STOP, id="combined stop"),
        pytest.param(combined(stop=800), ("-799", "-799"), None, id="short of the stop"),
        pytest.param(combined(target=800), ("800", "800"), LossRule.COMBINED_TARGET, id="combined target"),
        pytest.param(combined(target=800), ("799", "799"), None, id="short of the target"),
        pytest.param(combined(target=800), ("900", "799"), None, id="a target seen once"),
        pytest.param(
            combined(lock_at=2000, lock_keep=500),
            ("2000", "2000", "500", "500"),
            LossRule.COMBINED_LOCK,
            id="locked profit",
        ),
        pytest.param(
            combined(lock_at=2000, lock_keep=500), ("1999", "1999", "0", "0"), None, id="not reached"
        ),
        pytest.param(combined(lock_at=2000, lock_keep=500), ("0", "2000", "0", "0"), None, id="once only"),
        pytest.param(
            combined(lock_at=2000, lock_keep=0),
            ("2000", "2000", "0", "0"),
            LossRule.COMBINED_LOCK,
            id="at cost",
        ),
    ],
)
def test_a_rule_is_broken_by_two_samples_in_a_row(
    rules: LossRules, pnls: tuple[str, ...], rule: LossRule | None
) -> None:
    found = confirmed(rules, *pnls)

    assert found == [None] * (len(pnls) - 1) + [rule]


def test_the_same_prices_cannot_confirm_themselves() -> None:
    standing, _ = judge(Standing(), sample(0, "-6000"), DAILY)

    again, breach = judge(standing, sample(0, "-6000"), DAILY)

    assert (again, breach) == (standing, None)


def test_a_breach_names_the_formula_in_numbers() -> None:
    standing, _ = judge(Standing(peak=Decimal(700)), sample(0, "-5100", realized="-1200.5"), DAILY)
    _, daily = judge(standing, sample(1, "-5100", realized="-1200.5"), DAILY)
    standing, _ = judge(Standing(peak=Decimal(700)), sample(0, "-900", realized="-100"), DRAWDOWN)
    _, drawdown = judge(standing, sample(1, "-900", realized="-100"), DRAWDOWN)

    assert daily is not None
    assert drawdown is not None
    assert (daily.limit, daily.value) == (Decimal(5000), Decimal(-5100))
    assert daily.formula == (
        "realized -1200.5 + unrealized -3863.42 - charges 36.08 (estimated) = -5100.00 <= -5000"
    )
    assert (drawdown.limit, drawdown.value) == (Decimal(1500), Decimal(1600))
    assert drawdown.formula == (
        "peak 700 - (realized -100 + unrealized -763.92 - charges 36.08 (estimated)) = 1600.00 >= 1500"
    )


def test_the_limit_of_the_day_is_named_before_what_else_is_broken() -> None:
    rules = LossRules(
        max_daily_loss=Decimal(5000), max_drawdown=Decimal(1500), combined=CombinedRules(stop=Decimal(100))
    )

    assert confirmed(rules, "-5000", "-5000")[-1] is LossRule.MAX_DAILY_LOSS


@pytest.mark.parametrize(
    ("peak", "floor"),
    [
        ("1999.99", None),
        ("2000", "500"),
        ("2999.99", "500"),
        ("3000", "900"),
        ("4999", "1300"),
        ("5000", "1700"),
    ],
)
def test_the_floor_trails_by_whole_steps(peak: str, floor: str | None) -> None:
    rules = CombinedRules.from_mapping(TRAIL)

    assert rules.floor(Decimal(peak)) == (None if floor is None else Decimal(floor))


def test_a_trailing_floor_is_broken_at_the_floor() -> None:
    rules = LossRules(combined=CombinedRules.from_mapping(TRAIL))

    assert confirmed(rules, "3000", "3100", "900.01", "900.01")[-1] is None
    assert confirmed(rules, "3000", "3100", "900", "900")[-1] is LossRule.COMBINED_LOCK


def test_after_an_unlock_drawdown_and_combined_rules_count_from_what_was_left() -> None:
    left = Standing(peak=Decimal(-1600), base=Decimal(-1600))

    assert follow(DRAWDOWN, "-3099", "-3099", start=left)[1][-1] is None
    assert follow(DRAWDOWN, "-3100", "-3100", start=left)[1][-1] is not None
    assert follow(combined(stop=800), "-2399", "-2399", start=left)[1][-1] is None
    assert follow(combined(stop=800), "-2400", "-2400", start=left)[1][-1] is not None
    assert follow(DAILY, "-5000", "-5000", start=left)[1][-1] is not None, "the limit of the day stays"


@pytest.mark.parametrize(
    "settings",
    [
        {"combined_stop": 0},
        {"combined_target": "-1"},
        {"combined_stop": 12.5},
        {"combined_stop": "NaN"},
        {"combined_lock_at": 2000},
        {"combined_lock_keep": 2000},
        {"combined_lock_at": 2000, "combined_lock_keep": 2000},
        {"combined_lock_at": 2000, "combined_lock_keep": -1},
        {"combined_trail_step": 100, "combined_trail_by": 100},
        {"combined_lock_at": 2000, "combined_lock_keep": 0, "combined_trail_step": 100},
        {**TRAIL, "combined_trail_by": "1000.01"},
    ],
)
def test_rules_that_contradict_themselves_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        CombinedRules.from_mapping(settings)


def test_combined_rules_stand_beside_the_limits_of_a_deployment() -> None:
    settings = {"max_lots": 3, **TRAIL}

    assert RiskLimits.from_mapping(settings).max_lots == 3
    assert CombinedRules.from_mapping(settings).lock_at == 2000
    assert LossRules().is_empty
    assert not combined(stop=1).is_empty
    assert (
        LossRules(max_drawdown=Decimal(1)).is_empty is LossRules(max_daily_loss=Decimal(1)).is_empty is False
    )


def test_a_person_hears_of_limits_and_not_of_plans() -> None:
    assert {rule for rule in LossRule if rule.is_limit} == {LossRule.MAX_DAILY_LOSS, LossRule.MAX_DRAWDOWN}


def test_only_a_number_limits_a_loss() -> None:
    values = parse_limits({"max_daily_loss": 5000, "denied_symbols": "NIFTY"})

    assert number_of(values, "max_daily_loss") == 5000
    assert number_of(values, "denied_symbols") is None
    assert number_of(values, "max_drawdown") is None
