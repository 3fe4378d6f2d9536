"""Show the day as it passes: a calm panel on a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live
from rich.table import Table

from app.demo.quiescence import Blockers
from app.domain.ports import Clock

_INDIA = ZoneInfo("Asia/Kolkata")
_REFRESH_S = 0.25
_LINE_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Hold the numbers that an operator looks at first."""

    phase: str
    ready: int
    accounts: int
    loops: int
    orders: int
    filled: int
    open_legs: int
    cash: str
    alarms: int


class Display:
    """Print what happens. `say` for steps, `show` for the running day."""

    def __init__(self, clock: Clock, console: Console | None = None) -> None:
        self._clock = clock
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._shown = float("-inf")
        self._line_at: datetime | None = None
        self._phase = ""

    @property
    def is_live(self) -> bool:
        """Whether a terminal is watching."""
        return self._console.is_terminal

    def say(self, sentence: str) -> None:
        """Print one step."""
        self._console.print(sentence, markup=False)

    def begin(self) -> None:
        """Start the panel of the running day."""
        if self.is_live:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def end(self) -> None:
        """Take the panel away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def is_due(self, now: datetime, phase: str) -> bool:
        """Say whether it is time to show something; the numbers cost a query."""
        if self._live is not None:
            return self._clock.monotonic() - self._shown >= _REFRESH_S
        return phase != self._phase or self._line_at is None or now >= self._line_at

    def show(self, now: datetime, counts: Counts, blockers: Blockers) -> None:
        """Show the day at a virtual instant."""
        self._shown = self._clock.monotonic()
        self._line_at, self._phase = now + _LINE_EVERY, counts.phase
        at = now.astimezone(_INDIA)
        if self._live is None:
            self.say(
                f"{at:%H:%M:%S}  {counts.phase.lower():<10} accounts {counts.ready}/{counts.accounts}  "
                f"loops {counts.loops}  orders {counts.orders}  filled {counts.filled}  "
                f"open legs {counts.open_legs}  cash {counts.cash}"
                + (f"  alarms {counts.alarms}" if counts.alarms else "")
            )
            return
        self._live.update(_panel(at, counts, blockers), refresh=True)

    def summarize(self, report: Mapping[str, Any]) -> None:
        """Print the report in a few lines."""
        logins, bell, orders = report["logins"], report["bell"], report["orders"]
        positions = report["positions"]
        self.say(
            f"Logins {logins['ok']} of {report['accounts']} (late {logins['late']}), "
            f"bell to broker p50 {bell['p50_ms']} ms, p99 {bell['p99_ms']} ms for {bell['orders']} orders."
        )
        self.say(
            f"Orders {orders['intents']}: sent {orders['sent']}, filled {orders['filled']}, denied "
            f"{orders['denied']}, unknown {orders['unknown_seen']} (open {orders['unknown_open']}), doubled "
            f"{orders['duplicates']}, lost {orders['lost']}."
        )
        self.say(
            f"Positions mismatched {positions['mismatched']}, open {positions['open_at_end']}, longest "
            f"without a stop {positions['unprotected_max_s']} s. Profit {_money(report['pnl'])}. "
            f"Faults injected {report['faults']['injected']}. Took {report['took_s']} s."
        )
        for kill in report["kills"]:
            times = kill["press_to_last_order"]
            self.say(
                f"Kill switch: {kill['flat']} of {kill['accounts']} accounts flat, the last after "
                f"{kill['last_flat_ms']} ms; press to last order p50 {times['p50_ms']} ms, "
                f"p99 {times['p99_ms']} ms."
            )
            for account in kill["not_flat"]:
                self.say(f"  {account['account']} is not flat: {account['why']}")
        for account in logins["not_ready"]:
            self.say(f"  {account['user']} is not logged in: {account['reason']} ({account['detail']})")
        for halt in report["risk"]["halted"]:
            self.say(f"  halted: {halt['what']}: {halt['why']}")
        for lock in report["risk"]["locks"]:
            self.say(
                f"  locked: {lock['what']}: {lock['rule']}, {lock['formula']}; "
                f"flat after {lock['breach_to_flat_s']} s at {lock['flat_value']} {lock['currency']}"
            )
        self.say(f"Verdict: {report['verdict']}")
        for reason in report["reasons"]:
            self.say(f"  - {reason}")


def _panel(at: datetime, counts: Counts, blockers: Blockers) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    waiting = ", ".join(f"{key}: {what}" for key, what in list(blockers.items())[:2])
    rows = {
        "exchange": f"{at:%H:%M:%S}  {counts.phase.lower()}",
        "accounts": f"{counts.ready} of {counts.accounts} ready, {counts.loops} loops live",
        "orders": f"{counts.orders} ({counts.filled} filled), {counts.open_legs} open legs",
        "cash": counts.cash,
        "alarms": str(counts.alarms),
        "waits for": waiting or "nothing",
    }
    for name, value in rows.items():
        table.add_row(f"{name} ", value, style=None)
    return table


def _money(pnl: Mapping[str, Any]) -> str:
    return ", ".join(f"{sums['gross']} {code} ({sums['net']} after charges)" for code, sums in pnl.items())
