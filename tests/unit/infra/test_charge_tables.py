"""The tables of rates: the shipped ones are whole, and a file that says something impossible is refused."""

from datetime import date
from pathlib import Path

import pytest

from app.domain.charges import Charge, Product, RateBook
from app.domain.errors import ConfigError
from app.domain.instruments import Venue
from app.infra.charge_tables import load_charges

ROW = """
[[rate]]
charge = "stt"
venues = ["NSE"]
products = ["OPTION"]
basis = "turnover"
side = "SELL"
amount = "0.0015"
valid_from = 2026-04-01
source = "test"
"""


def load(tmp_path: Path, text: str) -> RateBook:
    (tmp_path / "test.toml").write_text(text, encoding="utf-8")
    return load_charges(tmp_path)


@pytest.mark.parametrize("venue", [Venue.NSE, Venue.BSE])
@pytest.mark.parametrize("product", [Product.OPTION, Product.FUTURE])
@pytest.mark.parametrize("day", [date(2018, 1, 1), date(2024, 10, 1), date(2026, 11, 23)])
def test_the_shipped_tables_know_every_indian_charge(venue: Venue, product: Product, day: date) -> None:
    known = {rate.charge for rate in load_charges().in_force(venue, product, day)}

    assert known >= {Charge.STT, Charge.TRANSACTION, Charge.SEBI, Charge.STAMP, Charge.GST}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW.replace('"0.0015"', "0.0015"), r"amount.*valid string"),
        (ROW.replace('"0.0015"', '"much"'), "rate row 1: amount: expected a decimal number, got 'much'"),
        (ROW.replace('"0.0015"', '"-1"'), "rate row 1: stt: expected an amount from zero, got -1"),
        (ROW.replace('"stt"', '"sst"'), "charge"),
        (ROW.replace('"NSE"', '"NYSE"'), "venues"),
        (ROW.replace('source = "test"', ""), "source"),
        (ROW.replace("2026-04-01", '"2026-04-01"'), "valid_from"),
        (ROW + ROW, "expected one rate of stt for NSE OPTION turnover since 2026-04-01, got two"),
        (ROW + "extra = 1", "Extra inputs are not permitted"),
        ("rate = [", "expected valid TOML"),
        ("", "rate"),
    ],
)
def test_an_impossible_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


def test_a_directory_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found none"):
        load_charges(tmp_path)
    with pytest.raises(ConfigError, match="expected a directory"):
        load_charges(tmp_path / "none")


def test_own_tables_replace_the_shipped_ones(tmp_path: Path) -> None:
    [rate] = load(tmp_path, ROW).rates

    assert (rate.venue, rate.is_confirmed, rate.source) == (Venue.NSE, True, "test")
