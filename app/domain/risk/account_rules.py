"""Hold the entry rules on what an account may trade and can pay, how much, how often, and how soon again."""

from datetime import timedelta

from app.domain.instruments import underlying_of
from app.domain.risk.limits import MarginCheck, is_named
from app.domain.risk.rules import Case, DenialCode, Refusal, seconds_of


def symbol_allowed(case: Case) -> Refusal | None:
    """Refuse what a list denies, and what any of the lists of allowed symbols does not name."""
    instrument_id, limits = case.intent.instrument_id, case.limits
    if is_named(instrument_id, limits.denied_symbols):
        listed = ", ".join(sorted(limits.denied_symbols))
        return case.refuse(DenialCode.SYMBOL, f"expected none of the denied {listed}")
    for allowed in limits.allowed_symbols:
        if not is_named(instrument_id, allowed):
            return case.refuse(DenialCode.SYMBOL, f"expected one of the allowed {', '.join(sorted(allowed))}")
    return None


def no_self_cross(case: Case) -> Refusal | None:
    """Refuse an entry opposite to an entry or exit of the account that may trade with it at the venue.

    Prices are not compared, because an order that rests may be moved after the market. A stop that was
    not hit is no such order: it cannot trade before the price comes to it.
    """
    intent = case.intent
    opposite = (intent.instrument_id, intent.side.opposite)
    entries = {(entry.instrument_id, entry.side) for entry in case.state.live_entries}
    if opposite not in entries | case.state.live_exits:
        return None
    return case.refuse(
        DenialCode.SELF_CROSS, f"expected no live {intent.side.opposite} order of the account, got one"
    )


def one_direction(case: Case) -> Refusal | None:
    """Refuse the opposite of what another deployment of the account holds, where both could not be left."""
    intent = case.intent
    if not case.state.holds_one_way:
        return None
    for held in case.state.positions:
        is_others = held.deployment_id != intent.deployment_id and held.instrument_id == intent.instrument_id
        if is_others and held.net_qty * intent.side.sign < 0:
            return case.refuse(
                DenialCode.OPPOSITE_POSITION,
                f"expected no opposite position in the account, deployment {held.deployment_id} "
                f"holds {held.net_qty:f}",
            )
    return None


def underlying_notional(case: Case) -> Refusal | None:
    """Refuse when the account would hold and reserve more on one underlying than the limit."""
    limit = case.limits.max_underlying_notional
    if limit is None:
        return None
    underlying = underlying_of(case.intent.instrument_id)
    held = ((p.instrument_id, p.notional) for p in case.state.positions)
    reserved = ((e.instrument_id, e.notional) for e in case.state.live_entries)
    total = case.notional + sum(worth for of, worth in (*held, *reserved) if underlying_of(of) == underlying)
    if total <= limit:
        return None
    return case.refuse(
        DenialCode.UNDERLYING_NOTIONAL, f"expected at most {limit:f} on {underlying}, got {total:f}"
    )


def margin_covered(case: Case) -> Refusal | None:
    """Refuse more than the account's funds cover, where the limits ask for it; no figure covers nothing."""
    limits, funds = case.limits, case.state.funds
    if limits.margin_check is MarginCheck.OFF:
        return None
    if funds is None:
        return case.refuse(
            DenialCode.MARGIN, "expected a figure of the account's funds, its broker told none"
        )
    if seconds_of(funds.age) > limits.funds_max_age_s:
        return case.refuse(
            DenialCode.MARGIN,
            f"expected funds told within {limits.funds_max_age_s:f} s, "
            f"got a figure of {funds.age.total_seconds():.0f} s ago",
        )
    need, left, currency = case.state.need_of(case.intent), funds.left, funds.available.currency
    if need is None or left is None:
        what = "this entry" if need is None else "the entries under way"
        return case.refuse(DenialCode.MARGIN, f"expected a need in {currency}, that of {what} is not known")
    if need <= left:
        return None
    return case.refuse(
        DenialCode.MARGIN, f"expected a need of at most {left:.2f} {currency} of funds, got {need:.2f}"
    )


def open_orders(case: Case) -> Refusal | None:
    """Refuse one live entry order too many."""
    limit, count = case.limits.max_open_orders, len(case.state.live_entries) + 1
    if limit is None or count <= limit:
        return None
    return case.refuse(DenialCode.OPEN_ORDERS, f"expected at most {limit} live entries, got {count}")


def orders_per_day(case: Case) -> Refusal | None:
    """Refuse more entry orders of the account on this trading date than the limit."""
    limit, count = case.limits.max_orders_per_day, case.state.entries_today + 1
    if limit is None or count <= limit:
        return None
    return case.refuse(DenialCode.ORDERS_PER_DAY, f"expected at most {limit} entries a day, got {count}")


def cooled_down(case: Case) -> Refusal | None:
    """Refuse an entry of a deployment for a while after a stop ended one of its trades."""
    limit = case.limits.cooldown_s
    stops = [
        trade.ended_at
        for trade in case.state.ended_trades
        if trade.is_stopped and trade.deployment_id == case.intent.deployment_id
    ]
    if limit is None or not stops:
        return None
    until = max(stops) + timedelta(seconds=float(limit))
    if case.now >= until:
        return None
    return case.refuse(
        DenialCode.COOLDOWN, f"expected a time from {until:%H:%M:%S}Z on, got {case.now:%H:%M:%S}Z"
    )
