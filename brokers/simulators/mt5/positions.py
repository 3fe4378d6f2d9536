"""Fold an execution into positions, by the rules of netting and of hedging accounts."""

from dataclasses import dataclass, replace
from fractions import Fraction

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.records import Order, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A volume of an order done at a price; hundredths of a lot, points, virtual epoch milliseconds."""

    order: Order
    volume: int
    price: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an execution did: deal entry, the position it belongs to, and the realized profit, cents."""

    entry: int
    position_id: int
    profit: int = 0


def apply_execution(book: Book, done: Execution) -> Effect:
    """Change the book's positions by an execution and return what that was."""
    order = done.order
    if book.account.hedges:
        if order.position_id:
            return _close(book, book.positions[order.position_id], done)
        return _open(book, done)
    held = book.of_symbol(order.symbol)
    if not held:
        return _open(book, done)
    position = held[0]
    if position.side == order.side:
        return _add(book, position, done)
    if done.volume <= position.volume:
        return _close(book, position, done)
    return _reverse(book, position, done)


def _open(book: Book, done: Execution) -> Effect:
    order = done.order
    known = book.positions.get(order.ticket)  # from an earlier part of an order that fills in parts
    if known is not None:
        return _add(book, known, done)
    book.put_position(
        Position(
            ticket=order.ticket,
            identifier=order.ticket,
            symbol=order.symbol,
            side=order.side,
            volume=done.volume,
            price=Fraction(done.price),
            opened_ms=done.at_ms,
            updated_ms=done.at_ms,
            sl=order.sl,
            tp=order.tp,
            magic=order.magic,
            reason=order.reason,
            comment=order.comment,
        )
    )
    return Effect(entry=mt5.DEAL_ENTRY_IN, position_id=order.ticket)


def _add(book: Book, position: Position, done: Execution) -> Effect:
    total = position.volume + done.volume
    average = (position.price * position.volume + done.price * done.volume) / total
    changed = replace(
        position,
        volume=total,
        price=average,
        updated_ms=done.at_ms,
        sl=done.order.sl or position.sl,
        tp=done.order.tp or position.tp,
    )
    book.put_position(changed)
    return Effect(entry=mt5.DEAL_ENTRY_IN, position_id=position.identifier)


def _close(book: Book, position: Position, done: Execution) -> Effect:
    left = position.volume - done.volume
    book.put_position(replace(position, volume=left, updated_ms=done.at_ms))
    profit = position.profit_at(done.price, done.volume)
    return Effect(entry=mt5.DEAL_ENTRY_OUT, position_id=position.identifier, profit=profit)


def _reverse(book: Book, position: Position, done: Execution) -> Effect:
    order = done.order
    book.put_position(replace(position, volume=0))
    # A reversed position takes the ticket of the reversing order and keeps its identifier.
    turned = replace(
        position,
        ticket=order.ticket,
        side=order.side,
        volume=done.volume - position.volume,
        price=Fraction(done.price),
        updated_ms=done.at_ms,
        sl=order.sl,
        tp=order.tp,
        magic=order.magic,
        comment=order.comment,
    )
    book.put_position(turned)
    profit = position.profit_at(done.price, position.volume)
    return Effect(entry=mt5.DEAL_ENTRY_INOUT, position_id=position.identifier, profit=profit)
