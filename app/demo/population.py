"""Invent the people of a demo: users, accounts, credentials and what runs on them."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from app.demo.fault_cases import AT_LOGIN
from app.demo.fault_schedule import INSTRUMENTS, FaultWindow, first_trade_after_s
from app.demo.options import Breakage, DemoOptions
from app.domain.accounts import BrokerCode
from app.domain.calendar_rules import TradingSession
from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.infra.stack import free_port

# A demo's day is seven hours long: averages and ranges are shorter than on a whole day.
_QUICK_CROSS: Mapping[str, object] = {
    "fast": 3,
    "slow": 8,
    "adx_period": 5,
    "min_adx": "10",
    "atr_period": 5,
}
_MORNING_RANGE: Mapping[str, object] = {"range_from": "04:00", "min_range_pips": "5", "lots": 10}
# The default limits count in option lots; a lot of bitcoin is a thousandth.
_SMALL_LOTS: Mapping[str, object] = {"max_lots": 2000}
_DEAD_EGRESS = "203.0.113.{}"
"""Documentation addresses (RFC 5737): no machine has them, so binding fails as it would after a move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Put one strategy on an account."""

    name: str
    strategy: str
    params: Mapping[str, object]
    limits: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user with one account; `breakage` says what is wrong with it on purpose."""

    user: str
    broker: BrokerCode
    client: str
    """The name of the account in the simulated broker's books."""
    egress: str
    known_egress: str
    """The address that the broker lets in."""
    credentials: Mapping[str, str]
    placements: Sequence[Placement]
    breakage: Breakage | None = None
    max_daily_loss: Decimal | None = None
    """Loss of the day at which the account is closed and locked."""
    broker_totp_secret: str = ""
    """What the broker believes the TOTP seed to be."""


def invent_people(options: DemoOptions, strategies: Sequence[str]) -> list[Person]:
    """Return the people of a demo, the same for the same options.

    A third of the accounts sells its straddle at the bell, the others at 9:20; every second account trades
    the opening range as well. The last accounts are the broken ones.

    Args:
        options: how many, and how many of them broken.
        strategies: of the module under test; each gets a user of its own beyond `options.accounts`.
    """
    breakages = list(_breakages(options))
    people = list(_elsewhere(options))
    accounts = options.accounts - len(people)
    sound = accounts - len(breakages)
    for number in range(1, accounts + 1):
        breakage = breakages[number - sound - 1] if number > sound else None
        people.append(_person(options.seed, number, _usual_placements(number), breakage))
    for offset, name in enumerate(strategies, start=1):
        placement = Placement(name="under-test", strategy=name, params={})
        people.append(_person(options.seed, options.accounts + offset, [placement], None))
    return _with_loss_limits(people, options.loss_limits)


def _with_loss_limits(people: Sequence[Person], limits: Mapping[str, Decimal]) -> list[Person]:
    if unknown := sorted(limits.keys() - {person.user for person in people}):
        raise InvalidInputError(f"--loss-limit: expected users of this demo, got {', '.join(unknown)}")
    return [replace(person, max_daily_loss=limits.get(person.user)) for person in people]


def trading_by_the_clock(
    people: Sequence[Person], faults: Sequence[FaultWindow], sessions: Mapping[Venue, TradingSession]
) -> list[Person]:
    """Return the same people, each with trades of its own in the window of each fault."""
    found = []
    for person in people:
        venue = next(venue for venue in sessions if person.broker in MARKETS[venue].brokers)
        trading = (window for window in faults if window.case is not AT_LOGIN)
        placements = [_timed(window, venue, sessions[venue]) for window in trading]
        found.append(replace(person, placements=placements))
    return found


def _timed(window: FaultWindow, venue: Venue, session: TradingSession) -> Placement:
    return Placement(
        name=window.case.name,
        strategy="timed_trades",
        params={
            "instrument": INSTRUMENTS[venue],
            "first_after_s": first_trade_after_s(window, session),
            "lots": 1 if venue is Venue.NSE else 10,
        },
        limits=_SMALL_LOTS,
    )


def _elsewhere(options: DemoOptions) -> Iterator[Person]:
    traders = {Venue.BINANCE: _coin_trader, Venue.MT5: _forex_trader}
    for venue, count in options.elsewhere.items():
        yield from (traders[venue](options.seed, number) for number in range(1, count + 1))


def _coin_trader(seed: int, number: int) -> Person:
    address = f"127.1.{1 + number // 250}.{1 + number % 250}"
    placement = Placement(name="ema-cross", strategy="ema_cross", params=_QUICK_CROSS, limits=_SMALL_LOTS)
    return Person(
        user=f"b{number:03d}",
        broker=BrokerCode.BINANCE_FUTURES,
        client=f"bn{number:03d}",
        egress=address,
        known_egress=address,
        credentials={
            "api_key": _secret(seed, number, "binance key"),
            "api_secret": _secret(seed, number, "binance secret"),
        },
        placements=(placement,),
    )


def _forex_trader(seed: int, number: int) -> Person:
    address = f"127.2.0.{number}"
    placement = Placement(name="london", strategy="london_breakout", params=_MORNING_RANGE)
    return Person(
        user=f"m{number:03d}",
        broker=BrokerCode.MT5,
        client=f"{500_000 + number}",
        egress=address,
        known_egress=address,
        credentials={
            "login": f"{500_000 + number}",
            "password": _secret(seed, number, "mt5 password")[:12],
            "server": "Openbell-Demo",
            "agent_url": f"http://127.0.0.1:{free_port()}",
            "agent_token": _secret(seed, number, "mt5 token"),
        },
        placements=(placement,),
    )


def _breakages(options: DemoOptions) -> Iterator[Breakage]:
    for breakage in Breakage:
        yield from [breakage] * options.broken.get(breakage, 0)


def _usual_placements(number: int) -> list[Placement]:
    is_at_bell = number % 3 == 1
    placements = [
        Placement(
            name="bell-straddle" if is_at_bell else "straddle",
            strategy="short_straddle",
            # A few give their straddle more room: some of their legs live until the square-off.
            params={
                "entry_offset_s": 0 if is_at_bell else 300,
                "stop_fraction": "0.35" if number % 4 == 0 else "0.25",
            },
        )
    ]
    if number % 2 == 0:
        placements.append(Placement(name="breakout", strategy="opening_range", params={}))
    return placements


def _person(seed: int, number: int, placements: Sequence[Placement], breakage: Breakage | None) -> Person:
    # 127.0.0.1 is the simulator's own; each account leaves by an address of its own (SEBI's static IP).
    address = f"127.0.{1 + number // 250}.{1 + number % 250}"
    secret = _secret(seed, number, "totp")
    return Person(
        user=f"u{number:03d}",
        broker=BrokerCode.KOTAK_NEO,
        client=f"OB{number:03d}",
        egress=_DEAD_EGRESS.format(number % 250) if breakage is Breakage.DEAD_EGRESS else address,
        known_egress=address,
        credentials={
            "mobile_number": f"+9190000{number:05d}",
            "ucc": f"OB{number:03d}",
            "consumer_key": f"demo-key-{number:03d}-{_secret(seed, number, 'key')[:8].lower()}",
            "totp_secret": _secret(seed, number, "old phone") if breakage is Breakage.BAD_TOTP else secret,
            "mpin": f"{100000 + number}",
        },
        broker_totp_secret=secret,
        placements=tuple(placements),
        breakage=breakage,
    )


def _secret(seed: int, number: int, purpose: str) -> str:
    digest = hashlib.sha256(f"{seed}|{number}|{purpose}".encode()).digest()
    return base64.b32encode(digest[:20]).decode()
