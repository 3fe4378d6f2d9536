"""A slow browser costs nothing and knows what it missed."""

import json

from api.stream.hub import STAFF, Body, Hub
from app.domain.ids import UserId


def _body(audience: UserId | None, number: int = 0) -> Body:
    return Body(audience=audience, text=f'"type":"orders","data":{number}}}')


def test_each_frame_goes_to_its_audience_only() -> None:
    hub = Hub()
    with hub.connected(UserId(1)) as first, hub.connected(UserId(2)) as second, hub.connected(STAFF) as staff:
        hub.publish([_body(UserId(1)), _body(STAFF)])

        assert (len(list(first.take())), len(list(second.take())), len(list(staff.take()))) == (1, 0, 1)


def test_a_client_that_does_not_keep_up_is_bounded_and_sees_the_gap() -> None:
    hub = Hub()
    with hub.connected(STAFF) as client:
        hub.publish(_body(STAFF, number) for number in range(1_001))

        assert len(client.waiting) <= 200
        frames = [json.loads(text) for text in client.take()]

    assert frames[-1] == {"seq": 1_001, "type": "orders", "data": 1_000}
    assert frames[0]["seq"] == 1_001 - len(frames) + 1 > 1


def test_audiences_are_those_that_are_connected() -> None:
    hub = Hub()
    with hub.connected(UserId(1)), hub.connected(UserId(1)):
        assert hub.audiences == {UserId(1)}

    assert hub.audiences == frozenset()
