"""Name every fault that the simulated broker can have, and what the driver may say about it.

The numbers are the rows of the table of failure modes in the brokers reference, section 4.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Describe one fault: which rows it plays, and what happens."""

    rows: tuple[int, ...]
    says: str


def _kind(says: str, *rows: int) -> Kind:
    return Kind(rows=rows, says=says)


# Drawn by rate whenever its moment comes.
DRAWN: Mapping[str, Kind] = {
    "ack_lost": _kind("taken, then the connection is cut after `seconds`", 2),
    "half_body": _kind("taken, then the reply ends in the middle", 2),
    "request_lost": _kind("not taken, the connection is cut after `seconds`", 3),
    "late_placement": _kind("with ack_lost: the order appears `seconds` later", 4),
    "http_5xx_html": _kind("a proxy's page, 502 or `status`; `accepted` takes the request first", 5),
    "http_5xx_json": _kind("a server error in JSON, 503 or `status`; `accepted` as above", 5),
    "html_200": _kind("a page of HTML with status 200", 5),
    "http_429": _kind("too many calls, with Retry-After", 6),
    "http_429_bare": _kind("too many calls, without Retry-After", 6),
    "http_403": _kind("forbidden, as a page without a code", 6, 13),
    "burst_hang": _kind("writes hang for `seconds` once `after` came within a few seconds", 7),
    "hang": _kind("the request waits `seconds`, then goes on", 7),
    "open_delay": _kind("writes wait `seconds` during the first ten seconds of the session", 8),
    "rms_reject": _kind("Ok, and a rejection in the book", 9),
    "market_parked": _kind("a market order becomes a limit that rests", 10),
    "algo_refused": _kind("refused with code 1017", 11),
    "tag_refused": _kind("refused with code 5204", 12),
    "core_error": _kind("refused with code 32", 12),
    "tag_mutation": _kind("modify and cancel change the tag, where it is kept by --stable-tags", 12),
    "session_invalid": _kind("refused with code 100022 and 403", 13),
    "session_view": _kind("refused with code 100021 and 403", 13),
    "login_null": _kind("a login reply whose data is null", 13),
    "ip_unlisted": _kind("refused with code 100008 and 403", 14),
    "ip_changed": _kind("refused with code 1037 and 403", 14),
    "totp_refused": _kind("a login refused because of its code", 15),
    "login_fail": _kind("a login refused because the service is busy", 15),
    "login_slow": _kind("a login that takes `seconds`", 15),
    "login_hang": _kind("a login that hangs for `seconds` and is cut", 15),
    "feed_mute": _kind("a feed that takes the connection and never answers the first frame", 16),
    "feed_refused": _kind("a feed that says nk to a good session", 16),
    "feed_drop": _kind("a feed cut in place of the next data", 16),
    "feed_close": _kind("a feed closed right behind data", 16),
    "feed_silence": _kind("an order feed without data for `seconds`", 16),
    "feed_lost": _kind("one piece of data is lost", 16),
    "feed_duplicate": _kind("one piece of data comes twice", 16),
    "feed_reorder": _kind("one piece of data comes after the next", 16),
    "feed_garbage": _kind("a frame of the wrong kind and encoding comes before the data", 16),
    "feed_truncated": _kind("a frame that ends in the middle", 16),
    "stale_quotes": _kind("a price feed that is up and stands still", 16),
    "ack_missing": _kind("a subscription that is never acknowledged", 17),
    "book_lag": _kind("reports show the state of `seconds` ago", 18),
    "book_empty": _kind("reports say No Data", 18),
    "fill_missing": _kind("the trades lack the last fill", 18),
    "ltp_zero": _kind("positions show a last price of zero", 18),
    "outage": _kind("503 or `status` on an endpoint or group of them", 19),
    "partial_fill": _kind("an order fills in two parts, the second at the next tick", 20),
    "partial_stall": _kind("an order stays half filled", 20),
    "cancel_late": _kind("a cancel takes `seconds`, in which the order may fill", 20),
    "cancel_refused": _kind("Ok to a cancel, then `not cancelled`", 20),
    "modify_late": _kind("a modify takes `seconds`, in which the order may fill", 20),
    "modify_refused": _kind("Ok to a modify, then `not modified`", 20),
    "redirect": _kind("a redirect to the same address, 307 or `status`", 25),
    "human_open": _kind("after a fill the human buys or sells the same again in the app", 30),
    "human_close": _kind("after a fill the human closes it in the app", 30),
    "human_strange": _kind("the book shows an order of the human's with words that nobody knows", 30),
    "refusal": _kind("refused with any `code`, at HTTP 400 or `status`", 11, 12, 13, 14),
}
# Done at once, when the rule is given.
DEEDS: Mapping[str, Kind] = {
    "connection_refused": _kind("nobody listens for `seconds`, open connections are cut", 1),
    "session_kill": _kind("the sessions of `ucc`, or all, end and their order feeds are cut", 13),
    "key_reset": _kind("the consumer keys of `ucc` are worth nothing any more, their sessions end", 13),
    "feed_cut": _kind("the idle feeds of `ucc`, or all, are cut", 16),
}
KINDS = frozenset(DRAWN) | frozenset(DEEDS)

_WRITES = frozenset({"place", "modify", "cancel"})
_REPORTS = frozenset({"orders", "order", "history", "trades", "positions", "holdings", "limits", "margin"})
_MARKET = frozenset({"file_paths", "scrip_file", "quotes", "expiries", "option_chain"})
_FEEDS = frozenset({"realtime", "apifeed"})
_SESSION = frozenset({"login", "validate", "config", "client_ip"})
ENDPOINTS = _WRITES | _REPORTS | _MARKET | _FEEDS | _SESSION | {"app"}
# `data_center` is what one customer's baseUrl serves; login and config live elsewhere.
GROUPS: Mapping[str, frozenset[str]] = {
    "writes": _WRITES,
    "reports": _REPORTS,
    "feeds": _FEEDS,
    "data_center": _WRITES | _REPORTS | _MARKET | {"realtime"},
}

# Code: text and HTTP status, as the documentation and the threads show them (brokers reference 1.4).
REFUSALS: Mapping[int, tuple[str, int]] = {
    32: ("error from core", 400),
    1007: ("invalid body", 400),
    1009: ("please provide valid quantity", 400),
    1017: ("algo order not allowed", 400),
    1021: ("order is completed", 400),
    1037: ("session IP differs from the request IP", 403),
    5202: ("invalid request", 400),
    5203: ("No Data", 200),
    5204: ("Client OrderID already exists", 400),
    10020: ("Authentication failed", 403),
    100008: ("unauthorized", 403),
    100021: ("invalid access type", 403),
    100022: ("invalid session token", 403),
}
REFUSING_KINDS: Mapping[str, int] = {
    "algo_refused": 1017,
    "tag_refused": 5204,
    "core_error": 32,
    "session_invalid": 100022,
    "session_view": 100021,
    "ip_unlisted": 100008,
    "ip_changed": 1037,
}
