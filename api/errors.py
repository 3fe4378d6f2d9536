"""Answer every fault as application/problem+json (RFC 9457), in sentences for people."""

from http import HTTPStatus
from typing import Any

import redis
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from api.schemas.base import Problem
from app.domain.errors import AppError

log = structlog.get_logger()

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request cannot be served."},
    "5XX": {"model": Problem, "description": "The server cannot serve it now."},
}
"""Declares the problem body on every route."""


def add_error_handlers(api: FastAPI) -> None:
    """Install the handlers."""

    @api.exception_handler(AppError)
    def on_app_error(request: Request, error: AppError) -> JSONResponse:
        return problem(request, status=error.http_status, code=error.code, detail=str(error))

    @api.exception_handler(RequestValidationError)
    def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        return problem(request, status=422, code="invalid_input", detail="; ".join(lines))

    @api.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return problem(request, status=error.status_code, code=code, detail=str(error.detail))

    @api.exception_handler(OperationalError)
    @api.exception_handler(PoolTimeoutError)
    def on_database(request: Request, error: OperationalError | PoolTimeoutError) -> JSONResponse:
        log.error("database_unavailable", error=type(error).__name__)
        detail = "the database cannot be reached; nothing was changed"
        return problem(request, status=503, code="database_unavailable", detail=detail)

    @api.exception_handler(redis.RedisError)
    def on_valkey(request: Request, error: redis.RedisError) -> JSONResponse:
        log.error("valkey_unavailable", error=type(error).__name__)
        detail = "Valkey cannot be reached; orders and exits are not lost"
        return problem(request, status=503, code="valkey_unavailable", detail=detail)

    @api.exception_handler(Exception)
    def on_bug(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", error=type(error).__name__, path=request.url.path)
        detail = "something went wrong inside; the log holds the correlation id"
        return problem(request, status=500, code="internal_error", detail=detail)


def problem(request: Request, *, status: int, code: str, detail: str) -> JSONResponse:
    """Return one problem body."""
    body = Problem(
        type=f"urn:openbell:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        correlation_id=request.scope.get("correlation_id", ""),
    )
    return JSONResponse(body.model_dump(), status_code=status, media_type="application/problem+json")
