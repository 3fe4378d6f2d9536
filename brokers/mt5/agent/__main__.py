"""Start the agent of one account: python -m brokers.mt5.agent --config FILE."""

import argparse
import os
import sys
from pathlib import Path

from app.domain.errors import ConfigError
from brokers.mt5.agent.config import AgentConfig, load_agent_config
from brokers.mt5.agent.journal import CommandJournal, FolderTakenError
from brokers.mt5.agent.server import Agent, new_server
from brokers.mt5.agent.terminal import Terminal
from brokers.mt5.agent.terminal_thread import TerminalThread
from brokers.mt5.agent.trading import Trading
from brokers.mt5.log_lines import LogLines

FOLDER_TAKEN = 3


def main() -> int:
    """Run until told to end; exit status 2 for settings that cannot be used, 3 for a folder in use."""
    parser = argparse.ArgumentParser(prog="brokers.mt5.agent", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="TOML file with the table [agent]")
    arguments = parser.parse_args()
    log = LogLines(pid=os.getpid())
    try:
        config = load_agent_config(arguments.config)
        journal = CommandJournal(config.state)
        terminal = Terminal(config)
    except FolderTakenError as e:
        log.alarm("agent_runs_already", error=str(e))
        return FOLDER_TAKEN
    except (ConfigError, OSError) as e:
        log.alarm("agent_cannot_start", error=str(e))
        return 2
    _run(config, journal, terminal)
    return 0


def _run(config: AgentConfig, journal: CommandJournal, terminal: Terminal) -> None:
    log = LogLines(pid=os.getpid(), login=config.login)
    trading = Trading(config, terminal, journal, log)
    thread = TerminalThread(
        on_idle=terminal.beat, hang_after_s=config.hang_after_s, start_timeout_s=config.start_timeout_s
    )
    for command in journal.open_commands():
        log.warning("command_without_end", command_id=command.command_id)
    thread.start()
    log.info("agent_started", url=config.url, module=config.module)
    agent = Agent(config, terminal=terminal, trading=trading, thread=thread, log=log)
    server = new_server(agent, config)
    server.run()
    log.info("agent_ended")
    # A terminal that hangs must not keep the process; the journal is on the disk already.
    os._exit(0 if server.started else 1)


if __name__ == "__main__":
    sys.exit(main())
