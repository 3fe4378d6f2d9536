"""Keep one agent alive: start it, ask how it is, kill it when it hangs, start it again after a pause."""

import ssl
import subprocess
import time
from enum import StrEnum

import httpx

from app.domain.errors import ProtocolError
from brokers.mt5.agent.config import AgentConfig
from brokers.mt5.agent.journal import living_holder
from brokers.mt5.log_lines import LogLines
from brokers.mt5.protocol import PROTOCOL, Refusal
from brokers.mt5.supervisor import processes
from brokers.mt5.supervisor.config import SupervisorConfig, Watched
from brokers.mt5.values import parse_json, row

FOLDER_TAKEN = 3
_END_WITHIN_S = 5.0


class Health(StrEnum):
    """Say how an agent is."""

    WELL = "well"
    SICK = "sick"
    SILENT = "silent"


class AgentWatch:
    """Watch one agent. One thread calls `step` again and again; `end` is for the last moment.

    Args:
        watched: the agent.
        limits: how long to wait for what.
        log: where to tell what happens.
    """

    def __init__(self, watched: Watched, limits: SupervisorConfig, log: LogLines) -> None:
        self._watched = watched
        self._limits = limits
        self._log = log
        self._client = _health_client(watched.config, limits.answer_within_s)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_adopted = False
        self._started_at = 0.0
        self._well_at: float | None = None
        self._failures = 0
        self._retry_at = 0.0

    def step(self) -> None:
        """Look once and do what is due."""
        now = time.monotonic()
        if self._process is None and not self._is_adopted:
            if now >= self._retry_at:
                self._start(now)
            return
        status = None if self._process is None else self._process.poll()
        if status is not None:
            self._ended(now, status)
            return
        health = self._health()
        if health is Health.WELL:
            self._well(now)
        elif health is Health.SICK or self._silent_for(now) > 0:
            self._kill(now, health)

    def end(self) -> None:
        """End the agent in peace if it can, else by force."""
        process = self._process
        adopted = self._holder() if self._is_adopted else None
        if adopted is not None:
            processes.ask_to_end(adopted)
        if process is not None:
            process.terminate()
            try:
                process.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                processes.kill(process.pid)
        self._client.close()

    def _start(self, now: float) -> None:
        self._started_at, self._well_at = now, None
        if self._health() is Health.WELL:
            self._adopt(now)
            return
        try:
            self._process = processes.start(self._watched.command)
        except OSError as e:
            self._log.alarm("agent_cannot_start", agent=self._watched.name, error=str(e))
            self._pause(now)
            return
        self._log.info("agent_started", agent=self._watched.name, pid=self._process.pid)

    def _adopt(self, now: float) -> None:
        """Watch an agent that outlived its supervisor; it has the usual time to answer."""
        self._is_adopted, self._well_at = True, now
        self._log.info("agent_adopted", agent=self._watched.name, pid=self._holder())

    def _well(self, now: float) -> None:
        if self._well_at is None:
            self._log.info("agent_well", agent=self._watched.name, after_s=round(now - self._started_at, 2))
        self._well_at = now
        if now - self._started_at > self._limits.steady_s:
            self._failures = 0

    def _silent_for(self, now: float) -> float:
        """Return the seconds of silence beyond what is allowed."""
        if self._well_at is None:
            return now - self._started_at - self._limits.start_within_s
        return now - self._well_at - self._limits.dead_after_s

    def _ended(self, now: float, status: int) -> None:
        self._log.warning("agent_ended", agent=self._watched.name, status=status)
        self._process = None
        if status == FOLDER_TAKEN:
            # Its lock proves that another agent lives: a busy one answers soon, a hung one is killed then.
            self._adopt(now)
        else:
            self._pause(now)

    def _kill(self, now: float, health: Health) -> None:
        pid = self._holder() if self._process is None else self._process.pid
        self._log.alarm("agent_killed", agent=self._watched.name, pid=pid, health=health)
        if pid is not None:
            processes.kill(pid)
        processes.stop_terminal(self._watched.config.terminal)
        if self._process is not None:
            self._process.wait()
        self._process, self._is_adopted = None, False
        self._pause(now)

    def _holder(self) -> int | None:
        try:
            return living_holder(self._watched.config.state)
        except (OSError, UnicodeDecodeError):
            return None

    def _pause(self, now: float) -> None:
        pause_s = min(self._limits.backoff_s * 2**self._failures, self._limits.backoff_most_s)
        self._failures = min(self._failures + 1, 16)
        self._retry_at = now + pause_s
        self._log.info("agent_restart_due", agent=self._watched.name, in_s=pause_s)

    def _health(self) -> Health:
        try:
            reply = self._client.post("/v1/health", json={})
            body = row(parse_json(reply.content), "reply")
        except (httpx.HTTPError, ProtocolError):
            return Health.SILENT
        if body.get("protocol") != PROTOCOL:
            return Health.SILENT
        if reply.is_success:
            return Health.WELL
        return Health.SICK if body.get("refusal") == Refusal.SICK else Health.SILENT


def _health_client(config: AgentConfig, timeout_s: float) -> httpx.Client:
    """Return a client that knows the agent by its own certificate, whatever name that carries."""
    verify: ssl.SSLContext | bool = True
    if config.tls_certificate is not None:
        verify = ssl.create_default_context(cafile=str(config.tls_certificate))
        verify.check_hostname = False
    return httpx.Client(
        base_url=config.url,
        headers={"Authorization": f"Bearer {config.token}"},
        timeout=timeout_s,
        verify=verify,
        trust_env=False,
    )
