"""Print the OpenAPI document, from which the dashboard's client is generated: `python -m api.openapi`."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.main import create_app
from app.config import Settings
from app.db.session import Database
from app.infra.clock import SystemClock
from app.infra.live_state import LiveState
from app.infra.queue import TaskQueue, make_celery

_NOWHERE = "redis://127.0.0.1:1"


def openapi_document() -> dict[str, Any]:
    """Return the document; nothing is connected and no file is written."""
    application = create_app(
        Settings(home=Path(), jwt_secret=SecretStr("unused, but long enough for HMAC")),
        Database("postgresql://127.0.0.1:1/none"),
        LiveState(_NOWHERE),
        queue=TaskQueue(make_celery(_NOWHERE)),
        clock=SystemClock(),
    )
    return application.openapi()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(openapi_document(), indent=2) + "\n")
