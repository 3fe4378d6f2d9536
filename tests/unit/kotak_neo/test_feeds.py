"""Whatever a feed brings becomes news or a gap, and every fault of the SDK has its meaning."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import BrokerError, SessionExpiredError
from app.domain.market_data import Tick
from app.domain.reports import AccountEvent, FeedAlive, Gap, OrderReport, PositionReport, StreamDown
from brokers.kotak_neo import mapping
from brokers.kotak_neo.feed import KotakMarketFeed, Patience
from brokers.kotak_neo.frames import is_whole
from brokers.kotak_neo.sdk import load_sdk
from brokers.kotak_neo.stream import OrderStream
from brokers.kotak_neo.watch import LostError, watched_messages
from tests.unit.kotak_neo.payloads import ORDER_ROW, POSITION_ROW, every
from tests.unit.kotak_neo.test_evidence import HandClock
from tests.unit.kotak_neo.test_mapping import damaged
from tests.unit.kotak_neo.test_requests import INDEX, OPTION

load_sdk()
from neo_api_client.websocket.feed import exceptions as feed_exceptions  # noqa: E402  # only after it was silenced
from neo_api_client.websocket.feed.protocol import decode_packet, split_batch  # noqa: E402
from neo_api_client.websocket.orderfeed import OrderFeedWebSocket  # noqa: E402
from neo_api_client.websocket.orderfeed import exceptions as order_exceptions  # noqa: E402

NOW_S = int(HandClock().now().timestamp())
INDEX_PACKET = struct.pack(
    "<HHbBBBBIiiiiiQiiidBi21s",
    *(87, 7207, 1, 0, 0, 1, 0),
    *(26000, 1, 1, 1, 1, 1_086_870, NOW_S, 1, 1, 0, 0.0, 2, 100, b"Nifty 50"),
)
PICTURE = struct.pack(
    "<HHbBBBBIqqqqqIIIIIqIIIIhiIdiIIIIIBI",
    *(176, 7208, 2, 4, 0, 1, 0),
    *(
        40041,
        1,
        1,
        1,
        NOW_S,
        NOW_S,
        1,
        1,
        1,
        1,
        10_410,
        65,
        1,
        0,
        1,
        1,
        2,
        0,
        0,
        0.0,
        0,
        1,
        1,
        1,
        1,
        65,
        2,
        1,
    ),
) + struct.pack("<qiiqii", 65, 10_405, 1, 65, 10_415, 1)


class Script:
    """Play frames through the SDK's own decoder, then end."""

    def __init__(self, frames: list[bytes], fault: Exception | None = None) -> None:
        self.on_raw: Callable[[object], None] = lambda _raw: None
        self.on_error: Callable[[Exception], None] = lambda _fault: None
        self.is_connected = True
        self._frames = frames
        self._fault = fault
        self._messages: list[object] = []

    async def connect(self) -> None:
        if self._fault is not None:
            raise self._fault
        for frame in self._frames:
            self.on_raw(frame)
            for packet in split_batch(frame):
                try:
                    message = decode_packet(packet, {1: 100, 2: 100})
                except Exception as e:  # noqa: BLE001  # as the SDK's own loop does
                    self.on_error(e)
                else:
                    self._messages += [] if message is None else [message]

    async def subscribe_index(self, tokens: object) -> None:
        """Take the tokens."""

    async def subscribe_scrips(self, tokens: object) -> None:
        """Take the tokens."""

    async def __anext__(self) -> object:
        if not self._messages:
            raise StopAsyncIteration
        return self._messages.pop(0)

    async def close(self) -> None:
        """Nothing is open."""


def heard(frames: list[bytes], fault: Exception | None = None) -> list[Tick | Gap | FeedAlive]:
    """Return what the feed tells up to and with the loss at the script's end."""

    async def run() -> list[Tick | Gap | FeedAlive]:
        def open_feed() -> Any:
            return Script(frames, fault)

        feed = KotakMarketFeed(open_feed=open_feed, clock=HandClock(), patience=Patience(connect_s=5))
        told: list[Tick | Gap | FeedAlive] = []
        ticks = feed.ticks([INDEX, OPTION])
        async for item in ticks:
            told.append(item)
            if isinstance(item, Gap):
                break
        await _close(ticks)
        return told

    return asyncio.run(run())


async def _close(ticks: AsyncIterator[object]) -> None:
    await ticks.aclose()  # type: ignore[attr-defined]  # it is an async generator


