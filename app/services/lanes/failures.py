"""Make faults in pool threads visible."""

from concurrent.futures import Future

import structlog

log = structlog.get_logger()


def log_failure(future: "Future[None]") -> None:
    """Say when a call of a pool ended with a fault; what it was about is resolved by evidence."""
    error = future.exception()
    if error is not None:
        log.error("lane_call_failed", error=repr(error), exc_info=error)
