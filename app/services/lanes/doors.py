"""Give an entry what it needs to leave now: a seat, the breaker's leave, a request of the budget."""

from app.domain.accounts import BrokerCode
from app.domain.breaker import EndpointClass
from app.domain.errors import UnavailableError
from app.domain.ids import AccountId
from app.infra.rate_limit import OrderBudget
from app.services.breakers import Breakers, Gate
from app.services.lanes.bulkhead import Seats

NO_SEAT = "too many calls of its account or broker have no answer yet"


class Doors:
    """Hold what one look at the table may give away."""

    def __init__(self, seats: Seats, gate: Gate, budget: OrderBudget) -> None:
        self._seats = seats
        self._gate = gate
        self._budget = budget

    def why_closed(self, account_id: AccountId) -> str | None:
        """Return why an order must wait, or None when it takes its seat and leaves now."""
        if not self._seats.has(account_id):
            return NO_SEAT
        if not self._gate(account_id):
            return "the broker fails orders of several accounts, its breaker is open"
        try:
            if not self._budget.take_for_entry(account_id):
                return "the order budget of its account was used up"
        except UnavailableError as e:
            return str(e)
        self._seats.takes(account_id)
        return None


def gate_of(breakers: Breakers, broker: BrokerCode) -> Gate:
    """Return the breaker's leave for entries; nobody has it while it cannot be read (fail closed)."""
    try:
        return breakers.gate(broker, EndpointClass.ORDERS)
    except UnavailableError:
        return nobody


def nobody(_: AccountId) -> bool:
    """Let no account go."""
    return False
