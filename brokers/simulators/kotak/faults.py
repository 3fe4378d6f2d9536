"""Decide, seeded, which fault hits which request; count every one injected."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from brokers.simulators.kotak.catalog import ENDPOINTS, GROUPS, KINDS
from brokers.simulators.kotak.draw import fraction, lognormal
from brokers.simulators.kotak.profiles import PROFILES


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault: how often it hits which endpoint and account, when, and how hard.

    `seconds` and `seconds_max` bound the delay that the fault draws, real seconds. `begins` and `ends` are
    virtual. `count` is how many hits are left, None for no limit; `once_per_ucc` limits each account to one.
    `endpoint` may name a group. `code`, `status` and `after` are for the kinds that say so in the catalog.
    """

    kind: str
    rate: float = 1.0
    endpoint: str | None = None
    ucc: frozenset[str] | None = None
    count: int | None = None
    once_per_ucc: bool = False
    begins: datetime | None = None
    ends: datetime | None = None
    seconds: float = 0.0
    seconds_max: float | None = None
    accepted: bool = False
    code: int | None = None
    status: int | None = None
    after: int = 20
    hit: set[str] = field(default_factory=set)

    def covers(self, endpoint: str, ucc: str, now: datetime) -> bool:
        """Return whether the rule may hit this request at this virtual instant."""
        return (
            (self.endpoint in (None, endpoint) or endpoint in GROUPS.get(self.endpoint or "", ()))
            and (self.ucc is None or ucc in self.ucc)
            and (self.count is None or self.count > 0)
            and not (self.once_per_ucc and ucc in self.hit)
            and (self.begins is None or now >= self.begins)
            and (self.ends is None or now < self.ends)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault that was drawn: do it now, with this delay in real seconds."""

    kind: str
    seconds: float
    accepted: bool
    code: int | None = None
    status: int | None = None


def parse_rule(raw: Mapping[str, object]) -> Rule:
    """Build a rule from JSON; `from` and `to` are ISO 8601, `ucc` a list.

    Raises: ValueError naming the unknown kind or field.
    """
    values = {{"from": "begins", "to": "ends"}.get(name, name): value for name, value in raw.items()}
    known = {item.name for item in fields(Rule)} - {"hit"}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise ValueError(f"unknown fault fields {unknown}; known are {sorted(known)}")
    if values.get("kind") not in KINDS:
        raise ValueError(f"unknown fault kind {values.get('kind')!r}; known are {sorted(KINDS)}")
    if values.get("endpoint") not in (None, *ENDPOINTS, *GROUPS):
        known_places = sorted(ENDPOINTS | GROUPS.keys())
        raise ValueError(f"unknown endpoint {values['endpoint']!r}; known are {known_places}")
    for name in ("begins", "ends"):
        if isinstance(values.get(name), str):
            values[name] = datetime.fromisoformat(str(values[name]))
    if values.get("ucc") is not None:
        values["ucc"] = frozenset(values["ucc"])  # type: ignore[call-overload]  # a JSON list
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

    def set_extra(self, raw: Iterable[Mapping[str, object]]) -> None:
        """Replace the rules given at run time."""
        self.extra = [parse_rule(item) for item in raw]
        self._index()

    def draw(
        self, kind: str, endpoint: str, ucc: str, key: str | None = None, *, burst: int | None = None
    ) -> Hit | None:
        """Return the hit if this fault strikes now; a key makes the draw independent of arrival order.

        `burst` is the number of the request in its burst, for the fault that counts them.
        """
        rules = self._by_kind.get(kind)
        if not rules:
            return None
        now = self._now()
        for name, rule in rules:
            if not rule.covers(endpoint, ucc, now) or (burst is not None and burst <= rule.after):
                continue
            names = (self._seed, kind, name, endpoint, ucc, key or self._serial(kind, endpoint, ucc))
            if fraction("hit", *names) >= rule.rate:
                continue
            if rule.count is not None:
                rule.count -= 1
            rule.hit.add(ucc)
            self.injected[kind] += 1
            longest = rule.seconds if rule.seconds_max is None else rule.seconds_max
            seconds = rule.seconds + (longest - rule.seconds) * fraction("seconds", *names)
            return Hit(
                kind=kind,
                seconds=seconds,
                accepted=rule.accepted,
                code=rule.code,
                status=rule.status,
            )
        return None

    def latency(self, endpoint: str, ucc: str, key: str) -> float:
        """Return the real seconds that a write call takes."""
        median, p99 = self.profile.latency
        return min(lognormal(median, p99, self._seed, "latency", endpoint, ucc, key), 2 * p99)

    def serial(self, endpoint: str, ucc: str) -> str:
        """Return a running number per endpoint and account, a key for requests without a name."""
        return self._serial("serial", endpoint, ucc)

    def _serial(self, kind: str, endpoint: str, ucc: str) -> str:
        self._serials[kind, endpoint, ucc] += 1
        return str(self._serials[kind, endpoint, ucc])
