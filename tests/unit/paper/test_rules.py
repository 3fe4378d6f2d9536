"""Rules are read exactly, and a slip in the file stops the start."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.domain.charges import AccountTerms, Execution, Product, charges_of
from app.domain.errors import ConfigError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import INR, USD, USDT, Currency
from app.domain.orders import Side
from app.infra.charge_tables import load_charges
from brokers.paper.exchange.rules import FeeSchedule, Rules, load_rules


def test_without_a_file_the_defaults_hold() -> None:
    assert load_rules(None) == Rules()


def test_numbers_are_exact_and_the_rest_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        "slippage_ticks = 3\nmax_lots_per_tick = 10\n"
        "[opening_balance]\nINR = 250000.10\nEUR = 5000\n"
        "[fees.EUR]\nflat = 1.1\nbuy_fraction = 0.0001\n"
        "[margin_fraction]\nPERPETUAL = 0.2\n"
    )

    rules = load_rules(path)

    assert (rules.slippage_ticks, rules.max_lots_per_tick, rules.quote_max_age_s) == (3, 10, 15)
    assert rules.opening_balance["INR"] == Decimal("250000.10")
    assert rules.opening_balance["USDT"] == Decimal(10_000)
    assert rules.fees["EUR"] == FeeSchedule(flat=Decimal("1.1"), buy_fraction=Decimal("0.0001"))
    assert rules.margin_fraction[InstrumentKind.PERPETUAL] == Decimal("0.2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slipage_ticks = 3", "slipage_ticks"),
        ("slippage_ticks = 1.5", "slippage_ticks"),
        ("slippage_ticks = -1", "slippage_ticks"),
        ("slippage_ticks = true", "slippage_ticks"),
        ("max_lots_per_tick = 0", "max_lots_per_tick"),
        ("opening_balance = 5", "opening_balance"),
        ("[opening_balance]\nINR = 'much'", "opening_balance"),
        ("[opening_balance]\nINR = -1", "zero or more"),
        ("[opening_balance]\nEUR = 1", "fees: expected a schedule"),
        ("[fees.INR]\ncheap = 1", "fees"),
        ("[fees.INR]\nflat = nan", "zero or more"),
        ("[margin_fraction]\nSHARES = 1", "margin_fraction"),
        ("not toml", "cannot be read"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=words):
        load_rules(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rules(tmp_path / "none.toml")


def test_the_flat_part_is_paid_once_and_fractions_round_up() -> None:
    fees = FeeSchedule(flat=Decimal(20), buy_fraction=Decimal("0.001"), sell_fraction=Decimal("0.002"))

    assert fees.fee(Side.BUY, Decimal("0.01"), is_first=True) == Decimal("20.0001")
    assert fees.fee(Side.SELL, Decimal(100), is_first=False) == Decimal("0.2")


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("venue", "product", "currency"),
    [(Venue.NSE, Product.OPTION, INR), (Venue.BINANCE, Product.SPOT, USDT), (Venue.MT5, Product.FOREX, USD)],
)
def test_a_paper_fill_costs_what_the_rates_of_the_day_say(
    side: Side, venue: Venue, product: Product, currency: Currency
) -> None:
    value = Decimal(100_000)
    execution = Execution(side=side, turnover=value, contracts=Decimal(1), currency=currency)
    rates = load_charges().in_force(venue, product, date(2026, 11, 23))
    modeled = sum(line.amount for line in charges_of(execution, rates, AccountTerms()))

    # Six lines, each rounded to four decimals.
    assert abs(Rules().fees[currency].fee(side, value, is_first=True) - modeled) <= Decimal("0.0004")
