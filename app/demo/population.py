"""Invent the people of a demo: users, accounts, credentials and what runs on them. Pure."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.demo.options import Breakage, DemoOptions

_DEAD_EGRESS = "203.0.113.{}"
"""Documentation addresses (RFC 5737): no machine has them, so binding fails as it would after a move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Put one strategy on an account."""

    name: str
    strategy: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user with one account; `breakage` says what is wrong with it on purpose."""

    user: str
    ucc: str
    egress: str
    known_egress: str
    """The address that the broker lets in."""
    credentials: Mapping[str, str]
    broker_totp_secret: str
    placements: Sequence[Placement]
    breakage: Breakage | None = None


def invent_people(options: DemoOptions, strategies: Sequence[str]) -> list[Person]:
    """Return the people of a demo, the same for the same options.

    A third of the accounts sells its straddle at the bell, the others at 9:20; every second account trades
    the opening range as well. The last accounts are the broken ones.

    Args:
        options: how many, and how many of them broken.
        strategies: of the module under test; each gets a user of its own beyond `options.accounts`.
    """
    breakages = list(_breakages(options))
    sound = options.accounts - len(breakages)
    people = []
    for number in range(1, options.accounts + 1):
        breakage = breakages[number - sound - 1] if number > sound else None
        people.append(_person(options.seed, number, _usual_placements(number), breakage))
    for offset, name in enumerate(strategies, start=1):
        placement = Placement(name="under-test", strategy=name, params={})
        people.append(_person(options.seed, options.accounts + offset, [placement], None))
    return people


def simulator_accounts(people: Sequence[Person]) -> list[dict[str, object]]:
    """Return the accounts as the simulated broker knows them."""
    return [
        {
            "ucc": person.ucc,
            "mobile": person.credentials["mobile_number"],
            "consumer_key": person.credentials["consumer_key"],
            "totp_secret": person.broker_totp_secret,
            "mpin": person.credentials["mpin"],
            "allowed_ips": [person.known_egress],
            "login_hang": person.breakage is Breakage.HUNG_LOGIN,
        }
        for person in people
    ]


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
        ucc=f"OB{number:03d}",
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