def at(packet: bytes, seconds: int) -> bytes:
    """Return a packet with another time."""
    return packet.replace(struct.pack("<Q", NOW_S), struct.pack("<Q", NOW_S + seconds))


def at_index(packet: bytes, seconds: int) -> bytes:
    """Return an index packet with another time; it has 32 bits."""
    return packet.replace(struct.pack("<i", NOW_S), struct.pack("<i", NOW_S + seconds))


def test_reads_both_kinds_of_packets_in_one_frame() -> None:
    index, option, gap = heard([INDEX_PACKET + PICTURE])

    assert isinstance(index, Tick)
    assert isinstance(option, Tick)
    assert (str(index.last), str(option.last), str(option.bid), str(option.ask)) == (
        "10868.70",
        "104.10",
        "104.05",
        "104.15",
    )
    assert isinstance(gap, Gap)


def test_a_picture_older_than_the_one_before_is_passed_over() -> None:
    newer, gap = heard([at(PICTURE, 3), PICTURE])

    assert isinstance(newer, Tick)
    assert newer.ts_event.timestamp() == NOW_S + 3
    assert isinstance(gap, Gap)


def test_a_picture_that_repeats_the_one_before_says_that_the_feed_lives() -> None:
    first, again, later, gap = heard([INDEX_PACKET, INDEX_PACKET, at_index(INDEX_PACKET, 1)])

    assert isinstance(first, Tick)
    assert isinstance(again, FeedAlive)
    assert isinstance(later, Tick), "a price at another moment is news, also when it is the same"
    assert isinstance(gap, Gap)


def test_an_impossible_time_is_parked_and_the_feed_goes_on() -> None:
    after = heard([at(PICTURE, 10**7), INDEX_PACKET])

    assert [type(item) for item in after] == [Tick, Gap]


def test_a_frame_is_whole_or_torn_or_padded() -> None:
    assert is_whole(INDEX_PACKET + PICTURE)
    assert is_whole(INDEX_PACKET + bytes(4))
    assert is_whole(b"")
    for torn in (PICTURE[:-1], INDEX_PACKET + PICTURE[:8], b"\x00\x01", b"\x09", b"\x05\x00" + bytes(3)):
        assert not is_whole(torn), torn


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200) | st.integers(0, 86).map(lambda n: INDEX_PACKET[:n]), max_size=3))
def test_any_bytes_become_ticks_or_gaps(frames: list[bytes]) -> None:
    assert all(isinstance(item, Tick | Gap | FeedAlive) for item in heard(frames))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PICTURE) - 1), st.binary(min_size=1, max_size=8))
def test_any_damage_inside_a_packet_becomes_ticks_or_gaps(where: int, damage: bytes) -> None:
    packet = bytearray(PICTURE)
    packet[where : where + len(damage)] = damage
    for item in heard([bytes(packet)]):
        assert isinstance(item, Gap | FeedAlive) or item.last > 0


@pytest.mark.parametrize(
    "kind",
    sorted(every(feed_exceptions.SFeedWebSocketError), key=str),
    ids=lambda kind: kind.__name__,
)
def test_every_fault_of_the_price_feed_is_a_loss(kind: type[Exception]) -> None:
    (gap,) = heard([], kind("boom"))

    assert gap == Gap(reason="lost: boom")


def test_a_feed_that_says_no_needs_a_new_session_and_one_that_stammers_does_not() -> None:
    refusal = feed_exceptions.AuthenticationError("Unexpected auth response: {'message_code': 1118}")
    with pytest.raises(SessionExpiredError):
        heard([], refusal)

    assert heard([], feed_exceptions.AuthenticationError("Unexpected auth response: None"))


class Busy(Script):
    """Bring messages without end that say nothing."""

    async def __anext__(self) -> object:
        await asyncio.sleep(0.01)
        return "noise"


def test_messages_that_say_nothing_do_not_put_the_check_off() -> None:
    def check() -> None:
        raise LostError("useless")

    async def listen() -> None:
        async with asyncio.timeout(20):
            async for message in watched_messages(Busy([]), check):
                assert message == "noise"

    with pytest.raises(LostError, match="useless"):
        asyncio.run(listen())


@pytest.mark.parametrize(
    "kind",
    sorted(every(order_exceptions.OrderFeedWebSocketError), key=str),
    ids=lambda kind: kind.__name__,
)
def test_every_fault_of_the_order_feed_is_a_loss(kind: type[Exception]) -> None:
    (gap,) = news([], kind("boom"))

    assert isinstance(gap, Gap)
    assert gap.reason.startswith("lost: ")


