"""Stream prices by asking an agent for its ticks, and say when some were missed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from app.domain.errors import InvalidInputError, RateLimitedError, UnavailableError
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.ports import Clock
from app.domain.reports import FeedAlive, Gap
from brokers.mt5.errors import read_body
from brokers.mt5.rpc import AgentClient
from brokers.mt5.server_time import ServerClock
from brokers.mt5.time_notes import note_time
from brokers.mt5.values import Row, flag, name_of, not_negative, row, rows, whole

_LOOK_EVERY_S = 0.2
_TIMEOUT_S = 5.0
_RETRY_S = 1.0


class Mt5MarketFeed:
    """Implement `MarketFeed` over one agent.

    Args:
        open_client: opens the way to the agent of any account.
        clock: platform time stamps `ts_init`.
        is_simulated: whether the day is one of a simulator.
    """

    def __init__(self, *, open_client: Callable[[], AgentClient], clock: Clock, is_simulated: bool) -> None:
        self._is_simulated = is_simulated
        self._open_client = open_client
        self._clock = clock
        self._server_clock = ServerClock()
        self._sequence = 0
        self._last: dict[str, tuple[int, Decimal, Decimal]] = {}

    async def ticks(self, instruments: Sequence[Instrument]) -> AsyncIterator[Tick | Gap | FeedAlive]:
        """Yield changed ticks for ever, Gap at a loss and Gap again when prices flow anew.

        FeedAlive after each look at a terminal that is connected to its server.

        Raises:
            SessionExpiredError: the agent refuses the session; open a new feed with another one.
            ProtocolError: the agent's prices cannot be understood.
        """
        known = {instrument.broker_symbol: instrument for instrument in instruments}
        if len(known) != len(instruments):
            raise InvalidInputError(
                f"expected distinct instruments, got {len(instruments) - len(known)} doubled"
            )
        client = self._open_client()
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="mt5-ticks") as pool:
                async for found in self._looks(client, tuple(known), pool):
                    if isinstance(found, Gap):
                        yield found
                        continue
                    for tick in self._changed(rows(found, "ticks"), known):
                        yield tick
                    if flag(found, "connected"):
                        yield FeedAlive()
        finally:
            client.close()

    async def _looks(
        self, client: AgentClient, symbols: tuple[str, ...], pool: ThreadPoolExecutor
    ) -> AsyncIterator[Row | Gap]:
        loop = asyncio.get_running_loop()
        is_lost = False
        while True:
            try:
                found = await loop.run_in_executor(pool, self._ask, client, symbols)
            except (UnavailableError, RateLimitedError) as e:
                if not is_lost:
                    yield Gap(reason=f"lost: {e}")
                is_lost = True
                await asyncio.sleep(_RETRY_S)
                continue
            if is_lost:
                is_lost = False
                yield Gap(reason="connected again")
            yield found
            await asyncio.sleep(_LOOK_EVERY_S)

    def _ask(self, client: AgentClient, symbols: tuple[str, ...]) -> Row:
        body = read_body(client.call("ticks", {"symbols": symbols}, timeout_s=_TIMEOUT_S))
        note_time(
            self._server_clock,
            row(body.get("time"), "time"),
            now=self._clock.now(),
            is_simulated=self._is_simulated,
        )
        return body

    def _changed(self, found: Iterable[Row], known: dict[str, Instrument]) -> list[Tick]:
        """Return the ticks that are new; without the server's time a tick cannot be told."""
        ticks = []
        for one in found:
            instrument = known.get(name_of(one, "symbol"))
            state = (whole(one, "time_msc"), not_negative(one, "bid"), not_negative(one, "ask"))
            is_price = min(state[1:]) > 0 and self._server_clock.offset is not None
            if instrument is None or not is_price or self._last.get(instrument.broker_symbol) == state:
                continue
            self._last[instrument.broker_symbol] = state
            ticks.append(self._tick(one, instrument, state))
        return ticks

    def _tick(self, one: Row, instrument: Instrument, state: tuple[int, Decimal, Decimal]) -> Tick:
        at_ms, bid, ask = state
        self._sequence += 1
        return Tick(
            instrument_id=instrument.instrument_id,
            # Currencies have no last trade; charts of the terminal are drawn from the bid.
            last=not_negative(one, "last") or bid,
            bid=bid,
            ask=ask,
            ts_event=self._server_clock.to_utc(at_ms),
            ts_init=self._clock.now(),
            sequence=self._sequence,
        )
