"""Hold one small function per risk rule: it returns why an order may not leave, or None.

The entry rules bind entries only. Exits know one rule, `reduce_only`: no limit may ever stand
between a person and the way out (I7).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from app.domain.numbers import ZERO
from app.domain.orders import OrderIntent
from app.domain.risk.limits import RiskLimits
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.state import Quote, RiskState


class DenialCode(StrEnum):
    """Name every reason for which an order is refused before it leaves us."""

    TRADING_STATE = "TRADING_STATE"
    DEPLOYMENT_STATE = "DEPLOYMENT_STATE"
    SESSION_CLOSED = "SESSION_CLOSED"
    EXPIRY_DAY = "EXPIRY_DAY"
    BLACKOUT = "BLACKOUT"
    SIGNAL_EXPIRED = "SIGNAL_EXPIRED"
    DUPLICATE = "DUPLICATE"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"
    STALE_DATA = "STALE_DATA"
    QUANTITY = "QUANTITY"
    PRICE_BAND = "PRICE_BAND"
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    ACCOUNT_NOTIONAL = "ACCOUNT_NOTIONAL"
    UNDERLYING_NOTIONAL = "UNDERLYING_NOTIONAL"
    MARGIN = "MARGIN"
    OPEN_POSITIONS = "OPEN_POSITIONS"
    OPEN_ORDERS = "OPEN_ORDERS"
    ORDER_RATE = "ORDER_RATE"
    ORDERS_PER_DAY = "ORDERS_PER_DAY"
    SYMBOL = "SYMBOL"
    SELF_CROSS = "SELF_CROSS"
    OPPOSITE_POSITION = "OPPOSITE_POSITION"
    COOLDOWN = "COOLDOWN"
    STOP_GUARD = "STOP_GUARD"
    LOSING_TRADES = "LOSING_TRADES"
    TRADE_DRAWDOWN = "TRADE_DRAWDOWN"
    LOW_PROFIT = "LOW_PROFIT"
    DAILY_LOSS = "DAILY_LOSS"
    SIZING_INPUT = "SIZING_INPUT"
    BELOW_ONE_LOT = "BELOW_ONE_LOT"
    OTHER_LEG = "OTHER_LEG"
    HEDGE_NOT_FILLED = "HEDGE_NOT_FILLED"
    LEG_NOT_FILLED = "LEG_NOT_FILLED"
    REDUCE_ONLY = "REDUCE_ONLY"

    @property
    def remedy(self) -> str:
        """What a person can do about it."""
        return _REMEDIES[self]


WITHHELD = frozenset({DenialCode.HEDGE_NOT_FILLED, DenialCode.LEG_NOT_FILLED})
"""What the gate had approved and was not sent, because of what became of other orders."""
_REMEDIES = {
    DenialCode.TRADING_STATE: "Set the account, the user and the platform to ACTIVE to open positions again.",
    DenialCode.DEPLOYMENT_STATE: "Activate the deployment to open positions again.",
    DenialCode.SESSION_CLOSED: "Entries are possible from the bell until the square-off starts.",
    DenialCode.EXPIRY_DAY: "The contract expires today: enter the next expiry, or set its times anew.",
    DenialCode.BLACKOUT: "Entries are possible again after the window, or withdraw it: openbell blackouts.",
    DenialCode.SIGNAL_EXPIRED: "The wish came too late to be acted on; nothing was sent.",
    DenialCode.DUPLICATE: "The same order exists already; wait until it has ended.",
    DenialCode.UNKNOWN_OUTCOME: "The outcome of an earlier order in this instrument is being resolved.",
    DenialCode.STALE_DATA: "Check the price feed; entries go on with the next fresh price.",
    DenialCode.QUANTITY: "Lower the lots, raise max_lots, or check the day's contract terms.",
    DenialCode.PRICE_BAND: "Check the price feed; raise price_band_fraction only if the price is right.",
    DenialCode.ORDER_NOTIONAL: "Lower the lots of the deployment or raise max_order_notional.",
    DenialCode.ACCOUNT_NOTIONAL: "Close positions, lower the lots or raise max_account_notional.",
    DenialCode.UNDERLYING_NOTIONAL: "Close positions on this underlying or raise max_underlying_notional.",
    DenialCode.MARGIN: "Add funds, lower the lots, or correct the account's option_margin or leverage.",
    DenialCode.OPEN_POSITIONS: "Close positions or raise max_open_positions.",
    DenialCode.OPEN_ORDERS: "Wait until entries have filled or ended, or raise max_open_orders.",
    DenialCode.ORDER_RATE: "Spread the entries over more seconds; the venue takes 10 orders a second.",
    DenialCode.ORDERS_PER_DAY: "Entries are possible again tomorrow, or raise max_orders_per_day.",
    DenialCode.SYMBOL: "Change allowed_symbols or denied_symbols if this may be traded.",
    DenialCode.SELF_CROSS: "Wait until the account's opposite order has ended; it would trade with itself.",
    DenialCode.OPPOSITE_POSITION: "Close the position of the other deployment, or give each its own account.",
    DenialCode.COOLDOWN: "The deployment waits cooldown_s after its stop; exits go on.",
    DenialCode.STOP_GUARD: "The account pauses after max_stops stops; look at the strategy.",
    DenialCode.LOSING_TRADES: "The account pauses after max_losing_trades losses; look at the strategy.",
    DenialCode.TRADE_DRAWDOWN: "The account pauses after a fall of max_trade_drawdown; look at its trades.",
    DenialCode.LOW_PROFIT: "This instrument pauses after low_profit_trades trades that earned nothing.",
    DenialCode.DAILY_LOSS: "The loss limit of the day is reached; entries are possible again tomorrow.",
    DenialCode.SIZING_INPUT: "Set what the sizing model needs (capital, a stop), or another model.",
    DenialCode.BELOW_ONE_LOT: "The sizing model came to less than one lot; raise its number or the capital.",
    DenialCode.OTHER_LEG: "Another leg of the same signal was refused, so none of them was sent.",
    DenialCode.HEDGE_NOT_FILLED: "A hedge leg of the same signal was not filled, so this was not sent.",
    DenialCode.LEG_NOT_FILLED: "Another leg of the same signal was not filled, so this was not sent.",
    DenialCode.REDUCE_ONLY: "An exit may only close what is held; look at the position and its live exits.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Say why a rule refuses: what it expected and what came."""

    code: DenialCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Bring together what an entry is judged by."""

    intent: OrderIntent
    state: RiskState
    limits: RiskLimits
    now: datetime

    @property
    def quote(self) -> Quote | None:
        """What is known of the order's instrument."""
        return self.state.quotes.get(self.intent.instrument_id)

    @property
    def notional(self) -> Decimal:
        """Rupees of the order."""
        return self.intent.quantity * (self.state.price_of(self.intent) or ZERO)

    def refuse(self, code: DenialCode, message: str) -> Refusal:
        """Name the instrument in every refusal."""
        return Refusal(code=code, message=f"{self.intent.instrument_id}: {message}")


