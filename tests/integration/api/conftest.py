"""A made-up morning behind the real API: real PostgreSQL and Valkey, a clock that stands still."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
import uvicorn
from fastapi import FastAPI
from websockets.sync.client import ClientConnection, connect

from api.main import WEBSOCKETS, create_app
from app.config import Settings
from app.db.session import Database
from app.infra.clock import VirtualClock
from app.infra.live_state import LiveState
from app.infra.queue import TaskQueue, make_celery
from tests.dashboard.seed import PASSWORD, PREMIUMS, Person, at, beat, seed_day, seed_people

NOWHERE = "redis://127.0.0.1:1"


@dataclass(frozen=True, kw_only=True)
class World:
    """What a test may touch."""

    client: httpx.Client
    database: Database
    valkey: redis.Redis
    clock: VirtualClock
    people: list[Person]

    def token(self, name: str) -> str:
        """Sign somebody in."""
        reply = self.client.post("/api/v1/tokens", json={"name": name, "password": PASSWORD})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["token"])

    def headers(self, name: str) -> dict[str, str]:
        """Return the header that carries somebody's token."""
        return {"Authorization": f"Bearer {self.token(name)}"}

    def connect(self, first_message: str) -> ClientConnection:
        """Open the WebSocket and send the first message."""
        socket = connect(f"ws{str(self.client.base_url).removeprefix('http')}ws", open_timeout=10)
        socket.send(first_message)
        return socket


class Server:
    """Serve an application on a free port from a thread, as the API process does."""

    def __init__(self, application: FastAPI) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        config = uvicorn.Config(application, log_level="warning", ws=WEBSOCKETS, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the end."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(fresh_database_url: str, redis_url: str, tmp_path: Path) -> Iterator[MakeWorld]:
    """Build the API on a seeded database; Valkey and the queue may be made unreachable."""
    stack = ExitStack()
    databases = [Database(fresh_database_url)]
    valkey = redis.Redis.from_url(redis_url, decode_responses=True)
    valkey.flushall()

    def make(*, live_url: str = redis_url, queue_url: str = redis_url) -> World:
        database = databases[0]
        with database.begin() as session:
            people = seed_people(session, count=6)
            seed_day(session, people)
        clock = VirtualClock.create(tmp_path / "clock", at=at(10, 12), rate=0.0)
        beat(valkey, PREMIUMS, now=clock.now())
        application = create_app(
            Settings(home=tmp_path),
            Database(fresh_database_url),
            LiveState(live_url),
            queue=TaskQueue(make_celery(queue_url)),
            clock=clock,
        )
        server = Server(application)
        stack.callback(server.stop)
        client = stack.enter_context(httpx.Client(base_url=server.url, timeout=20))
        return World(client=client, database=database, valkey=valkey, clock=clock, people=people)

    with stack:
        yield make
    databases[0].close()
    valkey.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """The morning with everything up."""
    return make_world()
