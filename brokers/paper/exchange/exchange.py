"""Take orders, changes and quotes, and keep every account's book by the rules."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderStatus, Side, TimeInForce
from brokers.paper.exchange.clock import Clock
from brokers.paper.exchange.market import Market
from brokers.paper.exchange.matching import Room, match, taking_price
from brokers.paper.exchange.orders import ZERO, Contract, Fill, Order, Quote, Terms
from brokers.paper.exchange.positions import Money, Position, cash_of, money, opening_quantity, with_fill
from brokers.paper.exchange.refusals import RefusedError, invalid
from brokers.paper.exchange.rules import Rules
from brokers.paper.exchange.store import AccountRow, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Ask for one order."""

    client_order_id: str
    contract: Contract
    side: Side
    terms: Terms
    reduces_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Tell an account's stream of an order's new state, and of the position when it was filled."""

    order: Order
    position: Position | None


class Exchange:
    """Run the rules inside the caller's transaction. One thread at a time.

    What happened is collected as news, to be told after the commit.
    """

    def __init__(self, store: Store, rules: Rules, clock: Clock) -> None:
        self._store, self._rules, self._clock = store, rules, clock
        self._market = Market(rules)
        self._news: list[News] = []

    def take_news(self) -> list[News]:
        """Return the news since the last call and forget it."""
        news, self._news = self._news, []
        return news

    def submit(self, account: AccountRow, ticket: Ticket) -> tuple[Order, bool]:
        """Return the new order, or the first one under this client order id and True.

        An order that the rules turn away is in the book as REJECTED, with the reason.
        """
        known = self._store.order_by_client_id(account.name, ticket.client_order_id)
        if known is not None:
            return known, True
        order = Order(
            number=0,
            account=account.name,
            client_order_id=ticket.client_order_id,
            contract=ticket.contract,
            side=ticket.side,
            terms=ticket.terms,
            reduces_only=ticket.reduces_only,
            status=OrderStatus.ACCEPTED,
            updated_at=self._clock.now(),
        )
        order = replace(order, number=self._store.add_order(order))
        return self._enter(account, order), False

    def modify(self, order: Order, terms: Terms) -> Order:
        """Give a working order new terms, as if it came in anew.

        Raises: RefusedError: it has ended, or is filled beyond the new quantity, or would bind too much.
        """
        _require_working(order)
        if terms.quantity <= order.filled:
            raise invalid(f"quantity: expected above the filled {order.filled}, got {terms.quantity}")
        changed = replace(order, terms=terms, is_triggered=False, is_resting=False)
        changed = replace(changed, status=changed.working_status())
        changed = self._bound(changed)
        lack = self._lack_of_money(self._account(order.account), changed)
        if lack is not None:
            raise RefusedError(422, "funds", lack)
        quote = self._market.fresh(order.contract.instrument_id, self._clock.now())
        if quote is None:
            return self._record(changed, None)
        return self._match(changed, quote)

    def cancel(self, order: Order) -> Order:
        """End a working order. Raises: RefusedError: it has ended."""
        _require_working(order)
        return self._record(order.ended(OrderStatus.CANCELED, "", ""), None)

    def reject(self, number: int, reason: str) -> Order:
        """Take a working order out as a venue's risk desk does. Raises: RefusedError: none such works."""
        order = self._store.order_of_anyone(number)
        if order is None:
            raise RefusedError(404, "not_found", f"no order {number}")
        _require_working(order)
        return self._record(order.ended(OrderStatus.REJECTED, "venue", reason), None)

    def take_quotes(self, quotes: Iterable[Quote]) -> int:
        """Match everything that works against new quotes; return how many of them were news."""
        taken = self._market.take(quotes)
        now = self._clock.now()
        for quote in taken:
            if self._market.fresh(quote.instrument_id, now) is None:
                continue
            for order in self._store.working(instrument_id=quote.instrument_id):
                self._match(order, quote, is_changed=False)
        return len(taken)

    def close_session(self, venue: str | None) -> int:
        """End the orders for the day of a venue, or of all; return how many."""
        ended = [
            order
            for order in self._store.working()
            if order.terms.time_in_force is TimeInForce.DAY and venue in (None, order.contract.venue)
        ]
        for order in ended:
            self._record(order.ended(OrderStatus.EXPIRED, "", "the session closed"), None)
        return len(ended)

    def money(self, account: AccountRow) -> Money:
        """Return what is free and what is bound."""
        return money(
            account.cash,
            self._store.positions(account.name),
            self._store.working_of(account.name),
            self._rules.margin_fraction,
        )

    def _enter(self, account: AccountRow, order: Order) -> Order:
        now = self._clock.now()
        quote = self._market.fresh(order.contract.instrument_id, now)
        if quote is None:
            why = self._market.lacks(order.contract.instrument_id, now)
            return self._record(order.ended(OrderStatus.REJECTED, "no_fresh_quote", why), None)
        order = self._bound(order)
        refusal = self._refusal(account, order)
        if refusal is not None:
            return self._record(order.ended(OrderStatus.REJECTED, *refusal), None)
        return self._match(order, quote)

    def _refusal(self, account: AccountRow, order: Order) -> tuple[str, str] | None:
        if order.contract.currency != account.currency:
            return "invalid", f"expected an instrument in {account.currency}, got {order.contract.currency}"
        closable = self._closable(order)
        if order.reduces_only and order.leaves > closable:
            return "invalid", f"reduces_only: expected at most {closable} units to close, got {order.leaves}"
        lack = self._lack_of_money(account, order)
        return None if lack is None else ("funds", lack)

    def _bound(self, order: Order) -> Order:
        """Return the order with the money that each of its units binds until it fills."""
        opening = opening_quantity(self._net(order), order.side, order.leaves)
        fraction = self._rules.margin_fraction[order.contract.kind]
        return replace(order, bound_px=self._price(order) * fraction * opening / order.leaves)

    def _price(self, order: Order) -> Decimal:
        """Return the price that an order is expected to trade at, at worst."""
        known = order.terms.price or order.terms.trigger_price
        if known is not None:
            return known
        quote = self._market.fresh(order.contract.instrument_id, self._clock.now())
        if quote is None:
            return order.amount / order.filled if order.filled else ZERO
        return taking_price(
            order.side,
            quote,
            slippage_ticks=self._rules.slippage_ticks,
            tick_size=order.contract.tick_size,
        )

    def _lack_of_money(self, account: AccountRow, order: Order) -> str | None:
        """Return what the account lacks for the order, None when it has enough."""
        others = [o for o in self._store.working_of(account.name) if o.number != order.number]
        if order.contract.kind is InstrumentKind.SPOT and order.side is Side.SELL:
            return self._lack_of_coins(order, others)
        if order.bound_px == 0:
            return None  # what only closes is never turned away for money
        held = self._store.positions(account.name)
        free = money(account.cash, held, others, self._rules.margin_fraction).available
        fees = self._rules.fees[account.currency]
        fee = fees.fee(order.side, order.leaves * self._price(order), is_first=order.filled == 0)
        needed = order.leaves * order.bound_px + fee
        if needed <= free:
            return None
        return f"expected at most {free:.2f} {account.currency} to be bound, the order needs {needed:.2f}"

    def _lack_of_coins(self, order: Order, others: Iterable[Order]) -> str | None:
        # What is bought outright can be sold only once; another working sale already holds it.
        of_same = [o for o in others if o.contract.instrument_id == order.contract.instrument_id]
        sold = sum((o.leaves for o in of_same if o.side is Side.SELL), ZERO)
        free = max(ZERO, self._net(order) - sold)
        if order.leaves <= free:
            return None
        return f"expected to sell at most the {free} {order.contract.symbol} held, got {order.leaves}"

    def _match(self, order: Order, quote: Quote, *, is_changed: bool = True) -> Order:
        room = Room(
            liquidity=self._market.liquidity(order),
            closable=self._closable(order) if order.reduces_only else ZERO,
            slippage_ticks=self._rules.slippage_ticks,
        )
        after, fill = match(order, quote, room)
        if after == order and not is_changed:
            return order
        return self._record(after, fill)

    def _record(self, order: Order, fill: Fill | None) -> Order:
        order = replace(order, version=self._store.next_sequence(order.account), updated_at=self._clock.now())
        self._store.put_order(order)
        position = None if fill is None else self._settle(order, fill)
        self._news.append(News(order=order, position=position))
        return order

    def _settle(self, order: Order, fill: Fill) -> Position:
        fees = self._rules.fees[order.contract.currency]
        fee = fees.fee(order.side, fill.value, is_first=order.filled == fill.quantity)
        self._store.add_fill(order, fill, fee)
        self._store.add_cash(order.account, cash_of(order.side, fill, fee))
        held = self._store.position(order.account, order.contract.instrument_id) or Position(
            instrument_id=order.contract.instrument_id, symbol=order.contract.symbol, kind=order.contract.kind
        )
        position = with_fill(held, order.side, fill)
        self._store.put_position(order.account, position, order.updated_at)
        self._market.spend(order, fill.quantity)
        return position

    def _net(self, order: Order) -> Decimal:
        held = self._store.position(order.account, order.contract.instrument_id)
        return ZERO if held is None else held.net

    def _closable(self, order: Order) -> Decimal:
        return max(ZERO, -self._net(order) * order.side.sign)

    def _account(self, name: str) -> AccountRow:
        account = self._store.account(name)
        if account is None:
            raise RefusedError(404, "not_found", f"no account {name}")
        return account


def _require_working(order: Order) -> None:
    if order.status.is_terminal:
        raise RefusedError(409, "already_done", f"order {order.number} has ended: {order.status}")
