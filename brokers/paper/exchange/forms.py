"""Read what clients send; whatever is not exactly as expected is refused with what was expected."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderType, Side, TimeInForce
from brokers.paper.exchange.exchange import Ticket
from brokers.paper.exchange.orders import Contract, Quote, Terms
from brokers.paper.exchange.refusals import RefusedError, invalid

E = TypeVar("E", bound=StrEnum)
Form = Mapping[str, object]
_TAG = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_LONGEST = 10**12


def read_form(body: bytes) -> Form:
    """Return the JSON object of a body. Raises: RefusedError."""
    try:
        form = json.loads(body or b"{}")
    except ValueError as e:
        raise invalid("expected a JSON object") from e
    if not isinstance(form, dict):
        raise invalid("expected a JSON object")
    return form


def ticket(form: Form) -> Ticket:
    """Return the order that a form asks for. Raises: RefusedError."""
    tag = text(form, "client_order_id")
    if _TAG.fullmatch(tag) is None:
        raise invalid(f"client_order_id: expected 1-36 of [A-Za-z0-9_-], got {tag[:60]!r}")
    contract = _contract(part(form, "instrument"))
    return Ticket(
        client_order_id=tag,
        contract=contract,
        side=_choice(Side, form, "side"),
        terms=terms(form, contract),
        reduces_only=flag(form, "reduces_only"),
    )


def terms(form: Form, contract: Contract) -> Terms:
    """Return the terms of a form, whole lots and prices on the tick. Raises: RefusedError."""
    asked = Terms(
        order_type=_choice(OrderType, form, "type"),
        time_in_force=_choice(TimeInForce, form, "time_in_force"),
        quantity=number(form, "quantity"),
        price=_number_or_none(form, "price"),
        trigger_price=_number_or_none(form, "trigger_price"),
    )
    for name, is_needed, value in (
        ("price", asked.is_limit, asked.price),
        ("trigger_price", asked.is_stop, asked.trigger_price),
    ):
        if (value is not None) != is_needed:
            raise invalid(
                f"{name}: {'needed' if is_needed else 'not taken'} by {asked.order_type}, got {value}"
            )
        if value is not None and value % contract.tick_size != 0:
            raise invalid(f"{name}: expected a multiple of the tick {contract.tick_size}, got {value}")
    if asked.quantity % contract.lot_size != 0:
        raise invalid(f"quantity: expected a multiple of the lot {contract.lot_size}, got {asked.quantity}")
    return asked


def quotes(form: Form) -> list[Quote]:
    """Return the quotes of a form. Raises: RefusedError: one is wrong, then none is taken."""
    rows = form.get("quotes")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid("quotes: expected a list of objects")
    return [_quote(row) for row in rows]


def text(form: Form, name: str) -> str:
    """Return a text. Raises: RefusedError."""
    value = form.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise invalid(f"{name}: expected a text, got {value!r:.60}")
    return value


def optional_text(form: Form, name: str) -> str | None:
    """Return a text or None. Raises: RefusedError."""
    return None if form.get(name) is None else text(form, name)


def flag(form: Form, name: str) -> bool:
    """Return true or false. Raises: RefusedError."""
    value = form.get(name, False)
    if not isinstance(value, bool):
        raise invalid(f"{name}: expected true or false, got {value!r:.60}")
    return value


def part(form: Form, name: str) -> Form:
    """Return an object inside a form. Raises: RefusedError."""
    value = form.get(name)
    if not isinstance(value, dict):
        raise invalid(f"{name}: expected an object, got {value!r:.60}")
    return value


def number(form: Form, name: str) -> Decimal:
    """Return a positive number that was sent as text, so that it is exact. Raises: RefusedError."""
    value = form.get(name)
    try:
        parsed = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        parsed = None
    if parsed is None or not parsed.is_finite() or not 0 < parsed < _LONGEST:
        raise invalid(f"{name}: expected a positive number as text, got {value!r:.60}")
    return parsed


def order_number(raw: str) -> int:
    """Return the number of a broker order id. Raises: RefusedError: there is no such order."""
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 18):
        raise RefusedError(404, "not_found", f"no order {raw[:40]!r}")
    return int(raw)


def _number_or_none(form: Form, name: str) -> Decimal | None:
    return None if form.get(name) is None else number(form, name)


def _choice(kind: type[E], form: Form, name: str) -> E:
    value = text(form, name)
    try:
        return kind(value)
    except ValueError as e:
        raise invalid(f"{name}: expected one of {', '.join(kind)}, got {value[:40]!r}") from e


def _contract(form: Form) -> Contract:
    kind = _choice(InstrumentKind, form, "kind")
    if kind is InstrumentKind.INDEX:
        raise invalid("kind: an index cannot be traded")
    return Contract(
        instrument_id=text(form, "id"),
        symbol=text(form, "symbol"),
        venue=text(form, "venue"),
        kind=kind,
        tick_size=number(form, "tick_size"),
        lot_size=number(form, "lot_size"),
        currency=text(form, "currency"),
    )


def _quote(form: Form) -> Quote:
    raw = text(form, "time")
    try:
        time = datetime.fromisoformat(raw)
    except ValueError as e:
        raise invalid(f"time: expected ISO 8601 with a zone, got {raw[:40]!r}") from e
    if time.tzinfo is None:
        raise invalid(f"time: expected ISO 8601 with a zone, got {raw[:40]!r}")
    return Quote(
        instrument_id=text(form, "instrument"),
        last=number(form, "last"),
        bid=_number_or_none(form, "bid"),
        ask=_number_or_none(form, "ask"),
        time=time.astimezone(UTC),
    )
