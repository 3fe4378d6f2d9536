"""Shape orders, fills and positions into Kotak's rows: the exact names, text prices, IST times."""

from datetime import datetime

from brokers.simulators.kotak.clock import IST
from brokers.simulators.kotak.contracts import LOT_SIZE, Contract
from brokers.simulators.kotak.ledger import Position
from brokers.simulators.kotak.orders import Fill, Order, OrderState

Row = dict[str, object]


def rupees(paise: int) -> str:
    """Return paise as text in rupees with two decimals."""
    sign = "-" if paise < 0 else ""
    return f"{sign}{abs(paise) // 100}.{abs(paise) % 100:02d}"


def kotak_time(at: datetime) -> str:
    """Return an instant as the books write it, IST: 22-Jan-2025 14:28:01."""
    return at.astimezone(IST).strftime("%d-%b-%Y %H:%M:%S")


def update_time(at: datetime) -> str:
    """Return an instant in the form of `hsUpTm`, IST: 2025/01/22 14:28:01."""
    return at.astimezone(IST).strftime("%Y/%m/%d %H:%M:%S")


def _instrument(contract: Contract) -> Row:
    return {
        "exSeg": "nse_fo",
        "tok": str(contract.token),
        "trdSym": contract.symbol,
        "sym": "NIFTY",
        "series": "XX",
        "optTp": contract.right,
        "stkPrc": f"{contract.strike}.00",
        "expDt": contract.expiry.strftime("%d %b, %Y"),
        "lotSz": str(LOT_SIZE),
        "multiplier": "1",
        "precision": "2",
        "genNum": "1",
        "genDen": "1",
        "prcNum": "1",
        "prcDen": "1",
    }


_CONSTANT: Row = {
    "algId": "NA",
    "algCat": "NA",
    "ordSrc": "ADMINCPPAPI_TEST",
    "ordGenTp": "NA",
    "mfdBy": "NA",
    "locId": "111111111111100",
    "it": "OPTIDX",
}


def order_row(order: Order, state: OrderState) -> Row:
    """Return an order-book row of one version of an order."""
    terms = state.terms
    return {
        "nOrdNo": order.number,
        "exOrdId": order.exchange_number,
        "GuiOrdId": state.shown_tag or "NA",
        "reqId": "1",
        "actId": order.ucc,
        "usrId": order.ucc,
        "ordSt": str(state.status),
        "stat": str(state.status),
        "rejRsn": state.reason or "--",
        "rmk": "--",
        **_instrument(order.contract),
        "tckSz": "0.05",
        "brdLtQty": LOT_SIZE,
        "trnsTp": order.side,
        "prod": order.product,
        "prcTp": terms.kind,
        "prc": rupees(terms.price),
        "trgPrc": rupees(terms.trigger),
        "vldt": terms.validity,
        "qty": terms.qty,
        "dscQty": terms.disclosed,
        "minQty": 0,
        "avgPrc": rupees(state.average),
        "fldQty": state.filled,
        "unFldSz": terms.qty - state.filled - state.canceled,
        "cnlQty": state.canceled,
        "ordDtTm": kotak_time(order.placed_at),
        "ordEntTm": kotak_time(order.placed_at),
        "exCfmTm": kotak_time(state.at),
        "hsUpTm": update_time(state.at),
        "boeSec": int(state.at.timestamp()),
        "uSec": str(state.stamp_ns // 1_000 % 1_000_000),
        "updRecvTm": state.stamp_ns,
        "ordModNo": str(state.modifications),
        **_CONSTANT,
    }


def history_row(order: Order, state: OrderState) -> Row:
    """Return a row of the order's history."""
    row = order_row(order, state)
    row["exchOrdId"] = row.pop("exOrdId")
    return row | {
        "exch": "NSE",
        "exchTmstp": kotak_time(state.at),
        "ordDur": state.terms.validity,
        "flDtTm": kotak_time(state.at) if state.filled else "--",
        "nReqId": "1",
        "scripName": "NIFTY",
        "legOrdInd": "NA",
        "ordUsrMsg": "NA",
        "dclQty": 0,
    }


def fill_row(fill: Fill, exchange_number: str) -> Row:
    """Return a trade row; as at the broker, token and price are empty and the quantity is 0."""
    when = fill.at.astimezone(IST)
    return {
        **_instrument(fill.contract),
        "tok": "",
        "actId": fill.ucc,
        "usrId": fill.ucc,
        "nOrdNo": fill.number,
        "exOrdId": exchange_number,
        "GuiOrdId": fill.shown_tag or "NA",
        "flId": fill.fill_id,
        "fldQty": fill.qty,
        "avgPrc": rupees(fill.price),
        "flDt": when.strftime("%d-%b-%Y"),
        "flTm": when.strftime("%H:%M:%S"),
        "flLeg": 1,
        "exTm": kotak_time(fill.at),
        "trnsTp": fill.side,
        "prod": fill.product,
        "prcTp": "L",
        "prc": "",
        "qty": 0,
        "updRecvTm": fill.stamp_ns,
        "boeSec": int(fill.at.timestamp()),
        "hsUpTm": update_time(fill.at),
    }


def position_row(ucc: str, position: Position, at: datetime) -> Row:
    """Return a position row: amounts and quantities as text."""
    return {
        **_instrument(position.contract),
        "actId": ucc,
        "exp": position.contract.expiry.strftime("%d %b, %Y"),
        "type": "OPTIDX",
        "prod": position.product,
        "cfBuyQty": "0",
        "cfSellQty": "0",
        "cfBuyAmt": "0.00",
        "cfSellAmt": "0.00",
        "flBuyQty": str(position.bought),
        "flSellQty": str(position.sold),
        "buyAmt": rupees(position.buy_amount),
        "sellAmt": rupees(position.sell_amount),
        "brdLtQty": LOT_SIZE,
        "posFlg": "true",
        "sqrFlg": "Y" if position.net else "N",
        "upldPrc": "0.00",
        "updRecvTm": position.stamp_ns,
        "hsUpTm": update_time(at),
    }