EntryRule = Callable[[Case], Refusal | None]


def trading_state(case: Case) -> Refusal | None:
    """Refuse unless the account, its user and the platform are ACTIVE."""
    state = case.state.trading_state
    if state.allows_entries:
        return None
    return case.refuse(DenialCode.TRADING_STATE, f"expected trading state ACTIVE, got {state}")


def session_open(case: Case) -> Refusal | None:
    """Refuse outside the time for entries; no session at all refuses too."""
    opens, closes = case.state.entries_open_at, case.state.entries_close_at
    if opens is not None and closes is not None and opens <= case.now < closes:
        return None
    window = "no session" if opens is None or closes is None else f"{opens:%H:%M:%S}-{closes:%H:%M:%S}Z"
    return case.refuse(
        DenialCode.SESSION_CLOSED, f"expected a time within {window}, got {case.now:%H:%M:%S}Z"
    )


def signal_fresh(case: Case) -> Refusal | None:
    """Refuse a wish at or after its `valid_until`, and an entry that has none (I12)."""
    limit = case.intent.valid_until
    if limit is not None and case.now < limit:
        return None
    until = "a validity" if limit is None else f"{limit:%H:%M:%S.%f}Z"
    return case.refuse(DenialCode.SIGNAL_EXPIRED, f"expected {until}, got {case.now:%H:%M:%S.%f}Z")


def not_duplicate(case: Case) -> Refusal | None:
    """Refuse a known client order id, and a second live entry of a deployment on one side.

    Slices of the same leg belong together and pass.
    """
    intent = case.intent
    if intent.client_order_id in case.state.known_ids:
        return case.refuse(DenialCode.DUPLICATE, f"the order {intent.client_order_id} exists already")
    for live in case.state.live_entries:
        is_same = (live.deployment_id, live.instrument_id, live.side) == (
            intent.deployment_id,
            intent.instrument_id,
            intent.side,
        )
        if is_same and (live.signal_key, live.leg) != (intent.signal_key, intent.leg):
            return case.refuse(
                DenialCode.DUPLICATE,
                f"expected no live {live.side} entry, got that of signal {live.signal_key}",
            )
    return None


def outcome_known(case: Case) -> Refusal | None:
    """Refuse while an order of the account in this instrument has no proven outcome (I3)."""
    if case.intent.instrument_id not in case.state.unknown_instruments:
        return None
    return case.refuse(
        DenialCode.UNKNOWN_OUTCOME, "expected every earlier outcome proven, got an unknown one"
    )


def data_fresh(case: Case) -> Refusal | None:
    """Refuse without a price, or with one that is older than the limit (I12)."""
    quote, limit = case.quote, case.limits.max_tick_age_s
    if quote is None or quote.last is None or quote.age is None:
        return case.refuse(DenialCode.STALE_DATA, f"expected a price within {limit} s, got none")
    if not is_outdated(quote, case.limits):
        return None
    return case.refuse(
        DenialCode.STALE_DATA,
        f"expected a price within {limit} s, got one of {quote.age.total_seconds():.1f} s ago",
    )


