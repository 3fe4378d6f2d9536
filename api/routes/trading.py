"""Show orders with their history, and positions with their value."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import CallerDep, PartsDep
from api.routes.accounts import Day
from api.schemas.base import Page
from api.schemas.trading import LegOutcome, Order, OrderEvent, OrderWithEvents, Position
from api.valuation import read_valued_legs, show_position
from app.db.views.trading import read_legs_of_signal, read_order, read_order_events, read_orders
from app.domain.errors import NotFoundError
from app.domain.ids import OrderId

router = APIRouter(tags=["trading"])
Cursor = Annotated[int | None, Query(description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/orders")
def list_orders(
    parts: PartsDep, caller: CallerDep, *, day: Day = None, cursor: Cursor = None, limit: Limit = 200
) -> Page[Order]:
    """Return the day's orders, newest first."""
    with parts.database.begin() as session:
        rows = read_orders(session, caller.scope, day=day or parts.moment().day, before=cursor, limit=limit)
    items = [Order.model_validate(row) for row in rows]
    return Page[Order](items=items, next_cursor=items[-1].id if len(items) == limit else None)


@router.get("/orders/{order_id}")
def show_order(parts: PartsDep, caller: CallerDep, order_id: int) -> OrderWithEvents:
    """Return an order and everything that happened to it."""
    with parts.database.begin() as session:
        row = read_order(session, caller.scope, OrderId(order_id))
        events = read_order_events(session, caller.scope, OrderId(order_id))
        legs = read_legs_of_signal(session, caller.scope, OrderId(order_id))
    if row is None:
        raise NotFoundError(f"expected an order of yours, there is no order:{order_id}")
    return OrderWithEvents(
        order=Order.model_validate(row),
        events=[OrderEvent.model_validate(event) for event in events],
        result=legs[0].result if legs else None,
        legs=[LegOutcome.model_validate(leg) for leg in legs],
    )


@router.get("/positions")
def list_positions(parts: PartsDep, caller: CallerDep, day: Day = None) -> list[Position]:
    """Return the day's legs, open and closed, valued at the last marks."""
    valued = read_valued_legs(parts.database, parts.sources, caller.scope, day=day or parts.moment().day)
    return [show_position(leg, value) for leg, value in valued]
