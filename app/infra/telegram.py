"""Talk with people through a bot of theirs: https://core.telegram.org/bots/api.

Only private chats count: there the chat's number is the person's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog
from pydantic import SecretStr

from app.domain.chat import ChatMessage
from app.domain.errors import ConfigError, ForbiddenError, ProtocolError, RateLimitedError, UnavailableError

log = structlog.get_logger()

_TIMEOUT_S = 5.0
_MOST_CHARACTERS = 4096
_NO_SUCH_BOT = (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND)
_NO_SUCH_CHAT = (httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN)
_PAUSE_S = 5.0


class TelegramBot:
    """Read and send messages as one bot. For one thread."""

    def __init__(self, url: str, token: SecretStr) -> None:
        # The token is a part of each address: no error and no log line of ours may show one.
        self._http = httpx.Client(base_url=f"{url}/bot{token.get_secret_value()}/", timeout=_TIMEOUT_S)
        self._next = 0

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def receive(self, *, wait_s: int) -> list[ChatMessage]:
        """Return what people wrote since the last call, waiting for it as long as this.

        Calling again says that these were received: after a death in between they come once more.

        Raises:
            ConfigError: Telegram does not know the token.
            UnavailableError, RateLimitedError, ProtocolError: nothing was read.
        """
        asked = {"offset": self._next, "timeout": wait_s, "allowed_updates": ["message"]}
        updates = self._call("getUpdates", asked, timeout_s=_TIMEOUT_S + wait_s)
        try:
            self._next = max((update["update_id"] + 1 for update in updates), default=self._next)
        except (KeyError, TypeError) as e:
            raise ProtocolError(f"expected numbered updates of Telegram, got one without {e}") from e
        found = (_message(update["message"]) for update in updates if "message" in update)
        return [message for message in found if message is not None]

    def send(self, chat: str, text: str, *, replies_to: int | None = None) -> int:
        """Send a message; return its number.

        Raises:
            ForbiddenError: this person does not talk with the bot.
            ConfigError, UnavailableError, RateLimitedError, ProtocolError: as `receive`.
        """
        body: dict[str, Any] = {"chat_id": chat, "text": text[:_MOST_CHARACTERS]}
        if replies_to is not None:
            body["reply_parameters"] = {"message_id": replies_to, "allow_sending_without_reply": True}
        try:
            return int(self._call("sendMessage", body, timeout_s=_TIMEOUT_S)["message_id"])
        except (KeyError, TypeError) as e:
            raise ProtocolError(f"expected Telegram to number a message, got none: {e}") from e

    def _call(self, method: str, body: Mapping[str, Any], *, timeout_s: float) -> Any:  # noqa: ANN401  JSON
        try:
            reply = self._http.post(method, json=body, timeout=timeout_s)
            told = reply.json()
        except httpx.TransportError as e:
            raise UnavailableError(f"Telegram does not answer: {type(e).__name__}") from None
        except ValueError:
            raise UnavailableError(f"expected JSON of Telegram, got status {reply.status_code}") from None
        if reply.is_success:
            return told.get("result")
        raise _refusal(reply.status_code, told)


def _refusal(status: int, told: Mapping[str, Any]) -> Exception:
    why = f"Telegram says {status}: {told.get('description', 'no reason')}"
    if status in _NO_SUCH_BOT:
        return ConfigError(f"{why}; OPENBELL_TELEGRAM_TOKEN is the token that BotFather gave you")
    if status in _NO_SUCH_CHAT:
        return ForbiddenError(why)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        pause = told.get("parameters", {}).get("retry_after", _PAUSE_S)
        return RateLimitedError(why, retry_after_s=float(pause))
    return UnavailableError(why)


def _message(told: Mapping[str, Any]) -> ChatMessage | None:
    """Return a text that one person wrote to the bot alone, None for anything else."""
    try:
        if told["chat"]["type"] != "private" or "text" not in told:
            return None
        return ChatMessage(
            sender=str(told["from"]["id"]),
            message_id=told["message_id"],
            replies_to=told.get("reply_to_message", {}).get("message_id"),
            text=told["text"],
            sent_at=datetime.fromtimestamp(told["date"], UTC),
        )
    except (KeyError, TypeError) as e:
        log.warning("chat_message_unreadable", without=str(e))
        return None
