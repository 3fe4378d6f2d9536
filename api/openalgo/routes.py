"""Serve OpenAlgo's order API under /openalgo: wishes end where everybody's do, the books are the ledger's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError

from api.deps import Parts, get_parts, origin_of, read_at_most
from api.openalgo import replies
from api.openalgo.requests import (
    MOST_BYTES,
    Fields,
    close_wish,
    order_wish,
    parse_body,
    require_known,
    smart_wish,
    text,
)
from api.schemas.base import plain
from api.schemas.trading import Position
from api.valuation import read_valued_legs, show_position
from app.amibroker.symbols import instrument_named
from app.db.scope import DataScope
from app.domain.errors import AppError, InvalidInputError, NotFoundError
from app.domain.external import Door
from app.domain.numbers import ZERO
from app.services.api_keys import BadApiKeyError, KeyHolder, find_holder
from app.services.external_signals import Answer

log = structlog.get_logger()

_SAME_WITHIN_S = 10.0
"""An equal order without a key of its own within so many seconds is taken for a repetition."""
_MOST_DIGITS = 18
_STATUSES = {401: 403, 409: 400, 422: 400}
"""What OpenAlgo answers where we would answer something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Hold a request: its fields, who asks, and the application's parts."""

    fields: Fields
    holder: KeyHolder
    parts: Parts

    @property
    def scope(self) -> DataScope:
        """Whose data may be seen."""
        return DataScope(user_id=self.holder.actor.user_id)

    def answers(self) -> list[Answer]:
        """Return what was handed in to the key's deployment today, by whichever door."""
        return self.parts.signals.list_day(self.holder.actor, self.holder.deployment_id)

    def answer(self) -> Answer:
        """Return the order that `orderid` names. Raises NotFoundError."""
        order_id = text(self.fields, "orderid")
        is_number = order_id.isdecimal() and len(order_id) <= _MOST_DIGITS
        found = self.parts.signals.follow(self.scope, int(order_id)) if is_number else None
        if found is None or found.signal.deployment_id != self.holder.deployment_id:
            raise NotFoundError(f"Order not found: {order_id}")
        return found

    def positions(self) -> list[Position]:
        """Return the deployment's positions of today, closed ones too."""
        day = self.parts.moment().day
        valued = read_valued_legs(self.parts.database, self.parts.sources, self.scope, day=day)
        shown = (show_position(leg, value) for leg, value in valued)
        return [position for position in shown if position.deployment_id == self.holder.deployment_id]


async def read_fields(request: Request) -> Fields:
    """Read the body, whatever its content type says: AmiBroker cannot always set one."""
    return parse_body(await read_at_most(request, MOST_BYTES))


def get_asked(
    request: Request,
    parts: Annotated[Parts, Depends(get_parts)],
    fields: Annotated[Fields, Depends(read_fields)],
) -> Asked:
    """Return the request of a good key."""
    with parts.database.begin() as session:
        holder = find_holder(session, text(fields, "apikey"), origin=origin_of(request))
    return Asked(fields=fields, holder=holder, parts=parts)


AskedDep = Annotated[Asked, Depends(get_asked)]


def create_openalgo(parts: Parts) -> FastAPI:
    """Return the application to mount; it is no part of our own API and not in its document."""
    application = FastAPI(openapi_url=None)
    application.state.parts = parts
    _add_error_handlers(application)
    _add_orders(application)
    _add_books(application)
    return application


