"""Stand between gateway and agent and break the wire where a card asks for it."""

import http.client
import json
import threading
import time
from collections import Counter, deque
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_HTML = b"<html><body>proxy</body></html>"


class Break(StrEnum):
    """Name what can happen to one exchange."""

    NOTHING = "nothing"
    REPLY_LOST = "reply lost"
    REQUEST_LOST = "request lost"
    ERROR_PAGE = "error page"
    WRONG_PAGE = "wrong page"
    REDIRECT = "redirect"
    HANG = "hang"
    STALE = "an old reply"


class Relay:
    """Forward calls to one agent, from the caller's own address, and count them."""

    def __init__(self, agent_port: int) -> None:
        self._agent_port = agent_port
        self._breaks: dict[str, deque[Break]] = {}
        self.requests: Counter[str] = Counter()
        self._kept: dict[str, bytes] = {}
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                relay._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the gateway should call."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def plan(self, call: str, *breaks: Break) -> None:
        """Break the next exchanges of one call in this order."""
        self._breaks[call] = deque(breaks)

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        call = handler.path.rpartition("/")[2]
        self.requests[call] += 1
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        queue = self._breaks.get(call)
        doing = queue.popleft() if queue else Break.NOTHING
        match doing:
            case Break.REQUEST_LOST:
                handler.close_connection = True
            case Break.ERROR_PAGE:
                _answer(handler, 502, _HTML)
            case Break.WRONG_PAGE:
                _answer(handler, 200, _HTML)
            case Break.REDIRECT:
                _answer(handler, 307, b"", location=f"{self.url}{handler.path}")
            case Break.STALE if call in self._kept:
                _answer(handler, 200, _renewed(self._kept[call], body))
            case _:
                status, reply = self._forward(handler, body)
                if status == 200:
                    self._kept[call] = reply
                if doing is Break.HANG:
                    time.sleep(3)
                if doing is Break.REPLY_LOST:
                    handler.close_connection = True
                else:
                    _answer(handler, status, reply)

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        agent = http.client.HTTPConnection(
            "127.0.0.1", self._agent_port, timeout=30, source_address=(handler.client_address[0], 0)
        )
        try:
            headers = {
                "Authorization": handler.headers["Authorization"],
                "Content-Type": "application/json",
            }
            agent.request("POST", handler.path, body, headers)
            response = agent.getresponse()
            return response.status, response.read()
        except OSError:
            return 502, _HTML
        finally:
            agent.close()


def _renewed(reply: bytes, question: bytes) -> bytes:
    return json.dumps({**json.loads(reply), "nonce": json.loads(question)["nonce"]}).encode()


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, *, location: str = "") -> None:
    try:
        handler.send_response(status)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Type", "application/json" if body[:1] == b"{" else "text/html")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    except OSError:
        handler.close_connection = True  # the caller has gone
