"""Check what money an entry needs, and that the gate lets through only what the account's funds cover."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.account_settings import AccountSettings
from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.markets import INR, USD, USDT, Money
from app.domain.numbers import ZERO
from app.domain.orders import OrderIntent, OrderRole, Side
from app.domain.risk.funds import Funds, MarginTerms
from app.domain.risk.gate import Denied, evaluate
from app.domain.risk.limits import MarginCheck, RiskLimits
from app.domain.risk.rules import DenialCode
from app.domain.risk.state import RiskState
from tests.builders import CALL, FOREX, NOW, PERPETUAL, PUT, at_ease, holding, intent, quote

ON = RiskLimits(margin_check=MarginCheck.ON, max_order_notional=Decimal(10**9))
TERMS = MarginTerms(option_margin=Decimal("0.20"), leverage=Decimal(20))
SOLD = Decimal("339261.00")  # 65 * (26000 + 97) * 0.20


def funds(available: str | int | Decimal, *, age_s: float = 1, committed: Decimal | None = ZERO) -> Funds:
    money = Money(amount=Decimal(available), currency=INR)
    return Funds(available=money, age=timedelta(seconds=age_s), committed=committed)


def having(told: Funds | None, base: RiskState | None = None) -> RiskState:
    return replace(base or at_ease(), funds=told)


def refusal(order: OrderIntent, state: RiskState, limits: RiskLimits = ON) -> str | None:
    verdict = evaluate(order, state, limits=limits, now=NOW)
    if not isinstance(verdict, Denied):
        return None
    assert verdict.code is DenialCode.MARGIN, verdict
    return verdict.message.partition(": ")[2]


@pytest.mark.parametrize(
    ("kind", "side", "strike", "need"),
    [
        (InstrumentKind.OPTION, Side.BUY, "26000", "6500"),
        (InstrumentKind.OPTION, Side.SELL, "26000", "339300"),
        (InstrumentKind.SPOT, Side.BUY, None, "6500"),
        (InstrumentKind.SPOT, Side.SELL, None, "6500"),
        (InstrumentKind.PERPETUAL, Side.BUY, None, "325"),
        (InstrumentKind.PERPETUAL, Side.SELL, None, "325"),
        (InstrumentKind.FOREX, Side.SELL, None, "325"),
    ],
)
def test_the_need_of_65_at_100(kind: InstrumentKind, side: Side, strike: str | None, need: str) -> None:
    at = None if strike is None else Decimal(strike)

    found = TERMS.need(kind, side, quantity=Decimal(65), price=Decimal(100), strike=at)

    assert found == Decimal(need)


def test_without_settings_nothing_is_assumed_in_favor_of_the_account() -> None:
    whole = MarginTerms().need(InstrumentKind.FOREX, Side.BUY, quantity=Decimal(65), price=Decimal(100))

    assert whole == 6500
    assert MarginTerms().option_margin == Decimal("0.20")


@pytest.mark.parametrize(
    "settings",
    [
        {"option_margin": "0"},
        {"option_margin": "1.01"},
        {"option_margin": "-0.1"},
        {"option_margin": 0.2},
        {"leverage": "0.99"},
        {"leverage": "many"},
    ],
)
def test_terms_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=r"^(option_margin|leverage): expected"):
        AccountSettings.from_mapping(settings)


@pytest.mark.parametrize("value", [Decimal("Infinity"), Decimal("NaN")])
def test_terms_are_finite(value: Decimal) -> None:
    with pytest.raises(InvalidInputError):
        MarginTerms(leverage=value)
    with pytest.raises(InvalidInputError):
        MarginTerms(option_margin=value)


def test_terms_are_settings_of_an_account() -> None:
    settings = AccountSettings.from_mapping({"option_margin": "1", "leverage": 1, "capital": 5})

    assert settings.margin == MarginTerms(option_margin=Decimal(1), leverage=Decimal(1))
    assert AccountSettings.from_mapping({}).margin == MarginTerms()


def test_money_is_not_looked_at_unless_a_limit_says_so() -> None:
    assert refusal(intent(), having(None), RiskLimits()) is None
    assert refusal(intent(), having(funds(0)), RiskLimits()) is None


def test_no_figure_covers_nothing() -> None:
    assert refusal(intent(), having(None)) == "expected a figure of the account's funds, its broker told none"


def test_an_old_figure_covers_nothing() -> None:
    tight = replace(ON, funds_max_age_s=Decimal(10))

    assert refusal(intent(), having(funds(10**6, age_s=60))) is None
    assert refusal(intent(), having(funds(10**6, age_s=60.000001))) == (
        "expected funds told within 60 s, got a figure of 60 s ago"
    )
    assert refusal(intent(), having(funds(10**6, age_s=11)), tight) is not None


def test_the_last_rupee_counts() -> None:
    assert refusal(intent(), having(funds(SOLD))) is None
    assert refusal(intent(), having(funds(SOLD - Decimal("0.01")))) == (
        "expected a need of at most 339260.99 INR of funds, got 339261.00"
    )
    assert refusal(intent(side=Side.BUY), having(funds(65 * 97))) is None
    assert refusal(intent(side=Side.BUY), having(funds("6304.99"))) is not None


def test_what_entries_need_already_is_not_there_for_the_next() -> None:
    assert refusal(intent(), having(funds(SOLD + 500, committed=Decimal(500)))) is None
    assert refusal(intent(), having(funds(SOLD + 499, committed=Decimal(500)))) is not None


def test_an_approved_entry_counts_for_the_next_one() -> None:
    state = having(funds(2 * SOLD))
    after = state.after(intent(instrument=PUT, leg=1))

    assert after.funds is not None
    assert after.funds.committed == SOLD
    assert refusal(intent(), after) is None
    assert refusal(intent(price="97.05"), after) is not None
    assert having(None).after(intent()).funds is None


def test_a_market_order_needs_what_the_last_price_says() -> None:
    assert refusal(intent(price=None, side=Side.BUY), having(funds(6500))) is None
    assert refusal(intent(price=None, side=Side.BUY), having(funds(6499))) is not None


@pytest.mark.parametrize(
    ("instrument", "currency", "is_known"),
    [(FOREX, USD, True), (FOREX, INR, False), (PERPETUAL, USDT, True), (PERPETUAL, USD, False)],
)
def test_a_need_in_another_currency_is_not_known(
    instrument: Instrument,
    currency: str,
    is_known: bool,  # noqa: FBT001
) -> None:
    told = Funds(available=Money(amount=Decimal(10**9), currency=currency), age=timedelta(0))  # type: ignore[arg-type]  # parametrized
    state = having(told, replace(at_ease(), quotes={instrument.instrument_id: quote(instrument=instrument)}))
    order = replace(intent(instrument=instrument, side=Side.BUY, price="100"), quantity=instrument.lot_size)

    expected = None if is_known else f"expected a need in {currency}, that of this entry is not known"
    assert refusal(order, state) == expected


def test_an_unknown_need_of_an_entry_under_way_lets_nothing_through() -> None:
    stuck = having(funds(10**9).after(None))

    assert refusal(intent(), stuck) == "expected a need in INR, that of the entries under way is not known"
    assert stuck.funds is not None
    assert stuck.funds.after(Decimal(5)).left is None


def test_an_entry_without_contract_or_price_has_no_known_need() -> None:
    nowhere = replace(having(funds(10**9)), quotes={})
    silent = replace(having(funds(10**9)), quotes={CALL.instrument_id: quote(None)})

    assert nowhere.need_of(intent()) is None
    assert silent.need_of(intent(price=None)) is None
    assert having(None).need_of(intent()) is None


@pytest.mark.parametrize("told", [None, funds(0), funds(10**9, age_s=10**6)])
def test_no_exit_is_ever_held_against_money(told: Funds | None) -> None:
    state = having(told, holding(-65))

    assert refusal(intent(side=Side.BUY, role=OrderRole.EXIT), state) is None
