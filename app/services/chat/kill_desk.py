"""Understand, confirm, press and follow the kill switches that people order in a chat."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.notices import owners_of_notice
from app.db.scope import scope_of
from app.db.session import Database
from app.db.users import get_user
from app.domain.chat import ChatMessage, KillOrder, read_order
from app.domain.commands import ControlAction, ControlScope
from app.domain.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.domain.ports import Clock
from app.domain.users import Actor
from app.services.chat.people import People
from app.services.kill_switch import Kill, follow_kill, press_kill_switch
from app.services.named import named_target
from app.services.risk_control import ControlTarget, moment_of, require_target

log = structlog.get_logger()

_IS_FRESH, _MAY_CONFIRM, _FOLLOWED = timedelta(minutes=2), timedelta(minutes=2), timedelta(minutes=10)
_UNCHANGED = "Nothing was changed."
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    order: KillOrder
    target: ControlTarget
    until: datetime


@dataclass(slots=True, kw_only=True)
class _Followed:
    actor: Actor
    chat: str
    until: datetime
    told: str = field(default="")


class KillDesk:
    """Answer one message after the other, and say how far the pressed ones are. For one thread.

    What waits for its confirmation is forgotten with the process: then a person asks again.
    """

    def __init__(self, database: Database, clock: Clock, people: People) -> None:
        self._database = database
        self._clock = clock
        self._people = people
        self._asked: dict[str, _Asked] = {}
        self._followed: dict[int, _Followed] = {}

    def answer(self, message: ChatMessage) -> str | None:
        """Do what a message asks for and return the reply; None for a stranger, who learns nothing."""
        try:
            with self._database.begin() as session:
                actor = self._people.actor(session, message.sender)
            if actor is None:
                log.warning("chat_stranger", sender=message.sender)
                return None
            return self._heed(actor, message)
        except (ConflictError, ForbiddenError, InvalidInputError, NotFoundError) as e:
            return f"{e}\n{_UNCHANGED}"
        except OperationalError as e:
            log.warning("chat_without_database", error=type(e.orig).__name__)
            return f"The database does not answer. {_UNCHANGED} Try again, or run openbell kill."

    def progress(self) -> list[tuple[str, str]]:
        """Return what is new of the pressed ones: the chat and a sentence. Raises OperationalError."""
        news = []
        for command_id, followed in list(self._followed.items()):
            with self._database.begin() as session:
                kill = follow_kill(session, followed.actor, command_id)
            is_over = kill.is_flat or self._clock.wall() > followed.until
            text = _end(kill) if is_over else f"{kill.progress}."
            if text != followed.told:
                news.append((followed.chat, text))
                followed.told = text
            if is_over:
                del self._followed[command_id]
        return news

    def _heed(self, actor: Actor, message: ChatMessage) -> str:
        now = self._clock.wall()
        age = now - message.sent_at
        if age > _IS_FRESH:
            return f"Your message came {age.total_seconds():.0f} s late. {_UNCHANGED} Send it again."
        asked = self._asked.get(message.sender)
        if asked is not None and asked.order.is_confirmed_by(message.text):
            if now <= asked.until:
                return self._press(actor, asked, message.sender)
            raise ConflictError("the confirmation came too late, ask again")
        with self._database.begin() as session:
            order = read_order(message.text) or self._meant(session, message)
            target = named_target(session, actor, order.scope, order.name)
            require_target(session, scope_of(actor), target)
        self._asked[message.sender] = _Asked(order=order, target=target, until=now + _MAY_CONFIRM)
        return (
            f"Every position of {order.title} will be closed and nothing new entered. "
            f"To go on, send within two minutes: {order.confirmation}"
        )

    @staticmethod
    def _meant(session: Session, message: ChatMessage) -> KillOrder:
        """Return the user whom the alarms are about that a message answers."""
        owners = (
            frozenset()
            if message.replies_to is None
            else owners_of_notice(session, message.sender, message.replies_to)
        )
        owner = next(iter(owners)) if len(owners) == 1 else None
        if owner is None:
            raise InvalidInputError(
                "expected a reply to an alarm about one user, or whom to stop, like: kill user NAME"
            )
        return KillOrder(scope=ControlScope.USER, name=get_user(session, owner).name)

    def _press(self, actor: Actor, asked: _Asked, chat: str) -> str:
        command_id = press_kill_switch(
            self._database,
            actor,
            asked.target,
            action=ControlAction.HALT,
            reason="ordered in the chat",
            moment=lambda: moment_of(self._clock),
        )
        del self._asked[chat]
        until = self._clock.wall() + _FOLLOWED
        self._followed[command_id] = _Followed(actor=actor, chat=chat, until=until)
        log.info("kill_switch_pressed", command_id=command_id, target=str(asked.target), actor=actor.name)
        return f"Pressed for {asked.order.title} (command {command_id}). I say how far it is."


def _end(kill: Kill) -> str:
    times = kill.press_to_last_order
    took = f" Press to last order: {times}." if times.accounts else ""
    if kill.is_flat:
        return f"Everything is flat: {kill.progress}.{took}" if kill.accounts else "Nothing was open."
    open_ = [account for account in kill.accounts if not account.is_flat]
    lines = [f"{a.user_name}/{a.account_name}: {a.why_not_flat}" for a in open_[:_MOST_NAMED]]
    more = [f"and {len(open_) - _MOST_NAMED} more, see the dashboard"] if len(open_) > _MOST_NAMED else []
    return "\n".join((f"NOT everything is flat: {kill.progress}.{took}", *lines, *more))
