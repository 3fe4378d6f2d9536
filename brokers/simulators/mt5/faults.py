"""Decide, seeded, which fault hits which call; count every one injected.

`endpoint` of a rule is the name of a module function, or one of the groups `reads` (account and books),
`market` (symbols, ticks, rates) and `writes` (order_send), or an action of order_send: deal, pending, sltp,
modify, remove, close_by. Kinds, with what they do:

- of the pipe: ipc_timeout (None, -10005, after `seconds`; `accepted` carries the call out first), ack_lost
  (order_send is carried out, the answer is lost), request_lost (the same outward sign, nothing is carried
  out), late_accept (the same sign, carried out after `seconds`); `code` chooses -10001, -10002 or -10005,
  which is the default. no_ipc (None, -10004: not sent), terminal_hang (the call blocks for `seconds`, for
  ever without; `accepted` as above), terminal_crash (this call -10002, all later ones -10004 until
  initialize; `accepted` as above), init_fail (-10003)
- of the trade server, order_send answers with the return code of the same name (see RETCODE_FAULTS);
  `accepted` carries the request out all the same, after `seconds` if given, as connection_lost and
  trade_timeout can; slow_execution answers 10008 and carries out after `seconds`; rejected_later (taken,
  and rejected after `seconds`); partial_fill;
  order_changed_by_fill (a removal or change finds the order filled); disconnected (terminal_info shows it)
- of identity, time and text: wrong_account (another account answers; `other` names its login), time_offset
  (times in reads are `seconds` off), comment_rewritten, comment_truncated
- of the books: book_lag (as they stood `seconds` ago), book_empty
- of logins: login_slow (`seconds`), login_fail; initialize also meets ipc_timeout and terminal_hang
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.draw import fraction, lognormal
from brokers.simulators.mt5.profiles import PROFILES

RETCODE_FAULTS: Mapping[str, int] = {
    "requote": mt5.TRADE_RETCODE_REQUOTE,
    "reject": mt5.TRADE_RETCODE_REJECT,
    "trade_error": mt5.TRADE_RETCODE_ERROR,
    "trade_timeout": mt5.TRADE_RETCODE_TIMEOUT,
    "trade_disabled": mt5.TRADE_RETCODE_TRADE_DISABLED,
    "market_closed": mt5.TRADE_RETCODE_MARKET_CLOSED,
    "no_money": mt5.TRADE_RETCODE_NO_MONEY,
    "price_changed": mt5.TRADE_RETCODE_PRICE_CHANGED,
    "price_off": mt5.TRADE_RETCODE_PRICE_OFF,
    "order_changed": mt5.TRADE_RETCODE_ORDER_CHANGED,
    "too_many_requests": mt5.TRADE_RETCODE_TOO_MANY_REQUESTS,
    "autotrading_off_server": mt5.TRADE_RETCODE_SERVER_DISABLES_AT,
    "autotrading_off_client": mt5.TRADE_RETCODE_CLIENT_DISABLES_AT,
    "locked": mt5.TRADE_RETCODE_LOCKED,
    "frozen": mt5.TRADE_RETCODE_FROZEN,
    "invalid_fill": mt5.TRADE_RETCODE_INVALID_FILL,
    "connection_lost": mt5.TRADE_RETCODE_CONNECTION,
}
KINDS = frozenset(RETCODE_FAULTS) | {
    "ipc_timeout",
    "ack_lost",
    "request_lost",
    "late_accept",
    "no_ipc",
    "terminal_hang",
    "terminal_crash",
    "init_fail",
    "slow_execution",
    "rejected_later",
    "partial_fill",
    "order_changed_by_fill",
    "disconnected",
    "wrong_account",
    "time_offset",
    "comment_rewritten",
    "comment_truncated",
    "book_lag",
    "book_empty",
    "login_slow",
    "login_fail",
}
BOOK_READS = frozenset(
    {"orders_get", "orders_total", "positions_get", "positions_total"}
    | {"history_orders_get", "history_orders_total", "history_deals_get", "history_deals_total"}
)
GROUPS: Mapping[str, frozenset[str]] = {
    "reads": BOOK_READS | {"account_info", "terminal_info"},
    "market": frozenset(
        {"symbols_get", "symbols_total", "symbol_info", "symbol_info_tick", "symbol_select"}
        | {
            "copy_rates_from",
            "copy_rates_from_pos",
            "copy_rates_range",
            "copy_ticks_from",
            "copy_ticks_range",
        }
    ),
    "writes": frozenset({"order_send"}),
}


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault: how often it hits which endpoint and account, when, and how hard.

    `seconds` and `seconds_max` bound the delay that the fault draws, real seconds; 0 means for ever where
    the kind says so. `begins` and `ends` are virtual. `count` is how many hits are left, None for no limit;
    `once_per_login` limits each account to one.
    """

    kind: str
    rate: float = 1.0
    endpoint: str | None = None
    login: frozenset[int] | None = None
    count: int | None = None
    once_per_login: bool = False
    begins: datetime | None = None
    ends: datetime | None = None
    seconds: float = 0.0
    seconds_max: float | None = None
    accepted: bool = False
    code: int = mt5.RES_E_INTERNAL_FAIL_TIMEOUT
    other: int = 0
    hit: set[int] = field(default_factory=set)

    def _names(self, endpoint: str) -> bool:
        function, _, action = endpoint.partition("/")
        named = self.endpoint
        return named in {None, function, action} or function in GROUPS.get(named or "", ())

    def covers(self, endpoint: str, login: int, now: datetime) -> bool:
        """Return whether the rule may hit this call at this virtual instant."""
        return (
            self._names(endpoint)
            and (self.login is None or login in self.login)
            and (self.count is None or self.count > 0)
            and not (self.once_per_login and login in self.hit)
            and (self.begins is None or now >= self.begins)
            and (self.ends is None or now < self.ends)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault that was drawn: do it now, with this delay in real seconds."""

    kind: str
    seconds: float
    accepted: bool
    code: int
    other: int


def parse_rule(raw: Mapping[str, object]) -> Rule:
    """Build a rule from JSON; `from` and `to` are ISO 8601, `login` a list of integers.

    Raises: ValueError naming the unknown kind or field.
    """
    values = {{"from": "begins", "to": "ends"}.get(name, name): value for name, value in raw.items()}
    known = {item.name for item in fields(Rule)} - {"hit"}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise ValueError(f"unknown fault fields {unknown}; known are {sorted(known)}")
    if values.get("kind") not in KINDS:
        raise ValueError(f"unknown fault kind {values.get('kind')!r}; known are {sorted(KINDS)}")
    for name in ("begins", "ends"):
        if isinstance(values.get(name), str):
            values[name] = datetime.fromisoformat(str(values[name]))
    if values.get("login") is not None:
        values["login"] = frozenset(values["login"])  # type: ignore[call-overload]  # a JSON list
    return Rule(**values)  # type: ignore[arg-type]  # names are checked above


class FaultPlan:
    """Hold the profile and the extra rules, draw hits, count them by kind."""

    def __init__(self, profile: str, seed: int, now: Callable[[], datetime]) -> None:
        self._seed = seed
        self._now = now
        self._serials: Counter[tuple[str, str, int]] = Counter()
        self.injected: Counter[str] = Counter()
        self.extra: list[Rule] = []
        self.profile = PROFILES["calm"]
        self._rules: list[Rule] = []
        self._by_kind: dict[str, list[tuple[str, Rule]]] = {}
        self.use(profile)

    def use(self, profile: str) -> None:
        """Switch to a named profile. Raises: ValueError for an unknown name."""
        if profile not in PROFILES:
            raise ValueError(f"unknown fault profile {profile!r}; known are {sorted(PROFILES)}")
        self.profile = PROFILES[profile]
        self._rules = [parse_rule(raw) for raw in self.profile.rules]
        self._index()

    def set_extra(self, raw: Iterable[Mapping[str, object]]) -> None:
        """Replace the rules given at run time."""
        self.extra = [parse_rule(item) for item in raw]
        self._index()

    def _index(self) -> None:
        # A rule's name goes into its draws, so rules added at run time leave those of the profile alone.
        named = [(f"extra{n}", rule) for n, rule in enumerate(self.extra)]
        named += [(f"profile{n}", rule) for n, rule in enumerate(self._rules)]
        self._by_kind = {kind: [item for item in named if item[1].kind == kind] for kind in KINDS}

    def draw(self, kind: str, endpoint: str, login: int, key: str = "") -> Hit | None:
        """Return the hit if this fault strikes now; a key makes the draw independent of arrival order."""
        now = self._now()
        for name, rule in self._by_kind[kind]:
            if not rule.covers(endpoint, login, now):
                continue
            names = (self._seed, kind, name, endpoint, login, key or self._serial(kind, endpoint, login))
            if fraction("hit", *names) >= rule.rate:
                continue
            return self._take(rule, login, fraction("seconds", *names))
        return None

    def _take(self, rule: Rule, login: int, share: float) -> Hit:
        if rule.count is not None:
            rule.count -= 1
        rule.hit.add(login)
        self.injected[rule.kind] += 1
        longest = rule.seconds if rule.seconds_max is None else rule.seconds_max
        return Hit(
            kind=rule.kind,
            seconds=rule.seconds + (longest - rule.seconds) * share,
            accepted=rule.accepted,
            code=rule.code,
            other=rule.other,
        )

    def latency(self, login: int, key: str) -> float:
        """Return the real seconds that an order_send takes."""
        median, p99 = self.profile.latency
        key = key or self._serial("latency", "order_send", login)
        return min(lognormal(median, p99, self._seed, "latency", login, key), 2 * p99)

    def _serial(self, kind: str, endpoint: str, login: int) -> str:
        self._serials[kind, endpoint, login] += 1
        return str(self._serials[kind, endpoint, login])
