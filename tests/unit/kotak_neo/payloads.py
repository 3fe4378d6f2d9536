"""Hold the documented payloads, scrubbed, with the fields that matter to be changed by a test."""

import json
from collections.abc import Mapping

import httpx

from brokers.kotak_neo.client import Reply
from brokers.kotak_neo.egress import Wire

# Kotak-Neo/kotak-neo-python, docs/functions/orders/order_report.md and trade_report.md (MIT), shortened.
ORDER_ROW = {
    "actId": "",
    "algId": "NA",
    "avgPrc": "0.00",
    "brdLtQty": "1",
    "cnlQty": 0,
    "exCfmTm": "22-Jan-2025 14:28:01",
    "exOrdId": "1100000059569867",
    "exSeg": "nse_cm",
    "fldQty": 0,
    "boeSec": 1737536281,
    "nOrdNo": "250122000612876",
    "prod": "NRML",
    "prc": "9.39",
    "prcTp": "L",
    "qty": 1,
    "rejRsn": "--",
    "stat": "open",
    "ordSt": "open",
    "sym": "IDEA",
    "tok": "14366",
    "trnsTp": "B",
    "trgPrc": "0.00",
    "trdSym": "IDEA-EQ",
    "unFldSz": 1,
    "hsUpTm": "2025/01/22 14:28:01",
    "GuiOrdId": "",
    "updRecvTm": 1737536281933015920,
}
TRADE_ROW = {
    "avgPrc": "9.39",
    "boeSec": 1737536296,
    "exSeg": "nse_cm",
    "exTm": "22-Jan-2025 14:28:01",
    "fldQty": 1,
    "flDt": "22-Jan-2025",
    "flId": "207983744",
    "flTm": "14:28:16",
    "nOrdNo": "250122000612876",
    "prcTp": "L",
    "trdSym": "IDEA-EQ",
    "trnsTp": "B",
    "updRecvTm": 1737536296355319176,
    "tok": "",
    "prc": "",
    "qty": 0,
}
POSITION_ROW = {
    "exSeg": "nse_fo",
    "trdSym": "NIFTY2620326500CE",
    "prod": "MIS",
    "cfBuyQty": "0",
    "cfSellQty": "65",
    "flBuyQty": "130",
    "flSellQty": "0",
}


def answered(value: object, status: int = 200, **wire: object) -> Reply:
    """Return a reply that came over the wire."""
    return Reply(value=value, wire=Wire(attempts=1, status=status, **wire))  # type: ignore[arg-type]


def broken(fault: Exception, value: object = None) -> Reply:
    """Return a reply whose exchange broke."""
    return Reply(value=value, wire=Wire(attempts=1, fault=fault))


def refusal(code: int, text: str = "") -> Mapping[str, object]:
    """Return the broker's error body."""
    return {"stCode": code, "errMsg": text, "stat": "Not_Ok"}


def json_error() -> Exception:
    """Return what the SDK meets in a page of HTML."""
    try:
        json.loads("<html>")
    except ValueError as e:
        return e
    raise AssertionError


def every(root: type[BaseException]) -> set[type[BaseException]]:
    """Return a class with all its subclasses."""
    return {root}.union(*(every(sub) for sub in root.__subclasses__()))


def transport_errors() -> list[Exception]:
    """Return one of each kind of fault that httpx has."""
    kinds = every(httpx.HTTPError) - {httpx.HTTPStatusError}
    return [kind("boom") for kind in sorted(kinds, key=lambda kind: kind.__name__)]  # type: ignore[misc]
