"""Judge the entries of a day again by other limits: what would these have denied?

The account is rebuilt from its entries and fills, in the order of the platform's time. What the other
limits deny never happened here: its fills are dropped, and exits close no more than is left. Only rules
that limits decide are asked, and of these not those that need what is not recorded: the age of a price, the
account's funds, the marks of open positions and charges (so `daily_loss` sees ended trades only, before
charges), and a price other than the one that the strategy saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from app.domain.accounts import TradingState
from app.domain.ids import ClientOrderId, DeploymentId, InstrumentId, SignalKey
from app.domain.numbers import ZERO
from app.domain.orders import OrderIntent
from app.domain.risk import account_rules, rules, time_rules
from app.domain.risk.gate import ENTRY_RULES
from app.domain.risk.limits import RiskLimits
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import Case, DenialCode, EntryRule, Refusal
from app.domain.risk.state import LiveEntry, OpenPosition, Quote, RiskState
from app.domain.risk.trades import EndedTrade, OpenTrades, TradeFill

_NOT_REPLAYED: Final = frozenset(
    {
        rules.trading_state,
        rules.session_open,
        time_rules.before_square_off,
        time_rules.not_expiring,
        time_rules.no_blackout,
        rules.signal_fresh,
        rules.not_duplicate,
        account_rules.no_self_cross,
        account_rules.one_direction,
        rules.outcome_known,
        rules.data_fresh,
        account_rules.margin_covered,
    }
)
REPLAYED_RULES: Final[tuple[EntryRule, ...]] = tuple(r for r in ENTRY_RULES if r not in _NOT_REPLAYED)
"""The gate's rules that limits decide; of the others nothing is recorded that could be judged again."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEntry:
    """Show an entry order that was approved at `at` and was live until `ended_at`; platform time.

    `quote` has the price that its strategy saw; None where that or the contract is not recorded.
    `ended_at` is None while the order lives.
    """

    intent: OrderIntent
    quote: Quote | None
    at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Tell what other limits would have denied, out of how many entries; `unjudged` ones have no quote."""

    judged: int
    unjudged: int
    denied: tuple["PastDenial", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDenial:
    """Show an entry that would not have left, with when it did."""

    at: datetime
    intent: OrderIntent
    code: DenialCode
    message: str


def simulate(
    entries: Sequence[PastEntry], fills: Sequence[TradeFill], limits: Mapping[DeploymentId, RiskLimits]
) -> Simulation:
    """Judge the entries of one account again.

    Args:
        entries: those of its trading date that were approved, oldest first.
        fills: everything that its legs filled on that date, oldest first.
        limits: the other limits in force, by deployment.
    """
    account = _Account()
    denied: list[PastDenial] = []
    for event in _in_order(entries, fills):
        match event:
            case TradeFill():
                account.book(event)
            case PastEntry():
                account.end(event.intent)
            case _:
                denied += account.decide(event, limits[event[0].intent.deployment_id])
    judged = sum(entry.quote is not None for entry in entries)
    return Simulation(judged=judged, unjudged=len(entries) - judged, denied=tuple(denied))


_Event = tuple[PastEntry, ...] | TradeFill | PastEntry


def _in_order(entries: Sequence[PastEntry], fills: Sequence[TradeFill]) -> list[_Event]:
    """Return signals as they were decided, fills and the ends of entries, in the order of their time."""
    signals: dict[tuple[DeploymentId, SignalKey], list[PastEntry]] = {}
    for entry in entries:
        signals.setdefault((entry.intent.deployment_id, entry.intent.signal_key), []).append(entry)
    events: list[tuple[datetime, int, _Event]] = [(legs[0].at, 0, tuple(legs)) for legs in signals.values()]
    events += [(fill.at, 1, fill) for fill in fills]
    events += [(entry.ended_at, 2, entry) for entry in entries if entry.ended_at is not None]
    return [event for _, _, event in sorted(events, key=lambda item: item[:2])]


@dataclass(slots=True)
class _Account:
    """Rebuild one account of the day, without what the other limits deny."""

    live: dict[ClientOrderId, LiveEntry] = field(default_factory=dict)
    positions: dict[tuple[DeploymentId, InstrumentId], OpenPosition] = field(default_factory=dict)
    trades: OpenTrades = field(default_factory=OpenTrades)
    ended: list[EndedTrade] = field(default_factory=list)
    decided: list[datetime] = field(default_factory=list)
    dropped: set[ClientOrderId] = field(default_factory=set)

    def decide(self, signal: Sequence[PastEntry], limits: RiskLimits) -> list[PastDenial]:
        """Judge a signal as a whole, as the engine does: one leg alone would be a naked position."""
        state = self._state(signal)
        reserved: dict[ClientOrderId, LiveEntry] = {}
        for entry in signal:
            refusal = _refusal(entry, state, limits)
            if refusal is not None:
                self.dropped |= {one.intent.client_order_id for one in signal}
                return [_denied(one, refusal, by=entry) for one in signal]
            state = state.after(entry.intent)
            reserved[entry.intent.client_order_id] = state.live_entries[-1]
        self.live |= reserved
        self.decided += [entry.at for entry in signal]
        return []

    def end(self, intent: OrderIntent) -> None:
        """Let an entry be live no longer."""
        self.live.pop(intent.client_order_id, None)

    def book(self, fill: TradeFill) -> None:
        """Book what a fill did to what is held here."""
        key = (fill.deployment_id, fill.instrument_id)
        net_qty = self.positions[key].net_qty if key in self.positions else ZERO
        if fill.entry_id is None:
            quantity = min(fill.quantity, max(-net_qty * fill.side.sign, ZERO))
        else:
            quantity = ZERO if fill.entry_id in self.dropped else fill.quantity
        if quantity == 0:
            return
        if fill.entry_id is not None and fill.entry_id in self.live:
            live = self.live[fill.entry_id]
            self.live[fill.entry_id] = replace(live, leaves_qty=live.leaves_qty - quantity)
        self.positions[key] = OpenPosition(
            deployment_id=fill.deployment_id,
            instrument_id=fill.instrument_id,
            net_qty=net_qty + fill.side.sign * quantity,
            price=fill.price,
        )
        ended = self.trades.apply(replace(fill, quantity=quantity))
        self.ended += [] if ended is None else [ended]

    def _state(self, signal: Sequence[PastEntry]) -> RiskState:
        now = signal[0].at
        return RiskState(
            account_state=TradingState.ACTIVE,
            user_state=TradingState.ACTIVE,
            tenant_state=TradingState.ACTIVE,
            entries_open_at=None,
            entries_close_at=None,
            pnl=NetPnl(realized=sum((trade.pnl for trade in self.ended), ZERO)),
            entries_this_second=sum(at > now - _SECOND for at in self.decided),
            quotes={entry.intent.instrument_id: entry.quote for entry in signal if entry.quote is not None},
            live_entries=tuple(self.live.values()),
            positions=tuple(self.positions.values()),
            entries_today=len(self.decided),
            ended_trades=tuple(self.ended),
        )


def _refusal(entry: PastEntry, state: RiskState, limits: RiskLimits) -> Refusal | None:
    if entry.quote is None:
        return None
    case = Case(intent=entry.intent, state=state, limits=limits, now=entry.at)
    return next((refusal for rule in REPLAYED_RULES if (refusal := rule(case)) is not None), None)


def _denied(entry: PastEntry, refusal: Refusal, *, by: PastEntry) -> PastDenial:
    code, message = refusal.code, refusal.message
    if entry is not by:
        code, message = DenialCode.OTHER_LEG, f"{by.intent.instrument_id} was refused: {refusal.code}"
    return PastDenial(at=entry.at, intent=entry.intent, code=code, message=message)
