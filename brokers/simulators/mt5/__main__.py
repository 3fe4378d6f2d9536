"""Start the simulator: python -m brokers.simulators.mt5 --port 0 --accounts FILE --clock-file FILE."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from brokers.simulators.mt5.clock import Clock, FileClock, VirtualClock
from brokers.simulators.mt5.server import bind, serve
from brokers.simulators.mt5.simulator import Options, Simulator

_DATA = Path(__file__).parent.parent / "data" / "forex" / "eurusd_1m"
_START = datetime(2014, 5, 6, 8, 0, tzinfo=UTC)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="brokers.simulators.mt5", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on, 0 for any free one")
    parser.add_argument("--port-file", type=Path, help="file to write the chosen port to")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of one week of EURUSD minutes")
    parser.add_argument(
        "--start",
        type=datetime.fromisoformat,
        default=_START,
        help="virtual instant at the start, with offset",
    )
    parser.add_argument("--clock-file", type=Path, help="clock file to follow instead of a clock of its own")
    parser.add_argument("--accounts", type=Path, help="JSON list of accounts")
    parser.add_argument("--seed", type=int, default=1, help="seed of the path inside minutes and of faults")
    parser.add_argument("--faults", default="calm", choices=("calm", "open", "storm"))
    return parser.parse_args()


def _clock(arguments: argparse.Namespace) -> Clock:
    if arguments.clock_file is not None:
        return FileClock(arguments.clock_file)
    if arguments.start.tzinfo is None:
        raise ValueError(f"--start: expected an instant with an offset, got {arguments.start.isoformat()}")
    return VirtualClock(arguments.start)


def main() -> int:
    """Bind, announce the port, serve."""
    arguments = _parse()
    try:
        accounts = json.loads(arguments.accounts.read_text()) if arguments.accounts else []
        listener = bind(arguments.host, arguments.port)
        sim = Simulator(
            Options(
                data=arguments.data,
                seed=arguments.seed,
                faults=arguments.faults,
                clock=_clock(arguments),
            )
        )
        for raw in accounts:
            sim.put_account(raw)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot start the MT5 simulator: {error}\n")
        return 2
    port = listener.getsockname()[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    if arguments.port_file:
        partial = arguments.port_file.with_suffix(".partial")
        partial.write_text(f"{port}\n")
        partial.rename(arguments.port_file)
    serve(sim, listener)
    return 0


if __name__ == "__main__":
    sys.exit(main())
