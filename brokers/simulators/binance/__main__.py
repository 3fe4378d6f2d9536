"""Start the simulator: python -m brokers.simulators.binance --port 0 --date 2024-12-02 --accounts FILE."""

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from brokers.simulators.binance.server import bind, serve
from brokers.simulators.binance.simulator import Options, Simulator

_DATA = Path(__file__).parent.parent / "data" / "crypto"
_FIRST = date(2024, 12, 2)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="brokers.simulators.binance", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on, 0 for any free one")
    parser.add_argument("--port-file", type=Path, help="file to write the chosen port to")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the BTCUSDT minutes")
    parser.add_argument("--date", type=date.fromisoformat, default=_FIRST, help="first virtual day, UTC")
    parser.add_argument(
        "--replay", type=date.fromisoformat, default=_FIRST, help="day of the data that plays on it"
    )
    parser.add_argument("--tick-s", type=int, default=15, choices=(1, 3, 5, 15), help="seconds between ticks")
    parser.add_argument("--accounts", type=Path, help="JSON list of accounts")
    parser.add_argument("--settings", type=Path, help="JSON object of settings that differ from the defaults")
    parser.add_argument("--seed", type=int, default=1, help="seed of prices and faults")
    parser.add_argument("--faults", default="calm", choices=("calm", "open", "storm"))
    return parser.parse_args()


def _build(arguments: argparse.Namespace) -> Simulator:
    sim = Simulator(
        Options(
            data=arguments.data,
            day=arguments.date,
            replay=arguments.replay,
            seed=arguments.seed,
            faults=arguments.faults,
            tick_s=arguments.tick_s,
        )
    )
    if arguments.settings:
        sim.settings.change(json.loads(arguments.settings.read_text()))
    for raw in json.loads(arguments.accounts.read_text()) if arguments.accounts else []:
        sim.put_account(raw)
    return sim


def main() -> int:
    """Bind, announce the port, serve."""
    arguments = _parse()
    try:
        sim = _build(arguments)
        listener = bind(arguments.host, arguments.port)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot start the Binance simulator: {error}\n")
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
