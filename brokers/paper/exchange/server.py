"""Serve an exchange on loopback, and nowhere else."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette

from brokers.paper.exchange.doors import routes
from brokers.paper.exchange.house import House

HOST = "127.0.0.1"


def build_application(house: House) -> Starlette:
    """Return the application with every door."""

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        keeper = asyncio.create_task(house.keeper.run())
        keeper.add_done_callback(_stop_unless_canceled)
        try:
            yield
        finally:
            keeper.cancel()

    return Starlette(lifespan=lifespan, routes=routes(house))


def _stop_unless_canceled(keeper: asyncio.Task[None]) -> None:
    # Without its keeper the exchange answers nothing; the supervisor starts it again on the same book.
    if not keeper.cancelled():
        sys.stderr.write(f"the keeper of the book ended: {keeper.exception()!r}\n")
        os.kill(os.getpid(), signal.SIGTERM)


def bind(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 takes any free one."""
    # Named TCP, or asyncio leaves Nagle's algorithm on: each reply would wait 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def serve(house: House, listener: socket.socket) -> None:
    """Run until a signal ends the process."""
    config = uvicorn.Config(
        build_application(house),
        http="h11",
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_keep_alive=300,
        ws_ping_interval=None,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listener])
