"""Build the ASGI application and the uvicorn server around a simulator."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette

from brokers.simulators.mt5.control import control_routes
from brokers.simulators.mt5.gate import call_route
from brokers.simulators.mt5.simulator import Simulator
from brokers.simulators.mt5.wire_books import BOOK_HANDLERS
from brokers.simulators.mt5.wire_market import MARKET_HANDLERS
from brokers.simulators.mt5.wire_orders import ORDER_HANDLERS
from brokers.simulators.mt5.wire_session import SESSION_HANDLERS, initialize_route


def build_application(sim: Simulator) -> Starlette:
    """Return the application with every wire and control route."""

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        ticker = asyncio.create_task(sim.run())
        try:
            yield
        finally:
            ticker.cancel()

    handlers = {**SESSION_HANDLERS, **BOOK_HANDLERS, **MARKET_HANDLERS, **ORDER_HANDLERS}
    routes = [initialize_route(sim), call_route(sim, handlers), *control_routes(sim)]
    return Starlette(lifespan=lifespan, routes=routes)


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one."""
    listener = socket.create_server((host, port), backlog=1024)
    # Accepted sockets inherit it. asyncio sets it only on sockets made with a protocol number, and without it
    # each answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener


def serve(sim: Simulator, listener: socket.socket) -> None:
    """Run until a signal ends the process."""
    config = uvicorn.Config(
        build_application(sim),
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_keep_alive=300,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listener])
