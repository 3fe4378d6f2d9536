"""Load the Kotak SDK without its side effects on logging and the working directory."""

import contextvars
import logging
import os
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import httpx
    from neo_api_client.neo_api import NeoAPI

# At any level the SDK logs request bodies, at INFO even tokens (brokers.md 1.13): nothing of it may be kept.
_ENVIRONMENT = {
    "NEO_LOG_FILE_ENABLED": "false",
    "NEO_LOG_LEVEL": "NOLOG",
    "NEO_LOG_FILE_LEVEL": "NOLOG",
}


def load_sdk() -> None:
    """Import the SDK (about 2 s, so before the bell) and keep it silent for the life of the process.

    The SDK configures structlog for the whole process when it is imported, and its own loggers take
    the configuration that is in force when they are first used. So they are bound here, once, to one
    that drops everything, and then the process gets its own configuration back.
    """
    os.environ.update(_ENVIRONMENT)
    kept = structlog.get_config() if structlog.is_configured() else None
    import neo_api_client  # noqa: F401

    structlog.configure(
        processors=[],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    _bind_sdk_loggers()
    if kept is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**kept)


def _bind_sdk_loggers() -> None:
    unbound = type(structlog.get_logger())
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "neo_api_client":
            for value in list(vars(module).values()):
                if isinstance(value, unbound):
                    value.bind()


def new_api(consumer_key: str, transport: "httpx.BaseTransport") -> "NeoAPI":
    """Build one SDK client around a transport of ours; costs about 0.1 ms.

    The constructor binds a word into the log context of its caller; a copied context keeps that out.
    """
    from neo_api_client.neo_api import NeoAPI

    return contextvars.copy_context().run(NeoAPI, consumer_key=consumer_key, transport=transport)
