"""Make faults in pool threads visible, and our own refusals an outcome."""

from concurrent.futures import Future

import structlog

from app.domain.errors import BrokerError, ConfigError, InvalidInputError, SessionExpiredError
from app.domain.reports import FaultClass, Outcome, WriteResult

log = structlog.get_logger()


def log_failure(future: "Future[None]") -> None:
    """Say when a call of a pool ended with a fault; what it was about is resolved by evidence."""
    error = future.exception()
    if error is not None:
        log.error("lane_call_failed", error=repr(error), exc_info=error)


def refused_by_us(error: InvalidInputError) -> WriteResult:
    """Return the outcome of a request that the adapter refused before it sent anything."""
    return WriteResult(outcome=Outcome.NOT_SENT, fault=FaultClass.INVALID, message=str(error))


def found_no_way(error: BrokerError | ConfigError) -> WriteResult:
    """Return the outcome of a request whose gateway could not be had: writes never raise, so nothing left."""
    is_over = isinstance(error, SessionExpiredError)
    fault = FaultClass.AUTH_EXPIRED if is_over else FaultClass.BROKER_DOWN
    return WriteResult(outcome=Outcome.NOT_SENT, fault=fault, message=str(error))
