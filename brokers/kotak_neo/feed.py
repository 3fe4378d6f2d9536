"""Stream prices from Kotak's SFeed, and say when some were missed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from app.domain.errors import InvalidInputError, ProtocolError, SessionExpiredError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market_data import Tick
from app.domain.numbers import Rounding, to_tick
from app.domain.ports import Clock
from app.domain.reports import FeedAlive, Gap
from brokers.kotak_neo.frames import is_whole
from brokers.kotak_neo.watch import LostError, close_socket, pause, watched_messages

if TYPE_CHECKING:
    from neo_api_client.websocket.feed import DepthLevel, SFeedIndex, SFeedScrip, SFeedWebSocket

_STEADY_S = 10.0
# One connection of SFeed takes no more (brokers.md 1.10).
_MOST_TOKENS = 3000
_TIME_TOLERANCE = timedelta(days=1)
# A feed that garbles everything must not drown its readers in gaps.
_DAMAGE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Say for how many real seconds a feed may keep us waiting before it is built anew.

    Before the first tick of a connection the market may simply be closed, so that wait is long.
    """

    connect_s: float = 15.0
    first_tick_s: float = 300.0
    silence_s: float = 45.0


class KotakMarketFeed:
    """Implement `MarketFeed` over one SFeed socket.

    Args:
        open_feed: builds an SDK feed that never reconnects by itself.
        clock: platform time stamps `ts_init`, its monotonic seconds drive the watchdog.
        patience: when a feed counts as lost.
    """

    def __init__(
        self, *, open_feed: Callable[[], "SFeedWebSocket"], clock: Clock, patience: Patience | None = None
    ) -> None:
        self._open_feed = open_feed
        self._clock = clock
        self._patience = patience or Patience()
        self._sequence = 0
        self._tick_at: float | None = None
        self._connected_at = 0.0
        self._newest: dict[InstrumentId, datetime] = {}
        self._told: dict[InstrumentId, tuple[object, ...]] = {}  # by this connection
        self._damage: str | None = None
        self._damage_told_at = 0.0

    def with_patience(self, patience: Patience) -> "KotakMarketFeed":
        """Return a feed of the same session that waits otherwise."""
        return KotakMarketFeed(open_feed=self._open_feed, clock=self._clock, patience=patience)

    async def ticks(self, instruments: Sequence[Instrument]) -> AsyncIterator[Tick | Gap | FeedAlive]:
        """Yield ticks for ever, Gap at a loss and Gap again when prices flow anew.

        FeedAlive for a picture that repeats the one before: an index is told each second, also when it rests.
        A message that cannot be understood is parked: a Gap tells of it, at most one a second, and the
        feed goes on; without a good tick it is built anew like a silent one.

        Raises:
            SessionExpiredError: the feed refuses the session; open a new feed with another one.
            InvalidInputError: an instrument is named twice, or there are too many for one connection.
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
                    news = message if isinstance(message, Gap) else self._read(message, known)
                    if news is not None:
                        yield news
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
        feed.on_raw, feed.on_error = self._on_raw, self._on_error
        self._damage = None
        self._told.clear()
        wait_s = self._patience.connect_s
        try:
            await asyncio.wait_for(feed.connect(), wait_s)
            self._connected_at, self._tick_at = self._clock.monotonic(), None
            await feed.subscribe_index(tokens[True])
            await feed.subscribe_scrips(tokens[False])
        except TimeoutError as e:
            raise LostError(f"no connection within {wait_s:g} s") from e
        except sdk.SFeedWebSocketError as e:
            if _is_refusal(e):
                raise SessionExpiredError("the price feed refuses this session") from e
            raise LostError(str(e)) from e

    def _on_raw(self, raw: object) -> None:
        if isinstance(raw, bytes) and not is_whole(raw):
            self._damage = "torn frame"

    def _on_error(self, fault: Exception) -> None:
        self._damage = f"unreadable packet: {type(fault).__name__}"

    def _check(self) -> Gap | None:
        now, patience = self._clock.monotonic(), self._patience
        if self._tick_at is None:
            if now - self._connected_at > patience.first_tick_s:
                raise LostError(f"no tick within {patience.first_tick_s:g} s")
        elif now - self._tick_at > patience.silence_s:
            raise LostError(f"no tick for {patience.silence_s:g} s")
        if self._damage is None or now - self._damage_told_at < _DAMAGE_EVERY_S:
            return None
        gap, self._damage, self._damage_told_at = Gap(reason=self._damage), None, now
        return gap

    def _read(self, message: object, known: dict[tuple[str, str], Instrument]) -> Tick | FeedAlive | None:
        try:
            return self._tick(message, known)
        except (ProtocolError, InvalidInputError) as e:
            self._damage = f"unreadable tick: {e}"
            return None

    def _tick(self, message: object, known: dict[tuple[str, str], Instrument]) -> Tick | FeedAlive | None:
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
        ts_event, name = self._time(message), instrument.instrument_id
        # Each picture is complete: one that comes after a newer one has nothing to tell.
        if ts_event < self._newest.get(name, ts_event):
            return None
        last, (bid, ask) = _price(message.last_traded_price, instrument), _best(message, instrument)
        picture = (ts_event, last, bid, ask)
        if self._told.get(name) == picture:
            return FeedAlive()
        tick = Tick(
            instrument_id=name,
            last=last,
            bid=bid,
            ask=ask,
            ts_event=ts_event,
            ts_init=self._clock.now(),
            sequence=self._sequence + 1,
        )
        self._sequence += 1
        self._newest[name], self._told[name] = ts_event, picture
        self._tick_at = self._clock.monotonic()
        return tick

    def _time(self, message: "SFeedIndex | SFeedScrip") -> datetime:
        seconds = getattr(message, "last_update_time", 0) or message.last_trade_time
        now = self._clock.now()
        if abs(seconds - now.timestamp()) > _TIME_TOLERANCE.total_seconds():
            raise ProtocolError(f"feed time: expected Unix seconds near {now:%Y-%m-%d %H:%M}Z, got {seconds}")
        return datetime.fromtimestamp(seconds, UTC)


def _is_refusal(fault: Exception) -> bool:
    """Whether the feed said no, instead of nothing or nonsense."""
    response = getattr(fault.__cause__, "response", None)
    if getattr(response, "status_code", None) in (401, 403):
        return True
    text = str(fault)
    return text.startswith("Unexpected auth response") and not text.endswith(": None")


def _by_key(instruments: Sequence[Instrument]) -> dict[tuple[str, str], Instrument]:
    known = {}
    for instrument in instruments:
        is_index = instrument.kind is InstrumentKind.INDEX
        key = instrument.broker_symbol.casefold() if is_index else instrument.broker_token
        known[instrument.segment, key] = instrument
    if len(instruments) > _MOST_TOKENS:
        raise InvalidInputError(f"expected at most {_MOST_TOKENS} instruments, got {len(instruments)}")
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
