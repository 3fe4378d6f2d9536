"""Say what a difference between our book and the broker's means: pure, whatever came first.

Reports of our own orders are no differences: `services.execution` applies them, in any order and more
than once. Here is what remains: orders that the book does not show, trades that we did not send, and
positions that nothing explains.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.domain.ids import DeploymentId
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole
from app.domain.reports import PositionReport

CLEAN_MISSES_NEEDED: Final = 2
EXIT_PROOF_AFTER: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Show what a leg of ours holds in the instrument in question; negative is short."""

    deployment_id: DeploymentId
    net_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Give a part of a quantity that we did not trade to a leg of ours, or to nobody (None): quarantine.

    `quantity` is signed (buying is positive) and never zero.
    """

    deployment_id: DeploymentId | None
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDiff:
    """Find that a position differs: `ours` and `theirs` in units, negative is short."""

    broker_symbol: str
    ours: Decimal
    theirs: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Say for how long what differs may only be late, as fills are under way while books are read.

    `settles_in` is for stopping entries: our period. `late_by` is for limiting exits: how late this
    broker's books may be at the worst.
    """

    settles_in: timedelta
    late_by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Say what a clean read of the positions means, beside those before it.

    `asked` is when the read was asked for, `since` when the first of the reads in a row was that all showed
    these differences. Real ones stop the account's entries; where it `is_unsure`, one more read decides;
    no exit may close what the `proven` ones say is not there.
    """

    differences: tuple[PositionDiff, ...]
    asked: datetime
    since: datetime
    is_real: bool
    is_unsure: bool
    proven: tuple[PositionDiff, ...]


class Resolution(StrEnum):
    """Say what is proven about an order whose outcome was unknown."""

    FOUND = "FOUND"
    NOT_PLACED = "NOT_PLACED"
    WAIT = "WAIT"


def attribute(
    quantity: Decimal, holdings: Iterable[Holding], *, quarantined: Decimal = ZERO
) -> tuple[Share, ...]:
    """Say whose position was changed by a quantity that we did not trade.

    It closes first what strangers hold themselves, then our legs, the lowest deployment first; what is
    left over opens something and belongs to nobody of ours. Whichever leg bears it, what we hold and
    what is quarantined add up to the broker's book.

    Args:
        quantity: signed, buying is positive.
        holdings: all our legs of the account in the instrument, one for each deployment.
        quarantined: what strangers hold in it, as earlier shares without a deployment add up.

    Returns:
        Shares that add up to `quantity`; none turns a position round.
    """
    owners: list[tuple[DeploymentId | None, Decimal]] = [(None, quarantined)]
    owners += sorted((h.deployment_id, h.net_qty) for h in holdings)
    shares: list[Share] = []
    for deployment_id, held in owners:
        part = _closing(quantity, held)
        if part != 0:
            shares.append(Share(deployment_id=deployment_id, quantity=part))
            quantity -= part
    if quantity != 0:
        shares.append(Share(deployment_id=None, quantity=quantity))
    return tuple(shares)


def held_at_broker(net_qty: Decimal, *, missing_qty: Decimal) -> Decimal:
    """Return the part of a leg's signed quantity that the broker's book holds: all that exits may close."""
    held = max(abs(net_qty) - missing_qty, ZERO)
    return held if net_qty > 0 else -held


def compare_positions(
    ours: Mapping[str, Decimal], reports: Sequence[PositionReport]
) -> tuple[PositionDiff, ...]:
    """Return the symbols whose net quantity differs; several reports of one symbol add up."""
    theirs: dict[str, Decimal] = {}
    for report in reports:
        theirs[report.broker_symbol] = theirs.get(report.broker_symbol, ZERO) + report.net_qty
    return tuple(
        PositionDiff(broker_symbol=symbol, ours=ours.get(symbol, ZERO), theirs=theirs.get(symbol, ZERO))
        for symbol in sorted({*ours, *theirs})
        if ours.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    )


def weigh_differences(
    differences: tuple[PositionDiff, ...],
    *,
    before: Comparison | None,
    asked: datetime,
    last_fills: Mapping[str, datetime],
    patience: Patience,
) -> Comparison:
    """Weigh what one clean read shows.

    A difference is real when two reads in a row show it and no fill was booked lately in its contracts,
    or when it has lasted. It is proven where the last fill lies so far before both of these reads that
    even a late book must have shown it.

    Args:
        differences: what this read shows.
        before: the comparison before it, None for the first.
        asked: when this read was asked for; all times are the machine's.
        last_fills: when the last fill was booked by symbol.
        patience: what counts as lately.
    """
    is_repeated = before is not None and before.differences == differences
    since, first = (before.since, before.asked) if before is not None and is_repeated else (asked, asked)
    lately, late = asked - patience.settles_in, first - patience.late_by
    is_quiet = all(last_fills.get(d.broker_symbol, lately) <= lately for d in differences)
    is_real = bool(differences) and is_repeated and (is_quiet or since <= lately)
    return Comparison(
        differences=differences,
        asked=asked,
        since=since,
        is_real=is_real,
        is_unsure=bool(differences) and is_quiet and not is_real,
        proven=tuple(d for d in differences if is_real and last_fills.get(d.broker_symbol, late) <= late),
    )


def proof_after(role: OrderRole, *, late_by: timedelta, has_given_up: bool) -> timedelta:
    """Return how long after its sending an order's absence from clean reads counts as a proof.

    An entry waits for as long as the broker's books may be late: sent twice it would be exposure twice. While
    an exit waits its position may be bare, and an exit too many is withdrawn or undone once it shows. So a
    leg's first missing exit waits for less; only the first, or a broker that hangs would collect them.

    Args:
        role: of the missing order.
        late_by: how late this broker's books may be at the worst.
        has_given_up: whether an exit of the same leg was given up before.
    """
    is_hasty = role is not OrderRole.ENTRY and not has_given_up
    return min(late_by, EXIT_PROOF_AFTER) if is_hasty else late_by


def count_miss(clean_misses: int, *, sent_ago: timedelta, not_placed_after: timedelta) -> int:
    """Return the number of misses after one more clean read without the order.

    Venues place late: a miss before the deadline proves nothing and is not counted.
    """
    return clean_misses + 1 if sent_ago >= not_placed_after else clean_misses


def resolve_unknown(*, is_found: bool, clean_misses: int) -> Resolution:
    """Decide by evidence what became of an order with unknown outcome; age alone decides nothing (I3).

    Args:
        is_found: the order is in a book, by id or tag.
        clean_misses: clean reads after the deadline that did not show it, see `count_miss`.
    """
    if is_found:
        return Resolution.FOUND
    return Resolution.NOT_PLACED if clean_misses >= CLEAN_MISSES_NEEDED else Resolution.WAIT


def _closing(quantity: Decimal, held: Decimal) -> Decimal:
    """Return how much of a signed quantity closes a signed holding."""
    if quantity * held >= 0:
        return ZERO
    size = min(abs(quantity), abs(held))
    return size if quantity > 0 else -size
