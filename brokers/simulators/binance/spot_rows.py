"""Write spot orders, fills, balances and events as the wire does."""

from decimal import Decimal

from brokers.simulators.binance.ledger import Ledger, OrderList
from brokers.simulators.binance.orders import ZERO, Fill, Order, OrderState, Report
from brokers.simulators.binance.symbols import Row, eight


def order_row(order: Order, state: OrderState) -> Row:
    """Return one order as the order and the order lists show it."""
    return {
        "symbol": order.symbol,
        "orderId": order.number,
        "orderListId": order.list_number,
        "clientOrderId": order.client_id,
        "price": eight(state.price),
        "origQty": eight(state.qty),
        "executedQty": eight(state.filled),
        "cummulativeQuoteQty": eight(state.quote),
        "status": str(state.status),
        "timeInForce": order.tif,
        "type": order.kind,
        "side": order.side,
        "stopPrice": eight(order.stop),
        "icebergQty": eight(ZERO),
        "time": order.created_ms,
        "updateTime": state.updated_ms,
        "isWorking": state.working,
        "workingTime": order.working_since_ms,
        "origQuoteOrderQty": eight(order.quote_qty),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def placed_row(order: Order, kind: str) -> Row:
    """Return the reply to a placement: ACK, RESULT or FULL."""
    state = order.state
    row: Row = {
        "symbol": order.symbol,
        "orderId": order.number,
        "orderListId": order.list_number,
        "clientOrderId": order.client_id,
        "transactTime": state.updated_ms,
    }
    if kind == "ACK":
        return row
    row |= {
        "price": eight(state.price),
        "origQty": eight(state.qty),
        "executedQty": eight(state.filled),
        "origQuoteOrderQty": eight(order.quote_qty),
        "cummulativeQuoteQty": eight(state.quote),
        "status": str(state.status),
        "timeInForce": order.tif,
        "type": order.kind,
        "side": order.side,
        "workingTime": order.working_since_ms,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    if order.stop:
        row["stopPrice"] = eight(order.stop)
    if kind == "FULL":
        row["fills"] = [_part(fill) for fill in order.fills]
    return row


def _part(fill: Fill) -> Row:
    return {
        "price": eight(fill.price),
        "qty": eight(fill.qty),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "tradeId": fill.trade_id,
    }


def canceled_row(order: Order, request_id: str) -> Row:
    """Return the reply to a cancellation: its clientOrderId is the cancel request's own."""
    row = placed_row(order, "RESULT")
    row["clientOrderId"] = request_id
    return {"origClientOrderId": order.client_id} | row


def trade_row(fill: Fill, list_number: int) -> Row:
    """Return one fill as myTrades shows it."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.number,
        "orderListId": list_number,
        "price": eight(fill.price),
        "qty": eight(fill.qty),
        "quoteQty": eight(fill.price * fill.qty),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def list_row(pair: OrderList) -> Row:
    """Return an OCO pair without its orders' details."""
    return {
        "orderListId": pair.number,
        "contingencyType": "OCO",
        "listStatusType": "ALL_DONE" if pair.done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if pair.done else "EXECUTING",
        "listClientOrderId": pair.client_id,
        "transactionTime": pair.created_ms,
        "symbol": pair.symbol,
        "orders": [
            {"symbol": leg.symbol, "orderId": leg.number, "clientOrderId": leg.client_id} for leg in pair.legs
        ],
    }


def balance_rows(ledger: Ledger) -> list[Row]:
    """Return the balances as the account shows them."""
    locked = ledger.locked()
    return [
        {
            "asset": asset,
            "free": eight(total - locked.get(asset, ZERO)),
            "locked": eight(locked.get(asset, ZERO)),
        }
        for asset, total in sorted(ledger.balances.items())
    ]


def execution_report(report: Report, now_ms: int) -> Row:
    """Return the event of one thing that happened to an order.

    Source: binance-spot-api-docs, user-data-stream.md, "Order Update".
    """
    order, state, fill = report.order, report.order.state, report.fill
    canceled = report.execution == "CANCELED"
    execution = "REPLACED" if report.execution == "AMENDMENT" else report.execution
    row: Row = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": report.request_id if canceled and report.request_id else order.client_id,
        "S": order.side,
        "o": order.kind,
        "f": order.tif,
        "q": eight(state.qty),
        "p": eight(state.price),
        "P": eight(order.stop),
        "F": eight(ZERO),
        "g": order.list_number,
        "C": order.client_id if canceled and report.request_id else "",
        "x": execution,
        "X": str(state.status),
        "r": "NONE",
        "i": order.number,
        "z": eight(state.filled),
        "T": state.updated_ms,
        "v": 0,
        "I": order.number * 10 + len(order.states),
        "w": state.working and not order.done,
        "O": order.created_ms,
        "Z": eight(state.quote),
        "Q": eight(order.quote_qty),
        "V": "EXPIRE_MAKER",
    }
    if order.working_since_ms >= 0:
        row["W"] = order.working_since_ms
    return row | _executed(fill)


def _executed(fill: Fill | None) -> Row:
    return {
        "l": eight(fill.qty if fill else ZERO),
        "L": eight(fill.price if fill else ZERO),
        "n": eight(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "t": fill.trade_id if fill else -1,
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "Y": eight(fill.price * fill.qty if fill else ZERO),
    }


def account_position(ledger: Ledger, now_ms: int) -> Row:
    """Return the event that carries the balances after a change."""
    rows = [{"a": row["asset"], "f": row["free"], "l": row["locked"]} for row in balance_rows(ledger)]
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": rows}


def list_status(pair: OrderList, now_ms: int) -> Row:
    """Return the event of an OCO pair."""
    return {
        "e": "listStatus",
        "E": now_ms,
        "s": pair.symbol,
        "g": pair.number,
        "c": "OCO",
        "l": "ALL_DONE" if pair.done else "EXEC_STARTED",
        "L": "ALL_DONE" if pair.done else "EXECUTING",
        "r": "NONE",
        "C": pair.client_id,
        "T": now_ms,
        "O": [{"s": leg.symbol, "i": leg.number, "c": leg.client_id} for leg in pair.legs],
    }


def account_row(ledger: Ledger, now_ms: int, *, can_trade: bool) -> Row:
    """Return the account with all balances."""
    rate = eight(Decimal("0.001"))
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": rate, "taker": rate, "buyer": eight(ZERO), "seller": eight(ZERO)},
        "canTrade": can_trade,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": balance_rows(ledger),
        "permissions": ["SPOT"],
        "uid": 354937868,
    }
