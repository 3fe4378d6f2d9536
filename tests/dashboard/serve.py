"""Serve a made-up day: `python -m tests.dashboard.serve --port 8123`; real engines in a temporary folder."""

import argparse
import tempfile
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import redis
import uvicorn
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.main import WEBSOCKETS, create_app
from app.config import Settings
from app.db.models import LegRow, OrderRow
from app.db.order_evidence import add_look
from app.db.session import Database
from app.domain.orders import OrderRole, OrderStatus, Side
from app.domain.unknown_orders import look_for_tag
from app.infra.clock import VirtualClock
from app.infra.engines.engines import ensure_engines, stop_engines
from app.infra.live_state import LiveState
from app.infra.migrations import migrate
from app.infra.queue import TaskQueue, make_celery
from app.services.news import News
from tests.dashboard.risk_seed import seed_risk
from tests.dashboard.seed import (
    ABROAD,
    CALL,
    HOLDINGS,
    LATE_ORDERS,
    LOT,
    PREMIUMS,
    Person,
    add_order,
    at,
    beat,
    move,
    seed_day,
    seed_people,
    seed_unknown,
)

_TURN_S = 0.5


class Market(threading.Thread):
    """Let the day go on: prices move, some orders end, new ones come."""

    def __init__(
        self, database: Database, valkey: redis.Redis, clock: VirtualClock, people: list[Person]
    ) -> None:
        super().__init__(daemon=True)
        self._database, self._valkey, self._clock, self._people = database, valkey, clock, people
        self._news = News(valkey)
        self._random = Random(7)
        self._marks = {**PREMIUMS, **ABROAD}
        self._stop = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self._stop.wait(_TURN_S):
            turn += 1
            self._marks = move(self._marks, self._random)
            beat(self._valkey, self._marks, now=self._clock.now())
            if turn % 4 == 0:
                with self._database.begin() as session:
                    look_on(session, now=self._clock.now(), wall=self._clock.wall())
                    person = self._trade(session, turn)
                self._news.tell_user(person.user_id, "order", {"turn": turn})

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self.join()

    def _trade(self, session: Session, turn: int) -> Person:
        person = self._people[turn // 4 % len(self._people)]
        price = self._marks[CALL]
        add_order(
            session,
            person,
            key=f"live-{turn}",
            instrument=CALL,
            side=Side.BUY,
            status=(OrderStatus.FILLED, OrderStatus.ACCEPTED, OrderStatus.REJECTED)[turn // 4 % 3],
            price=price,
            filled=LOT if turn // 4 % 3 == 0 else Decimal(0),
            moment=self._clock.now(),
            role=OrderRole.ENTRY,
            reject_reason="RMS: margin exceeds by 1,204.50" if turn // 4 % 3 == 2 else "",
        )
        return person


def look_on(session: Session, *, now: datetime, wall: datetime) -> None:
    """Do what the book readers do: look for the orders that nobody answered."""
    for order in session.scalars(select(OrderRow).where(OrderRow.is_unknown).with_for_update()):
        if order.submitted_wall is not None:
            deadline = order.submitted_wall + LATE_ORDERS
            add_look(
                session, order.id, look_for_tag(is_clean=True), now=now, wall=wall, provable_from=deadline
            )


def obey(database: Database, stop: threading.Event) -> None:
    """Do what the exits lanes do once a leg shall be flat: close it."""
    while not stop.wait(_TURN_S):
        with database.begin() as session:
            session.execute(
                update(LegRow).where(LegRow.exit_reason.is_not(None), LegRow.net_qty != 0).values(net_qty=0)
            )


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--accounts", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openbell-dashboard-") as folder:
        home = Path(folder)
        engines = ensure_engines(home, None, None)
        try:
            _serve(home, engines.database_url, engines.redis_url, port=asked.port, accounts=asked.accounts)
        finally:
            stop_engines(home)


def _serve(home: Path, database_url: str, redis_url: str, *, port: int, accounts: int) -> None:
    migrate(database_url)
    database = Database(database_url)
    with database.begin() as session:
        people = seed_people(session, count=accounts)
        seed_day(session, people)
        seed_risk(session, people)
        wall = datetime.now(UTC)
        for person, lookalike in zip(people[12:14], ("261120000777", ""), strict=False):
            seed_unknown(session, person, wall=wall, lookalike=lookalike)
    clock = VirtualClock.create(home / "clock", at=at(10, 12), rate=1.0)
    valkey = redis.Redis.from_url(redis_url, decode_responses=True)
    at_home = [person for number, person in enumerate(people) if number not in HOLDINGS]
    market = Market(Database(database_url), valkey, clock, at_home)
    stop = threading.Event()
    threading.Thread(target=obey, args=(Database(database_url), stop), daemon=True).start()
    market.start()
    application = create_app(
        Settings(home=home),
        database,
        LiveState(redis_url),
        queue=TaskQueue(make_celery(redis_url)),
        clock=clock,
    )
    try:
        uvicorn.run(application, port=port, log_level="warning", ws=WEBSOCKETS, timeout_graceful_shutdown=2)
    finally:
        stop.set()
        market.stop()


if __name__ == "__main__":
    main()
