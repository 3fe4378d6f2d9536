"""Start the agents of this host and keep them alive: python -m brokers.mt5.supervisor --config FILE."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from app.domain.errors import ConfigError
from brokers.mt5.log_lines import LogLines
from brokers.mt5.supervisor.config import load_supervisor_config
from brokers.mt5.supervisor.watch import AgentWatch


def main() -> int:
    """Run until told to end, then end the agents; exit status 2 when the settings cannot be used."""
    parser = argparse.ArgumentParser(prog="brokers.mt5.supervisor", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="TOML file that names the agents")
    arguments = parser.parse_args()
    log = LogLines(process="mt5-supervisor")
    try:
        limits = load_supervisor_config(arguments.config)
    except ConfigError as e:
        log.alarm("supervisor_cannot_start", error=str(e))
        return 2
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    watches = [AgentWatch(agent, limits, log) for agent in limits.agents]
    threads = [
        threading.Thread(target=_watch, args=(watch, stopping, limits.check_every_s)) for watch in watches
    ]
    # One thread for each agent: a silent one must not delay the look at another.
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.info("supervisor_ended")
    return 0


def _watch(watch: AgentWatch, stopping: threading.Event, check_every_s: float) -> None:
    while not stopping.is_set():
        watch.step()
        stopping.wait(check_every_s)
    watch.end()


if __name__ == "__main__":
    sys.exit(main())
