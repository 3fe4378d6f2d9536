"""Prove whose sums a leg counts in, when a sum is a sample, and which limits judge it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.db.risk_book import RiskBook, WatchedLeg
from app.domain.accounts import BrokerCode
from app.domain.charges import Charge, ChargeLine, ChargeSum, add_charges, modeled, reported
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
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
YEN = Currency("JPY")
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
        account_id=AccountId(account),
        deployment_id=DeploymentId(account),
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


def line(amount: str, *, charge: Charge = Charge.STT, currency: Currency = INR) -> ChargeLine:
    return ChargeLine(charge=charge, amount=Decimal(amount), currency=currency)


def rupees(
    legs: Sequence[WatchedLeg],
    marks: Mapping[str, Decimal],
    charges: Mapping[tuple[int, str], ChargeSum] | None = None,
) -> dict[ScopeKey, ScopeValue]:
    """The sums of an Indian market in its own currency."""
    found = value_scopes(legs, marks, charges or {}, INR)
    return {key: value for (key, currency), value in found.items() if currency == INR}


def test_a_leg_counts_in_every_scope_that_covers_it() -> None:
    legs = [leg(), leg(account=2, family=4), leg(account=3, user=2, family=4, net=0, cash="-500")]

    values = rupees(legs, {CALL: Decimal(110)})

    pnls = {key: (int(value.pnl.realized), int(value.pnl.unrealized)) for key, value in values.items()}
    assert pnls[LimitScope.ACCOUNT, "1"] == pnls[LimitScope.DEPLOYMENT, "1"] == (0, -750)
    assert pnls[LimitScope.USER, "1"] == (0, -1500)
    assert pnls[LimitScope.FAMILY, "4"] == (-500, -750)
    assert pnls[LimitScope.USER, "2"] == pnls[LimitScope.ACCOUNT, "3"] == (-500, 0)
    assert pnls[TENANT] == pnls[LimitScope.BROKER, "kotak_neo"] == (-500, -1500)


def test_each_currency_is_a_sum_of_its_own_and_one_without_a_price_blinds_no_other() -> None:
    legs = [
        leg(),
        leg(PUT, currency="JPY", net=-10),
        leg("NIFTY-26100-CE.NSE", net=0, cash="7", currency="USD"),
    ]
    charges = {(1, PUT): modeled([line("3")])}

    values = value_scopes(legs, {CALL: Decimal(110)}, charges, INR)

    account = {of: value for (key, of), value in values.items() if key == (LimitScope.ACCOUNT, "1")}
    assert account.keys() == {INR, YEN, USD}
    assert account[INR].pnl == NetPnl(unrealized=Decimal(-750), charges=Decimal(3), estimated=1)
    assert account[INR].sample(published=PUBLISHED, now=NOW) is not None
    assert (account[YEN].unpriced, account[YEN].sample(published=PUBLISHED, now=NOW)) == ([PUT], None)
    assert (account[USD].pnl.net, account[USD].holds) == (Decimal(7), False)
    assert {value.is_flat for value in account.values()} == {False}, "flat is said of the whole scope"


def test_a_sum_without_a_price_is_no_sample_and_names_what_it_lacks() -> None:
    values = rupees([leg(), leg(PUT), leg(account=2)], {CALL: Decimal(110)})

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

    values = rupees(legs, {CALL: Decimal(110)}, charges)

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


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(-9, 9), st.integers(0, 9), st.sampled_from((INR, YEN))),
        max_size=6,
    ),
    st.integers(1, 300),
)
def test_the_gate_sums_an_account_exactly_as_the_watch_does(
    held: list[tuple[int, int, int, Currency]], mark: int
) -> None:
    legs = [
        leg(f"I{n}.NSE", net=net, cash=str(cash), currency=of) for n, (net, cash, _, of) in enumerate(held)
    ]
    charges = {(1, f"I{n}.NSE"): modeled([line(str(paid))]) for n, (_, _, paid, _) in enumerate(held) if paid}
    prices = {one.instrument_id: Decimal(mark) for one in legs}

    watched = value_scopes(legs, prices, charges, INR)
    judged = net_of_accounts(legs, prices, charges, INR)

    account = {of: value.pnl for (key, of), value in watched.items() if key == (LimitScope.ACCOUNT, "1")}
    assert judged == ({AccountId(1): account} if held else {})


def test_the_gate_counts_what_has_no_price_at_its_entry_price() -> None:
    judged = net_of_accounts([leg(), leg(PUT, sold_at="40")], {CALL: Decimal(101)}, {}, INR)

    assert judged == {AccountId(1): {INR: NetPnl(unrealized=Decimal(-75))}}


def test_what_is_not_held_needs_no_price() -> None:
    value = rupees([leg(net=0, cash="-500")], {})[LimitScope.ACCOUNT, "1"]

    sample = value.sample(published=None, now=NOW)

    assert sample is not None
    assert (sample.as_of, sample.pnl) == (NOW, Decimal(-500))


def test_flat_means_that_nothing_is_held_and_nothing_can_come() -> None:
    def is_flat(one: WatchedLeg) -> bool:
        return rupees([one], {})[LimitScope.ACCOUNT, "1"].is_flat

    assert is_flat(leg(net=0, cash="1"))
    assert not is_flat(leg())
    assert not is_flat(leg(net=0, cash="0", has_live_entry=True)), "an entry may still fill"
    assert is_flat(leg(is_open=False)), "a stranger closed it at the broker"
    assert ScopeValue().is_flat, "a scope without legs"


ONE, TWO, THREE = ((LimitScope.ACCOUNT, str(n)) for n in (1, 2, 3))
USER: ScopeKey = (LimitScope.USER, "1")
FAMILY: ScopeKey = (LimitScope.FAMILY, "4")
SEVEN: ScopeKey = (LimitScope.DEPLOYMENT, "7")


def loss(amount: int) -> LossRules:
    return LossRules(max_daily_loss=Decimal(amount))


def test_a_scope_is_judged_by_what_it_names_itself_in_its_own_currency() -> None:
    book = RiskBook(
        legs=(),
        limits={
            TENANT: {"max_daily_loss": "90000"},
            FAMILY: {"max_daily_loss": "20000"},
            USER: {"max_drawdown": 4000, "max_lots": 3},
            ONE: {"max_daily_loss": 5000},
            TWO: {"max_lots": 3},
            THREE: {"no_such_limit": 3},
        },
        initial={SEVEN: {"max_lots": 2, "combined_stop": "800"}},
        locks=(),
    )

    rules, unreadable = read_rules(book, INR)
    in_dollars, _ = read_rules(book, USD)

    stop = LossRules(combined=CombinedRules(stop=Decimal(800)))
    assert rules == {
        (TENANT, INR): loss(90000),
        (FAMILY, INR): loss(20000),
        (USER, INR): LossRules(max_drawdown=Decimal(4000)),
        (ONE, INR): loss(5000),
        (SEVEN, INR): stop,
    }
    assert unreadable.keys() == {THREE}
    assert in_dollars == {(ONE, USD): loss(5000), (SEVEN, USD): stop}


def test_a_limit_that_names_its_currency_watches_that_sum_wherever_it_arises() -> None:
    named = {"max_daily_loss": 90000, "max_daily_loss_USD": 400, "max_daily_loss_JPY": "50000"}
    book = RiskBook(
        legs=(),
        limits={TENANT: named, ONE: {"max_daily_loss": 500, "max_daily_loss_USD": 300}},
        initial={},
        locks=(),
    )

    rules, _ = read_rules(book, INR)
    in_dollars, _ = read_rules(book, USD)

    assert rules[TENANT, INR] == loss(90000)
    assert in_dollars == {
        (TENANT, USD): loss(400),
        (TENANT, YEN): loss(50000),
        (ONE, USD): loss(300),  # the strictest of two that mean the same sum
    }


def test_a_deployment_is_closed_by_the_limits_that_it_was_added_with_and_a_set_can_only_tighten() -> None:
    initial = {"max_daily_loss": "1000", "max_drawdown": 700, "max_lots": 2}
    book = RiskBook(legs=(), limits={}, initial={SEVEN: initial}, locks=())
    tightened = RiskBook(
        legs=(),
        limits={SEVEN: {"max_daily_loss": 400, "max_drawdown": 9000}},
        initial={SEVEN: initial},
        locks=(),
    )

    assert read_rules(book, INR)[0] == {
        (SEVEN, INR): LossRules(max_daily_loss=Decimal(1000), max_drawdown=Decimal(700))
    }
    assert read_rules(tightened, INR)[0] == {
        (SEVEN, INR): LossRules(max_daily_loss=Decimal(400), max_drawdown=Decimal(700))
    }
