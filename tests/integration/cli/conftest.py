"""An installation of its own on the real engines, and a way to type commands."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from app.cli.program import build
from app.config import load_settings


@dataclass(frozen=True, slots=True)
class Typed:
    """What a command answered."""

    status: int
    out: str
    err: str


Run = Callable[..., Typed]


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("installation")


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, module_home: Path, database_url: str, redis_url: str
) -> Iterator[dict[str, str]]:
    """The environment of one installation, and nothing else of ours."""
    for name in [name for name in os.environ if name.startswith("OPENBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(module_home)
    values = {
        "OPENBELL_HOME": str(module_home),
        "OPENBELL_DATABASE_URL": database_url,
        "OPENBELL_REDIS_URL": redis_url,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    yield values
    load_settings.cache_clear()


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    program = build()

    def typed(*words: str, stdin: str | None = None, **settings: str) -> Typed:
        load_settings.cache_clear()
        # `main` keeps logs from standard output, but for the whole process.
        with capture_logs():
            result = CliRunner().invoke(program, list(words), input=stdin, env=environment | settings)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Typed(result.exit_code, result.stdout, result.stderr)

    return typed
