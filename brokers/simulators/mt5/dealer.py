"""Carry out trade requests: check them, then trade, place, change or remove."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from brokers.simulators.mt5 import checks
from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.checks import Moment
from brokers.simulators.mt5.executions import Executions
from brokers.simulators.mt5.hours import epoch, is_trading
from brokers.simulators.mt5.records import STOP_LIMIT_TYPES, Order
from brokers.simulators.mt5.trade_request import TradeRequest

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """A request with what the broker makes of it: who asked, the comment kept, whether it fills in parts.

    `ticket` is that of an order which the client was already told of; 0 takes the next one.
    """

    request: TradeRequest
    comment: str
    reason: int = mt5.ORDER_REASON_EXPERT
    in_parts: bool = False
    ticket: int = 0

    @property
    def is_expert(self) -> bool:
        """Return whether a program asked, not a person."""
        return self.reason == mt5.ORDER_REASON_EXPERT


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the trade server answers; price in points, volume in hundredths of a lot."""

    retcode: int
    deal: int = 0
    order: int = 0
    volume: int = 0
    price: int = 0


Action = Callable[[Moment, Instruction], Outcome]


def refused(retcode: int) -> Outcome:
    """Return a refusal."""
    return Outcome(retcode=retcode)


class Dealer:
    """Do what requests ask for, one at a time."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._actions: Mapping[int, Action] = {
            mt5.TRADE_ACTION_DEAL: self._deal,
            mt5.TRADE_ACTION_PENDING: self._place,
            mt5.TRADE_ACTION_SLTP: self._set_stops,
            mt5.TRADE_ACTION_MODIFY: self._modify,
            mt5.TRADE_ACTION_REMOVE: self._remove,
            mt5.TRADE_ACTION_CLOSE_BY: self._close_by,
        }

    def handle(self, moment: Moment, instruction: Instruction) -> Outcome:
        """Check a request and do it; a refusal changes nothing."""
        action = self._actions.get(instruction.request.action)
        if action is None:
            return refused(mt5.TRADE_RETCODE_INVALID)
        code = checks.check_permission(moment.book, expert=instruction.is_expert)
        outcome = refused(code) if code is not None else action(moment, instruction)
        if instruction.ticket and outcome.order == 0:
            order = self._new_order(moment, instruction, instruction.request.price)
            moment.book.finish_order(order, mt5.ORDER_STATE_REJECTED, self._executions.now_ms())
        return outcome

    def _new_order(self, moment: Moment, instruction: Instruction, price: int) -> Order:
        request = instruction.request
        return Order(
            ticket=instruction.ticket or self._executions.next_order(),
            symbol=request.symbol,
            type=request.type,
            volume=request.volume,
            left=request.volume,
            price=price,
            state=mt5.ORDER_STATE_PLACED,
            setup_ms=self._executions.now_ms(),
            filling=request.type_filling,
            stoplimit=request.stoplimit,
            sl=request.sl,
            tp=request.tp,
            time_type=request.type_time,
            expires_ms=_expires_ms(moment, request),
            magic=request.magic,
            position_id=request.position if moment.book.account.hedges else 0,
            reason=instruction.reason,
            comment=instruction.comment,
            sent_comment=request.comment,
            placed_real=time.time(),
        )

    def _deal(self, moment: Moment, instruction: Instruction) -> Outcome:
        request = instruction.request
        code = checks.check_deal(moment, request)
        if code is not None:
            return refused(code)
        price = moment.price(request.type)
        order = self._new_order(moment, instruction, price)
        volume = request.volume
        if instruction.in_parts and request.type_filling != mt5.ORDER_FILLING_FOK:
            volume = first_part(volume, moment.symbol.volume_step)
        left, deal = self._executions.fill(moment.book, order, volume, price)
        done = left.left == 0
        if not done and request.type_filling == mt5.ORDER_FILLING_IOC:
            moment.book.finish_order(left, mt5.ORDER_STATE_CANCELED, self._executions.now_ms())
        retcode = mt5.TRADE_RETCODE_DONE if done else mt5.TRADE_RETCODE_DONE_PARTIAL
        return Outcome(retcode=retcode, deal=deal.ticket, order=order.ticket, volume=volume, price=price)

    def _place(self, moment: Moment, instruction: Instruction) -> Outcome:
        request = instruction.request
        code = checks.check_pending(moment, request)
        if code is not None:
            return refused(code)
        order = self._new_order(moment, instruction, request.price)
        moment.book.put_order(order)
        return Outcome(
            retcode=mt5.TRADE_RETCODE_DONE, order=order.ticket, volume=order.volume, price=order.price
        )

    def _set_stops(self, moment: Moment, instruction: Instruction) -> Outcome:
        request, book = instruction.request, moment.book
        position = book.positions.get(request.position)
        if position is None and not request.position and not book.account.hedges:
            position = next(iter(book.of_symbol(request.symbol)), None)
        if position is None:
            return refused(mt5.TRADE_RETCODE_POSITION_CLOSED)
        code = checks.check_position_stops(moment, position, request)
        if code is not None:
            return refused(code)
        book.put_position(
            replace(position, sl=request.sl, tp=request.tp, updated_ms=self._executions.now_ms())
        )
        return Outcome(retcode=mt5.TRADE_RETCODE_DONE)

    def _modify(self, moment: Moment, instruction: Instruction) -> Outcome:
        request, book = instruction.request, moment.book
        order = book.orders.get(request.order)
        if order is None:
            return refused(mt5.TRADE_RETCODE_INVALID)
        if not is_trading(moment.now):
            return refused(mt5.TRADE_RETCODE_MARKET_CLOSED)
        wanted = replace(request, type=order.type, symbol=order.symbol)
        changed = replace(
            order,
            price=wanted.price,
            stoplimit=wanted.stoplimit if order.type in STOP_LIMIT_TYPES else 0,
            sl=wanted.sl,
            tp=wanted.tp,
            time_type=wanted.type_time,
            expires_ms=_expires_ms(moment, wanted),
        )
        if changed == order:
            return refused(mt5.TRADE_RETCODE_NO_CHANGES)
        if checks.is_frozen(moment, order.side, order.price):
            return refused(mt5.TRADE_RETCODE_FROZEN)
        code = checks.check_terms(moment, wanted)
        if code is not None:
            return refused(code)
        book.put_order(changed)
        return Outcome(
            retcode=mt5.TRADE_RETCODE_DONE, order=order.ticket, volume=order.left, price=changed.price
        )

    def _remove(self, moment: Moment, instruction: Instruction) -> Outcome:
        book = moment.book
        order = book.orders.get(instruction.request.order)
        if order is None:
            return refused(mt5.TRADE_RETCODE_INVALID)
        if not is_trading(moment.now):
            return refused(mt5.TRADE_RETCODE_MARKET_CLOSED)
        if checks.is_frozen(moment, order.side, order.price):
            return refused(mt5.TRADE_RETCODE_FROZEN)
        book.finish_order(order, mt5.ORDER_STATE_CANCELED, self._executions.now_ms())
        return Outcome(
            retcode=mt5.TRADE_RETCODE_DONE, order=order.ticket, volume=order.left, price=order.price
        )

    def _close_by(self, moment: Moment, instruction: Instruction) -> Outcome:
        request, book = instruction.request, moment.book
        if not book.account.hedges:
            return refused(mt5.TRADE_RETCODE_INVALID)
        position = book.positions.get(request.position)
        other = book.positions.get(request.position_by)
        if position is None or other is None:
            return refused(mt5.TRADE_RETCODE_POSITION_CLOSED)
        if position.symbol != other.symbol or position.side == other.side:
            return refused(mt5.TRADE_RETCODE_INVALID)
        if not is_trading(moment.now):
            return refused(mt5.TRADE_RETCODE_MARKET_CLOSED)
        named = replace(request, type=mt5.ORDER_TYPE_CLOSE_BY, symbol=position.symbol)
        order = replace(
            self._new_order(moment, replace(instruction, request=named), round(other.price)),
            position_by_id=other.identifier,
        )
        done = self._executions.close_by(book, position, other, order)
        return Outcome(
            retcode=mt5.TRADE_RETCODE_DONE, order=done.ticket, volume=done.volume, price=done.price
        )


def first_part(volume: int, step: int) -> int:
    """Return the part of a volume that is done first when an order fills in parts; all of one step."""
    return max(step, volume // 2 // step * step) if volume > step else volume


def _expires_ms(moment: Moment, request: TradeRequest) -> int:
    # Epoch milliseconds UTC; the request counts in the server's time of day. 0 never expires.
    if request.type_time == mt5.ORDER_TIME_GTC:
        return 0
    if request.type_time == mt5.ORDER_TIME_SPECIFIED:
        return (request.expiration - moment.offset_s) * 1000
    at = epoch(moment.now) + moment.offset_s
    if request.type_time == mt5.ORDER_TIME_SPECIFIED_DAY:
        at = request.expiration
    day_s = int(_DAY.total_seconds())
    return ((at // day_s + 1) * day_s - moment.offset_s) * 1000
