"""Start the agent of one account: python -m brokers.mt5.agent --config FILE."""

import argparse
import os
import sys
from pathlib import Path

import structlog

from app.domain.errors import ConfigError
from brokers.mt5.agent.config import AgentConfig, load_agent_config
from brokers.mt5.agent.journal import CommandJournal
from brokers.mt5.agent.server import Agent, new_server
from brokers.mt5.agent.terminal import Terminal
from brokers.mt5.agent.terminal_thread import TerminalThread
from brokers.mt5.agent.trading import Trading
from brokers.mt5.log_lines import configure_log_lines

log = structlog.get_logger()


def main() -> int:
    """Run until told to end; exit status 2 when the settings cannot be used."""
    parser = argparse.ArgumentParser(prog="brokers.mt5.agent", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="TOML file with the table [agent]")
    arguments = parser.parse_args()
    configure_log_lines()
    try:
        config = load_agent_config(arguments.config)
        journal = CommandJournal(config.state)
        terminal = Terminal(config)
    except (ConfigError, OSError) as e:
        log.error("agent_cannot_start", error=str(e))  # noqa: TRY400  a person must mend it, not a trace
        return 2
    _run(config, journal, terminal)
    return 0


def _run(config: AgentConfig, journal: CommandJournal, terminal: Terminal) -> None:
    structlog.contextvars.bind_contextvars(login=config.login, pid=os.getpid())
    trading = Trading(config, terminal, journal)
    thread = TerminalThread(
        on_idle=terminal.beat, hang_after_s=config.hang_after_s, start_timeout_s=config.start_timeout_s
    )
    for command in journal.open_commands():
        log.warning("command_without_end", command_id=command.command_id)
    thread.start()
    log.info("agent_started", url=config.url, module=config.module)
    server = new_server(Agent(config, terminal=terminal, trading=trading, thread=thread), config)
    server.run()
    log.info("agent_ended")
    sys.stderr.flush()
    # A terminal that hangs must not keep the process; the journal is on the disk already.
    os._exit(0 if server.started else 1)


if __name__ == "__main__":
    sys.exit(main())
