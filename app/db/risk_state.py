"""Load what the risk gate looks at, for many accounts in a few queries. Callers hold the transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.locks import lock_accounts
from app.db.loss_locks import locked_accounts
from app.db.lost_orders import lost_ids
from app.db.models import AccountRow, OrderRow, UserRow
from app.db.orders import OPEN_STATUSES
from app.db.risk_book import WatchedLeg, watched_legs
from app.domain.account_settings import AccountSettings
from app.domain.accounts import BrokerCode, TradingState, strictest
from app.domain.errors import InvalidInputError
from app.domain.ids import AccountId, ClientOrderId, DeploymentId, InstrumentId, SignalKey
from app.domain.markets import Currency, Money, market_of
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole, OrderStatus, OrderType, Side
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.state import LiveEntry, OpenPosition, Quote, RiskState
from app.domain.time_bounds import TimeBounds, TimeRules

NetPnls = Callable[[Session, Sequence[WatchedLeg]], Mapping[AccountId, Mapping[Currency, NetPnl]]]
"""Return what the accounts of these legs earned or lost by currency; one that is not named did neither."""
_ONE_SECOND = timedelta(seconds=1)
_STOP_TYPES = (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWindow:
    """Bound when entries may leave today; both None when there is no session.

    `rules` bound single groups of instruments further.
    """

    opens_at: datetime | None
    closes_at: datetime | None
    rules: TimeRules | None = None


def lock_risk_states(
    session: Session,
    account_ids: Sequence[AccountId],
    *,
    day: date,
    window: EntryWindow,
    quotes: Mapping[InstrumentId, Quote],
    net_pnls: NetPnls,
) -> dict[AccountId, RiskState]:
    """Lock the accounts, in id order, and return the state that their next order is judged by.

    The lock makes the gate's answer hold until the commit: two decisions of one account cannot both
    use the same room. The states are read after it: a kill switch holds the same locks, so what waited for
    one sees what it set.
    """
    lock_accounts(session, AccountRow.id.in_(account_ids))
    statement = (
        select(AccountRow.id, AccountRow.broker, AccountRow.trading_state, UserRow.trading_state)
        .join(UserRow, UserRow.id == AccountRow.user_id)
        .where(AccountRow.id.in_(account_ids))
    )
    states = session.execute(statement).all()
    orders = _orders(session, account_ids, day)  # before legs: a fill meanwhile counts twice, not never
    legs = watched_legs(session, day, AccountRow.id.in_(account_ids))
    pnls = net_pnls(session, legs)
    recent = _recent_entries(session, account_ids)
    lost = lost_ids(session, account_ids)
    locked = locked_accounts(session, account_ids, day)
    capitals = _capitals(session, account_ids)
    return {
        AccountId(account_id): _state(
            _state_under_lock(TradingState(account_state), is_locked=account_id in locked),
            TradingState(user_state),
            legs=[leg for leg in legs if leg.account_id == account_id],
            broker=BrokerCode(broker),
            pnls=pnls.get(AccountId(account_id), {}),
            orders=orders.get(account_id, []),
            recent=recent.get(account_id, 0),
            spent=lost.get(account_id, set()),
            window=window,
            quotes=quotes,
            capital=capitals.get(AccountId(account_id)),
            bounds=_bounds(window, BrokerCode(broker), quotes),
        )
        for account_id, broker, account_state, user_state in states
    }


def _bounds(
    window: EntryWindow, broker: BrokerCode, quotes: Mapping[InstrumentId, Quote]
) -> dict[InstrumentId, TimeBounds]:
    rules = window.rules
    return {} if rules is None else {i: rules.bounds_of(q.instrument, broker) for i, q in quotes.items()}


def _state_under_lock(state: TradingState, *, is_locked: bool) -> TradingState:
    return strictest(state, TradingState.REDUCING) if is_locked else state


def _orders(session: Session, account_ids: Sequence[AccountId], day: date) -> dict[int, list[OrderRow]]:
    found: dict[int, list[OrderRow]] = {}
    for order in session.scalars(
        select(OrderRow).where(OrderRow.account_id.in_(account_ids), OrderRow.day == day)
    ):
        found.setdefault(order.account_id, []).append(order)
    return found


def _recent_entries(session: Session, account_ids: Sequence[AccountId]) -> dict[int, int]:
    """Count entries recorded within the last real second."""
    statement = (
        select(OrderRow.account_id, func.count())
        .where(
            OrderRow.account_id.in_(account_ids),
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.denial_code.is_(None),
            OrderRow.created_at > func.clock_timestamp() - _ONE_SECOND,
        )
        .group_by(OrderRow.account_id)
    )
    return {account_id: count for account_id, count in session.execute(statement)}  # noqa: C416  rows


def _state(  # noqa: PLR0913  what one account is judged by
    account_state: TradingState,
    user_state: TradingState,
    *,
    legs: Sequence[WatchedLeg],
    broker: BrokerCode,
    pnls: Mapping[Currency, NetPnl],
    orders: Sequence[OrderRow],
    recent: int,
    spent: Collection[ClientOrderId],
    window: EntryWindow,
    quotes: Mapping[InstrumentId, Quote],
    capital: Money | None,
    bounds: Mapping[InstrumentId, TimeBounds],
) -> RiskState:
    live = [o for o in orders if o.status in OPEN_STATUSES]
    return RiskState(
        account_state=account_state,
        user_state=user_state,
        tenant_state=TradingState.ACTIVE,
        entries_open_at=window.opens_at,
        entries_close_at=window.closes_at,
        pnl=pnls.get(market_of(broker).currency, NetPnl()),
        pnls=pnls,
        entries_this_second=recent,
        quotes=quotes,
        live_entries=tuple(_live_entry(o) for o in live if o.role == OrderRole.ENTRY),
        positions=tuple(_position(leg, quotes) for leg in legs),
        known_ids=frozenset((*spent, *(ClientOrderId(o.client_order_id) for o in orders))),
        unknown_instruments=frozenset(InstrumentId(o.instrument_id) for o in live if o.is_unknown),
        entries_today=sum(o.role == OrderRole.ENTRY and o.denial_code is None for o in orders),
        live_exits=frozenset(
            (InstrumentId(o.instrument_id), Side(o.side)) for o in live if _may_trade_as_exit(o)
        ),
        capital=capital,
        bounds=bounds,
        holds_one_way=broker.holds_one_way,
    )


def _may_trade_as_exit(order: OrderRow) -> bool:
    is_waiting_stop = order.order_type in _STOP_TYPES and order.status != OrderStatus.TRIGGERED
    return order.role != OrderRole.ENTRY and not is_waiting_stop


def _capitals(session: Session, account_ids: Sequence[AccountId]) -> dict[AccountId, Money]:
    """Return what people say that their accounts have; a value that cannot be read counts as none."""
    statement = select(AccountRow.id, AccountRow.broker, AccountRow.settings).where(
        AccountRow.id.in_(account_ids)
    )
    found: dict[AccountId, Money] = {}
    for account_id, broker, settings in session.execute(statement):
        try:
            capital = AccountSettings.from_mapping(settings).capital
        except InvalidInputError:
            continue
        if capital is not None:
            currency = market_of(BrokerCode(broker)).currency
            found[AccountId(account_id)] = Money(amount=capital, currency=currency)
    return found


def _live_entry(order: OrderRow) -> LiveEntry:
    return LiveEntry(
        deployment_id=DeploymentId(order.deployment_id),
        signal_key=SignalKey(str(order.signal_id)),
        leg=order.leg,
        instrument_id=InstrumentId(order.instrument_id),
        side=Side(order.side),
        quantity=order.quantity,
        leaves_qty=order.quantity - order.filled_qty,
        price=order.price or ZERO,
    )


def _position(leg: WatchedLeg, quotes: Mapping[InstrumentId, Quote]) -> OpenPosition:
    instrument_id = InstrumentId(leg.instrument_id)
    quote = quotes.get(instrument_id)
    return OpenPosition(
        deployment_id=leg.deployment_id,
        instrument_id=instrument_id,
        net_qty=leg.net_qty,
        price=leg.entry_px if quote is None or quote.last is None else quote.last,
    )
