"""Every word of the SDK has a meaning here or is refused; a word that nobody knows is never guessed."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError, ProtocolError
from app.domain.orders import OrderStatus, OrderType, TimeInForce
from brokers.kotak_neo import mapping
from brokers.kotak_neo.instruments import SEGMENTS, WITHOUT_WORDS
from brokers.kotak_neo.requests import PRODUCT, place_fields
from brokers.kotak_neo.requests import SEGMENTS as TRADED
from brokers.kotak_neo.sdk import load_sdk
from tests.unit.kotak_neo.payloads import ORDER_ROW, POSITION_ROW, TRADE_ROW
from tests.unit.kotak_neo.test_requests import OPTION, request_for

load_sdk()
from neo_api_client import settings  # noqa: E402  # only after it was silenced
from neo_api_client.websocket.feed.models import EXCHANGE_NAME_TO_ID  # noqa: E402
from neo_api_client.websocket.orderfeed.models import OrderStatus as Words  # noqa: E402

FEED_SEGMENTS = sorted(set(EXCHANGE_NAME_TO_ID) - {"none"})


def test_orders_go_to_the_segments_that_the_sdk_takes_and_no_other() -> None:
    assert set(settings.exchange_segment_allowed_values) == TRADED
    assert set(settings.exchange_segment.values()) == TRADED


@pytest.mark.parametrize("segment", FEED_SEGMENTS)
def test_every_segment_of_the_feed_is_understood_in_every_book(segment: str) -> None:
    assert mapping.order_report({**ORDER_ROW, "exSeg": segment})
    assert mapping.fill_report({**TRADE_ROW, "exSeg": segment})
    assert mapping.position_report({**POSITION_ROW, "exSeg": segment})


def test_every_segment_with_a_file_is_read_or_left_out_for_a_reason() -> None:
    read = {segment.code for segment in SEGMENTS}

    assert read | set(WITHOUT_WORDS) >= set(settings.exchange_segment_allowed_values)
    assert not read & set(WITHOUT_WORDS)


def test_the_product_we_send_is_one_the_sdk_takes() -> None:
    assert PRODUCT in settings.place_order_product_allowed_values


@pytest.mark.parametrize("product", sorted(set(settings.product_allowed_values) | set(settings.product)))
def test_a_position_counts_whatever_its_product(product: str) -> None:
    assert mapping.position_report({**POSITION_ROW, "prod": product}).net_qty == 65


@pytest.mark.parametrize("kind", sorted(set(settings.order_type.values())))
def test_every_order_type_of_the_sdk_is_understood_in_the_book(kind: str) -> None:
    assert mapping.order_report({**ORDER_ROW, "prcTp": kind})


@pytest.mark.parametrize("kind", OrderType)
def test_an_order_type_is_sent_as_the_sdk_spells_it_or_refused(kind: OrderType) -> None:
    trigger = Decimal("104.5") if kind in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET) else None
    request = request_for(order_type=kind, trigger_price=trigger)
    if kind in (OrderType.MARKET, OrderType.STOP_MARKET):
        with pytest.raises(InvalidInputError):
            place_fields(request)
    else:
        assert place_fields(request)["order_type"] in settings.order_type_allowed_values


@pytest.mark.parametrize("segment", settings.exchange_segment_allowed_values)
@pytest.mark.parametrize("validity", TimeInForce)
def test_a_validity_is_sent_exactly_where_the_sdk_allows_it(segment: str, validity: TimeInForce) -> None:
    request = request_for(instrument=replace(OPTION, segment=segment), time_in_force=validity)
    if validity in settings.validity_allowed_by_segment[segment]:
        assert place_fields(request)["validity"] == validity
    else:
        with pytest.raises(InvalidInputError, match="time_in_force"):
            place_fields(request)


STATUSES = {
    "put order req received": OrderStatus.SUBMITTED,
    "validation pending": OrderStatus.SUBMITTED,
    "open pending": OrderStatus.SUBMITTED,
    "open": OrderStatus.ACCEPTED,
    "complete": OrderStatus.ACCEPTED,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELED,
    "modified": OrderStatus.ACCEPTED,
}


def test_every_status_that_the_sdk_names_has_its_meaning() -> None:
    words = {value for name, value in vars(Words).items() if name.isupper()}

    assert words == set(STATUSES)
    for word, status in STATUSES.items():
        assert mapping.order_status(word, filled=Decimal(0), quantity=Decimal(65)) is status


@pytest.mark.parametrize(("key", "value"), [("exSeg", "nse_xx"), ("prcTp", "4L"), ("trnsTp", "X")])
def test_a_word_that_nobody_knows_is_refused(key: str, value: str) -> None:
    with pytest.raises(ProtocolError, match=key):
        mapping.order_report({**ORDER_ROW, key: value})
