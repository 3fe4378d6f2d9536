"""Remember the newest quotes and how much of the present tick is spent. In memory: a quote ages anyway."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.paper.exchange.orders import ZERO, Order, Quote
from brokers.paper.exchange.rules import Rules


class Market:
    """Hold the market as the feeder tells it; after a restart it knows nothing until quotes come."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._quotes: dict[str, Quote] = {}
        self._spent: dict[str, dict[tuple[str, str], Decimal]] = {}

    def take(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Take quotes in and return those that are news: an older one, or the same one again, is not."""
        taken = []
        for quote in quotes:
            known = self._quotes.get(quote.instrument_id)
            if known is None or (quote.time >= known.time and quote != known):
                self._quotes[quote.instrument_id] = quote
                self._spent.pop(quote.instrument_id, None)
                taken.append(quote)
        return taken

    def fresh(self, instrument_id: str, now: datetime) -> Quote | None:
        """Return the quote if its age is within the limit; one from the future is as bad as an old one."""
        quote = self._quotes.get(instrument_id)
        limit = timedelta(seconds=self._rules.quote_max_age_s)
        return quote if quote is not None and abs(now - quote.time) <= limit else None

    def lacks(self, instrument_id: str, now: datetime) -> str:
        """Return why there is no fresh quote, for a person."""
        quote = self._quotes.get(instrument_id)
        if quote is None:
            return f"no quote of {instrument_id} has come yet"
        return (
            f"the quote of {instrument_id} is of {quote.time:%Y-%m-%d %H:%M:%S}Z, now it is {now:%H:%M:%S}Z: "
            f"expected one at most {self._rules.quote_max_age_s} s old"
        )

    def liquidity(self, order: Order) -> Decimal | None:
        """Return how many units this tick still holds for the account on this side, None for any."""
        if self._rules.max_lots_per_tick is None:
            return None
        limit = self._rules.max_lots_per_tick * order.contract.lot_size
        spent = self._spent.get(order.contract.instrument_id, {}).get((order.account, order.side), ZERO)
        return max(ZERO, limit - spent)

    def spend(self, order: Order, quantity: Decimal) -> None:
        """Note what an order took of this tick."""
        spent = self._spent.setdefault(order.contract.instrument_id, {})
        key = (order.account, order.side)
        spent[key] = spent.get(key, ZERO) + quantity
