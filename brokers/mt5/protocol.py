"""Name what adapter and agent say to each other; both sides read it from here."""

from enum import StrEnum

PROTOCOL = "openbell-mt5/1"
"""Stands in every reply of an agent: a page of a proxy in between is never taken for one."""

LIVE_MODULE = "MetaTrader5"
"""The module that speaks with a real terminal; any other name is a simulation (I15)."""


class Result(StrEnum):
    """Say how a command ended at the agent."""

    DONE = "done"
    ANSWERED = "answered"
    """The terminal answered `order_send`; the reply holds the return code or `last_error`."""
    REFUSED = "refused"
    """`order_send` was not called and will not be."""
    UNKNOWN = "unknown"
    """`order_send` was called and nobody knows how it ended."""


class Refusal(StrEnum):
    """Say why the agent did not do what it was asked."""

    BAD_TOKEN = "bad_token"  # noqa: S105  it names a reason
    PEER_DENIED = "peer_denied"
    BAD_REQUEST = "bad_request"
    NOT_LOGGED_IN = "not_logged_in"
    LOGIN_FAILED = "login_failed"
    WRONG_ACCOUNT = "wrong_account"
    TRADING_OFF = "trading_off"
    LIVE_FORBIDDEN = "live_forbidden"
    NOT_CONNECTED = "not_connected"
    BUSY = "busy"
    SICK = "sick"
    UNREADABLE = "unreadable"
    NO_JOURNAL = "no_journal"
    INVALID = "invalid"
    PRICE_MOVED = "price_moved"
    NOT_FOUND = "not_found"
    ALREADY_DONE = "already_done"
    CHECK_FAILED = "check_failed"


class TradeAction(StrEnum):
    """Name the commands that may move money; each is journaled before it is sent."""

    SUBMIT = "submit"
    MODIFY = "modify"
    CANCEL = "cancel"
