"""Serve what needs no login: the scrip master, quotes, expiries and the option chain."""

import csv
import io
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from brokers.simulators.kotak.clock import IST
from brokers.simulators.kotak.contracts import (
    FREEZE_QTY,
    INDEX_NAME,
    INDEX_TOKEN,
    LOT_SIZE,
    Contract,
    weekly_expiries,
)
from brokers.simulators.kotak.gate import Call, route
from brokers.simulators.kotak.packets import depth_rows
from brokers.simulators.kotak.replies import Refused
from brokers.simulators.kotak.rows import Row, rupees
from brokers.simulators.kotak.simulator import Simulator

_MOST_QUOTES = 50
_EPOCH_1980 = datetime(1980, 1, 1, tzinfo=IST)
_HEADER = (
    "pSymbol,pGroup,pExchSeg,pInstType,pSymbolName,pTrdSymbol,pOptionType,pScripRefKey,pISIN,pAssetCode,"
    "pSubGroup,pCombinedSymbol,pDesc,pAmcCode,pContractId,dTickSize ,lLotSize,lExpiryDate,lMultiplier,"
    "lPrecision,dStrikePrice;,pExchange,pInstName,pExpiryDate,pIssueDate,pMaturityDate,pListingDate,"
    "pLocalUpdateTime,iBoardLotQty,iMaxOrderSize,dHighPriceRange,dLowPriceRange,dPriceNum,dPriceDen,"
    "dGenNum,dGenDen,lFreezeQty"
)
_COLUMNS = _HEADER.split(",")


def data_routes(sim: Simulator) -> list[Route]:
    """Return the routes of market and reference data."""
    return [
        route(sim, "GET", "/script-details/1.0/masterscrip/file-paths", "file_paths", _file_paths),
        route(sim, "GET", "/files/prod/{day}/{kind}/{name}", "scrip_file", _scrip_file),
        route(sim, "GET", "/script-details/1.0/quotes/neosymbol/{keys}/{kind}", "quotes", _quotes),
        route(sim, "GET", "/market-data/1.0/watchlist/expiries", "expiries", _expiries),
        route(sim, "GET", "/market-data/1.0/watchlist/option-chain", "option_chain", _option_chain),
    ]


async def _file_paths(call: Call) -> Response:
    call.customer()
    folder = f"{call.sim.options.base_url}/files/prod/{call.sim.options.day}"
    plain = [
        f"{folder}/transformed/{name}.csv" for name in ("cde_fo", "mcx_fo", "nse_fo", "bse_fo", "nse_com")
    ]
    cash = [f"{folder}/transformed-v1/{name}-v1.csv" for name in ("bse_cm", "nse_cm")]
    return JSONResponse({"data": {"filesPaths": plain + cash, "baseFolder": folder}})


async def _scrip_file(call: Call) -> Response:
    name = call.request.path_params["name"]
    rows: list[Row] = []
    if name == "nse_fo.csv":
        rows = [_option_row(contract) for contract in call.sim.tape.contracts]
    elif name == "nse_cm-v1.csv":
        rows = [_index_row()]
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return PlainTextResponse(text.getvalue(), media_type="text/csv")


def _option_row(contract: Contract) -> Row:
    # Seconds since 1980-01-01 00:00 IST, of 14:30 IST on the day of expiry.
    expiry = contract.expires_at - timedelta(hours=1)
    since_1980 = int((expiry - _EPOCH_1980).total_seconds())
    return {
        "pSymbol": contract.token,
        "pGroup": "XX",
        "pExchSeg": "nse_fo",
        "pInstType": "OPTIDX",
        "pSymbolName": "NIFTY",
        "pTrdSymbol": contract.symbol,
        "pOptionType": contract.right,
        "pScripRefKey": f"NIFTY{contract.expiry:%d%b%y}{contract.strike}.00{contract.right}".upper(),
        "pDesc": contract.symbol,
        "dTickSize ": "5",
        "lLotSize": LOT_SIZE,
        "lExpiryDate": since_1980,
        "lMultiplier": 1,
        "lPrecision": 2,
        "dStrikePrice;": f"{contract.strike * 100}.0",
        "pExchange": "NSE",
        "pInstName": "OPTIDX",
        "pExpiryDate": since_1980,
        "iBoardLotQty": LOT_SIZE,
        "iMaxOrderSize": FREEZE_QTY,
        "dPriceNum": 1,
        "dPriceDen": 1,
        "dGenNum": 1,
        "dGenDen": 1,
        "lFreezeQty": FREEZE_QTY,
    }


