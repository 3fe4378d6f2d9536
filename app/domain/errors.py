"""Name every fault that Openbell can raise.

AppError
├── ConfigError                 the set-up is wrong; the process refuses to start
├── InvariantError              a bug: stop the unit, never continue
├── NotFound / Conflict / Forbidden / InvalidInput    carry an HTTP status
└── BrokerError
    ├── Unavailable             surely not accepted; may be tried again
    │   └── EgressDown          no way out of this machine from the account's address
    ├── OutcomeUnknown          perhaps accepted; reconcile, never resend
    ├── RateLimited             not accepted; wait `retry_after_s`
    ├── SessionExpired          log in again
    │   └── AddressDenied       from an address that the broker lets in
    ├── LoginRefused            credentials, TOTP, address: a person must act
    └── ProtocolError           unreadable reply: park it and alert

Business outcomes (denied, rejected, unknown) are values, not exceptions.
"""


class AppError(Exception):
    """Root of every error that Openbell raises on purpose."""

    code = "internal_error"
    http_status = 500


class ConfigError(AppError):
    """The configuration cannot be used; the message names the setting and the remedy."""

    code = "config_error"


class InvariantError(AppError):
    """Something that must never happen happened; stop the unit that saw it."""

    code = "invariant_broken"


class NotFoundError(AppError):
    """The named thing does not exist, or not for this user."""

    code = "not_found"
    http_status = 404


class ConflictError(AppError):
    """The request collides with the present state."""

    code = "conflict"
    http_status = 409


class EvidenceAgainstError(ConflictError):
    """The evidence speaks against what a person says; a second confirmation overrules it."""

    code = "evidence_against"


class ForbiddenError(AppError):
    """The caller may not do this."""

    code = "forbidden"
    http_status = 403


class InvalidInputError(AppError):
    """What came in is not what was expected; the message says both."""

    code = "invalid_input"
    http_status = 422


class BrokerError(AppError):
    """A fault at the border to a broker."""

    code = "broker_error"
    http_status = 502


class UnavailableError(BrokerError):
    """The broker surely did not accept the request; it may be tried again."""

    code = "broker_unavailable"
    http_status = 503


class EgressDownError(UnavailableError):
    """The account's source address is not ours or leads nowhere; the broker has no part in it."""

    code = "egress_down"


class OutcomeUnknownError(BrokerError):
    """The broker may have acted; reconcile with evidence, never resend."""

    code = "outcome_unknown"


class RateLimitedError(BrokerError):
    """The broker refused because of its rate limit; nothing was accepted."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SessionExpiredError(BrokerError):
    """The broker session is over; log in again."""

    code = "session_expired"


class AddressDeniedError(SessionExpiredError):
    """The broker no longer lets our source address in; another login helps where that address is its own."""

    code = "address_denied"


class LoginRefusedError(BrokerError):
    """The broker refused the login for a reason that a person must mend."""

    code = "login_refused"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ProtocolError(BrokerError):
    """The broker's reply cannot be read; park it and alert."""

    code = "protocol_error"
