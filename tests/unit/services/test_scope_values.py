"""Prove whose sums a leg counts in, when a sum is a sample, and which limits judge it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.db.risk_book import RiskBook, WatchedLeg
from app.domain.accounts import BrokerCode
from app.domain.charges import Charge, ChargeLine, ChargeSum, add_charges, modeled, reported
from app.domain.ids import AccountId, DeploymentId, UserId
from app.domain.markets import INR, USD, Currency
from app.domain.risk.combined import CombinedRules
from app.domain.risk.losses import LossRules
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.scopes import LimitScope, ScopeKey, covering
from app.services.loss_rules import read_rules
from app.services.scope_values import ScopeValue, net_of_accounts, value_scopes

CALL, PUT = "NIFTY-26000-CE.NSE", "NIFTY-26000-PE.NSE"
NOW = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
PUBLISHED = NOW - timedelta(seconds=1)
marks = st.integers(1, 300)
TENANT: ScopeKey = (LimitScope.TENANT, "")


def leg(
    instrument_id: str = CALL,
    *,
    net: int = -75,
    sold_at: str = "100",
    cash: str | None = None,
    account: int = 1,
    user: int = 1,
    is_open: bool | None = None,
    has_live_entry: bool = False,
    currency: str | None = "INR",
) -> WatchedLeg:
    """A leg that was sold, of one deployment per account."""
    return WatchedLeg(
        account_id=AccountId(account),
        deployment_id=DeploymentId(account),
        covered_by=covering(
            broker=BrokerCode.KOTAK_NEO,
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
    legs = [leg(), leg(account=2), leg(account=3, user=2, net=0, cash="-500")]

    values = value_scopes(legs, {CALL: Decimal(110)}, {}, INR)

    pnls = {key: (int(value.pnl.realized), int(value.pnl.unrealized)) for key, value in values.items()}
    assert pnls[LimitScope.ACCOUNT, "1"] == pnls[LimitScope.DEPLOYMENT, "1"] == (0, -750)
    assert pnls[LimitScope.USER, "1"] == (0, -1500)
    assert pnls[LimitScope.USER, "2"] == pnls[LimitScope.ACCOUNT, "3"] == (-500, 0)
    assert pnls[TENANT] == pnls[LimitScope.BROKER, "kotak_neo"] == (-500, -1500)


def test_a_leg_in_another_currency_is_never_added_to_the_sum() -> None:
    value = value_scopes([leg(), leg(currency="JPY")], {CALL: Decimal(110)}, {}, INR)[LimitScope.ACCOUNT, "1"]

    assert (value.pnl.unrealized, value.unpriced) == (Decimal(-750), [CALL])
    assert value.sample(published=PUBLISHED, now=NOW) is None


def test_a_sum_without_a_price_is_no_sample_and_names_what_it_lacks() -> None:
    values = value_scopes([leg(), leg(PUT), leg(account=2)], {CALL: Decimal(110)}, {}, INR)

    lame, whole = values[LimitScope.ACCOUNT, "1"], values[LimitScope.ACCOUNT, "2"]
    assert lame.unpriced == [PUT]
    assert lame.sample(published=PUBLISHED, now=NOW) is None
    assert values[TENANT].sample(published=PUBLISHED, now=NOW) is None, "nor is a sum with it"
    sample = whole.sample(published=PUBLISHED, now=NOW)
    assert sample is not None
    assert (sample.as_of, sample.pnl) == (PUBLISHED, Decimal(-750))


def test_a_scope_earns_what_its_charges_leave_and_says_how_they_are_known() -> None:
    legs = [leg(), leg(PUT, net=0, cash="500"), leg(account=2)]
    charges = {
        (1, CALL): modeled([line("12.5")]),
        (1, PUT): add_charges([reported([line("-3", charge=Charge.FUNDING)]), ChargeSum(uncharged=1)]),
        (2, CALL): reported([line("4", currency=USD)]),
    }

    values = value_scopes(legs, {CALL: Decimal(110)}, charges, INR)

    assert values[LimitScope.ACCOUNT, "1"].pnl == NetPnl(
        realized=Decimal(500),
        unrealized=Decimal(-750),
        charges=Decimal("9.5"),
        estimated=1,
        uncharged=1,
    )
    sample = values[LimitScope.ACCOUNT, "1"].sample(published=PUBLISHED, now=NOW)
    assert sample is not None
    assert sample.pnl == Decimal("-259.5")
    assert values[LimitScope.ACCOUNT, "2"].pnl == NetPnl(unrealized=Decimal(-750)), "dollars are no rupees"


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-9, 9), st.integers(0, 9)), max_size=6), marks)
def test_the_gate_sums_an_account_exactly_as_the_watch_does(
    held: list[tuple[int, int, int]], mark: int
) -> None:
    legs = [leg(f"I{n}.NSE", net=net, cash=str(cash)) for n, (net, cash, _) in enumerate(held)]
    charges = {(1, f"I{n}.NSE"): modeled([line(str(paid))]) for n, (_, _, paid) in enumerate(held) if paid}
    prices = {one.instrument_id: Decimal(mark) for one in legs}

    watched = value_scopes(legs, prices, charges, INR)
    judged = net_of_accounts(legs, prices, charges, INR)

    assert judged == {AccountId(1): watched[LimitScope.ACCOUNT, "1"].pnl for _ in held[:1]}


def test_the_gate_counts_what_has_no_price_at_its_entry_price() -> None:
    judged = net_of_accounts([leg(), leg(PUT, sold_at="40")], {CALL: Decimal(101)}, {}, INR)

    assert judged == {AccountId(1): NetPnl(unrealized=Decimal(-75))}


def line(amount: str, *, charge: Charge = Charge.STT, currency: Currency = INR) -> ChargeLine:
    return ChargeLine(charge=charge, amount=Decimal(amount), currency=currency)


def test_what_is_not_held_needs_no_price() -> None:
    value = value_scopes([leg(net=0, cash="-500")], {}, {}, INR)[LimitScope.ACCOUNT, "1"]

    sample = value.sample(published=None, now=NOW)

    assert sample is not None
    assert (sample.as_of, sample.pnl) == (NOW, Decimal(-500))


def test_flat_means_that_nothing_is_held_and_nothing_can_come() -> None:
    def is_flat(one: WatchedLeg) -> bool:
        return value_scopes([one], {}, {}, INR)[LimitScope.ACCOUNT, "1"].is_flat

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
        (LimitScope.USER, "1"): LossRules(max_drawdown=Decimal(4000)),
        (LimitScope.ACCOUNT, "1"): LossRules(max_daily_loss=Decimal(5000)),
        (LimitScope.DEPLOYMENT, "7"): LossRules(combined=CombinedRules(stop=Decimal(800))),
    }
    assert unreadable.keys() == {(LimitScope.ACCOUNT, "3")}
    assert in_dollars.keys() == {(LimitScope.ACCOUNT, "1"), (LimitScope.DEPLOYMENT, "7")}
