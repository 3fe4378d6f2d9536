"""Build the broker's JSON replies, good and bad."""

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from brokers.simulators.kotak.catalog import REFUSALS
from brokers.simulators.kotak.rows import Row
from brokers.simulators.kotak.sockets import hang_up


class Dropped(Exception):  # noqa: N818 # a way out of a handler, not an error of ours
    """Leave a handler so that the client's connection is cut without a reply."""


class Refused(Exception):  # noqa: N818 # the broker's refusal, not an error of ours
    """Leave a handler with the broker's error body."""

    def __init__(self, code: int, message: str, http: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.http = http

    def response(self) -> Response:
        """Return the refusal in the broker's shape."""
        body = {"stCode": self.code, "errMsg": self.message, "stat": "Not_Ok"}
        return JSONResponse(body, status_code=self.http)


def accepted(number: str) -> Response:
    """Return the reply to a write: only that it was received."""
    return JSONResponse({"stat": "Ok", "nOrdNo": number, "stCode": 200})


def listing(rows: list[Row]) -> Response:
    """Return a report; an empty one is the broker's code 5203, which is no failure."""
    if not rows:
        return no_data()
    return JSONResponse({"stat": "Ok", "stCode": 200, "data": rows})


def no_data() -> Response:
    """Return the broker's way to say that a book is empty."""
    body = {"stCode": 5203, "errMsg": "No Data", "desc": "data not found", "stat": "Not_Ok"}
    return JSONResponse(body)


def login_error(code: str, message: str) -> Response:
    """Return a login refusal."""
    return JSONResponse({"error": [{"code": code, "message": message}]}, status_code=400)


def refused(code: int, status: int | None = None) -> Response:
    """Return the broker's error body of a code; `status` overrides the usual HTTP status."""
    text, usual = REFUSALS.get(code, ("undocumented", 400))
    return Refused(code, text, usual if status is None else status).response()


def throttled(*, is_told_when: bool = True) -> Response:
    """Return the broker's answer to too many calls, with or without the time to wait."""
    body = {"code": 429, "error": "Rate limit exceeded", "message": "Too many requests, slow down"}
    return JSONResponse(body, status_code=429, headers={"Retry-After": "1"} if is_told_when else {})


def gateway_page(status: int) -> Response:
    """Return a proxy's HTML page in place of JSON."""
    return HTMLResponse(f"<html><body><h1>{status} Bad Gateway</h1></body></html>", status_code=status)


def gateway_json(status: int = 503) -> Response:
    """Return a server error with a JSON body."""
    body = {"stCode": status, "errMsg": "OMS not reachable", "stat": "Not_Ok"}
    return JSONResponse(body, status_code=status)


class HalfReply(Response):
    """Send the head of a good reply and half of its body, then hang up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's own
        """Write what there is; the rest never comes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        hang_up(scope["state"])
