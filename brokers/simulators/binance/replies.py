"""Build the venue's replies, good and bad."""

from starlette.responses import HTMLResponse, JSONResponse, Response


class Dropped(Exception):  # noqa: N818 # a way out of a handler, not an error of ours
    """Leave a handler so that the client's connection is cut without a reply, or after half of one."""

    def __init__(self, why: str, half: Response | None = None) -> None:
        super().__init__(why)
        self.half = half


class Refused(Exception):  # noqa: N818 # the venue's refusal, not an error of ours
    """Leave a handler with the venue's error body; `data` carries the halves of a cancelReplace."""

    def __init__(self, code: int, message: str, http: int = 400, data: object = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.http = http
        self.data = data

    def body(self) -> dict[str, object]:
        """Return the error as the venue writes it."""
        body: dict[str, object] = {"code": self.code, "msg": self.message}
        return body if self.data is None else body | {"data": self.data}

    def response(self) -> Response:
        """Return the refusal as an HTTP reply."""
        return JSONResponse(self.body(), status_code=self.http)


def gateway_page(status: int) -> Response:
    """Return a proxy's HTML page in place of JSON."""
    return HTMLResponse(f"<html><body><h1>{status}</h1></body></html>", status_code=status)


def filter_failure(name: str) -> Refused:
    """Return the refusal of a spot filter."""
    return Refused(-1013, f"Filter failure: {name}")


def missing(name: str) -> Refused:
    """Return the refusal of a call that lacks a parameter."""
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def unknown_order() -> Refused:
    """Return the refusal to cancel what is not open."""
    return Refused(-2011, "Unknown order sent.")


def no_such_order() -> Refused:
    """Return the refusal to show what is not there."""
    return Refused(-2013, "Order does not exist.")
