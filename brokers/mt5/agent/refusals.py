"""Say that the agent does not do what it was asked."""

from brokers.mt5.protocol import Refusal


class RefusedError(Exception):
    """Nothing was sent and nothing will be; `refusal` says why in one word, `message` in a sentence."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
