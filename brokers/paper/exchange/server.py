"""Serve an exchange on loopback, and nowhere else."""

import asyncio
import contextlib
import socket
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
        try:
            yield
        finally:
            keeper.cancel()

    return Starlette(lifespan=lifespan, routes=routes(house))


def bind(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 takes any free one."""
    listener = socket.create_server((HOST, port), backlog=1024)
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
