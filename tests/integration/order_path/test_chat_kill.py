"""A person on the road is told of an alarm, stops trading by a reply, and hears when everything is flat."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.db.alarms import raise_alarm
from app.db.models import AlarmNoticeRow, UserRow
from app.domain.accounts import TradingState
from app.domain.orders import OrderRole, OrderStatus
from app.domain.ports import Clock
from app.domain.users import Role
from app.infra.names import RunKind
from app.infra.telegram import TelegramBot
from app.services.chat.kill_desk import KillDesk
from app.services.chat.notices import Notices
from app.services.chat.notifier import Notifier
from app.services.chat.people import People
from tests.integration.order_path.desk import Desk
from tests.telegram import TOKEN, Telegram, telegram

pytestmark = pytest.mark.integration

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
_OPS, _TRADER, _STRANGER = 11, 22, 33


class _Shifted:
    """A clock that is ahead of another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return self._clock.now()

    def wall(self) -> datetime:
        return self._clock.wall() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)


@pytest.fixture
def chat() -> Iterator[Telegram]:
    with telegram() as played:
        yield played


@contextmanager
def _notifier(desk: Desk, chat: Telegram, clock: Clock | None = None) -> Iterator[None]:
    """Run the notifier for an operator and for the first of the desk's traders."""
    people = People({str(_OPS): "olivia", str(_TRADER): "user-1"}, origin="telegram")
    notifier = Notifier(
        TelegramBot(chat.url, SecretStr(TOKEN)),
        KillDesk(desk.database, clock or desk.clock, people),
        Notices(desk.database, people),
    )
    stop = threading.Event()
    thread = threading.Thread(target=notifier.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def _add_operator(desk: Desk) -> None:
    with desk.database.begin() as session:
        session.add(UserRow(name="olivia", role=Role.OPS, password_hash=None))


def _raise(desk: Desk, code: str, *, account: int | None) -> None:
    with desk.database.begin() as session:
        raise_alarm(
            session,
            code,
            subject=f"{code} subject",
            message="look at it",
            user_id=None if account is None else desk.deployments[account - 1].user_id,
            now=desk.clock.now(),
        )


def _states(desk: Desk) -> dict[str, TradingState]:
    with desk.database.begin() as session:
        rows = session.execute(select(UserRow.name, UserRow.trading_state).order_by(UserRow.id))
        return {name: TradingState(state) for name, state in rows}


def _last(chat: Telegram, person: int) -> str:
    return (chat.texts(person) or [""])[-1]


def _wait_until_told(desk: Desk, chat: Telegram, what: str) -> None:
    desk.wait_for(lambda: what in _last(chat, _TRADER))


def test_a_reply_to_an_alarm_closes_that_user_and_says_when_it_is_flat(desk: Desk, chat: Telegram) -> None:
    _add_operator(desk)
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop, _notifier(desk, chat):
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 4)
        _raise(desk, "unprotected", account=2)
        desk.wait_for(lambda: "unprotected subject: look at it" in _last(chat, _OPS))
        (notice,) = [sent for sent in chat.sent if sent["chat_id"] == str(_OPS)]

        chat.writes(_OPS, "kill", replies_to=notice["message_id"])
        desk.wait_for(lambda: "HALT user-2" in _last(chat, _OPS))
        assert _states(desk)["user-2"] is TradingState.ACTIVE, "nothing happens before it is confirmed"
        chat.writes(_OPS, "Halt user-2")
        desk.wait_for(lambda: _last(chat, _OPS).startswith("Everything is flat: 1 of 1 accounts"))

    assert chat.texts(_TRADER) == [], "another's alarm"
    assert {leg.account_id for leg in desk.legs() if leg.net_qty != 0} == {desk.deployments[0].account_id}
    assert {p["ucc"] for p in desk.broker.get("positions") if p["net"] != 0} == {"AA001"}
    assert _states(desk) == {
        "user-1": TradingState.ACTIVE,
        "user-2": TradingState.HALTED,
        "olivia": TradingState.ACTIVE,
    }


