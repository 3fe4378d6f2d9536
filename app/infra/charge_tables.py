"""Load the rates of charges from dated TOML files, and refuse a file that says something impossible."""

import tomllib
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.domain.charges import Basis, Charge, Liquidity, Product, Rate, RateBook
from app.domain.errors import ConfigError, InvalidInputError
from app.domain.instruments import Venue
from app.domain.markets import Currency
from app.domain.numbers import parse_decimal
from app.domain.orders import Side

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class _RateRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    charge: Charge
    venues: tuple[Venue, ...] = Field(min_length=1)
    products: tuple[Product, ...] = Field(min_length=1)
    basis: Basis
    amount: Annotated[str, Field(strict=True)]
    valid_from: Annotated[date, Field(strict=True)]
    source: Text
    side: Side | None = None
    liquidity: Liquidity | None = None
    currency: Text | None = None
    confirmed: Annotated[bool, Field(strict=True)] = True


class _RateFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: tuple[_RateRow, ...] = Field(min_length=1)


def load_charges(directory: Path | None = None) -> RateBook:
    """Build the book of rates from every *.toml of a directory, or from the files that Openbell ships.

    Raises:
        ConfigError: naming the file, the row, what was expected and what came.
    """
    folder: Traversable = resources.files("app") / "data" / "charges" if directory is None else directory
    if not folder.is_dir():
        raise ConfigError(f"expected a directory of rate files, got {folder}")
    paths = sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda path: path.name)
    if not paths:
        raise ConfigError(f"expected rate files (*.toml) in {folder}, found none")
    rates: list[Rate] = []
    for path in paths:
        for number, row in enumerate(_read(path).rate, start=1):
            rates += _rates(f"{path.name}: rate row {number}", row)
    _check_each_once(rates)
    return RateBook(rates=tuple(rates))


def _read(path: Traversable) -> _RateFile:
    try:
        return _RateFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path.name}: expected valid TOML, got: {e}") from e
    except ValidationError as e:
        lines = [f"{path.name}: {x['loc']}: {x['msg']}, got {x['input']!r}" for x in e.errors()]
        raise ConfigError("\n".join(lines)) from e


def _rates(place: str, row: _RateRow) -> list[Rate]:
    try:
        return [
            Rate(
                charge=row.charge,
                venue=venue,
                product=product,
                basis=row.basis,
                amount=parse_decimal(row.amount, name="amount"),
                valid_from=row.valid_from,
                source=row.source,
                side=row.side,
                liquidity=row.liquidity,
                currency=None if row.currency is None else Currency(row.currency),
                is_confirmed=row.confirmed,
            )
            for venue in row.venues
            for product in row.products
        ]
    except InvalidInputError as e:
        raise ConfigError(f"{place}: {e}") from e


def _check_each_once(rates: list[Rate]) -> None:
    seen: set[tuple[object, ...]] = set()
    for rate in rates:
        key = (
            rate.charge,
            rate.venue,
            rate.product,
            rate.basis,
            rate.valid_from,
            rate.side,
            rate.liquidity,
        )
        if key in seen:
            raise ConfigError(
                f"expected one rate of {rate.charge} for {rate.venue} {rate.product} {rate.basis} "
                f"since {rate.valid_from}, got two"
            )
        seen.add(key)
