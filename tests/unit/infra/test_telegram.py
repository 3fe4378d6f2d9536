"""The bot's client says what is wrong, never with the token in it, and passes over what it cannot read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from app.domain.chat import ChatMessage
from app.domain.errors import ConfigError, ForbiddenError, ProtocolError, RateLimitedError, UnavailableError
from app.infra.telegram import TelegramBot
from tests.telegram import TOKEN, Telegram, telegram

_AT = datetime(2026, 11, 29, 4, tzinfo=UTC)
_STAMP = int(_AT.timestamp())


@pytest.fixture
def chat() -> Iterator[Telegram]:
    with telegram() as played:
        yield played


@pytest.fixture
def bot(chat: Telegram) -> Iterator[TelegramBot]:
    bot = TelegramBot(chat.url, SecretStr(TOKEN))
    yield bot
    bot.close()


def test_a_message_is_received_once(chat: Telegram, bot: TelegramBot) -> None:
    chat.writes(11, "kill", replies_to=5, at=_AT)
    (message,) = bot.receive(wait_s=0)

    assert message == ChatMessage(
        sender="11", message_id=message.message_id, replies_to=5, text="kill", sent_at=_AT
    )
    assert bot.receive(wait_s=0) == []


@pytest.mark.parametrize(
    "message",
    [
        {"chat": {"type": "group"}, "from": {"id": 11}, "message_id": 1, "date": _STAMP, "text": "kill all"},
        {"chat": {"type": "private"}, "from": {"id": 11}, "message_id": 1, "date": _STAMP, "photo": []},
        {"chat": {"type": "private"}, "message_id": 1, "date": _STAMP, "text": "from nobody"},
        {"text": "without a chat"},
        {"chat": {"type": "private"}, "from": {"id": 11}, "message_id": 1, "date": "x", "text": "kill"},
    ],
)
def test_what_one_person_did_not_write_is_passed_over(
    chat: Telegram, bot: TelegramBot, message: dict[str, Any]
) -> None:
    chat.gets(message)
    chat.writes(11, "kill all")

    assert [m.text for m in bot.receive(wait_s=0)] == ["kill all"]


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (401, {"description": "Unauthorized"}, ConfigError, "OPENBELL_TELEGRAM_TOKEN"),
        (403, {"description": "blocked"}, ForbiddenError, "Telegram says 403: blocked"),
        (502, {}, UnavailableError, "no reason"),
        (200, {"ok": True}, ProtocolError, "got none"),
    ],
)
def test_a_refusal_is_told_in_words(
    chat: Telegram, bot: TelegramBot, status: int, body: dict[str, Any], error: type[Exception], says: str
) -> None:
    chat.refusals.append((status, body))
    with pytest.raises(error, match=says):
        bot.send("11", "hello")


def test_the_pause_that_telegram_wants_is_kept(chat: Telegram, bot: TelegramBot) -> None:
    chat.refusals.append((429, {"parameters": {"retry_after": 17}}))
    with pytest.raises(RateLimitedError) as caught:
        bot.send("11", "hello")
    assert caught.value.retry_after_s == 17


def test_no_error_shows_the_token(chat: Telegram) -> None:
    wrong, silent = (TelegramBot(url, SecretStr("42:wrong")) for url in (chat.url, "http://127.0.0.1:9"))
    with pytest.raises(ConfigError) as refused:
        wrong.receive(wait_s=0)
    with pytest.raises(UnavailableError) as unheard:
        silent.receive(wait_s=0)

    assert "42:wrong" not in f"{refused.value}{unheard.value}{unheard.value.__cause__}"


def test_a_text_is_cut_to_what_a_message_may_hold(chat: Telegram, bot: TelegramBot) -> None:
    bot.send("11", "x" * 5000)
    assert len(chat.sent[0]["text"]) == 4096
