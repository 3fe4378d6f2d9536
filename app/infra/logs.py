"""Write logs as JSON lines: a static event name, data as fields, never a secret."""

import logging
import sys
from typing import Any

import structlog

_SECRET_WORDS = ("password", "secret", "token", "mpin", "totp", "credential", "authorization")
_HIDDEN = "***"


def configure_logs(level: str, *, process: str) -> None:
    """Send structlog's and the libraries' logs of this process to standard error as JSON lines."""
    shared = (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(shared),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Request lines of HTTP clients hold addresses with tokens; below WARNING they help nobody.
    for name in ("httpx", "httpcore", "websockets", "neo_api_client", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(process=process)


def _hide_secrets(
    _logger: Any,  # noqa: ANN401  structlog's processor signature
    _method: str,
    event: structlog.typing.EventDict,
) -> structlog.typing.EventDict:
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = _HIDDEN
    return event
