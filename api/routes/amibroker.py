"""Take AmiBroker's signals: a form or JSON in, one short line out, always with status 200."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import OperationalError

from api.deps import Parts, PartsDep, origin_of, read_at_most
from app.amibroker.signals import MOST_BYTES, Act, act_of, parse_fields, read_signal
from app.domain.errors import AppError, ConflictError, InvalidInputError, NotFoundError
from app.domain.external import Door
from app.domain.targets import MoveKind
from app.services.api_keys import BadApiKeyError, find_holder
from app.services.external_cases import NotArmedError
from app.services.external_signals import Answer, LimitsUnreadableError, RefusedError

router = APIRouter(include_in_schema=False)
_MOST_LINE = 200
_WORDS: tuple[tuple[type[AppError], str], ...] = (
    (BadApiKeyError, "NO||AUTH|"),
    (NotArmedError, "RETRY||NOT_ARMED|5"),
    (LimitsUnreadableError, "RETRY||BUSY|5"),
    (NotFoundError, "NO||SYMBOL|"),
    (ConflictError, "NO||CONFLICT|"),
)


async def read_raw(request: Request) -> bytes:
    """Read the body as it came."""
    return await read_at_most(request, MOST_BYTES)


@router.post("/amibroker/signals")
def take_signal(
    request: Request,
    parts: PartsDep,
    raw: Annotated[bytes, Depends(read_raw)],
    x_api_key: Annotated[str, Header()] = "",
) -> PlainTextResponse:
    """Answer WORD|signal|code|detail: OK latches the bar, NO too, RETRY asks again after so many seconds."""
    try:
        line = _line(parts, raw, x_api_key, origin_of(request))
    except AppError as e:
        line = _fault(e)
    except OperationalError:
        line = "RETRY||BUSY|1"
    text = "".join(c if " " <= c <= "~" else " " for c in line)[: _MOST_LINE - 1]
    return PlainTextResponse(f"{text}\n", headers={"Cache-Control": "no-store"})


def _line(parts: Parts, raw: bytes, header_key: str, origin: str) -> str:
    fields = parse_fields(raw)
    with parts.database.begin() as session:
        holder = find_holder(session, header_key or fields.get("key", ""), origin=origin)
    act = act_of(fields)
    if act is Act.PING:
        return "OK||PONG|"
    signal = read_signal(fields, act)
    signal.require_in_time(parts.clock.now())
    answer = parts.signals.hand_in(holder.actor, holder.deployment_id, signal.wish(), door=Door.AMIBROKER)
    return _verdict(answer)


def _verdict(answer: Answer) -> str:
    number = answer.signal.id
    word = "HELD" if answer.signal.outcome is MoveKind.NOTHING else "ACCEPTED"
    if answer.is_repeat:
        return f"OK|{number}|DUPLICATE|{answer.code or word}"
    try:
        answer.require_taken()
    except RefusedError as e:
        return f"NO|{number}|{e.code}|{answer.message}"
    if answer.code is not None:
        return f"NO|{number}|{answer.code}|{answer.message}"
    return f"OK|{number}|{word}|"


def _fault(fault: AppError) -> str:
    for kind, line in _WORDS:
        if isinstance(fault, kind):
            return f"{line}{fault}" if line.endswith("|") else line
    if isinstance(fault, InvalidInputError):
        return f"NO||{'STALE' if fault.code == 'STALE' else 'BAD'}|{fault}"
    return f"NO||{fault.code.upper()}|{fault}"
