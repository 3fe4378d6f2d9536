"""Write the log of agent and supervisor as JSON lines to standard error."""

import sys

import structlog


def configure_log_lines() -> None:
    """Set structlog up for a process of its own; nobody logs secrets here."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
