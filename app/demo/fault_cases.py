"""Name the thirty faults that a broker can have, and how the simulators play each of them.

Source: brokers reference, section 4.3; the numbers are its rows. Accounts are named as in the population.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.instruments import Venue

Rule = Mapping[str, Any]
Act = tuple[str, Mapping[str, Any]]
"""A path of a simulator's control door and what is posted there."""

_K, _B, _M = Venue.NSE, Venue.BINANCE, Venue.MT5
_LASTS_S = 390
_UNTIDY = ("feed_duplicate", "feed_reorder", "feed_lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCase:
    """Describe one fault. `rules` and `acts` begin it at each venue that can have it, `repairs` end an act.

    `unreachable` says why the platform cannot meet it; such a fault is not played.
    """

    number: int
    what: str
    rules: Mapping[Venue, Sequence[Rule]] = field(default_factory=dict)
    acts: Mapping[Venue, Sequence[Act]] = field(default_factory=dict)
    repairs: Mapping[Venue, Sequence[Act]] = field(default_factory=dict)
    lasts_s: int = _LASTS_S
    unreachable: str = ""

    @property
    def name(self) -> str:
        """Name of the deployments that trade while it lasts."""
        return f"fault-{self.number:02d}"


def _rule(kind: str, endpoint: str | None = None, **more: Any) -> Rule:  # noqa: ANN401  a rule's own fields
    return {"kind": kind, **({} if endpoint is None else {"endpoint": endpoint}), **more}


def _case(
    number: int, what: str, rules: Mapping[Venue, Sequence[Rule]], *, lasts_s: int = _LASTS_S
) -> FaultCase:
    return FaultCase(number=number, what=what, rules=rules, lasts_s=lasts_s)


def _halt(status: str) -> Act:
    return ("/_sim/symbols", {"market": "futures", "symbol": "BTCUSDT", "status": status})


_BOUGHT_BY_HAND: Act = (
    "/_sim/external",
    {
        "account": "bn002",
        "market": "futures",
        "params": {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.05"},
    },
)

AT_LOGIN = _case(
    15,
    "TOTP refused, logins slow or failing",
    {
        _K: (
            _rule("totp_refused", count=2),
            _rule("login_fail", count=3, once_per_ucc=True),
            _rule("login_slow", rate=0.4, once_per_ucc=True, seconds=1.0, seconds_max=4.0),
        ),
        _M: (_rule("login_fail", count=1),),
    },
    lasts_s=1560,
)
AT_BELL = _case(8, "acknowledgements late in the first seconds", {_K: (_rule("open_delay", seconds=4.0),)})

IN_SESSION: Sequence[FaultCase] = (
    _case(
        1,
        "connection refused before anything is sent",
        {
            _K: (_rule("connection_refused", seconds=3.0),),
            _B: (_rule("refuse_connect", seconds=3.0),),
            _M: (_rule("no_ipc", "order_send", count=1),),
        },
    ),
    _case(
        2,
        "reply lost after the order was taken",
        {
            _K: (_rule("ack_lost", "place", count=4), _rule("half_body", "place", count=2)),
            _B: (_rule("ack_lost", "writes", count=2),),
            _M: (_rule("ack_lost", "order_send", count=1),),
        },
    ),
    _case(
        3,
        "request lost before it was taken",
        {
            _K: (_rule("request_lost", "place", count=4),),
            _B: (_rule("request_lost", "writes", count=2),),
            _M: (_rule("request_lost", "order_send", count=1),),
        },
    ),
    _case(
        4,
        "order appears after the client gave up",
        {
            _K: (_rule("ack_lost", "place", count=4), _rule("late_placement", "place", seconds=5.0)),
            _B: (_rule("ack_lost", "place", count=2), _rule("late_placement", "place", seconds=5.0)),
            _M: (_rule("late_accept", "order_send", count=1, seconds=5.0),),
        },
    ),
    _case(
        5,
        "server errors as a page, as JSON, and a page with status 200",
        {
            venue: (
                _rule("http_5xx_html", "place", count=2, accepted=True),
                _rule("http_5xx_json", "place", count=2),
                _rule("html_200", "place", count=2),
            )
            for venue in (_K, _B)
        },
    ),
    _case(
        6,
        "too many calls, with and without Retry-After; forbidden",
        {
            _K: (
                _rule("http_429", "place", count=3),
                _rule("http_429_bare", "reports", count=4),
                _rule("http_403", "reports", count=1),
            ),
            _B: (_rule("http_429", "place", count=1), _rule("http_418", "reads", count=1)),
        },
    ),
    _case(
        7,
        "after a burst each request hangs",
        {_K: (_rule("burst_hang", "writes", after=0, seconds=6.0, count=8),)},
    ),
    _case(9, "Ok, and a rejection in the book", {_K: (_rule("rms_reject", "place", count=6),)}),
    FaultCase(
        number=10,
        what="a market order becomes a limit that rests",
        unreachable="the platform sends no market order there: its limits follow the price until they fill",
    ),
    _case(
        11,
        "algo order not allowed, invalid quantity, unknown refusal",
        {
            _K: (
                _rule("algo_refused", "place", count=3),
                _rule("refusal", "place", count=3, code=1009),
                _rule("refusal", "place", count=2, code=1007),
            )
        },
    ),
    _case(
        12,
        "tag said to be known, error from the core",
        {_K: (_rule("tag_refused", "place", count=2), _rule("core_error", "place", count=2))},
    ),
    _case(
        13,
        "sessions die in mid-day",
        {
            _K: (
                _rule("session_kill", ucc=["OB001", "OB002", "OB003"]),
                _rule("session_invalid", "place", count=1),
                _rule("login_null", count=1),
            )
        },
    ),
    _case(
        16,
        "feeds drop, repeat, reorder, lose and garble",
        {
            _K: (
                *(_rule(kind, "realtime", rate=0.2) for kind in _UNTIDY),
                *(_rule(kind, "realtime", count=2) for kind in ("feed_drop", "feed_close", "feed_refused")),
                *(_rule(kind, "feeds", count=2) for kind in ("feed_garbage", "feed_truncated")),
            ),
            _B: (
                *(_rule(kind, "user", rate=0.2) for kind in _UNTIDY),
                *(_rule(kind, "user", count=1) for kind in ("feed_drop", "feed_close", "feed_garbage")),
            ),
        },
    ),
    _case(
        17,
        "a subscription is never acknowledged",
        {_K: (_rule("feed_cut"), _rule("ack_missing", "feeds", count=3))},
    ),
    _case(
        18,
        "books lag, are empty, lack the last fill",
        {
            _K: (
                _rule("book_lag", "orders", rate=0.5, seconds=3.0),
                _rule("book_empty", "orders", rate=0.3),
                _rule("fill_missing", rate=0.5),
                _rule("ltp_zero", rate=0.5),
            ),
            _B: (_rule("not_found_lag", "order", rate=0.5, seconds=1.0), _rule("fills_lag", rate=0.3)),
            _M: (_rule("book_lag", "orders_get", count=10, seconds=1.0),),
        },
    ),
    _case(
        19,
        "a part of the broker is down: reports, then some orders",
        {
            _K: (_rule("outage", "reports"), _rule("outage", "place", count=3)),
            _B: (_rule("outage", "reads"),),
            _M: (_rule("ipc_timeout", "reads", count=6, seconds=0.5),),
        },
        lasts_s=330,
    ),
    _case(
        20,
        "partial fills, changes and cancels that come too late",
        {
            _K: (
                _rule("partial_fill", rate=0.5),
                _rule("modify_late", rate=0.5, seconds=1.0),
                _rule("cancel_late", rate=0.5, seconds=1.0),
                _rule("modify_refused", count=3),
            ),
            _B: (_rule("partial_fill", rate=0.5), _rule("cancel_races_fill", "cancel", count=2)),
            _M: (_rule("partial_fill", count=2),),
        },
    ),
    _case(21, "the clock is said to be wrong", {_B: (_rule("clock_skew", "place", count=2),)}),
    _case(
        22,
        "unknown and refused outcomes by the venue's own codes",
        {
            _B: (
                _rule("code_1006", "place", count=1, accepted=True),
                _rule("code_1007", "place", count=1, accepted=True),
                _rule("code_1007", "place", count=1),
                _rule("code_1008", "place", count=1),
            )
        },
    ),
    _case(
        23,
        "user streams end: key expired, server shut down, cut, silent",
        {
            _B: (
                _rule("listen_key_expired"),
                _rule("server_shutdown"),
                _rule("disconnect"),
                _rule("feed_drop", "user", count=2),
            )
        },
    ),
    FaultCase(
        number=24,
        what="the venue halts an instrument",
        acts={_B: (_halt("HALT"),)},
        repairs={_B: (_halt("TRADING"),)},
        lasts_s=150,
    ),
    _case(
        25, "an order is redirected", {venue: (_rule("redirect", "place", count=2),) for venue in (_K, _B)}
    ),
    _case(
        26,
        "the terminal times out, hangs, dies",
        {
            _M: (
                _rule("ipc_timeout", "order_send", count=1, seconds=0.5, accepted=True),
                _rule("terminal_hang", "order_send", count=1, seconds=4.0),
                _rule("terminal_crash", "orders_get", count=1),
            )
        },
    ),
    _case(
        27,
        "requotes, prices off, wrong filling, trading off, connection lost with either outcome",
        {
            _M: (
                *(_rule(kind, "order_send", count=1) for kind in ("requote", "price_off", "invalid_fill")),
                _rule("autotrading_off_client", "order_send", count=1),
                _rule("connection_lost", "order_send", count=1, accepted=True),
                _rule("connection_lost", "order_send", count=1),
            )
        },
    ),
    _case(
        28,
        "another account answers, comments are rewritten",
        {
            _M: (
                _rule("wrong_account", count=2, login=[500002], other=500001),
                _rule("comment_rewritten", "order_send"),
            )
        },
    ),
    FaultCase(
        number=29,
        what="half of a cancel-and-replace succeeds",
        unreachable="the platform never sends one: it cancels, waits for the proof, and places (ADR 7)",
    ),
    # The last two leave accounts that only close until a person says otherwise.
    _case(
        14,
        "our address is not allowed any more",
        {
            _K: (_rule("ip_unlisted", ucc=["OB004"]), _rule("ip_changed", ucc=["OB005"])),
            _B: (_rule("code_2015", account=["bn001"]),),
        },
    ),
    FaultCase(
        number=30,
        what="a person trades in the broker's own app",
        rules={_K: (_rule("human_open", count=1, ucc=["OB006"]),)},
        acts={_B: (_BOUGHT_BY_HAND,)},
    ),
)
CASES: Sequence[FaultCase] = tuple(sorted((AT_LOGIN, AT_BELL, *IN_SESSION), key=lambda case: case.number))
