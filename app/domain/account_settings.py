"""Read what a person says of an account: its capital, what it pays by agreement, what its broker blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from app.domain.charges import TERM_NAMES, AccountTerms
from app.domain.errors import InvalidInputError
from app.domain.numbers import parse_exact
from app.domain.risk.funds import MARGIN_NAMES, MarginTerms

NAMES = ("capital", *TERM_NAMES, *MARGIN_NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """Hold the settings of an account. `capital` is in the currency of its market; None: nobody said."""

    capital: Decimal | None
    terms: AccountTerms
    margin: MarginTerms = field(default_factory=MarginTerms)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "AccountSettings":
        """Read settings by name.

        Raises:
            InvalidInputError: an unknown name, or a value that is not exact or out of range.
        """
        unknown = sorted(set(values) - set(NAMES))
        if unknown:
            raise InvalidInputError(
                f"settings: expected names out of {', '.join(NAMES)}, got {', '.join(unknown)}"
            )
        given = values.get("capital")
        capital = None if given is None else parse_exact("capital", given)
        if capital is not None and capital <= 0:
            raise InvalidInputError(f"capital: expected a positive amount, got {capital}")
        return cls(
            capital=capital,
            terms=AccountTerms.from_mapping(values),
            margin=MarginTerms.from_mapping(values),
        )
