"""Say no with a code that a client can act on."""


class RefusedError(Exception):
    """Turn a request away; nothing of it was recorded.

    Args:
        status: HTTP status of the reply.
        code: one word of the wire, see docs of the doors.
        message: what was expected and what came, for a person.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def invalid(message: str) -> RefusedError:
    """Return the refusal of a request that breaks a rule of form."""
    return RefusedError(422, "invalid", message)
