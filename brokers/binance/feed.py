"""Stream prices of Binance: trades and the best bid and ask, and say when some were missed."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from websockets.asyncio.client import ClientConnection

from app.domain.errors import InvalidInputError, ProtocolError
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.ports import Clock
from app.domain.reports import FeedAlive, Gap
from brokers.binance.client import BinanceClient
from brokers.binance.events import ending
from brokers.binance.instruments import FUTURES_SEGMENT
from brokers.binance.sources import open_account_socket
from brokers.binance.values import Row, milliseconds, moment, optional_amount, text
from brokers.binance.watch import LostError, close_socket, pause, watched_messages

_SILENCE_S = 45.0
_STEADY_S = 10.0
# The best bid and ask change hundreds of times a second; trades are all told, quotes at most this often.
_QUOTE_EVERY_S = 0.25
_ALIVE_AT_MOST_EVERY_S = 0.5
_MOST_STREAMS = 1024


@dataclass(slots=True)
class _Quote:
    instrument: Instrument
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    told_at: float = float("-inf")
    update: object = None
    ts_event: datetime | None = None


class BinanceMarketFeed:
    """Implement `MarketFeed` over Binance's combined streams.

    Spot sends both kinds over one socket. Futures split them in 2026: quotes come from the "public", trades
    from the "market" address (brokers.md 2.9). When one of the two sockets is lost both are opened anew.
    The SDK's socket manager is not used, see `watch`.
    """

    def __init__(self, client: BinanceClient, tls: ssl.SSLContext, clock: Clock, *, segment: str) -> None:
        self._client, self._tls, self._clock = client, tls, clock
        self._is_split = segment == FUTURES_SEGMENT
        self._sequence = 0
        self._frame_at = 0.0
        self._alive_at = float("-inf")

    async def ticks(self, instruments: Sequence[Instrument]) -> AsyncIterator[Tick | Gap | FeedAlive]:
        """Yield ticks for ever, Gap at a loss and Gap again when prices flow anew.

        FeedAlive for a quote that repeats the one before: the market rests and the feed does not.

        Raises:
            InvalidInputError: an instrument is named twice, or there are too many for one socket.
        """
        quotes = _by_symbol(instruments)
        failures, was_lost = 0, False
        while True:
            since = self._clock.monotonic()
            sockets: list[ClientConnection] = []
            try:
                await self._open(sockets, list(quotes))
                if was_lost:
                    yield Gap(reason="connected again")
                async with contextlib.aclosing(self._messages(sockets)) as messages:
                    async for message in messages:
                        tick = self._tick(message, quotes)
                        if tick is not None:
                            yield tick
            except (LostError, ProtocolError) as e:
                failures = 1 if self._clock.monotonic() - since > _STEADY_S else failures + 1
                reason = f"lost: {e}"
            finally:
                for socket in sockets:
                    await close_socket(socket)
            was_lost = True
            yield Gap(reason=reason)
            await pause(failures)

    async def _open(self, sockets: list[ClientConnection], symbols: Sequence[str]) -> None:
        quotes = [f"{symbol.lower()}@bookTicker" for symbol in symbols]
        trades = [f"{symbol.lower()}@aggTrade" for symbol in symbols]
        endpoint = self._client.transport.endpoint
        if self._is_split:
            base = endpoint.stream("futures")
            paths = [(f"{base}public/stream", quotes), (f"{base}market/stream", trades)]
        else:
            paths = [(f"{endpoint.stream('spot')}stream", [*quotes, *trades])]
        for path, names in paths:
            url = f"{path}?streams={'/'.join(names)}"
            sockets.append(await open_account_socket(url, self._client, self._tls))
        self._frame_at = self._clock.monotonic()

    async def _messages(self, sockets: Sequence[ClientConnection]) -> AsyncGenerator[Row, None]:
        """Yield the messages of all sockets as they come; one lost socket ends them all."""
        queue: asyncio.Queue[Row | LostError] = asyncio.Queue(maxsize=1)

        async def pump(socket: ClientConnection) -> None:
            try:
                async for message in watched_messages(socket, self._check):
                    await queue.put(message)
            except LostError as e:
                await queue.put(e)

        tasks = [asyncio.ensure_future(pump(socket)) for socket in sockets]
        try:
            while True:
                message = await queue.get()
                if isinstance(message, LostError):
                    raise message
                yield message
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _check(self) -> None:
        if self._clock.monotonic() - self._frame_at > _SILENCE_S:
            raise LostError(f"no price for {_SILENCE_S:g} s")

    def _tick(self, message: Row, quotes: dict[str, _Quote]) -> Tick | FeedAlive | None:
        event = message.get("data")
        if ending(message) is not None or (isinstance(event, dict) and ending(event) is not None):
            raise LostError("the server shuts down")
        if not isinstance(event, dict):
            raise ProtocolError(f"data: expected an object, got {type(event).__name__}")
        quote = quotes.get(text(event, "s"))
        if quote is None:
            return None
        self._frame_at = now = self._clock.monotonic()
        if text(message, "stream").endswith("@bookTicker"):
            update, known = event.get("u"), quote.update
            quote.update = update
            if update is not None and update == known:
                return self._alive(now)
            quote.bid, quote.ask = optional_amount(event, "b"), optional_amount(event, "a")
            if now - quote.told_at < _QUOTE_EVERY_S:
                return None
            # Spot quotes carry no time: they are of the moment in which they come.
            when = moment(milliseconds(event, "T")) if "T" in event else self._clock.now()
        else:
            quote.last, when = optional_amount(event, "p"), moment(milliseconds(event, "T"))
        return self._told(quote, when, now)

    def _alive(self, now: float) -> FeedAlive | None:
        if now - self._alive_at < _ALIVE_AT_MOST_EVERY_S:
            return None
        self._alive_at = now
        return FeedAlive()

    def _told(self, quote: _Quote, when: datetime, now: float) -> Tick | None:
        # Without a trade yet there is no price to tell, only a quote.
        if quote.last is None:
            return None
        quote.told_at = now
        # Two streams of one instrument may arrive crossed: time never runs backwards for the platform.
        quote.ts_event = when if quote.ts_event is None else max(quote.ts_event, when)
        self._sequence += 1
        return Tick(
            instrument_id=quote.instrument.instrument_id,
            last=quote.last,
            bid=quote.bid,
            ask=quote.ask,
            ts_event=quote.ts_event,
            ts_init=self._clock.now(),
            sequence=self._sequence,
        )


def _by_symbol(instruments: Sequence[Instrument]) -> dict[str, _Quote]:
    known = {instrument.broker_symbol: _Quote(instrument) for instrument in instruments}
    if len(known) != len(instruments) or not 0 < len(known) <= _MOST_STREAMS // 2:
        raise InvalidInputError(
            f"expected 1 to {_MOST_STREAMS // 2} distinct instruments, got {len(instruments)}"
        )
    return known
