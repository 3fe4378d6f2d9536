"""Play the Bot API of Telegram on a socket: https://core.telegram.org/bots/api, as far as we use it."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

TOKEN = "42:hush-do-not-tell"
_LONGEST_POLL_S = 0.1


class Telegram:
    """Hold what people wrote and what the bot sent.

    `refusals` are given to the next calls, one each; `pauses` (seconds) to its next message.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.refusals: deque[tuple[int, dict[str, Any]]] = deque()
        self.blocked: set[str] = set()
        self.pauses = 0.0
        self.url = ""
        self._updates: list[dict[str, Any]] = []
        self._numbers = count(7000)
        self._lock = threading.Lock()

    def writes(
        self, person: int, text: str, *, replies_to: int | None = None, at: datetime | None = None
    ) -> None:
        """Let a person write to the bot."""
        sent_at = at or datetime.now(UTC)
        message: dict[str, Any] = {"message_id": next(self._numbers), "from": {"id": person}}
        message |= {"chat": {"id": person, "type": "private"}, "date": int(sent_at.timestamp()), "text": text}
        if replies_to is not None:
            message["reply_to_message"] = {"message_id": replies_to}
        self.gets(message)

    def gets(self, message: dict[str, Any]) -> None:
        """Let a message of any form arrive."""
        with self._lock:
            self._updates.append({"update_id": next(self._numbers), "message": message})

    def texts(self, person: int) -> list[str]:
        """Return what the bot has sent to a person."""
        return [sent["text"] for sent in self.sent if sent["chat_id"] == str(person)]

    def answer(self, token: str, method: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body of one call."""
        if method == "getUpdates" and not self._updates:
            time.sleep(min(body["timeout"], _LONGEST_POLL_S))
        with self._lock:
            if self.refusals:
                return self.refusals.popleft()
            if token != TOKEN:
                return _refused(401, "Unauthorized")
            if method == "getUpdates":
                # Asking from a number on says that all before it were received.
                self._updates = [u for u in self._updates if u["update_id"] >= body["offset"]]
                return 200, {"ok": True, "result": self._updates}
            if self.pauses:
                pause, self.pauses = self.pauses, 0.0
                return 429, {"ok": False, "parameters": {"retry_after": pause}}
            if body["chat_id"] in self.blocked:
                return _refused(403, "Forbidden: bot was blocked by the user")
            self.sent.append(body | {"message_id": len(self.sent) + 1})
            return 200, {"ok": True, "result": self.sent[-1]}


def _refused(status: int, why: str) -> tuple[int, dict[str, Any]]:
    return status, {"ok": False, "error_code": status, "description": why}


@contextmanager
def telegram() -> Iterator[Telegram]:
    """Serve it until the block ends."""
    played = Telegram()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            _, bot, method = self.path.split("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = played.answer(bot.removeprefix("bot"), method, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    played.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