def _index_row() -> Row:
    return {
        "pSymbol": INDEX_TOKEN,
        "pExchSeg": "nse_cm",
        "pInstType": "INDEX",
        "pSymbolName": "NIFTY",
        "pTrdSymbol": INDEX_NAME,
        "pOptionType": "XX",
        "dTickSize ": "5",
        "lLotSize": 1,
        "lMultiplier": 1,
        "lPrecision": 2,
        "pExchange": "NSE",
        "iBoardLotQty": 1,
    }


async def _quotes(call: Call) -> Response:
    call.customer()
    keys = call.request.path_params["keys"].split(",")
    if len(keys) > _MOST_QUOTES:
        raise Refused(5202, f"at most {_MOST_QUOTES} instruments in one call")
    by_key = {contract.key: contract for contract in call.sim.tape.contracts}
    rows = []
    for key in keys:
        if key in {f"nse_cm|{INDEX_NAME}", f"nse_cm|{INDEX_TOKEN}"}:
            rows.append(_index_quote(call.sim))
        elif key in by_key:
            rows.append(_option_quote(call.sim, by_key[key]))
    if not rows:
        raise Refused(1009, "please provide valid instrument")
    return JSONResponse(rows)


def _quote_frame(call_sim: Simulator, *, last: int, close: int, ohlc: tuple[int, int, int]) -> Row:
    opens, high, low = ohlc
    at = call_sim.tape.instant or call_sim.clock.now().replace(tzinfo=UTC)
    return {
        "lstup_time": str(int(at.timestamp())),
        "ltp": rupees(last),
        "change": rupees(last - close),
        "per_change": f"{(last - close) * 100 / close:.2f}" if close else "0.00",
        "ohlc": {"open": rupees(opens), "high": rupees(high), "low": rupees(low), "close": rupees(close)},
        "year_high": rupees(max(high, close)),
        "year_low": rupees(min(low, close)),
    }


def _index_quote(sim: Simulator) -> Row:
    stats, close = sim.tape.index_stats, sim.tape.previous_close
    ohlc = (stats.open, stats.high, stats.low) if stats else (close, close, close)
    frame = _quote_frame(sim, last=sim.tape.index, close=close, ohlc=ohlc)
    return {"exchange_token": INDEX_NAME, "display_symbol": INDEX_NAME, "exchange": "nse_cm", **frame}


def _option_quote(sim: Simulator, contract: Contract) -> Row:
    close = sim.tape.closes[contract.token]
    head = {"exchange_token": str(contract.token), "display_symbol": contract.symbol, "exchange": "nse_fo"}
    quote, stats = sim.tape.quotes.get(contract.token), sim.tape.stats.get(contract.token)
    if quote is None or stats is None:
        return (
            head | _quote_frame(sim, last=0, close=close, ohlc=(0, 0, 0)) | {"depth": {"buy": [], "sell": []}}
        )
    frame = _quote_frame(sim, last=quote.ltp, close=close, ohlc=(stats.open, stats.high, stats.low))
    bids, asks = depth_rows(quote, 5)
    return (
        head
        | frame
        | {
            "last_traded_quantity": str(quote.last_qty),
            "total_buy": str(sum(row[0] for row in bids)),
            "total_sell": str(sum(row[0] for row in asks)),
            "last_volume": str(stats.volume),
            "avg_cost": rupees((stats.high + stats.low) // 2),
            "open_int": "0",
            "low_price_range": "0.05",
            "high_price_range": rupees(close * 20),
            "depth": {"buy": _depth(bids), "sell": _depth(asks)},
        }
    )


def _depth(rows: list[tuple[int, int, int]]) -> list[Row]:
    return [{"price": rupees(px), "quantity": str(qty), "orders": str(count)} for qty, px, count in rows]


async def _expiries(call: Call) -> Response:
    call.customer()
    days = [day.strftime("%d-%b-%Y") for day in weekly_expiries(call.sim.options.day)]
    return JSONResponse({"stat": "Ok", "stCode": 200, "data": days})


async def _option_chain(call: Call) -> Response:
    call.customer()
    asked = call.request.query_params.get("expiry")
    first, _second = weekly_expiries(call.sim.options.day)
    expiry = asked or first.strftime("%d-%b-%Y")
    chosen = [item for item in call.sim.tape.contracts if item.expiry.strftime("%d-%b-%Y") == expiry]
    rows = [
        _option_quote(call.sim, item) | {"strike": f"{item.strike}.00", "option_type": item.right}
        for item in chosen
    ]
    return JSONResponse({"stat": "Ok", "stCode": 200, "data": rows})
