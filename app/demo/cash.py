"""Tell the cash of a day in words, each currency by itself."""

from collections.abc import Iterable
from decimal import Decimal

from app.domain.ids import InstrumentId
from app.domain.markets import currency_of
from app.domain.numbers import ZERO, plain


def in_words(amounts: Iterable[tuple[str, str | Decimal]]) -> str:
    """Return the sums of (instrument id, amount) pairs, like "-57814.25 INR, 12.5 USDT"; "0" without any."""
    sums: dict[str, Decimal] = {}
    for instrument_id, amount in amounts:
        currency = currency_of(InstrumentId(instrument_id))
        sums[currency] = sums.get(currency, ZERO) + Decimal(amount)
    return ", ".join(f"{plain(total):f} {currency}" for currency, total in sorted(sums.items())) or "0"
