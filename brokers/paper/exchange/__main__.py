"""Start the paper exchange: python -m brokers.paper.exchange --home DIR --port N."""

import argparse
import sys
from pathlib import Path

from app.domain.errors import ConfigError
from brokers.paper.exchange.clock import FileClock, MachineClock
from brokers.paper.exchange.house import open_house
from brokers.paper.exchange.rules import load_rules
from brokers.paper.exchange.server import bind, serve


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="brokers.paper.exchange", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the book and the token")
    parser.add_argument("--port", type=int, required=True, help="port on loopback, 0 for any free one")
    parser.add_argument("--port-file", type=Path, help="file to write the chosen port to")
    parser.add_argument("--clock-file", type=Path, help="the installation's clock file (OPENBELL_CLOCK_FILE)")
    parser.add_argument("--rules", type=Path, help="TOML file with rules that differ from the defaults")
    return parser.parse_args()


def main() -> int:
    """Open the book, bind, announce the port, serve."""
    arguments = _parse()
    try:
        rules = load_rules(arguments.rules)
        clock = MachineClock() if arguments.clock_file is None else FileClock(arguments.clock_file)
        house = open_house(arguments.home, rules, clock)
        listener = bind(arguments.port)
    except (ConfigError, OSError, ValueError) as error:
        sys.stderr.write(f"cannot start the paper exchange: {error}\n")
        return 2
    port = listener.getsockname()[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    if arguments.port_file:
        partial = arguments.port_file.with_suffix(".partial")
        partial.write_text(f"{port}\n", encoding="ascii")
        partial.replace(arguments.port_file)
    serve(house, listener)
    house.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
