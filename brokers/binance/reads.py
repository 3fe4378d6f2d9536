"""Read from Binance: page through lists, and mend the clock once where it was refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.domain.errors import ProtocolError
from brokers.binance import codes
from brokers.binance.budget import Urgency
from brokers.binance.client import BinanceClient, Cost, Reply
from brokers.binance.egress import Lane
from brokers.binance.errors import read_object, read_rows
from brokers.binance.values import Row, whole

READ_TIMEOUT_S = 5.0
Arguments = Mapping[str, object]
NOTHING: Arguments = MappingProxyType({})
_PAGE = 1000
# 5,000 orders or fills of one symbol in one day: beyond, a read is told as not clean.
_MOST_PAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Name one list of the venue: the SDK's method, its weight, and how it goes on after a full page."""

    method: str
    weight: int
    id_field: str
    cursor: str


class Reader:
    """Make reads for one account; every one raises a BrokerError or returns what Binance said."""

    def __init__(self, client: BinanceClient, *, time_method: str) -> None:
        self._client = client
        self._time_method = time_method

    def call(
        self,
        method: str,
        weight: int,
        arguments: Arguments = NOTHING,
        *,
        lane: Lane = Lane.READS,
        is_for_exit: bool = False,
    ) -> Reply:
        """Make one read; where Binance finds our time wrong, ask for its own and read once more."""
        if self._client.needs_clock():
            self.sync_clock()
        cost = Cost(weight=weight, urgency=Urgency.EXIT if is_for_exit else Urgency.NORMAL)
        reply = self._client.call(method, lane=lane, timeout_s=READ_TIMEOUT_S, cost=cost, **arguments)
        if reply.code != codes.CLOCK_CODE:
            return reply
        self.sync_clock()
        return self._client.call(method, lane=lane, timeout_s=READ_TIMEOUT_S, cost=cost, **arguments)

    def sync_clock(self, *, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Correct our idea of Binance's time; without an answer it stays as it is."""
        self._client.sync_clock(self._time_method, timeout_s=timeout_s)

    def rows(
        self, method: str, weight: int, arguments: Arguments = NOTHING, *, lane: Lane = Lane.READS
    ) -> tuple[Row, ...]:
        """Read a list."""
        return tuple(read_rows(self.call(method, weight, arguments, lane=lane)))

    def body(self, method: str, weight: int) -> Row:
        """Read an object that must be there."""
        found = read_object(self.call(method, weight))
        if found is None:
            raise ProtocolError(f"{method}: expected an object, Binance says that it does not exist")
        return found

    def order(
        self, method: str, weight: int, arguments: Arguments, *, is_for_exit: bool = False
    ) -> Row | None:
        """Read one order, None where Binance knows none."""
        return read_object(self.call(method, weight, arguments, is_for_exit=is_for_exit))

    def listing(self, listing: Listing, *, symbol: str, since_ms: int) -> tuple[tuple[Row, ...], bool]:
        """Read a list of one symbol since a time, and whether it is whole."""
        rows: list[Row] = []
        place: dict[str, object] = {"startTime": since_ms}
        for _ in range(_MOST_PAGES):
            page = self.rows(listing.method, listing.weight, {"symbol": symbol, "limit": _PAGE, **place})
            rows += page
            if len(page) < _PAGE:
                return tuple(rows), True
            place = {listing.cursor: max(whole(row, listing.id_field) for row in page) + 1}
        return tuple(rows), False
