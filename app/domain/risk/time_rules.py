"""Hold the entry rules that the clock decides; what it asks of a position: app/domain/time_bounds.py."""

from app.domain.risk.rules import Case, DenialCode, Refusal
from app.domain.time_bounds import FREE, TimeBounds


def before_square_off(case: Case) -> Refusal | None:
    """Refuse from when entries of this broker and product end; the market's session may last longer."""
    square_off = _bounds(case).square_off
    if square_off is None or case.now < square_off.entries_end_at:
        return None
    return case.refuse(
        DenialCode.SESSION_CLOSED,
        f"expected a time before {square_off.entries_end_at:%H:%M:%S}Z, got {case.now:%H:%M:%S}Z; "
        f"positions leave at {square_off.leave_at:%H:%M:%S}Z",
    )


def not_expiring(case: Case) -> Refusal | None:
    """Refuse a contract that expires today from a time on: it would be exercised, or settle at an average."""
    last = _bounds(case).last_day
    if last is None or case.now < last.times.entries_end_at:
        return None
    return case.refuse(
        DenialCode.EXPIRY_DAY,
        f"expected a time before {last.times.entries_end_at:%H:%M:%S}Z on its last day, "
        f"got {case.now:%H:%M:%S}Z; positions leave at {last.times.leave_at:%H:%M:%S}Z",
    )


def no_blackout(case: Case) -> Refusal | None:
    """Refuse in a window that covers the instrument and in its lead, or where one cannot be read."""
    faults = _bounds(case).faults
    if faults:
        return case.refuse(
            DenialCode.BLACKOUT, f"expected readable times and windows, got {'; '.join(faults)}"
        )
    spell = _bounds(case).spell_without_entries(case.now)
    if spell is None:
        return None
    return case.refuse(
        DenialCode.BLACKOUT,
        f"expected no blackout, got {spell.name!r} from {spell.starts_at:%Y-%m-%d %H:%M}Z to "
        f"{spell.ends_at:%Y-%m-%d %H:%M}Z, without entries since {spell.entries_end_at:%H:%M}Z",
    )


def _bounds(case: Case) -> TimeBounds:
    return case.state.bounds.get(case.intent.instrument_id, FREE)
