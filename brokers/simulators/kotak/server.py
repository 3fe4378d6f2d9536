"""Build the ASGI application and the uvicorn server around a simulator."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from brokers.simulators.kotak.control import control_routes
from brokers.simulators.kotak.simulator import Simulator
from brokers.simulators.kotak.wire_data import data_routes
from brokers.simulators.kotak.wire_login import login_routes
from brokers.simulators.kotak.wire_orders import order_routes
from brokers.simulators.kotak.wire_reports import report_routes

_LAST_WORD_S = 0.05


class ReachableProtocol(H11Protocol):
    """Let handlers reach the connection's transport, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Put the transport into the state that each request's scope copies."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def build_application(sim: Simulator) -> Starlette:
    """Return the application with every wire and control route."""

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        ticker = asyncio.create_task(sim.run())
        try:
            yield
        finally:
            ticker.cancel()

    return Starlette(
        lifespan=lifespan,
        routes=[
            *login_routes(sim),
            *order_routes(sim),
            *report_routes(sim),
            *data_routes(sim),
            *control_routes(sim),
            WebSocketRoute("/realtime", sim.order_feeds.serve),
            WebSocketRoute("/apifeed", sim.market_feed.serve),
        ],
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one."""
    listener = socket.create_server((host, port), backlog=1024)
    # Accepted sockets inherit it. asyncio sets it only on sockets made with a protocol number, and without it
    # each answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener


class ServerDoor:
    """Let a fault close the listening socket of a running server for a while."""

    def __init__(self, server: uvicorn.Server, address: tuple[str, int]) -> None:
        self._server = server
        self._address = address
        self._tasks: set[asyncio.Task[None]] = set()

    def shut(self, seconds: float) -> None:
        """Stop listening once the present reply is out, cut every connection, listen again later."""
        task = asyncio.create_task(self._away(seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _away(self, seconds: float) -> None:
        await asyncio.sleep(_LAST_WORD_S)
        for server in self._server.servers:
            server.close()
        for connection in tuple(self._server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(seconds)
        again = await asyncio.get_running_loop().create_server(self._protocol, sock=bind(*self._address))
        self._server.servers[:] = [again]

    def _protocol(self) -> asyncio.Protocol:
        server = self._server
        return ReachableProtocol(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )


def serve(sim: Simulator, listener: socket.socket) -> None:
    """Run until a signal ends the process."""
    config = uvicorn.Config(
        build_application(sim),
        http=ReachableProtocol,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_keep_alive=300,
        ws_ping_interval=None,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    host, port = listener.getsockname()[:2]
    sim.door = ServerDoor(server, (host, port))
    server.run(sockets=[listener])
