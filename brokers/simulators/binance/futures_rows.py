"""Write futures orders, fills, positions and events as the wire does."""

from decimal import Decimal

from brokers.simulators.binance.ledger import Funding, Ledger, Position
from brokers.simulators.binance.orders import ZERO, AlgoOrder, Fill, Order, OrderState, Report
from brokers.simulators.binance.symbols import QUOTE, Row, eight


def px(number: Decimal) -> str:
    """Return a price with two decimals."""
    return f"{number:.2f}"


def size(number: Decimal) -> str:
    """Return a quantity with three decimals."""
    return f"{number:.3f}"


def order_row(order: Order, state: OrderState) -> Row:
    """Return one order as the order, the lists and a RESULT reply show it."""
    row: Row = {
        "orderId": order.number,
        "symbol": order.symbol,
        "status": str(state.status),
        "clientOrderId": order.client_id,
        "price": px(state.price),
        "avgPrice": px(state.average),
        "origQty": size(state.qty),
        "executedQty": size(state.filled),
        "cumQty": size(state.filled),
        "cumQuote": f"{state.quote:.5f}",
        "timeInForce": order.tif,
        "type": order.kind,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": px(order.stop),
        "workingType": order.working_type,
        "priceProtect": False,
        "origType": order.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": order.good_till_ms,
        "updateTime": state.updated_ms,
    }
    return row


def listed_row(order: Order, state: OrderState) -> Row:
    """Return one order of a query: without cumQty, with its time of placement."""
    row = order_row(order, state) | {"time": order.created_ms}
    del row["cumQty"]
    return row


def acknowledged_row(order: Order) -> Row:
    """Return the ACK reply: whatever happened since, the order is shown as new."""
    return order_row(order, order.states[0])


