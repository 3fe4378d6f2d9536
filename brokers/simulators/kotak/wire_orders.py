"""Serve place, modify and cancel."""

import asyncio
import time
from decimal import Decimal, InvalidOperation

from starlette.responses import Response
from starlette.routing import Route

from brokers.simulators.kotak import rules
from brokers.simulators.kotak.gate import Call, route
from brokers.simulators.kotak.ledger import Ledger
from brokers.simulators.kotak.orders import Order, Terms
from brokers.simulators.kotak.replies import Dropped, Refused, accepted
from brokers.simulators.kotak.simulator import Simulator

_SOURCE = "NEOTRADEAPI"
_PLACE = frozenset({"am", "dq", "es", "mp", "pc", "pr", "pt", "qt", "rt", "tp", "ts", "tt", "ig", "os"})
_MODIFY = frozenset({"mp", "dq", "vd", "pr", "pt", "am", "tp", "qt", "no", "os"})
_CANCEL = frozenset({"on", "am"})
_KINDS = frozenset({"L", "MKT", "SL", "SL-M"})

Data = dict[str, str | None]


def order_routes(sim: Simulator) -> list[Route]:
    """Return the routes that change orders."""
    return [
        route(sim, "POST", "/quick/order/rule/ms/place", "place", _place),
        route(sim, "POST", "/quick/order/vr/modify", "modify", _modify),
        route(sim, "POST", "/quick/order/cancel", "cancel", _cancel),
    ]


async def _place(call: Call) -> Response:
    ledger = call.sim.exchange.ledgers[call.order_session().ucc]
    data = _fields(call, _PLACE)
    terms = _terms(data, validity="rt")
    order = _new_order(call, ledger, data)
    _claim_tag(ledger, order.tag)
    faults = call.sim.faults
    lost = faults.draw("ack_lost", "place", order.ucc, call.key)
    if lost is None:
        call.sim.exchange.accept(ledger, order, terms)
        return accepted(order.number)
    late = faults.draw("late_placement", "place", order.ucc, call.key)
    if late is None:
        call.sim.exchange.accept(ledger, order, terms)
        await asyncio.sleep(lost.seconds)
        raise Dropped("reply lost after it was accepted")
    call.sim.exchange.accept_later(ledger, order, terms, delay_s=late.seconds)
    await asyncio.sleep(lost.seconds)
    raise Dropped(f"reply lost, the order appears {late.seconds:.1f} s later")


def _new_order(call: Call, ledger: Ledger, data: Data) -> Order:
    contract = call.sim.tape.by_symbol.get(data["ts"] or "")
    if contract is None or data["es"] != "nse_fo":
        raise Refused(1009, "please provide valid instrument")
    if data["tt"] not in {"B", "S"} or data["pc"] not in {"NRML", "MIS"} or data["am"] != "NO":
        raise Refused(5202, "invalid request")
    number = call.sim.exchange.next_number()
    return Order(
        ucc=ledger.ucc,
        number=number,
        exchange_number=f"1{number}",
        tag=data["ig"] or "",
        contract=contract,
        side=data["tt"],
        product=data["pc"],
        placed_at=call.sim.clock.now(),
        placed_epoch=time.time(),
    )


def _claim_tag(ledger: Ledger, tag: str) -> None:
    if not tag:
        return
    if tag in ledger.tags:
        raise Refused(5204, "Client OrderID already exists")
    ledger.tags.add(tag)


async def _modify(call: Call) -> Response:
    ledger = call.sim.exchange.ledgers[call.order_session().ucc]
    data = _fields(call, _MODIFY)
    order = _live_order(ledger, data["no"])
    terms = _terms(data, validity="vd")
    if order.canceling:
        raise Refused(1021, "order is being cancelled")
    if terms.qty <= order.state.filled:
        raise Refused(1009, "please provide valid quantity")
    call.sim.exchange.modify(order, terms)
    return accepted(order.number)


async def _cancel(call: Call) -> Response:
    ledger = call.sim.exchange.ledgers[call.order_session().ucc]
    data = _fields(call, _CANCEL)
    order = _live_order(ledger, data["on"])
    call.sim.exchange.cancel(order)
    return accepted(order.number)


def _live_order(ledger: Ledger, number: str | None) -> Order:
    order = ledger.orders.get(number or "")
    if order is None:
        raise Refused(1021, "please provide valid order number")
    if order.done:
        raise Refused(1021, f"order is {order.state.status}")
    return order


def _fields(call: Call, names: frozenset[str]) -> Data:
    data = call.j_data()
    if data.keys() != names or data.get("os", _SOURCE) != _SOURCE or data.get("mp", "0") != "0":
        raise Refused(1007, "invalid body")
    return data


def _terms(data: Data, *, validity: str) -> Terms:
    if data["pt"] not in _KINDS or data[validity] not in {"DAY", "IOC"}:
        raise Refused(5202, "invalid request")
    kind = data["pt"]
    terms = Terms(
        kind=kind,
        price=_paise(data["pr"]) if kind in {"L", "SL"} else 0,
        trigger=_paise(data["tp"] or "0") if kind in {"SL", "SL-M"} else 0,
        qty=_units(data["qt"]),
        validity=data[validity] or "DAY",
        disclosed=_units(data["dq"] or "0"),
    )
    reason = rules.refuse_terms(terms)
    if reason is not None:
        raise Refused(1009, reason)
    return terms


def _paise(text: str | None) -> int:
    try:
        paise = Decimal(text or "") * 100
    except InvalidOperation as error:
        raise Refused(1009, "please provide valid price") from error
    if not paise.is_finite() or paise != int(paise):
        raise Refused(1009, "please provide valid price")
    return int(paise)


def _units(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit():
        raise Refused(1009, "please provide valid quantity")
    return int(text)
