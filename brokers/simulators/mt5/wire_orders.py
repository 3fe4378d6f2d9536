"""Answer order_send, order_check and the two calculators."""

from collections.abc import Mapping
from dataclasses import replace

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.calls import Call, Failed, Handler
from brokers.simulators.mt5.checks import Moment, check_deal, check_pending, check_permission
from brokers.simulators.mt5.dealer import Instruction, Outcome, refused
from brokers.simulators.mt5.faults import RETCODE_FAULTS
from brokers.simulators.mt5.minutes import POINTS_PER_UNIT
from brokers.simulators.mt5.records import BUY, PENDING_TYPES, SELL
from brokers.simulators.mt5.retcodes import words
from brokers.simulators.mt5.rows import Row, dollars, lots, money_row, units
from brokers.simulators.mt5.trade_request import TradeRequest, parse_request

ACTIONS: Mapping[object, str] = {
    mt5.TRADE_ACTION_DEAL: "deal",
    mt5.TRADE_ACTION_PENDING: "pending",
    mt5.TRADE_ACTION_SLTP: "sltp",
    mt5.TRADE_ACTION_MODIFY: "modify",
    mt5.TRADE_ACTION_REMOVE: "remove",
    mt5.TRADE_ACTION_CLOSE_BY: "close_by",
}
_REWRITTEN, _TRUNCATED = "cl#", 8


def parsed(call: Call) -> TradeRequest:
    """Return the request of a call; a symbol left out is that of the order or position. Raises: Failed."""
    raw = call.arguments.get("request")
    if not isinstance(raw, dict):
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    try:
        request = parse_request(raw)
    except ValueError as error:
        raise Failed(mt5.RES_E_INVALID_PARAMS) from error
    if request.symbol:
        return request
    book = call.book
    named = book.orders.get(request.order) or book.positions.get(request.position)
    return replace(request, symbol=named.symbol if named else "EURUSD")


def send_order(call: Call, endpoint: str = "order_send/", key: str = "") -> Row:
    """Do a trade request, or fail it as the trade server would; return an OrderSendResult."""
    account = call.book.account
    if account.api_disabled:
        raise Failed(mt5.RES_E_AUTO_TRADING_DISABLED)
    request = parsed(call)
    faults, login = call.sim.faults, call.login
    limit = account.requests_per_second
    per_second = faults.profile.requests_per_second if limit is None else limit
    if not call.sim.limiter.admits("order_send", login, per_second):
        return _result(call, request, refused(mt5.TRADE_RETCODE_TOO_MANY_REQUESTS))
    for kind, retcode in RETCODE_FAULTS.items():
        hit = faults.draw(kind, endpoint, login, key)
        if hit is not None:
            if hit.accepted and hit.seconds:
                call.sim.later(hit.seconds, lambda: _trade(call, request, endpoint, key))
            elif hit.accepted:
                _trade(call, request, endpoint, key)
            return _result(call, request, refused(retcode))
    if faults.draw("order_changed_by_fill", endpoint, login, key) and call.sim.fill_now(
        call.book, request.order
    ):
        return _result(call, request, refused(mt5.TRADE_RETCODE_ORDER_CHANGED))
    slow = faults.draw("slow_execution", endpoint, login, key)
    if slow is not None:
        makes_order = request.action in {mt5.TRADE_ACTION_DEAL, mt5.TRADE_ACTION_PENDING}
        ticket = call.sim.executions.next_order() if makes_order else 0
        call.sim.later(slow.seconds, lambda: _trade(call, request, endpoint, key, ticket=ticket))
        return _result(call, request, Outcome(retcode=mt5.TRADE_RETCODE_PLACED, order=ticket))
    outcome = _trade(call, request, endpoint, key)
    rejected = faults.draw("rejected_later", endpoint, login, key) if outcome.order else None
    if rejected is not None:
        call.sim.later(rejected.seconds, lambda: call.sim.reject(call.book, outcome.order))
    return _result(call, request, outcome)