class OrderScript(OrderFeedWebSocket):
    """Play text through the SDK's own parser."""

    def __init__(self, frames: list[str | bytes], fault: Exception | None) -> None:
        super().__init__("http://nowhere.invalid", "token", "sid")
        self._frames = ['{"ak":"ok","type":"cn"}', *frames]
        self._fault = fault

    @property
    def is_connected(self) -> bool:
        return True

    async def connect(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._tell(self._frames[0])

    async def __anext__(self) -> object:
        for frame in self._frames:
            self._frames = self._frames[1:]
            self._tell(frame)
            message = self._parse_message(frame)
            if message is not None:
                return message
        raise StopAsyncIteration

    def _tell(self, frame: str | bytes) -> None:
        assert self.on_raw is not None
        self.on_raw(frame)


def news(
    frames: list[str | bytes],
    fault: Exception | None = None,
    *,
    on_order: Callable[[OrderReport], OrderReport | None] = lambda report: report,
) -> list[AccountEvent]:
    """Return what the stream tells up to and with the loss at the script's end."""

    async def run() -> list[AccountEvent]:
        stream = OrderStream(
            open_feed=lambda: OrderScript(frames, fault), clock=HandClock(), on_order=on_order
        )
        told: list[AccountEvent] = []
        events = stream.events()
        async for event in events:
            told.append(event)
            if isinstance(event, Gap) and event.reason.startswith("lost"):
                break
        await _close(events)
        return told

    return asyncio.run(run())


def frame_of(kind: object, row: object) -> str:
    """Return a frame as the feed writes it."""
    return json.dumps({"type": kind, "data": row})


def test_an_unreadable_update_is_parked_and_the_stream_goes_on() -> None:
    events = news(
        ["{torn", b"B\xf6rse", frame_of("order", {**ORDER_ROW, "exSeg": "x"}), frame_of("order", ORDER_ROW)]
    )

    assert [type(event) for event in events] == [Gap, Gap, Gap, Gap, OrderReport, Gap]
    assert all(e.reason.startswith("unreadable update") for e in events[1:4] if isinstance(e, Gap))


def test_news_of_an_order_whose_tag_nobody_knows_asks_for_the_book_once() -> None:
    events = news([frame_of("order", ORDER_ROW)] * 2, on_order=lambda _report: None)

    assert events[1:4] == [
        mapping.order_report(ORDER_ROW),
        Gap(reason="order 250122000612876 lost its tag"),
        mapping.order_report(ORDER_ROW),
    ]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "data", "ak", "nOrdNo", "ordSt", "qty"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
FRAMES = st.one_of(
    st.text(max_size=12),
    st.binary(max_size=12),
    JUNK.map(json.dumps),
    st.builds(frame_of, st.sampled_from(["order", "position", "cn", None, 1]), JUNK),
    damaged(ORDER_ROW).map(lambda row: frame_of("order", row)),
    damaged(POSITION_ROW).map(lambda row: frame_of("position", row)),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(FRAMES, max_size=3))
def test_any_frame_becomes_news_or_a_gap(frames: list[str | bytes]) -> None:
    events = news(frames)

    assert all(isinstance(event, OrderReport | PositionReport | Gap) for event in events)
    assert not any(isinstance(event, StreamDown) for event in events)


@given(damaged({"Net": "1.50", "MarginUsed": "0.00"}))
def test_any_limits_give_a_balance_or_a_typed_error(body: dict[str, object]) -> None:
    try:
        balance = mapping.balance(body)
    except BrokerError:
        return
    assert balance.available.is_finite()
    assert balance.used.is_finite()


@given(st.lists(damaged({"ip": "127.0.0.1", "time": ""}), max_size=2))
def test_any_address_reply_gives_text_or_a_typed_error(rows: list[dict[str, object]]) -> None:
    try:
        address = mapping.egress_address(rows)
    except BrokerError:
        return
    assert address


@given(st.lists(damaged(POSITION_ROW), max_size=3))
def test_any_positions_net_or_give_a_typed_error(rows: list[dict[str, object]]) -> None:
    try:
        positions = mapping.net_positions(rows)
    except BrokerError:
        return
    assert len({position.broker_symbol for position in positions}) == len(positions)
