"""Give every identifier a type of its own, so that they cannot be mixed up."""

import hashlib
import re
from typing import NewType

UserId = NewType("UserId", int)
FamilyId = NewType("FamilyId", int)
AccountId = NewType("AccountId", int)
DeploymentId = NewType("DeploymentId", int)
OrderId = NewType("OrderId", int)
InstrumentId = NewType("InstrumentId", str)
ClientOrderId = NewType("ClientOrderId", str)
BrokerOrderId = NewType("BrokerOrderId", str)
TradeId = NewType("TradeId", str)
SignalKey = NewType("SignalKey", str)

CLIENT_ORDER_ID_LENGTH = 18


def client_order_id(
    deployment_id: DeploymentId, signal_key: SignalKey, *, leg: int, attempt: int, part: int = 0
) -> ClientOrderId:
    """Derive the client order id, so that a rerun collides instead of doubling an order.

    Args:
        deployment_id: the deployment that wishes the order.
        signal_key: unique within the deployment.
        leg: index of the leg in the signal, from 0.
        attempt: 0 for the first try; a new attempt of the same leg is a new order.
        part: slice number when the freeze quantity splits the leg.

    Returns:
        18 characters of [a-z0-9_], within Kotak Neo's practical limit of 20 (brokers.md 1.8).
    """
    text = f"{deployment_id}|{signal_key}|{leg}|{attempt}|{part}"
    return ClientOrderId("ob" + hashlib.sha256(text.encode()).hexdigest()[: CLIENT_ORDER_ID_LENGTH - 2])


def is_client_order_id(tag: str) -> bool:
    """Whether a broker's tag begins with the form of our client order ids; a venue may append to it."""
    return re.match(r"ob[0-9a-f]{16}(?![0-9a-z])", tag) is not None
