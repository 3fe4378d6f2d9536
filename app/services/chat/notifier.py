"""Carry messages between a chat and the platform: orders of people first, then alarms."""

import threading
import time
from collections import deque
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy.exc import DBAPIError

from app.domain.chat import ChatMessage
from app.domain.errors import BrokerError, ForbiddenError, RateLimitedError
from app.services.chat.kill_desk import KillDesk
from app.services.chat.notices import Notices

log = structlog.get_logger()

_LISTENS_S, _PAUSE_S = 1, 5.0
_MOST_UNSENT = 1000


class Chat(Protocol):
    """What carries the messages; see `TelegramBot`."""

    def receive(self, *, wait_s: int) -> list[ChatMessage]: ...
    def send(self, chat: str, text: str, *, replies_to: int | None = None) -> int: ...


class _Answer(NamedTuple):
    chat: str
    text: str
    replies_to: int | None = None


class Notifier:
    """Go round until told to stop; neither a silent chat nor a silent database ends it."""

    def __init__(self, chat: Chat, desk: KillDesk, notices: Notices) -> None:
        self._chat = chat
        self._desk = desk
        self._notices = notices
        self._unsent: deque[_Answer] = deque(maxlen=_MOST_UNSENT)
        self._silent_until = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Raises ConfigError when the chat does not know us."""
        while not stop.is_set():
            try:
                self._listen()
                self._report()
                self._tell()
            except RateLimitedError as e:
                # Of what we say; who wants to stop trading is heard all the same.
                log.warning("chat_wants_a_pause", seconds=e.retry_after_s)
                self._silent_until = time.monotonic() + e.retry_after_s
                stop.wait(_LISTENS_S)
            except BrokerError as e:
                log.warning("chat_unavailable", error=str(e))
                stop.wait(_PAUSE_S)
            except DBAPIError as e:
                # Orders are still heard, and answered that nothing was changed.
                log.warning("notifier_without_database", error=type(e.orig).__name__)

    def _listen(self) -> None:
        for message in self._chat.receive(wait_s=_LISTENS_S):
            # All are heeded before any is answered: an answer may fail.
            reply = self._desk.answer(message)
            if reply is not None:
                self._unsent.append(_Answer(message.sender, reply, message.message_id))
        self._send_answers()

    def _report(self) -> None:
        self._unsent.extend(_Answer(chat, text) for chat, text in self._desk.progress())
        self._send_answers()

    @property
    def _may_send(self) -> bool:
        return time.monotonic() >= self._silent_until

    def _send_answers(self) -> None:
        while self._unsent and self._may_send:
            answer = self._unsent[0]
            self._send(answer.chat, answer.text, replies_to=answer.replies_to)
            self._unsent.popleft()

    def _tell(self) -> None:
        for notice in self._notices.due() if self._may_send else ():
            message_id = self._send(notice.chat, notice.text)
            if message_id is not None:
                self._notices.told(notice, message_id=message_id)

    def _send(self, chat: str, text: str, *, replies_to: int | None = None) -> int | None:
        """Send a message; a person who does not talk with us costs the others nothing."""
        try:
            return self._chat.send(chat, text, replies_to=replies_to)
        except ForbiddenError as e:
            log.warning("chat_refused", chat=chat, error=str(e))
            return None
