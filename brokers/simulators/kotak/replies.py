"""Build the broker's JSON replies, good and bad."""

from starlette.responses import HTMLResponse, JSONResponse, Response

from brokers.simulators.kotak.rows import Row


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


def throttled() -> Response:
    """Return the broker's answer to too many calls."""
    body = {"code": 429, "error": "Rate limit exceeded", "message": "Too many requests, slow down"}
    return JSONResponse(body, status_code=429, headers={"Retry-After": "1"})


def gateway_page(status: int) -> Response:
    """Return a proxy's HTML page in place of JSON."""
    return HTMLResponse(f"<html><body><h1>{status} Bad Gateway</h1></body></html>", status_code=status)


def gateway_json() -> Response:
    """Return a 503 with a JSON body."""
    body = {"stCode": 503, "errMsg": "OMS not reachable", "stat": "Not_Ok"}
    return JSONResponse(body, status_code=503)
