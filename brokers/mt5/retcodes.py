"""Say what each return code of MetaTrader 5 proves. Source: brokers.md 3.3; MQL5 reference."""

from enum import IntEnum

from app.domain.reports import FaultClass, Outcome


class Retcode(IntEnum):
    """Name the answers to `order_send` and `order_check`."""

    REQUOTE = 10004
    REJECT = 10006
    CANCEL = 10007
    PLACED = 10008
    DONE = 10009
    DONE_PARTIAL = 10010
    ERROR = 10011
    TIMEOUT = 10012
    INVALID = 10013
    INVALID_VOLUME = 10014
    INVALID_PRICE = 10015
    INVALID_STOPS = 10016
    TRADE_DISABLED = 10017
    MARKET_CLOSED = 10018
    NO_MONEY = 10019
    PRICE_CHANGED = 10020
    PRICE_OFF = 10021
    INVALID_EXPIRATION = 10022
    ORDER_CHANGED = 10023
    TOO_MANY_REQUESTS = 10024
    NO_CHANGES = 10025
    SERVER_DISABLES_AT = 10026
    CLIENT_DISABLES_AT = 10027
    LOCKED = 10028
    FROZEN = 10029
    INVALID_FILL = 10030
    CONNECTION = 10031
    ONLY_REAL = 10032
    LIMIT_ORDERS = 10033
    LIMIT_VOLUME = 10034
    INVALID_ORDER = 10035
    POSITION_CLOSED = 10036
    INVALID_CLOSE_VOLUME = 10038
    CLOSE_ORDER_EXIST = 10039
    LIMIT_POSITIONS = 10040
    REJECT_CANCEL = 10041
    LONG_ONLY = 10042
    SHORT_ONLY = 10043
    CLOSE_ONLY = 10044
    FIFO_CLOSE = 10045
    HEDGE_PROHIBITED = 10046


class TerminalError(IntEnum):
    """Name what `last_error` says beside a call that returned nothing."""

    OK = 1
    FAIL = -1
    INVALID_PARAMS = -2
    NO_MEMORY = -3
    NOT_FOUND = -4
    INVALID_VERSION = -5
    AUTH_FAILED = -6
    UNSUPPORTED = -7
    AUTO_TRADING_DISABLED = -8
    INTERNAL = -10000
    INTERNAL_SEND = -10001
    INTERNAL_RECEIVE = -10002
    INTERNAL_INIT = -10003
    INTERNAL_CONNECT = -10004
    INTERNAL_TIMEOUT = -10005


Verdict = tuple[Outcome, FaultClass]

_R, _O, _F = Retcode, Outcome, FaultClass
_INVALID: Verdict = (_O.REJECTED, _F.INVALID)
_DOUBT: Verdict = (_O.UNKNOWN, _F.UNKNOWN)
# A price that moved, or an order that another request holds at the moment: nothing was placed, ask anew.
_AGAIN: Verdict = (_O.REJECTED, _F.THROTTLED)

RETCODES: dict[Retcode, Verdict] = {
    _R.REQUOTE: _AGAIN,
    _R.REJECT: _INVALID,
    _R.CANCEL: _INVALID,
    _R.PLACED: (_O.ACCEPTED, _F.NONE),
    _R.DONE: (_O.ACCEPTED, _F.NONE),
    _R.DONE_PARTIAL: (_O.ACCEPTED, _F.NONE),
    _R.ERROR: _DOUBT,
    _R.TIMEOUT: (_O.UNKNOWN, _F.BROKER_DOWN),
    _R.INVALID: _INVALID,
    _R.INVALID_VOLUME: _INVALID,
    _R.INVALID_PRICE: _INVALID,
    _R.INVALID_STOPS: _INVALID,
    _R.TRADE_DISABLED: (_O.REJECTED, _F.MARKET_CLOSED),
    _R.MARKET_CLOSED: (_O.REJECTED, _F.MARKET_CLOSED),
    _R.NO_MONEY: (_O.REJECTED, _F.FUNDS),
    _R.PRICE_CHANGED: _AGAIN,
    _R.PRICE_OFF: _AGAIN,
    _R.INVALID_EXPIRATION: _INVALID,
    # The order has another state than we thought: look before saying more.
    _R.ORDER_CHANGED: _DOUBT,
    _R.TOO_MANY_REQUESTS: (_O.NOT_SENT, _F.THROTTLED),
    # Proven for a change that is already so; see `classify_write`.
    _R.NO_CHANGES: _DOUBT,
    _R.SERVER_DISABLES_AT: (_O.REJECTED, _F.AUTH_DENIED),
    _R.CLIENT_DISABLES_AT: (_O.NOT_SENT, _F.AUTH_DENIED),
    _R.LOCKED: _AGAIN,
    _R.FROZEN: _AGAIN,
    _R.INVALID_FILL: _INVALID,
    _R.CONNECTION: (_O.UNKNOWN, _F.BROKER_DOWN),
    _R.ONLY_REAL: _INVALID,
    _R.LIMIT_ORDERS: _INVALID,
    _R.LIMIT_VOLUME: _INVALID,
    _R.INVALID_ORDER: _INVALID,
    _R.POSITION_CLOSED: (_O.REJECTED, _F.ALREADY_DONE),
    _R.INVALID_CLOSE_VOLUME: _INVALID,
    _R.CLOSE_ORDER_EXIST: (_O.REJECTED, _F.DUPLICATE),
    _R.LIMIT_POSITIONS: _INVALID,
    _R.REJECT_CANCEL: _DOUBT,
    _R.LONG_ONLY: _INVALID,
    _R.SHORT_ONLY: _INVALID,
    _R.CLOSE_ONLY: _INVALID,
    _R.FIFO_CLOSE: _INVALID,
    _R.HEDGE_PROHIBITED: _INVALID,
}

_E = TerminalError
_DOWN: Verdict = (_O.NOT_SENT, _F.BROKER_DOWN)
# What `order_send` proves when it returned nothing at all.
NO_REPLY: dict[TerminalError, Verdict] = {
    _E.OK: _DOUBT,
    _E.FAIL: _DOUBT,
    _E.INVALID_PARAMS: (_O.NOT_SENT, _F.INVALID),
    _E.NO_MEMORY: _DOUBT,
    _E.NOT_FOUND: _DOUBT,
    _E.INVALID_VERSION: _DOUBT,
    _E.AUTH_FAILED: _DOUBT,
    _E.UNSUPPORTED: _DOUBT,
    _E.AUTO_TRADING_DISABLED: _DOUBT,
    _E.INTERNAL: _DOUBT,
    _E.INTERNAL_SEND: (_O.UNKNOWN, _F.BROKER_DOWN),
    _E.INTERNAL_RECEIVE: (_O.UNKNOWN, _F.BROKER_DOWN),
    _E.INTERNAL_INIT: _DOWN,
    _E.INTERNAL_CONNECT: _DOWN,
    _E.INTERNAL_TIMEOUT: (_O.UNKNOWN, _F.BROKER_DOWN),
}


def verdict_of_retcode(code: int) -> Verdict:
    """Return what a return code proves; a code that nobody named proves nothing."""
    try:
        return RETCODES[Retcode(code)]
    except ValueError:
        return _DOUBT


def verdict_of_silence(code: int) -> Verdict:
    """Return what `last_error` proves beside an `order_send` that returned nothing."""
    try:
        return NO_REPLY[TerminalError(code)]
    except ValueError:
        return _DOUBT