def _add_orders(application: FastAPI) -> None:
    @application.post("/api/v1/placeorder")
    def place_order(asked: AskedDep) -> JSONResponse:
        wish, is_print = order_wish(asked.fields)
        return _taken(
            asked.parts.signals.hand_in(
                asked.holder.actor,
                asked.holder.deployment_id,
                wish,
                door=Door.OPENALGO,
                repeats_within_s=_SAME_WITHIN_S if is_print else None,
            )
        )

    @application.post("/api/v1/placesmartorder")
    def place_smart_order(asked: AskedDep) -> JSONResponse:
        wish = smart_wish(asked.fields)
        hand_in = asked.parts.signals.hand_in
        return _taken(hand_in(asked.holder.actor, asked.holder.deployment_id, wish, door=Door.OPENALGO))

    @application.post("/api/v1/closeposition")
    def close_position(asked: AskedDep) -> JSONResponse:
        wish = close_wish(asked.fields)
        hand_in = asked.parts.signals.hand_in
        return _taken(hand_in(asked.holder.actor, asked.holder.deployment_id, wish, door=Door.OPENALGO))

    @application.post("/api/v1/cancelorder")
    def cancel_order(asked: AskedDep) -> JSONResponse:
        require_known(asked.fields, frozenset({"orderid"}))
        order_id = asked.answer().signal.id
        reason = f"openalgo {text(asked.fields, 'strategy')}"[:500]
        if not asked.parts.signals.withdraw(asked.holder.actor, order_id, reason=reason):
            raise InvalidInputError(
                "only what has not been sent can be canceled: what was sent fills or ends by itself within "
                "its time; a position_size of 0 closes it"
            )
        return JSONResponse({"status": "success", "orderid": str(order_id)})


def _add_books(application: FastAPI) -> None:
    @application.post("/api/v1/orderstatus")
    def order_status(asked: AskedDep) -> JSONResponse:
        require_known(asked.fields, frozenset({"orderid"}))
        return _success(replies.order_data(asked.answer(), asked.positions()))

    @application.post("/api/v1/orderbook")
    def order_book(asked: AskedDep) -> JSONResponse:
        require_known(asked.fields)
        positions = asked.positions()
        return _success(replies.order_book(replies.order_data(a, positions) for a in asked.answers()))

    @application.post("/api/v1/positionbook")
    def position_book(asked: AskedDep) -> JSONResponse:
        require_known(asked.fields)
        return _success([replies.position_row(position) for position in asked.positions()])

    @application.post("/api/v1/openposition")
    def open_position(asked: AskedDep) -> JSONResponse:
        require_known(asked.fields, frozenset({"symbol", "exchange", "product"}))
        wanted = instrument_named(text(asked.fields, "symbol"), text(asked.fields, "exchange"))
        held = sum((p.net_qty for p in asked.positions() if p.instrument_id == wanted), ZERO)
        return JSONResponse({"status": "success", "quantity": plain(held)})

    @application.post("/api/v1/ping")
    def ping(asked: AskedDep) -> JSONResponse:
        require_known(asked.fields)
        return _success({"broker": "openbell", "message": "pong"})


def _add_error_handlers(application: FastAPI) -> None:
    @application.exception_handler(AppError)
    def on_app_error(_: Request, fault: AppError) -> JSONResponse:
        message = "Invalid openalgo apikey" if isinstance(fault, BadApiKeyError) else str(fault)
        status = _STATUSES.get(fault.http_status, fault.http_status)
        return JSONResponse(replies.error(message), status_code=status)

    @application.exception_handler(OperationalError)
    def on_database(_: Request, fault: OperationalError) -> JSONResponse:
        log.error("database_unavailable", error=type(fault).__name__)
        message = "the database cannot be reached; ask for the position before sending this again"
        return JSONResponse(replies.error(message), status_code=503)

    @application.exception_handler(404)
    def on_unknown_path(request: Request, _: Exception) -> JSONResponse:
        message = f"{request.url.path} is not offered: docs/signals.md lists what is"
        return JSONResponse(replies.error(message), status_code=404)


def _taken(answer: Answer) -> JSONResponse:
    answer.require_taken()
    return JSONResponse(replies.taken(answer), status_code=200 if answer.code is None else 400)


def _success(data: replies.Reply | Sequence[replies.Reply]) -> JSONResponse:
    return JSONResponse({"status": "success", "data": data})
