"""The one fault of the embedded engines."""

from app.domain.errors import AppError


class EngineError(AppError):
    """An embedded engine could not be started or stopped; the message names the remedy."""

    code = "engine_error"
    http_status = 503
