"""Stream prices from Kotak's SFeed, and say when some were missed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from app.domain.errors import InvalidInputError, ProtocolError, SessionExpiredError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market_data import Tick
from app.domain.numbers import Rounding, to_tick
from app.domain.ports import Clock
from app.domain.reports import Gap
from brokers.kotak_neo.watch import LostError, close_socket, pause, watched_messages

if TYPE_CHECKING:
    from neo_api_client.websocket.feed import DepthLevel, SFeedIndex, SFeedScrip, SFeedWebSocket

_CONNECT_WAIT_S = 15.0
_SILENCE_S = 45.0
# Before the first tick of a connection the market may simply be closed.
_FIRST_TICK_WAIT_S = 300.0
_STEADY_S = 10.0
_TIME_TOLERANCE = timedelta(days=1)


class KotakMarketFeed:
    """Implement `MarketFeed` over one SFeed socket.

    Args:
        open_feed: builds an SDK feed that never reconnects by itself.
        clock: platform time stamps `ts_init`, its monotonic seconds drive the watchdog.
    """

    def __init__(self, *, open_feed: Callable[[], "SFeedWebSocket"], clock: Clock) -> None:
        self._open_feed = open_feed
        self._clock = clock
        self._sequence = 0
        self._tick_at: float | None = None
        self._connected_at = 0.0

    async def ticks(self, instruments: Sequence[Instrument]) -> AsyncIterator[Tick | Gap]:
        """Yield ticks for ever, Gap at a loss and Gap again when prices flow anew.

        Raises:
            SessionExpiredError: the feed refuses the session; open a new feed with another one.
            ProtocolError: the feed's times or prices cannot be understood.
        """
        known = _by_key(instruments)
        failures, is_first = 0, True
        while True:
            since = self._clock.monotonic()
            feed = self._open_feed()
            try:
                await self._connect(feed, instruments)
                if not is_first:
                    yield Gap(reason="connected again")
                is_first = False
                async for message in watched_messages(feed, self._check):
                    tick = self._tick(message, known)
                    if tick is not None:
                        yield tick
            except LostError as e:
                failures = 1 if self._clock.monotonic() - since > _STEADY_S else failures + 1
                reason = f"lost: {e}"
            finally:
                await close_socket(feed)
            yield Gap(reason=reason)
            await pause(failures)

    async def _connect(self, feed: "SFeedWebSocket", instruments: Sequence[Instrument]) -> None:
        from neo_api_client.websocket.feed import WsToken
        from neo_api_client.websocket.feed import exceptions as sdk

        tokens: dict[bool, list[WsToken]] = {True: [], False: []}
        for instrument in instruments:
            is_index = instrument.kind is InstrumentKind.INDEX
            name = instrument.broker_symbol if is_index else instrument.broker_token
            tokens[is_index].append(WsToken(instrument.segment, name))
        try:
            await asyncio.wait_for(feed.connect(), _CONNECT_WAIT_S)
            self._connected_at, self._tick_at = self._clock.monotonic(), None
            await feed.subscribe_index(tokens[True])
            await feed.subscribe_scrips(tokens[False])
        except TimeoutError as e:
            raise LostError(f"no connection within {_CONNECT_WAIT_S:g} s") from e
        except sdk.AuthenticationError as e:
            if str(e).startswith("Unexpected auth response"):
                raise SessionExpiredError("the price feed refuses this session") from e
            raise LostError(str(e)) from e
        except sdk.SFeedWebSocketError as e:
            raise LostError(str(e)) from e

    def _check(self) -> None:
        now = self._clock.monotonic()
        if self._tick_at is None:
            if now - self._connected_at > _FIRST_TICK_WAIT_S:
                raise LostError(f"no tick within {_FIRST_TICK_WAIT_S:g} s")
        elif now - self._tick_at > _SILENCE_S:
            raise LostError(f"no tick for {_SILENCE_S:g} s")

    def _tick(self, message: object, known: dict[tuple[str, str], Instrument]) -> Tick | None:
        from neo_api_client.websocket.feed import SFeedIndex, SFeedScrip

        if isinstance(message, SFeedIndex):
            instrument = known.get((message.exchange_segment, message.name.casefold()))
        elif isinstance(message, SFeedScrip):
            instrument = known.get((message.exchange_segment, message.instrument_token))
        else:
            return None
        # A picture without a trade yet carries zero: there is no price to tell.
        if instrument is None or message.last_traded_price <= 0:
            return None
        self._tick_at = self._clock.monotonic()
        self._sequence += 1
        bid, ask = _best(message, instrument)
        return Tick(
            instrument_id=instrument.instrument_id,
            last=_price(message.last_traded_price, instrument),
            bid=bid,
            ask=ask,
            ts_event=self._time(message),
            ts_init=self._clock.now(),
            sequence=self._sequence,
        )

    def _time(self, message: "SFeedIndex | SFeedScrip") -> datetime:
        seconds = getattr(message, "last_update_time", 0) or message.last_trade_time
        now = self._clock.now()
        if abs(seconds - now.timestamp()) > _TIME_TOLERANCE.total_seconds():
            raise ProtocolError(f"feed time: expected Unix seconds near {now:%Y-%m-%d %H:%M}Z, got {seconds}")
        return datetime.fromtimestamp(seconds, UTC)


def _by_key(instruments: Sequence[Instrument]) -> dict[tuple[str, str], Instrument]:
    known = {}
    for instrument in instruments:
        is_index = instrument.kind is InstrumentKind.INDEX
        key = instrument.broker_symbol.casefold() if is_index else instrument.broker_token
        known[instrument.segment, key] = instrument
    if len(known) != len(instruments):
        raise InvalidInputError(f"expected distinct instruments, got {len(instruments) - len(known)} doubled")
    return known


def _best(
    message: "SFeedIndex | SFeedScrip", instrument: Instrument
) -> tuple[Decimal | None, Decimal | None]:
    if message.type == "index":
        return None, None
    return _top(message.buy, instrument), _top(message.sell, instrument)


def _top(rows: "Sequence[DepthLevel]", instrument: Instrument) -> Decimal | None:
    if not rows or rows[0].quantity <= 0 or rows[0].price <= 0:
        return None
    return _price(rows[0].price, instrument)


def _price(value: float, instrument: Instrument) -> Decimal:
    return to_tick(value, instrument.tick_size, Rounding.NEAREST)
