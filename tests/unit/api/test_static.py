"""The dashboard's files: nothing outside their folder, and a clear page when they are not built."""

from pathlib import Path

import pytest
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.static import dashboard_router


def _serve(dist: Path, path: str) -> Response:
    route = dashboard_router(dist).routes[0]
    assert isinstance(route, APIRoute)
    response = route.endpoint(path)
    assert isinstance(response, Response)
    return response


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>built</p>")
    (folder / "assets" / "a.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def test_page_addresses_get_the_index_and_assets_their_file(dist: Path) -> None:
    page, asset = _serve(dist, "orders/7"), _serve(dist, "assets/a.js")

    assert isinstance(page, FileResponse)
    assert isinstance(asset, FileResponse)
    assert (Path(page.path).name, Path(asset.path).name) == ("index.html", "a.js")


def test_a_path_cannot_leave_the_folder(dist: Path) -> None:
    response = _serve(dist, "../secret.txt")

    assert isinstance(response, FileResponse)
    assert Path(response.path).name == "index.html"


@pytest.mark.parametrize("path", ["api/v1/nothing", "assets/gone.js"])
def test_what_is_no_page_is_not_found(dist: Path, path: str) -> None:
    with pytest.raises(HTTPException):
        _serve(dist, path)


def test_says_how_to_build_when_it_is_not_built(tmp_path: Path) -> None:
    response = _serve(tmp_path / "dist", "")

    assert isinstance(response, HTMLResponse)
    assert response.status_code == 503
    assert b"npm run build" in response.body
