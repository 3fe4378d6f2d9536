"""Answer probes and scrapers; nothing here names a user."""

import redis
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import OperationalError

from api.deps import PartsDep
from api.metrics import render
from app.db.scope import DataScope
from app.domain.errors import UnavailableError
from app.services.overview import read_day

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def is_alive() -> dict[str, str]:
    """Say that the process serves."""
    return {"status": "ok"}


@router.get("/readyz")
def is_ready(parts: PartsDep) -> dict[str, str]:
    """Say whether the process can do its work; 503 names what is missing."""
    try:
        parts.database.ping()
    except OperationalError as e:
        raise UnavailableError("the database cannot be reached") from e
    try:
        parts.live.ping()
    except redis.RedisError as e:
        raise UnavailableError("Valkey cannot be reached") from e
    return {"status": "ready"}


@router.get("/metrics")
def metrics(parts: PartsDep) -> Response:
    """Return the gauges of Prometheus."""
    with parts.database.begin() as session:
        everybody = DataScope(user_id=None)
        day = read_day(session, everybody, parts.sources, moment=parts.moment())
    return Response(render(day), media_type=CONTENT_TYPE_LATEST)