def test_each_person_hears_of_an_alarm_once_and_of_their_own_alone(desk: Desk, chat: Telegram) -> None:
    _add_operator(desk)
    for code in ("one", "two"):
        _raise(desk, code, account=1)
    _raise(desk, "for_staff", account=None)
    chat.blocked.add(str(_OPS))
    with _notifier(desk, chat):
        desk.wait_for(lambda: chat.texts(_TRADER))
    assert len(chat.texts(_TRADER)) == 1
    assert chat.texts(_TRADER)[0].splitlines() == [
        "2 alarms",
        "one, one subject: look at it",
        "two, two subject: look at it",
    ]
    assert chat.texts(_OPS) == [], "who blocks the bot costs the others nothing"

    chat.blocked.clear()
    with _notifier(desk, chat):
        desk.wait_for(lambda: chat.texts(_OPS))
    assert "for_staff, for_staff subject: look at it" in chat.texts(_OPS)[0]
    assert len(chat.texts(_TRADER)) == 1, "a new process remembers what was told"
    with desk.database.begin() as session:
        assert len(session.scalars(select(AlarmNoticeRow)).all()) == 2 + 3


def test_strangers_late_words_and_orders_beyond_ones_own_change_nothing(desk: Desk, chat: Telegram) -> None:
    before = _states(desk)
    with _notifier(desk, chat):
        chat.writes(_STRANGER, "kill all")
        chat.writes(_TRADER, "kill all", at=datetime.now(UTC) - timedelta(minutes=3))
        desk.wait_for(lambda: "s late" in _last(chat, _TRADER))
        for text, told in (
            ("kill all", "only staff"),
            ("kill user user-2", "expected an existing user, got 'user-2'"),
            ("kill account user-1/other", "expected an account of user-1, got 'other'"),
            ("kill broker zerodha", "expected a broker of kotak_neo"),
            ("kill", "expected a reply to an alarm about one user"),
            ("what?", "kill user NAME"),
            ("HALT user-1", "kill user NAME"),
        ):
            chat.writes(_TRADER, text)
            _wait_until_told(desk, chat, told)
            assert _last(chat, _TRADER).endswith("Nothing was changed.")

    assert chat.texts(_STRANGER) == [], "a stranger learns nothing"
    assert _states(desk) == before


def test_a_confirmation_that_comes_late_confirms_nothing(desk: Desk, chat: Telegram) -> None:
    clock = _Shifted(desk.clock)
    with _notifier(desk, chat, clock):
        chat.writes(_TRADER, "kill user user-1")
        _wait_until_told(desk, chat, "HALT user-1")
        clock.ahead = timedelta(minutes=3)
        chat.writes(_TRADER, "HALT user-1", at=clock.wall())
        _wait_until_told(desk, chat, "the confirmation came too late")

    assert _states(desk)["user-1"] is TradingState.ACTIVE


def test_the_orders_of_one_batch_are_all_heeded_though_the_chat_fails_in_between(
    desk: Desk, chat: Telegram
) -> None:
    with _notifier(desk, chat):
        chat.writes(_TRADER, "kill user user-1")
        desk.wait_for(lambda: "HALT user-1" in _last(chat, _TRADER))
        chat.refusals.append((502, {"description": "Bad Gateway"}))
        chat.refusals.append((429, {"description": "Too Many", "parameters": {"retry_after": 0.2}}))
        chat.writes(_TRADER, "halt user-1")
        desk.wait_for(lambda: _states(desk)["user-1"] is TradingState.HALTED)
        desk.wait_for(lambda: "Nothing was open." in chat.texts(_TRADER))

    assert sum(text.startswith("Pressed for user user-1") for text in chat.texts(_TRADER)) == 1


def test_a_chat_that_wants_a_long_pause_is_heard_all_the_same(desk: Desk, chat: Telegram) -> None:
    with _notifier(desk, chat):
        chat.writes(_TRADER, "kill user user-1")
        _wait_until_told(desk, chat, "HALT user-1")
        _raise(desk, "flood", account=1)
        chat.pauses = 600.0
        desk.wait_for(lambda: chat.pauses == 0.0)
        chat.writes(_TRADER, "HALT user-1")
        desk.wait_for(lambda: _states(desk)["user-1"] is TradingState.HALTED)

    assert _last(chat, _TRADER).endswith("HALT user-1"), "nothing was said in the pause"
