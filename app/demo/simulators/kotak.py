"""Run the simulated Kotak Neo of a demo."""

from collections.abc import Sequence
from pathlib import Path

from app.demo.options import Breakage, DemoOptions
from app.demo.population import Person
from app.demo.simulators.control import Row, SimulatorControl
from app.demo.simulators.process import write_accounts

_SIDES = {"B": "BUY", "S": "SELL"}
_PLACE = "/quick/order/rule/ms/place"


def arguments(options: DemoOptions, people: Sequence[Person], folder: Path) -> tuple[str, ...]:
    """Return the module and arguments of the simulator, after writing the accounts that it shall know."""
    file = write_accounts(folder / "kotak_accounts.json", [account(person) for person in people])
    return (
        "brokers.simulators.kotak",
        *("--date", options.day.isoformat(), "--accounts", str(file)),
        *("--seed", str(options.seed), "--faults", options.climate),
    )


def account(person: Person) -> Row:
    """Return an account as the simulated broker knows it."""
    return {
        "ucc": person.client,
        "mobile": person.credentials["mobile_number"],
        "consumer_key": person.credentials["consumer_key"],
        "totp_secret": person.broker_totp_secret,
        "mpin": person.credentials["mpin"],
        "allowed_ips": [person.known_egress],
        "login_hang": person.breakage is Breakage.HUNG_LOGIN,
    }


class KotakControl(SimulatorControl):
    """Read Kotak's books."""

    def orders(self) -> list[Row]:
        return [
            {**row, "client": row["ucc"], "side": _SIDES[row["side"]]} for row in self.get("/_sim/orders")
        ]

    def positions(self) -> list[Row]:
        return [{**row, "client": row["ucc"]} for row in self.get("/_sim/positions")]

    def placements(self) -> list[Row]:
        return list(self.get(f"/_sim/requests?since=0&path={_PLACE}"))
