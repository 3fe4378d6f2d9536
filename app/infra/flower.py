"""Describe the Flower process, which shows the jobs behind a password."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from app.config import Settings
from app.infra.secret_files import secret_or_file

FLOWER_USER = "openbell"
_MAX_TASKS = 10_000
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowerProcess:
    """How to start Flower. The password travels in `env`, because arguments are visible to every user."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)


def flower_process(settings: Settings) -> FlowerProcess:
    """Return how to start Flower on loopback for the settings' home and port."""
    argv = (
        sys.executable,
        "-m",
        "celery",
        "--app=tasks.celery:celery_app",
        "flower",
        f"--address={_LOOPBACK}",
        f"--port={settings.flower_port}",
        f"--max_tasks={_MAX_TASKS}",
    )
    password = secret_or_file(settings.flower_password, flower_password_file(settings.home))
    return FlowerProcess(argv=argv, env={"FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{password.get_secret_value()}"})


def flower_password_file(home: Path) -> Path:
    """Return where the generated password lies when none is configured."""
    return home / "flower.password"


def flower_url(settings: Settings) -> str:
    """Return the address that the dashboard links to."""
    return f"http://{_LOOPBACK}:{settings.flower_port}/"