def trade_row(fill: Fill) -> Row:
    """Return one fill as userTrades shows it."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.number,
        "side": fill.side,
        "price": px(fill.price),
        "qty": size(fill.qty),
        "realizedPnl": eight(fill.realized),
        "quoteQty": f"{fill.price * fill.qty:.5f}",
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "positionSide": "BOTH",
        "buyer": fill.side == "BUY",
        "maker": fill.maker,
    }


def income_row(funding: Funding) -> Row:
    """Return one funding as the income history shows it."""
    return {
        "symbol": funding.symbol,
        "incomeType": "FUNDING_FEE",
        "income": eight(funding.income),
        "asset": QUOTE,
        "time": funding.at_ms,
        "info": "FUNDING_FEE",
        "tranId": funding.number,
        "tradeId": "",
    }


def algo_row(algo: AlgoOrder) -> Row:
    """Return one algo order."""
    order = algo.order
    return {
        "algoId": algo.number,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.kind,
        "symbol": algo.symbol,
        "side": algo.side,
        "positionSide": algo.position_side,
        "timeInForce": algo.tif,
        "quantity": size(algo.qty),
        "algoStatus": algo.status,
        "actualOrderId": "" if order is None else str(order.number),
        "actualPrice": f"{order.state.average if order else ZERO:.5f}",
        "triggerPrice": px(algo.trigger),
        "price": px(algo.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": algo.working_type,
        "priceMatch": "NONE",
        "closePosition": algo.close_position,
        "priceProtect": False,
        "reduceOnly": algo.reduce_only,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": 0,
    }


def algo_update(algo: AlgoOrder, now_ms: int) -> Row:
    """Return the event of an algo order.

    Source: Binance's derivatives change log of November 2025; not seen on the wire.
    """
    order = algo.order
    return {
        "e": "ALGO_UPDATE",
        "T": algo.updated_ms,
        "E": now_ms,
        "o": {
            "caid": algo.client_id,
            "aid": algo.number,
            "at": "CONDITIONAL",
            "o": algo.kind,
            "s": algo.symbol,
            "S": algo.side,
            "ps": algo.position_side,
            "f": algo.tif,
            "q": size(algo.qty),
            "X": algo.status,
            "ai": "" if order is None else str(order.number),
            "ap": f"{order.state.average if order else ZERO:.5f}",
            "aq": f"{order.state.filled if order else ZERO:.5f}",
            "act": "" if order is None else order.kind,
            "tp": px(algo.trigger),
            "p": px(algo.price),
            "V": "EXPIRE_MAKER",
            "wt": algo.working_type,
            "pm": "NONE",
            "cp": algo.close_position,
            "pP": False,
            "R": algo.reduce_only,
            "tt": algo.triggered_ms,
            "gtd": 0,
            "rm": algo.reason,
        },
    }


def order_update(report: Report, now_ms: int) -> Row:
    """Return the event of one thing that happened to an order.

    Source: Binance's derivatives documentation, "Event: Order Update"; fields as in the broker reference 2.9.
    """
    order, state, fill = report.order, report.order.state, report.fill
    body: Row = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.kind,
        "f": order.tif,
        "q": size(state.qty),
        "p": px(state.price),
        "ap": px(state.average),
        "sp": px(order.stop),
        "x": report.execution,
        "X": str(state.status),
        "i": order.number,
        "l": size(fill.qty if fill else ZERO),
        "z": size(state.filled),
        "L": px(fill.price if fill else ZERO),
        "n": eight(fill.fee if fill else ZERO),
        "N": fill.fee_asset if fill else QUOTE,
        "T": state.updated_ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.kind,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": eight(fill.realized if fill else ZERO),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": order.good_till_ms,
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": state.updated_ms, "o": body}


def account_update(ledger: Ledger, position: Position, mark: Decimal, now_ms: int) -> Row:
    """Return the event that carries the balance and the position after a fill."""
    wallet = eight(ledger.futures_usdt)
    changed = {
        "s": position.symbol,
        "pa": size(position.qty),
        "ep": f"{position.entry:.5f}",
        "bep": f"{position.entry:.5f}",
        "cr": eight(position.realized),
        "up": eight(position.qty * (mark - position.entry)),
        "mt": ledger.margin_types.get(position.symbol, "CROSSED").lower().replace("crossed", "cross"),
        "iw": "0.00000000",
        "ps": "BOTH",
    }
    balances = [{"a": QUOTE, "wb": wallet, "cw": wallet, "bc": "0"}]
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "a": {"m": "ORDER", "B": balances, "P": [changed]},
    }


def position_row(ledger: Ledger, position: Position, mark: Decimal) -> Row:
    """Return one position as /fapi/v3/positionRisk shows it."""
    notional = position.qty * mark
    margin = abs(notional) / ledger.leverage_of(position.symbol)
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": size(position.qty),
        "entryPrice": f"{position.entry:.5f}",
        "breakEvenPrice": f"{position.entry:.5f}",
        "markPrice": eight(mark),
        "unRealizedProfit": eight(position.qty * (mark - position.entry)),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": eight(notional),
        "marginAsset": QUOTE,
        "isolatedWallet": "0",
        "initialMargin": eight(margin),
        "maintMargin": eight(abs(notional) * Decimal("0.004")),
        "positionInitialMargin": eight(margin),
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def balance_rows(ledger: Ledger, marks: dict[str, Decimal], now_ms: int) -> list[Row]:
    """Return the balances as /fapi/v3/balance shows them."""
    return [
        {
            "accountAlias": "SgsR",
            "asset": QUOTE,
            "balance": eight(ledger.futures_usdt),
            "crossWalletBalance": eight(ledger.futures_usdt),
            "crossUnPnl": eight(ledger.unrealized(marks)),
            "availableBalance": eight(ledger.available(marks)),
            "maxWithdrawAmount": eight(ledger.available(marks)),
            "marginAvailable": True,
            "updateTime": now_ms,
        }
    ]


def account_row(ledger: Ledger, marks: dict[str, Decimal], now_ms: int, *, can_trade: bool) -> Row:
    """Return the account as /fapi/v2/account shows it."""
    profit = ledger.unrealized(marks)
    initial = ledger.used_margin(marks)
    totals = {
        "totalInitialMargin": eight(initial),
        "totalMaintMargin": eight(ZERO),
        "totalWalletBalance": eight(ledger.futures_usdt),
        "totalUnrealizedProfit": eight(profit),
        "totalMarginBalance": eight(ledger.futures_usdt + profit),
        "totalPositionInitialMargin": eight(initial - ledger.order_margin()),
        "totalOpenOrderInitialMargin": eight(ledger.order_margin()),
        "totalCrossWalletBalance": eight(ledger.futures_usdt),
        "totalCrossUnPnl": eight(profit),
        "availableBalance": eight(ledger.available(marks)),
        "maxWithdrawAmount": eight(ledger.available(marks)),
    }
    asset = {
        "asset": QUOTE,
        "walletBalance": eight(ledger.futures_usdt),
        "unrealizedProfit": eight(profit),
        "marginBalance": eight(ledger.futures_usdt + profit),
        "maintMargin": eight(ZERO),
        "initialMargin": eight(initial),
        "positionInitialMargin": totals["totalPositionInitialMargin"],
        "openOrderInitialMargin": totals["totalOpenOrderInitialMargin"],
        "crossWalletBalance": eight(ledger.futures_usdt),
        "crossUnPnl": eight(profit),
        "availableBalance": totals["availableBalance"],
        "maxWithdrawAmount": totals["maxWithdrawAmount"],
        "marginAvailable": True,
        "updateTime": now_ms,
    }
    head = {"feeTier": 0, "canTrade": can_trade, "updateTime": 0, "multiAssetsMargin": False}
    positions = [_account_position(ledger, item, marks[item.symbol]) for item in ledger.positions.values()]
    return head | totals | {"assets": [asset], "positions": positions}


def _account_position(ledger: Ledger, position: Position, mark: Decimal) -> Row:
    row = position_row(ledger, position, mark)
    return {
        "symbol": position.symbol,
        "initialMargin": row["initialMargin"],
        "maintMargin": row["maintMargin"],
        "unrealizedProfit": row["unRealizedProfit"],
        "positionInitialMargin": row["positionInitialMargin"],
        "openOrderInitialMargin": "0",
        "leverage": str(ledger.leverage_of(position.symbol)),
        "isolated": ledger.margin_types.get(position.symbol) == "ISOLATED",
        "entryPrice": row["entryPrice"],
        "maxNotional": "25000000",
        "bidNotional": "0",
        "askNotional": "0",
        "positionSide": "BOTH",
        "positionAmt": row["positionAmt"],
        "updateTime": position.updated_ms,
    }
