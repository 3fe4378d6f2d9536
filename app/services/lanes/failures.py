"""Turn what kept a request from leaving into its outcome: it was not sent."""

from app.domain.errors import BrokerError, ConfigError, InvalidInputError, SessionExpiredError
from app.domain.reports import FaultClass, Outcome, WriteResult


def refused_by_us(error: InvalidInputError) -> WriteResult:
    """Return the outcome of a request that the adapter refused before it sent anything."""
    return WriteResult(outcome=Outcome.NOT_SENT, fault=FaultClass.INVALID, message=str(error))


def found_no_way(error: BrokerError | ConfigError) -> WriteResult:
    """Return the outcome of a request whose gateway could not be had: writes never raise, so nothing left."""
    is_over = isinstance(error, SessionExpiredError)
    fault = FaultClass.AUTH_EXPIRED if is_over else FaultClass.BROKER_DOWN
    return WriteResult(outcome=Outcome.NOT_SENT, fault=fault, message=str(error))


def came_too_late() -> WriteResult:
    """Return the outcome of an entry whose time was over when its call was about to leave (I12)."""
    message = "its time was over before it could leave"
    return WriteResult(outcome=Outcome.NOT_SENT, fault=FaultClass.INVALID, message=message)
