"""Start the simulator: python -m brokers.simulators.kotak --port 0 --date 2019-01-02 --accounts FILE."""

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from brokers.simulators.kotak.server import bind, serve
from brokers.simulators.kotak.simulator import Options, Simulator

_DATA = Path(__file__).parent.parent / "data" / "nse" / "nifty50_1m"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="brokers.simulators.kotak", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on, 0 for any free one")
    parser.add_argument("--port-file", type=Path, help="file to write the chosen port to")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the NIFTY minutes")
    parser.add_argument("--date", type=date.fromisoformat, default=date(2019, 1, 2), help="trading day")
    parser.add_argument("--accounts", type=Path, help="JSON list of accounts")
    parser.add_argument("--seed", type=int, default=1, help="seed of prices and faults")
    parser.add_argument("--faults", default="calm", choices=("calm", "open", "storm"))
    parser.add_argument("--stable-tags", action="store_true", help="keep client tags after modify and cancel")
    return parser.parse_args()


def main() -> int:
    """Bind, announce the port, serve."""
    arguments = _parse()
    try:
        accounts = json.loads(arguments.accounts.read_text()) if arguments.accounts else []
        listener = bind(arguments.host, arguments.port)
        port = listener.getsockname()[1]
        sim = Simulator(
            Options(
                data=arguments.data,
                day=arguments.date,
                seed=arguments.seed,
                faults=arguments.faults,
                base_url=f"http://{arguments.host}:{port}",
                mutate_tags=not arguments.stable_tags,
            )
        )
        for raw in accounts:
            sim.put_account(raw)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot start the Kotak simulator: {error}\n")
        return 2
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
