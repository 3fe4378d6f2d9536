"""Read what a person writes in a chat to stop trading; nothing else is understood there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.commands import ControlScope
from app.domain.errors import InvalidInputError

_WORD = "kill"
_NAMED: Final = {scope.value: scope for scope in ControlScope if scope is not ControlScope.TENANT}
HELP: Final = (
    "I stop trading: kill all, kill broker NAME, kill family NAME, kill user NAME, "
    "kill account USER/ACCOUNT, kill deployment USER/ACCOUNT/NAME, "
    "or kill alone in reply to an alarm about one user. "
    "Trading resumes on the dashboard or by openbell resume."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """Carry what a person wrote. `sender` is the chat's own number of them; `sent_at` is the chat's time.

    `replies_to` is the message that it answers, None for none.
    """

    sender: str
    message_id: int
    replies_to: int | None
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KillOrder:
    """Say whose trading a person wants stopped; `name` as on the command line, empty for everybody."""

    scope: ControlScope
    name: str

    @property
    def title(self) -> str:
        """Whom it concerns, for a sentence."""
        return "everybody" if self.scope is ControlScope.TENANT else f"{self.scope} {self.name}"

    @property
    def confirmation(self) -> str:
        """The words by which a person says that they mean it, as `openbell kill` asks for them."""
        return f"HALT {self.name or 'everybody'}"

    def is_confirmed_by(self, text: str) -> bool:
        """Whether these are the words; the keyboards of phones choose capitals as they like."""
        return " ".join(text.split()).casefold() == self.confirmation.casefold()


def read_order(text: str) -> KillOrder | None:
    """Return who shall be stopped, None for a bare `kill`: that is about the message which it answers.

    Raises:
        InvalidInputError: nothing that stops anybody, with what would.
    """
    words = text.removeprefix("/").split()
    # In a chat with several bots the program adds the bot's name to a command: /kill@openbell_bot.
    if not words or words[0].partition("@")[0].casefold() != _WORD:
        raise InvalidInputError(HELP)
    match [word.casefold() for word in words[1:]]:
        case []:
            return None
        case ["all"]:
            return KillOrder(scope=ControlScope.TENANT, name="")
        case [scope, _] if scope in _NAMED:
            return KillOrder(scope=_NAMED[scope], name=words[2])
    raise InvalidInputError(f"{text!r} names nobody. {HELP}")
