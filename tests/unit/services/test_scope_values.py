"""Prove whose sums a leg counts in, when a sum is a sample, and which limits judge it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.db.risk_book import RiskBook, WatchedLeg
from app.domain.accounts import BrokerCode
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.markets import INR, USD
from app.domain.risk.combined import CombinedRules
from app.domain.risk.losses import LossRules
from app.domain.risk.scopes import LimitScope, ScopeKey, covering
from app.services.loss_rules import read_rules
from app.services.scope_values import ScopeValue, value_scopes

CALL, PUT = "NIFTY-26000-CE.NSE", "NIFTY-26000-PE.NSE"
NOW = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
PUBLISHED = NOW - timedelta(seconds=1)
TENANT: ScopeKey = (LimitScope.TENANT, "")


def leg(
    instrument_id: str = CALL,
    *,
    net: int = -75,
    sold_at: str = "100",
    cash: str | None = None,
    account: int = 1,
    user: int = 1,
    family: int | None = None,
    is_open: bool | None = None,
    has_live_entry: bool = False,
    currency: str | None = "INR",
) -> WatchedLeg:
    """A leg that was sold, of one deployment per account."""
    return WatchedLeg(
        covered_by=covering(
            broker=BrokerCode.KOTAK_NEO,
            family_id=None if family is None else FamilyId(family),
            user_id=UserId(user),
            account_id=AccountId(account),
            deployment_id=DeploymentId(account),
        ),
        instrument_id=instrument_id,
        currency=currency,
        net_qty=Decimal(net),
        entry_px=Decimal(sold_at),
        cash=Decimal(cash) if cash is not None else -net * Decimal(sold_at),
        is_open=net != 0 if is_open is None else is_open,
        has_live_entry=has_live_entry,
    )


def test_a_leg_counts_in_every_scope_that_covers_it() -> None:
    legs = [leg(), leg(account=2, family=4), leg(account=3, user=2, family=4, net=0, cash="-500")]

    values = value_scopes(legs, {CALL: Decimal(110)}, INR)

    pnls = {key: (int(value.realized), int(value.unrealized)) for key, value in values.items()}
    assert pnls[LimitScope.ACCOUNT, "1"] == pnls[LimitScope.DEPLOYMENT, "1"] == (0, -750)
    assert pnls[LimitScope.USER, "1"] == (0, -1500)
    assert pnls[LimitScope.FAMILY, "4"] == (-500, -750)
    assert pnls[LimitScope.USER, "2"] == pnls[LimitScope.ACCOUNT, "3"] == (-500, 0)
    assert pnls[TENANT] == pnls[LimitScope.BROKER, "kotak_neo"] == (-500, -1500)


def test_a_leg_in_another_currency_is_never_added_to_the_sum() -> None:
    value = value_scopes([leg(), leg(currency="JPY")], {CALL: Decimal(110)}, INR)[LimitScope.ACCOUNT, "1"]

    assert (value.unrealized, value.unpriced) == (Decimal(-750), [CALL])
    assert value.sample(published=PUBLISHED, now=NOW) is None


def test_a_sum_without_a_price_is_no_sample_and_names_what_it_lacks() -> None:
    values = value_scopes([leg(), leg(PUT), leg(account=2)], {CALL: Decimal(110)}, INR)

    lame, whole = values[LimitScope.ACCOUNT, "1"], values[LimitScope.ACCOUNT, "2"]
    assert lame.unpriced == [PUT]
    assert lame.sample(published=PUBLISHED, now=NOW) is None
    assert values[TENANT].sample(published=PUBLISHED, now=NOW) is None, "nor is a sum with it"
    sample = whole.sample(published=PUBLISHED, now=NOW)
    assert sample is not None
    assert (sample.as_of, sample.pnl) == (PUBLISHED, Decimal(-750))


def test_what_is_not_held_needs_no_price() -> None:
    value = value_scopes([leg(net=0, cash="-500")], {}, INR)[LimitScope.ACCOUNT, "1"]

    sample = value.sample(published=None, now=NOW)

    assert sample is not None
    assert (sample.as_of, sample.pnl) == (NOW, Decimal(-500))


def test_flat_means_that_nothing_is_held_and_nothing_can_come() -> None:
    def is_flat(one: WatchedLeg) -> bool:
        return value_scopes([one], {}, INR)[LimitScope.ACCOUNT, "1"].is_flat

    assert is_flat(leg(net=0, cash="1"))
    assert not is_flat(leg())
    assert not is_flat(leg(net=0, cash="0", has_live_entry=True)), "an entry may still fill"
    assert is_flat(leg(is_open=False)), "a stranger closed it at the broker"
    assert ScopeValue().is_flat, "a scope without legs"


def test_a_scope_is_judged_by_what_it_names_itself_in_its_own_currency() -> None:
    book = RiskBook(
        legs=(),
        limits={
            TENANT: {"max_daily_loss": "90000"},
            (LimitScope.FAMILY, "4"): {"max_daily_loss": "20000"},
            (LimitScope.USER, "1"): {"max_drawdown": 4000, "max_lots": 3},
            (LimitScope.ACCOUNT, "1"): {"max_daily_loss": 5000},
            (LimitScope.ACCOUNT, "2"): {"max_lots": 3},
            (LimitScope.ACCOUNT, "3"): {"no_such_limit": 3},
        },
        combined={(LimitScope.DEPLOYMENT, "7"): {"max_lots": 2, "combined_stop": "800"}},
        locks=(),
    )

    rules, unreadable = read_rules(book, INR)
    in_dollars, _ = read_rules(book, USD)

    assert rules == {
        TENANT: LossRules(max_daily_loss=Decimal(90000)),
        (LimitScope.FAMILY, "4"): LossRules(max_daily_loss=Decimal(20000)),
        (LimitScope.USER, "1"): LossRules(max_drawdown=Decimal(4000)),
        (LimitScope.ACCOUNT, "1"): LossRules(max_daily_loss=Decimal(5000)),
        (LimitScope.DEPLOYMENT, "7"): LossRules(combined=CombinedRules(stop=Decimal(800))),
    }
    assert unreadable.keys() == {(LimitScope.ACCOUNT, "3")}
    assert in_dollars.keys() == {(LimitScope.ACCOUNT, "1"), (LimitScope.DEPLOYMENT, "7")}
