"""Keep one account's orders, fills, tags and positions, and what margin they need."""

from dataclasses import dataclass, field

from brokers.simulators.kotak.contracts import LOT_SIZE, Contract
from brokers.simulators.kotak.orders import Fill, Order

MARGIN_PER_SHORT_LOT = 12_000_000  # paise: a flat figure for SPAN plus exposure


@dataclass(slots=True, kw_only=True)
class Position:
    """Day totals of one (contract, product): units and paise."""

    contract: Contract
    product: str
    bought: int = 0
    sold: int = 0
    buy_amount: int = 0
    sell_amount: int = 0
    stamp_ns: int = 0

    @property
    def net(self) -> int:
        """Return bought minus sold, units."""
        return self.bought - self.sold

    def add(self, fill: Fill) -> None:
        """Fold one fill in."""
        if fill.side == "B":
            self.bought += fill.qty
            self.buy_amount += fill.qty * fill.price
        else:
            self.sold += fill.qty
            self.sell_amount += fill.qty * fill.price
        self.stamp_ns = fill.stamp_ns


def fold_positions(fills: list[Fill]) -> list[Position]:
    """Return the positions that a list of fills adds up to, in order of first fill."""
    positions: dict[tuple[int, str], Position] = {}
    for fill in fills:
        key = (fill.contract.token, fill.product)
        if key not in positions:
            positions[key] = Position(contract=fill.contract, product=fill.product)
        positions[key].add(fill)
    return list(positions.values())


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Everything one account did today; cash in paise."""

    ucc: str
    cash: int
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)

    def positions(self, *, until_real: float | None = None) -> list[Position]:
        """Return the positions, or those of a moment ago, in monotonic seconds."""
        fills = self.fills
        if until_real is not None:
            fills = [fill for fill in fills if fill.real <= until_real]
        return fold_positions(fills)

    def net(self, token: int) -> int:
        """Return the net quantity of a contract over all products, units."""
        signed = (
            fill.qty if fill.side == "B" else -fill.qty for fill in self.fills if fill.contract.token == token
        )
        return sum(signed)

    def used_margin(self) -> int:
        """Return the margin of open shorts plus the premium paid for open longs, paise."""
        used = 0
        for position in self.positions():
            if position.net < 0:
                used += -position.net // LOT_SIZE * MARGIN_PER_SHORT_LOT
            elif position.net > 0:
                used += position.net * (position.buy_amount // position.bought)
        return used

    def pending_margin(self, *, without: str) -> int:
        """Return what the other working orders would need, paise."""
        others = [order for order in self.orders.values() if order.number != without and order.working]
        return sum(
            self.order_margin(order.contract, order.side, order.leaves, order.terms.price) for order in others
        )

    def order_margin(self, contract: Contract, side: str, qty: int, price: int) -> int:
        """Return what an order needs: nothing for the part that closes a position, paise."""
        net = self.net(contract.token)
        closing = max(0, -net if side == "B" else net)
        opening = max(0, qty - closing)
        if side == "S":
            return -(-opening // LOT_SIZE) * MARGIN_PER_SHORT_LOT
        return opening * price

    def lacks_margin(self, order: Order, price: int) -> str | None:
        """Return the rejection when cash does not cover the order at this price, None when it does."""
        needed = self.order_margin(order.contract, order.side, order.terms.qty, price)
        if needed == 0:
            return None
        free = self.cash - self.used_margin() - self.pending_margin(without=order.number)
        if needed <= free:
            return None
        return f"RMS:Margin Exceeds,Required:{needed / 100:.2f}, Available:{max(free, 0) / 100:.2f}"
