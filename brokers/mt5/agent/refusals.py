"""Say that the agent does not do what it was asked."""

from app.domain.errors import AppError
from brokers.mt5.protocol import Refusal


class RefusedError(AppError):
    """Nothing was sent and nothing will be; `refusal` says why in one word, `message` in a sentence."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