def _trade(call: Call, request: TradeRequest, endpoint: str, key: str, *, ticket: int = 0) -> Outcome:
    faults, login = call.sim.faults, call.login
    comment = request.comment
    if faults.draw("comment_rewritten", endpoint, login, key):
        comment = f"{_REWRITTEN}{login}"
    if faults.draw("comment_truncated", endpoint, login, key):
        comment = comment[:_TRUNCATED]
    in_parts = endpoint.endswith("/deal") and faults.draw("partial_fill", endpoint, login, key) is not None
    instruction = Instruction(request=request, comment=comment, in_parts=in_parts, ticket=ticket)
    outcome = call.sim.carry_out(call.book, instruction, request.symbol)
    return refused(mt5.TRADE_RETCODE_INVALID) if outcome is None else outcome


def _result(call: Call, request: TradeRequest, outcome: Outcome) -> Row:
    quote = call.sim.quote()
    is_deal = request.action == mt5.TRADE_ACTION_DEAL
    shows_market = is_deal or outcome.retcode == mt5.TRADE_RETCODE_REQUOTE
    return {
        "retcode": outcome.retcode,
        "deal": outcome.deal,
        "order": outcome.order,
        "volume": lots(outcome.volume),
        "price": units(outcome.price),
        "bid": units(quote.bid) if shows_market else 0.0,
        "ask": units(quote.ask) if shows_market else 0.0,
        "comment": words(outcome.retcode),
        "request_id": call.sim.next_request_id(),
        "retcode_external": 0,
    }


def check_order(call: Call) -> Row:
    """Check a request without doing it; return an OrderCheckResult, retcode 0 for a good one."""
    request = parsed(call)
    moment = call.sim.moment(call.book, request.symbol)
    retcode = mt5.TRADE_RETCODE_INVALID if moment is None else _verdict(moment, request)
    row = money_row(call.book, call.sim.quote())
    row.pop("credit")
    if retcode == 0 and moment is not None and request.action == mt5.TRADE_ACTION_DEAL:
        price = moment.price(request.type)
        margin = call.book.margin() + call.book.needs(request.symbol, request.type, request.volume, price)
        equity = call.book.equity(moment.quote)
        row |= {"margin": dollars(margin), "margin_free": dollars(equity - margin)}
        row["margin_level"] = round(equity * 100 / margin, 2) if margin else 0.0
    return row | {"retcode": retcode, "comment": words(retcode) if retcode else "Done"}


def _verdict(moment: Moment, request: TradeRequest) -> int:
    code = check_permission(moment.book, expert=True)
    if code is None and request.action == mt5.TRADE_ACTION_DEAL:
        code = check_deal(moment, request)
    elif code is None and request.action == mt5.TRADE_ACTION_PENDING:
        code = check_pending(moment, request)
    return code or 0


def calculate_margin(call: Call) -> float:
    """Return the margin of a volume at a price, dollars."""
    if (
        call.number("action", -1) not in {BUY, SELL} | PENDING_TYPES
        or call.text("symbol") not in call.sim.symbols
    ):
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    volume, price = round(call.real("volume") * 100), round(call.real("price") * POINTS_PER_UNIT)
    return dollars(call.book.margin_of(volume, price))


def calculate_profit(call: Call) -> float:
    """Return the profit of a volume between two prices, dollars."""
    if call.number("action", -1) not in {BUY, SELL} or call.text("symbol") not in call.sim.symbols:
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    gain = round((call.real("price_close") - call.real("price_open")) * POINTS_PER_UNIT)
    sign = 1 if call.number("action") == BUY else -1
    return dollars(sign * gain * round(call.real("volume") * 100))


ORDER_HANDLERS: dict[str, Handler] = {
    "order_check": check_order,
    "order_calc_margin": calculate_margin,
    "order_calc_profit": calculate_profit,
}
