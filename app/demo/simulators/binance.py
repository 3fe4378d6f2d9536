"""Run the simulated Binance of a demo."""

from collections.abc import Sequence
from pathlib import Path

from app.demo.options import DemoOptions
from app.demo.population import Person
from app.demo.simulators.control import Row, SimulatorControl, totals
from app.demo.simulators.process import write_accounts

_FUTURES = "futures"


def arguments(options: DemoOptions, people: Sequence[Person], folder: Path) -> tuple[str, ...]:
    """Return the module and arguments of the simulator, after writing the accounts that it shall know."""
    file = write_accounts(folder / "binance_accounts.json", [_account(person) for person in people])
    return (
        "brokers.simulators.binance",
        *("--date", options.day.isoformat(), "--accounts", str(file)),
        *("--seed", str(options.seed), "--faults", options.climate),
    )


def _account(person: Person) -> Row:
    return {"name": person.client, "allowed_ips": [person.known_egress], **person.credentials}


class BinanceControl(SimulatorControl):
    """Read the futures books of Binance: a conditional order and what it became are one order of ours."""

    def connections(self) -> tuple[int, int]:
        feeds = self.get("/_sim/feeds")
        return int(feeds["user_feeds"]), int(feeds["market_feeds"])

    def orders(self) -> list[Row]:
        orders = {
            row["broker_order_id"]: row for row in self.get("/_sim/orders") if row["market"] == _FUTURES
        }
        algos = self.get("/_sim/algos")
        triggered = {row["became"] for row in algos}
        plain = [_plain(row) for number, row in orders.items() if number not in triggered]
        return [*plain, *(_conditional(row, orders.get(row["became"])) for row in algos)]

    def positions(self) -> list[Row]:
        fills = (row for row in self.get("/_sim/fills") if row["market"] == _FUTURES)
        return totals([{**row, "client": row["account"]} for row in fills])


def _plain(row: Row) -> Row:
    return {
        **row,
        "client": row["account"],
        "tag": row["client_id"],
        "broker_order_id": f"{row['symbol']}-{row['broker_order_id']}",
    }


def _conditional(row: Row, became: Row | None) -> Row:
    filled, avg_px = ("0", "0") if became is None else (became["filled"], became["avg_px"])
    return {
        "client": row["account"],
        "tag": row["client_id"],
        "broker_order_id": f"{row['symbol']}-algo-{row['broker_order_id']}",
        "symbol": row["symbol"],
        "side": row["side"],
        "filled": filled,
        "avg_px": avg_px,
    }