def is_outdated(quote: Quote, limits: RiskLimits) -> bool:
    """Whether there is a price and it is older than an entry may use."""
    return quote.age is not None and seconds_of(quote.age) > limits.max_tick_age_s


def seconds_of(span: timedelta) -> Decimal:
    """Return a span in seconds, exact to the microsecond."""
    return Decimal(span // timedelta(microseconds=1)) / 1_000_000


def quantity_allowed(case: Case) -> Refusal | None:
    """Refuse broken lots, more than the freeze quantity, and a leg with more lots than the limit."""
    intent, quote = case.intent, case.quote
    if quote is None:
        return case.refuse(DenialCode.QUANTITY, "expected an instrument of the day, got an unlisted one")
    lot, most = quote.instrument.lot_size, quote.instrument.max_order_qty
    if intent.quantity % lot != 0:
        return case.refuse(
            DenialCode.QUANTITY, f"expected a multiple of the lot {lot}, got {intent.quantity}"
        )
    if most is not None and intent.quantity > most:
        return case.refuse(
            DenialCode.QUANTITY, f"expected at most {most} in one order, got {intent.quantity}"
        )
    leg = (intent.deployment_id, intent.signal_key, intent.leg)
    slices = (e for e in case.state.live_entries if (e.deployment_id, e.signal_key, e.leg) == leg)
    lots = sum((e.quantity for e in slices), intent.quantity) / lot
    if lots > case.limits.max_lots:
        return case.refuse(DenialCode.QUANTITY, f"expected at most {case.limits.max_lots} lots, got {lots:f}")
    return None


def price_in_band(case: Case) -> Refusal | None:
    """Refuse a limit or trigger too far from the last price: somebody's finger or feed is wrong."""
    intent, limits, quote = case.intent, case.limits, case.quote
    if quote is None or quote.last is None:
        return case.refuse(DenialCode.PRICE_BAND, "expected a last price to compare with, got none")
    band = max(quote.last * limits.price_band_fraction, limits.price_band_floor)
    for price in (intent.price, intent.trigger_price):
        if price is not None and abs(price - quote.last) > band:
            return case.refuse(
                DenialCode.PRICE_BAND, f"expected a price within {band:f} of {quote.last:f}, got {price:f}"
            )
    return None


def order_notional(case: Case) -> Refusal | None:
    """Refuse an order that is worth more than the limit."""
    limit = case.limits.max_order_notional
    if case.notional <= limit:
        return None
    return case.refuse(DenialCode.ORDER_NOTIONAL, f"expected at most {limit:f} rupees, got {case.notional:f}")


def account_notional(case: Case) -> Refusal | None:
    """Refuse when the account would hold and reserve more than the limit."""
    limit, total = case.limits.max_account_notional, case.state.notional + case.notional
    if total <= limit:
        return None
    return case.refuse(
        DenialCode.ACCOUNT_NOTIONAL, f"expected at most {limit:f} rupees in the account, got {total:f}"
    )


def open_positions(case: Case) -> Refusal | None:
    """Refuse one instrument too many; adding to one that is held or being entered passes."""
    limit = case.limits.max_open_positions
    count = len(case.state.exposed_instruments | {case.intent.instrument_id})
    if count <= limit or case.intent.instrument_id in case.state.exposed_instruments:
        return None
    return case.refuse(DenialCode.OPEN_POSITIONS, f"expected at most {limit} instruments, got {count}")


def order_rate(case: Case) -> Refusal | None:
    """Refuse more entries in this second than the limit: a runaway strategy ends here."""
    limit, count = case.limits.max_entries_per_second, case.state.entries_this_second + 1
    if count <= limit:
        return None
    return case.refuse(DenialCode.ORDER_RATE, f"expected at most {limit} entries a second, got {count}")


def daily_loss(case: Case) -> Refusal | None:
    """Refuse once the account has lost its limit of the day, open positions and charges included."""
    judged = [("", case.limits.max_daily_loss, case.state.pnl)]
    for currency, limit in case.limits.daily_losses:
        judged.append((f" {currency}", limit, case.state.pnls.get(currency, NetPnl())))
    for unit, limit, pnl in judged:
        if pnl.net <= -limit:
            return case.refuse(
                DenialCode.DAILY_LOSS,
                f"expected a loss under {limit:f}{unit}, got {pnl.formula} = {pnl.net:f}{unit}",
            )
    return None


def reduce_only(intent: OrderIntent, state: RiskState) -> Refusal | None:
    """Refuse an exit that closes nothing, opens more, or closes more than is left to close."""
    position = state.position_of(intent.deployment_id, intent.instrument_id)
    net_qty = ZERO if position is None else position.net_qty
    left = ZERO if position is None else abs(net_qty) - position.exiting_qty
    if net_qty * intent.side.sign < 0 and intent.quantity <= left:
        return None
    return Refusal(
        code=DenialCode.REDUCE_ONLY,
        message=(
            f"{intent.instrument_id}: expected an exit of at most {max(left, ZERO):f} out of a position of "
            f"{net_qty:f}, got {intent.side} {intent.quantity:f}"
        ),
    )
