"""Decide, seeded, which fault hits which request; count every one injected."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from brokers.simulators.binance.draw import fraction, lognormal
from brokers.simulators.binance.profiles import PROFILES

# What strikes at once, when the rule is posted, and not at a request.
COMMANDS = frozenset({"refuse_connect", "listen_key_expired", "server_shutdown", "disconnect", "ip_ban"})
KINDS = COMMANDS | frozenset(
    {
        "ack_lost",
        "half_body",
        "late_placement",
        "request_lost",
        "http_429",
        "http_403",
        "http_418",
        "http_5xx_html",
        "http_5xx_json",
        "html_200",
        "redirect",
        "hang",
        "code_1000",
        "code_1001",
        "code_1006",
        "code_1007",
        "code_1008",
        "code_1016",
        "code_2015",
        "clock_skew",
        "outage",
        "partial_fill",
        "partial_stall",
        "cancel_races_fill",
        "replace_cancel_fails",
        "replace_new_fails",
        "book_lag",
        "book_empty",
        "not_found_lag",
        "fills_lag",
        "positions_stale",
        "stale_quotes",
        "ws_unanswered",
        "ws_late",
        "feed_refused",
        "feed_drop",
        "feed_close",
        "feed_silence",
        "feed_lost",
        "feed_duplicate",
        "feed_reorder",
        "feed_garbage",
        "feed_flood",
    }
)


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault: how often it hits which endpoint and account, when, and how hard.

    `endpoint` is a name (`place`), one with its market (`spot.place`), a class (`writes`, `reads`, `data`,
    `streams`) or a market. `seconds` and `seconds_max` bound the delay that the fault draws, real seconds.
    `begins` and `ends` are virtual. `count` is how many hits are left, None for no limit; `once_per_account`
    limits each account to one. `accepted` says whether the request took effect behind its faulty reply.
    """

    kind: str
    rate: float = 1.0
    endpoint: str | None = None
    account: frozenset[str] | None = None
    count: int | None = None
    once_per_account: bool = False
    begins: datetime | None = None
    ends: datetime | None = None
    seconds: float = 0.0
    seconds_max: float | None = None
    accepted: bool = False
    hit: set[str] = field(default_factory=set)

    def covers(self, endpoint: str, account: str, now: datetime) -> bool:
        """Return whether the rule may hit this request at this virtual instant."""
        return (
            (self.endpoint is None or self.endpoint in endpoint_names(endpoint))
            and (self.account is None or account in self.account)
            and (self.count is None or self.count > 0)
            and not (self.once_per_account and account in self.hit)
            and (self.begins is None or now >= self.begins)
            and (self.ends is None or now < self.ends)
        )


_WRITES = frozenset(
    {"place", "cancel", "modify", "replace", "cancel_all", "oco", "batch", "algo_place", "algo_cancel"}
)
_STREAMS = frozenset({"user", "market", "ws_api"})
_DATA = frozenset({"ping", "time", "exchange_info", "klines", "ticker", "depth"})


def is_write(endpoint: str) -> bool:
    """Return whether an endpoint changes orders."""
    return endpoint.rpartition(".")[2] in _WRITES


def endpoint_names(endpoint: str) -> frozenset[str]:
    """Return every name under which a rule may mean an endpoint, written `market.name`."""
    market, _dot, name = endpoint.partition(".")
    classes = (("writes", _WRITES), ("streams", _STREAMS), ("data", _DATA))
    group = next((title for title, names in classes if name in names), "reads")
    return frozenset({endpoint, market, name, group, f"{market}.{group}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault that strikes: how long it delays, real seconds, and whether the request took effect."""

    kind: str
    seconds: float
    accepted: bool


def parse_rule(raw: Mapping[str, object]) -> Rule:
    """Build a rule from JSON; `from` and `to` are ISO 8601, `account` a list.

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
    if values.get("account") is not None:
        values["account"] = frozenset(values["account"])  # type: ignore[call-overload]  # a JSON list
    return Rule(**values)  # type: ignore[arg-type]  # names are checked above


class FaultPlan:
    """Hold the profile and the extra rules, draw hits, count them by kind."""

    def __init__(self, profile: str, seed: int, now: Callable[[], datetime]) -> None:
        self._seed = seed
        self._now = now
        self._serials: Counter[tuple[str, str, str]] = Counter()
        self.injected: Counter[str] = Counter()
        self.extra: list[Rule] = []
        self.profile = PROFILES["calm"]
        self._rules: list[Rule] = []
        self._by_kind: dict[str, list[tuple[str, Rule]]] = {}
        self.use(profile)

    def use(self, profile: str) -> None:
        """Switch to a named profile.

        Raises: ValueError for an unknown name.
        """
        if profile not in PROFILES:
            raise ValueError(f"unknown fault profile {profile!r}; known are {sorted(PROFILES)}")
        self.profile = PROFILES[profile]
        self._rules = [parse_rule(raw) for raw in self.profile.rules]
        self._index()

    def _index(self) -> None:
        # A rule's name goes into its draws, so rules added at run time leave those of the profile alone.
        named = [(f"extra{n}", rule) for n, rule in enumerate(self.extra)]
        named += [(f"profile{n}", rule) for n, rule in enumerate(self._rules)]
        self._by_kind = {kind: [item for item in named if item[1].kind == kind] for kind in KINDS}

    def set_extra(self, rules: Iterable[Rule]) -> None:
        """Replace the rules given at run time."""
        self.extra = list(rules)
        self._index()

    def draw(self, kind: str, endpoint: str, account: str, key: str | None = None) -> Hit | None:
        """Return the hit if this fault strikes now; a key makes the draw independent of arrival order."""
        if not self._by_kind[kind]:
            return None
        now = self._now()
        for name, rule in self._by_kind[kind]:
            if not rule.covers(endpoint, account, now):
                continue
            names = (self._seed, kind, name, endpoint, account, key or self._serial(kind, endpoint, account))
            if fraction("hit", *names) >= rule.rate:
                continue
            if rule.count is not None:
                rule.count -= 1
            rule.hit.add(account)
            self.injected[kind] += 1
            longest = rule.seconds if rule.seconds_max is None else rule.seconds_max
            seconds = rule.seconds + (longest - rule.seconds) * fraction("seconds", *names)
            return Hit(kind=kind, seconds=seconds, accepted=rule.accepted)
        return None

    def latency(self, endpoint: str, account: str, key: str) -> float:
        """Return the real seconds that a write call takes."""
        median, p99 = self.profile.latency
        return min(lognormal(median, p99, self._seed, "latency", endpoint, account, key), 2 * p99)

    def serial(self, endpoint: str, account: str) -> str:
        """Return a running number per endpoint and account, a key for requests without a name."""
        return self._serial("serial", endpoint, account)

    def _serial(self, kind: str, endpoint: str, account: str) -> str:
        self._serials[kind, endpoint, account] += 1
        return str(self._serials[kind, endpoint, account])
