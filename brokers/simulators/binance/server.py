"""Build the ASGI application and the uvicorn server around a simulator."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from brokers.simulators.binance.control import control_routes
from brokers.simulators.binance.simulator import Simulator
from brokers.simulators.binance.wire_futures import futures_routes
from brokers.simulators.binance.wire_spot import spot_routes
from brokers.simulators.binance.ws_api import WsApi


class ReachableProtocol(H11Protocol):
    """Let handlers reach the connection's transport, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Put the transport into the state that each request's scope copies."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Doorkeeper:
    """Close the listening port for a while: new connections are refused, running ones go on."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self.address = ("", 0)
        self._reopening: asyncio.Task[None] | None = None

    def refuse(self, seconds: float) -> None:
        """Refuse connections for real seconds."""
        if self.server is None:
            raise ValueError("no server is running")
        if self._reopening is None or self._reopening.done():
            self._reopening = asyncio.create_task(self._refuse(self.server, seconds))

    async def _refuse(self, server: uvicorn.Server, seconds: float) -> None:
        for listening in server.servers:
            listening.close()
        server.servers.clear()
        # Bound without listening, the port stays ours and the kernel refuses whoever calls.
        closed = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        closed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        closed.bind(self.address)
        await asyncio.sleep(seconds)
        reopened = await asyncio.get_running_loop().create_server(
            lambda: ReachableProtocol(
                config=server.config, server_state=server.server_state, app_state=server.lifespan.state
            ),
            sock=closed,
        )
        server.servers.append(reopened)


def build_application(sim: Simulator, doorkeeper: Doorkeeper) -> Starlette:
    """Return the application with every wire and control route."""

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        ticker = asyncio.create_task(sim.run())
        try:
            yield
        finally:
            ticker.cancel()

    streams = sim.market_streams.serve
    addresses = ("/ws", "/stream", "/market/ws", "/market/stream", "/public/ws", "/public/stream")
    return Starlette(
        lifespan=lifespan,
        routes=[
            *spot_routes(sim),
            *futures_routes(sim),
            *control_routes(sim, doorkeeper.refuse),
            WebSocketRoute("/ws-api/v3", WsApi(sim).serve),
            WebSocketRoute("/private/ws", sim.users.serve_futures),
            WebSocketRoute("/private/ws/{key}", sim.users.serve_futures),
            *(WebSocketRoute(address, streams) for address in addresses),
            *(WebSocketRoute(f"{address}/{{streams:path}}", streams) for address in addresses),
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


def serve(sim: Simulator, listener: socket.socket) -> None:
    """Run until a signal ends the process."""
    doorkeeper = Doorkeeper()
    config = uvicorn.Config(
        build_application(sim, doorkeeper),
        http=ReachableProtocol,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_keep_alive=300,
        ws_ping_interval=20,
        ws_ping_timeout=60,
        timeout_graceful_shutdown=2,
    )
    doorkeeper.server, doorkeeper.address = uvicorn.Server(config), listener.getsockname()
    doorkeeper.server.run(sockets=[listener])
