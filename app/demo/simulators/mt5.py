"""Run the simulated MT5 broker of a demo, and an agent in front of each account's terminal."""

import json
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from app.demo.options import DemoOptions
from app.demo.population import Person
from app.demo.simulators.control import Row, SimulatorControl, totals
from app.demo.simulators.process import write_accounts
from app.infra.processes import ProcessSpec
from app.infra.stack import answers

_LOT = Decimal(100_000)
_FULL_MAGIC = "ob{:016x}"


def arguments(options: DemoOptions, people: Sequence[Person], folder: Path) -> tuple[str, ...]:
    """Return the module and arguments of the simulator, after writing the accounts that it shall know."""
    file = write_accounts(folder / "mt5_accounts.json", [_account(person) for person in people])
    return (
        "brokers.simulators.mt5",
        *("--start", f"{options.day.isoformat()}T00:00:00+00:00", "--accounts", str(file)),
        *("--seed", str(options.seed), "--faults", options.climate),
    )


def _account(person: Person) -> Row:
    fields = person.credentials
    return {"login": int(fields["login"]), "password": fields["password"], "server": fields["server"]}


def agent_spec(person: Person, *, day: date, folder: Path, simulator_url: str) -> ProcessSpec:
    """Return the agent process of one account, after writing its settings."""
    fields = person.credentials
    home = folder / f"mt5-{fields['login']}"
    home.mkdir(parents=True, exist_ok=True)
    settings = {
        "module": "brokers.simulators.mt5.metatrader5",
        "port": int(fields["agent_url"].rpartition(":")[2]),
        "token": fields["agent_token"],
        "login": int(fields["login"]),
        "server": fields["server"],
        "password": fields["password"],
        "terminal": str(home / "terminal"),
        "allowed_peers": [person.known_egress],
        "utc_offset_s": _server_offset_s(day),
    }
    lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
    file = home / "agent.toml"
    file.write_text("\n".join(("[agent]", *lines, "")), encoding="utf-8")
    file.chmod(0o600)
    return ProcessSpec(
        name=f"mt5-agent-{fields['login']}",
        argv=(sys.executable, "-m", "brokers.mt5.agent", "--config", str(file)),
        env={"MT5_SIMULATOR_URL": simulator_url},
        ready=lambda: answers(f"{fields['agent_url']}/health"),
    )


def _server_offset_s(day: date) -> int:
    """Return the server's time less UTC at noon: it keeps New York's time plus seven hours."""
    noon = datetime.combine(day, time(12), tzinfo=ZoneInfo("America/New_York"))
    return round(((noon.utcoffset() or timedelta(0)) + timedelta(hours=7)).total_seconds())


class Mt5Control(SimulatorControl):
    """Read the broker's books; it counts lots, the platform units."""

    def progress(self) -> tuple[int, Decimal]:
        pending, hundredths = super().progress()
        return pending, hundredths * _LOT / 100

    def connections(self) -> tuple[int, int]:
        """MT5 pushes nothing: the platform asks, so a terminal that is there is connected."""
        return len(self.get("/_sim/terminals")), 1

    def set_windows(self, windows: Sequence[tuple[datetime, datetime]]) -> None:
        """Leave the market as it is: it ticks every 5 s all day."""

    def schedule(self) -> list[datetime]:
        """Return none: prices are polled, so none must have been seen before the next."""
        return []

    def orders(self) -> list[Row]:
        prices = self._average_prices()
        return [
            {
                "client": str(row["login"]),
                "tag": _FULL_MAGIC.format(row["magic"]) if row["magic"] else "",
                "broker_order_id": row["broker_order_id"],
                "symbol": row["symbol"],
                "side": row["side"],
                "filled": Decimal(row["filled_lots"]) * _LOT,
                "avg_px": prices.get(row["broker_order_id"], Decimal(0)),
            }
            for row in self.get("/_sim/orders")
        ]

    def positions(self) -> list[Row]:
        return totals(self._fills())

    def _fills(self) -> list[Row]:
        return [
            {**row, "client": str(row["login"]), "qty": Decimal(row["lots"]) * _LOT}
            for row in self.get("/_sim/fills")
        ]

    def _average_prices(self) -> dict[str, Decimal]:
        sums: dict[str, tuple[Decimal, Decimal]] = {}
        for fill in self._fills():
            quantity, value = sums.get(fill["broker_order_id"], (Decimal(0), Decimal(0)))
            sums[fill["broker_order_id"]] = (
                quantity + fill["qty"],
                value + fill["qty"] * Decimal(fill["px"]),
            )
        return {number: value / quantity for number, (quantity, value) in sums.items()}
