"""We stop before the venue throttles us, and exits still leave."""

from collections.abc import Iterator

import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import RateLimitedError
from app.domain.ids import BrokerOrderId
from app.domain.ports import BrokerGateway
from app.domain.reports import FaultClass, Outcome
from tests.contract.binance.desk import MARKETS, DayClock, Simulator, new_adapter

_LEAST_WEIGHT = 200


@pytest.fixture
def tight(simulator: Simulator, clock: DayClock, code: BrokerCode) -> Iterator[tuple[str, BrokerGateway]]:
    """An account's name and gateway at a venue that grants little, as exchangeInfo tells."""
    setting = f"weight_1m_{MARKETS[code]}"
    granted = simulator.control.get("/_sim/settings").raise_for_status().json()[setting]
    simulator.post("settings", {setting: _LEAST_WEIGHT})
    # The limits that an adapter has read hold for all its accounts: this one is the test's own.
    house = new_adapter(code, simulator.base_url, clock)
    name, credentials = simulator.new_account()
    session = house.login(credentials, egress=simulator.new_address(), timeout_s=10)
    house.request_instruments(session, clock.now().date())
    gateway = house.restore(session)
    yield name, gateway
    gateway.close()
    simulator.post("settings", {setting: granted})


def test_reads_end_before_the_venue_refuses_and_cancels_still_leave(
    simulator: Simulator, tight: tuple[str, BrokerGateway]
) -> None:
    name, gateway = tight
    with pytest.raises(RateLimitedError) as caught:
        _read_on(gateway)

    canceled = gateway.cancel_order(BrokerOrderId("BTCUSDT-990101000000001"), timeout_s=5)

    assert 0 < caught.value.retry_after_s <= 60
    assert (canceled.outcome, canceled.fault) == (Outcome.REJECTED, FaultClass.NOT_FOUND)
    outcomes = {str(row["outcome"]) for row in simulator.get("requests") if row["account"] == name}
    assert not any("-1003" in outcome for outcome in outcomes)


def _read_on(gateway: BrokerGateway) -> None:
    for _ in range(_LEAST_WEIGHT):
        gateway.request_orders()
