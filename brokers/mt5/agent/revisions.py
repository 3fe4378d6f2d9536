"""Number the states of each order, because MT5 changes a working order without changing its times."""

import time

from brokers.mt5.values import Row

_KEEP = 20_000
# What moves with the market and is no news of the order.
_RESTLESS = frozenset({"price_current"})


class Revisions:
    """Give every new state of an order a number that grows, also after a restart of the agent.

    The numbers are milliseconds of this machine: the first sight of a state, never twice the same.
    """

    def __init__(self) -> None:
        self._seen: dict[object, tuple[tuple[object, ...], int]] = {}

    def stamp(self, order: Row) -> int:
        """Return the number of the state that `order` shows."""
        ticket = order.get("ticket")
        state = tuple(value for name, value in sorted(order.items()) if name not in _RESTLESS)
        known = self._seen.get(ticket)
        if known is not None and known[0] == state:
            return known[1]
        now_ms = time.time_ns() // 1_000_000
        number = now_ms if known is None else max(now_ms, known[1] + 1)
        self._seen[ticket] = (state, number)
        if len(self._seen) > _KEEP:
            del self._seen[next(iter(self._seen))]
        return number
