"""Serve the built dashboard, with index.html for every page address."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Openbell</title>
<body style="font: 16px system-ui; max-width: 36rem; margin: 4rem auto; padding: 0 1rem">
<h1>The dashboard is not built yet</h1>
<p>The API runs. Build the dashboard once with <code>npm ci &amp;&amp; npm run build</code>
in the folder <code>frontend</code> (<code>make up</code> does it for you), then reload this page.</p>
<p><a href="/api/docs">API documentation</a></p></body></html>"""
_RESERVED = ("api/", "ws", "healthz", "readyz", "metrics")


def dashboard_router(dist: Path) -> APIRouter:
    """Return the routes of the dashboard's files under `dist`."""
    router = APIRouter(include_in_schema=False)
    root = dist.resolve()

    @router.get("/{path:path}")
    def serve(path: str) -> Response:
        if path.startswith(_RESERVED):
            raise HTTPException(404, f"there is no /{path}")
        file = (root / path).resolve()
        if path and file.is_file() and file.is_relative_to(root):
            # Vite names assets by their content; only index.html must be asked for anew.
            lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
            return FileResponse(file, headers=lasting if path.startswith("assets/") else None)
        if path.startswith("assets/"):
            raise HTTPException(404, f"there is no /{path}")
        index = root / "index.html"
        if not index.is_file():
            return HTMLResponse(_NOT_BUILT, status_code=503)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    return router
