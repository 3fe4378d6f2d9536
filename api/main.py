"""Build the API: REST under /api/v1, WebSocket /ws, probes, and the dashboard's files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

import api
from api.auth import LoginThrottle, Tokens
from api.deps import Parts
from api.errors import PROBLEMS, add_error_handlers
from api.middleware import RequestContext
from api.openalgo.routes import create_openalgo
from api.routes import (
    accounts,
    amibroker,
    commands,
    day,
    identity,
    limits,
    losses,
    machinery,
    signals,
    stream,
    times,
    trading,
    unknown_orders,
)
from api.schemas.stream import StreamFrame
from api.static import dashboard_router
from api.stream.hub import Hub
from api.stream.pump import Pump
from app.config import Settings
from app.db.session import Database
from app.domain.ports import Clock
from app.infra.calendars import load_calendar
from app.infra.charge_tables import load_charges
from app.infra.live_state import LiveState
from app.infra.secret_files import secret_or_file
from app.services.commands import TaskSender
from app.services.costs import Costs
from app.services.external_signals import open_external_signals

_VERSION = "1"
_ROUTES: Final = (
    identity,
    accounts,
    limits,
    losses,
    times,
    trading,
    signals,
    amibroker,
    unknown_orders,
    day,
    commands,
)
"""What lies under /api/v1; AmiBroker's route speaks its own form and is not in the document."""
WEBSOCKETS: Final = "websockets-sansio"
"""uvicorn's newer implementation; its default one rests on a deprecated part of websockets."""


def create_app(
    settings: Settings, database: Database, valkey: LiveState, *, queue: TaskSender, clock: Clock
) -> FastAPI:
    """Return the application; it owns `database` and `valkey` and closes them at its end."""
    calendar, costs = load_calendar(), Costs(load_charges())
    parts = Parts(
        settings=settings,
        database=database,
        live=valkey,
        queue=queue,
        clock=clock,
        calendar=calendar,
        costs=costs,
        signals=open_external_signals(database, clock, calendar, valkey=valkey.data, costs=costs),
        tokens=Tokens(secret_or_file(settings.jwt_secret, settings.home / "jwt.key")),
        throttle=LoginThrottle(),
        hub=Hub(),
    )
    application = FastAPI(
        title="Openbell",
        version=_VERSION,
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
        responses=PROBLEMS,
    )
    application.state.parts = parts
    application.add_middleware(RequestContext)
    add_error_handlers(application)
    for routes in _ROUTES:
        application.include_router(routes.router, prefix="/api/v1")
    application.include_router(machinery.router)
    application.include_router(stream.router)
    application.mount("/openalgo", create_openalgo(parts))
    _declare_frames(application)
    application.include_router(dashboard_router(Path(api.__file__).parent.parent / "frontend" / "dist"))
    return application


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    parts: Parts = application.state.parts
    pump = Pump(parts.hub, database=parts.database, clock=parts.clock, sources=parts.sources)
    pump.start()
    try:
        yield
    finally:
        await pump.stop()
        parts.live.close()
        parts.database.close()


def _declare_frames(application: FastAPI) -> None:
    """Put the WebSocket's frames into OpenAPI, so that generated clients are typed."""

    @application.webhooks.post("stream-frame")
    def stream_frame(frame: StreamFrame) -> None:
        """Describe what /ws sends."""


def _operation_id(route: APIRoute) -> str:
    return route.name
