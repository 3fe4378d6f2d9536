"""An event of an account is booked once, however often and in whatever words it is told."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from app.domain.bookings import Booking
from app.domain.charges import Charge
from app.domain.markets import USD, Money

_SWAP = Booking(
    charge=Charge.SWAP,
    ref="deal 71",
    day=date(2019, 1, 4),
    instrument_id=None,
    deployment_id=None,
    taken=Money(amount=Decimal("1.25"), currency=USD),
    ts_event=datetime(2019, 1, 4, 22, tzinfo=UTC),
    is_estimated=False,
    formula="as the broker says",
)


def test_the_same_event_told_again_with_other_numbers_is_the_same_event() -> None:
    told_again = replace(_SWAP, taken=Money(amount=Decimal(2), currency=USD), is_estimated=True)
    assert told_again.event == _SWAP.event


def test_another_reference_or_another_charge_is_another_event() -> None:
    assert replace(_SWAP, ref="deal 72").event != _SWAP.event
    assert replace(_SWAP, charge=Charge.FUNDING).event != _SWAP.event
