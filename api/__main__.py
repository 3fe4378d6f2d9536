"""Run the API process: `python -m api`."""

import uvicorn

from api.main import WEBSOCKETS, create_app
from app.config import load_settings
from app.db.session import Database
from app.infra.clock import open_clock
from app.infra.engines.engines import ensure_engines
from app.infra.live_state import LiveState
from app.infra.logs import configure_logs
from app.infra.queue import TaskQueue, make_celery

_MAX_IDLE_S = 8


def main() -> None:
    """Serve until the process is told to stop."""
    settings = load_settings()
    configure_logs(settings.log_level, process="api")
    engines = ensure_engines(
        settings.home,
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        settings.database_url.get_secret_value() if settings.database_url else None,
    )
    application = create_app(
        settings,
        Database(engines.database_url, max_idle_s=_MAX_IDLE_S),
        LiveState(engines.redis_url),
        queue=TaskQueue(make_celery(engines.redis_url)),
        clock=open_clock(settings.clock_file),
    )
    uvicorn.run(
        application,
        host=settings.api_host,
        port=settings.api_port,
        log_level=settings.log_level.lower(),
        access_log=False,
        log_config=None,
        ws=WEBSOCKETS,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
