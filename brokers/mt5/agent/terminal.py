"""Own the terminal's module: open it, prove whose account answers, read its books."""

import importlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType

from app.domain.errors import ConfigError, ProtocolError
from brokers.mt5.agent.config import AgentConfig
from brokers.mt5.agent.refusals import RefusedError
from brokers.mt5.agent.revisions import Revisions
from brokers.mt5.agent.terminal_thread import SLIPS
from brokers.mt5.protocol import Refusal
from brokers.mt5.retcodes import TerminalError
from brokers.mt5.values import Row, parse_json, row

# Wide enough for every time zone of a server and a long day; the adapter cuts at the day's start.
_HISTORY_BACK = timedelta(hours=50)
_HISTORY_AHEAD = timedelta(hours=26)
_LOGIN_TIMEOUT_MS = 20_000
_RETRY_OPEN_S = 5.0
_SIZES_FOR_S = 60.0
_LOOK_WITHIN_S = 5.0
_CLOCK_SYMBOLS = 3
_BROKEN_PIPE = frozenset(
    {TerminalError.INTERNAL_RECEIVE, TerminalError.INTERNAL_INIT, TerminalError.INTERNAL_CONNECT}
)


class Terminal:
    """Speak with one terminal through its module. Only the terminal thread may call it.

    Args:
        config: the account that must answer, and where its terminal is.
    """

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._password = config.password
        self._module = _load(config.module)
        self._is_open = False
        self._tried_at = float("-inf")
        self._closed_by: RefusedError | None = None
        self._clock_symbols: tuple[str, ...] = ()
        self._revisions = Revisions()
        self._sizes: dict[str, tuple[float, object]] = {}
        self._tick_ms = 0
        self._fresh_at: float | None = None
        self._looked_at = float("-inf")

    def open(self) -> None:
        """Start or find the terminal and log in, if it is not open yet; at most every few seconds.

        Raises:
            RefusedError: it did not open.
        """
        if self._is_open:
            return
        if self._closed_by is not None and time.monotonic() - self._tried_at < _RETRY_OPEN_S:
            raise RefusedError(self._closed_by.refusal, self._closed_by.message)
        self._tried_at = time.monotonic()
        names: dict[str, object] = {"portable": True, "timeout": _LOGIN_TIMEOUT_MS}
        if self._password:
            names |= {"login": self._config.login, "password": self._password, "server": self._config.server}
        place = (self._config.terminal,) if self._config.terminal else ()
        if not self._module.initialize(*place, **names):
            self._closed_by = self._failure("initialize")
            raise self._closed_by
        self._is_open, self._closed_by = True, None
        for symbol in self._config.symbols:
            self._module.symbol_select(symbol, True)
        shown = self._config.symbols or [
            item.name for item in self._module.symbols_get() or () if item.visible
        ]
        self._clock_symbols = tuple(shown[:_CLOCK_SYMBOLS])

    def log_in(self, login: int, password: str, server: str) -> None:
        """Log the terminal in to the one account that this agent is for.

        Raises:
            RefusedError: another account was asked for, or the broker refused.
        """
        if (login, server) != (self._config.login, self._config.server):
            raise RefusedError(
                Refusal.WRONG_ACCOUNT,
                f"this agent serves {self._config.login} at {self._config.server} only",
            )
        self._password, self._closed_by = password, None
        if not self._is_open:
            self.open()
        if not self._module.login(login, password=password, server=server, timeout=_LOGIN_TIMEOUT_MS):
            code = self._last_error()[0]
            if code == TerminalError.AUTH_FAILED:
                raise RefusedError(Refusal.LOGIN_FAILED, f"login: {self._last_error()}")
            raise self._failure("login")

    def identify(self) -> tuple[Row, Row]:
        """Return account and terminal, proven to be the expected ones.

        Raises:
            RefusedError: nobody is logged in, or another account answers.
        """
        self.open()
        found = self._module.account_info()
        if found is None and self._last_error()[0] in _BROKEN_PIPE:
            # The terminal ended or started anew since the last call; to look again is safe.
            self._is_open = False
            self.open()
            found = self._module.account_info()
        account = self.record(found, "account_info")
        terminal = self.record(self._module.terminal_info(), "terminal_info")
        login, server = account.get("login"), account.get("server")
        if login == 0:
            raise RefusedError(Refusal.NOT_LOGGED_IN, "the terminal has no account")
        if (login, server) != (self._config.login, self._config.server):
            raise RefusedError(
                Refusal.WRONG_ACCOUNT,
                f"expected {self._config.login} at {self._config.server}, {login} at {server} answered",
            )
        path = str(terminal.get("path", ""))
        if self._config.terminal and not is_same_folder(self._config.terminal, path):
            raise RefusedError(Refusal.WRONG_ACCOUNT, f"the terminal in {path!r} answered, not ours")
        return account, terminal

    def beat(self) -> None:
        """Ask for a sign of life and the server's time; a terminal that is not there is no fault here."""
        try:
            self.open()
            self._module.terminal_info()
            self._note_time()
        except (RefusedError, *SLIPS):
            return

    def record(self, value: object, name: str) -> Row:
        """Return one record of the module as plain values. Raises RefusedError for None."""
        if value is None:
            raise self._failure(name)
        return plain(value)

    def records(self, name: str, *place: object, **which: object) -> list[Row]:
        """Call a list function of the module. Raises RefusedError when it failed, not when it is empty."""
        found = getattr(self._module, name)(*place, **which)
        code = self._last_error()[0]
        if not found and code not in (TerminalError.OK, TerminalError.NOT_FOUND):
            raise self._failure(name)
        return [plain(item) for item in found or ()]

    def books(self) -> dict[str, object]:
        """Return orders, today's history, deals and positions, in the order that loses none on its way."""
        account, terminal = self.identify()
        window = self._history_window()
        orders = self.records("orders_get")
        history = self.records("history_orders_get", *window)
        deals = self.records("history_deals_get", *window)
        positions = self.records("positions_get")
        self._note_time()
        ended = {item.get("ticket") for item in history}
        return {
            "account": account,
            "connected": terminal.get("connected"),
            "orders": self._stamped(item for item in orders if item.get("ticket") not in ended),
            "history": self._stamped(history),
            "deals": deals,
            "positions": positions,
            "contract_sizes": self._contract_sizes([*orders, *history, *deals, *positions]),
            "time": self.server_time(),
        }

    def order(self, ticket: int) -> dict[str, object]:
        """Return one order, working or ended, and its deals."""
        _, terminal = self.identify()
        orders = self.records("orders_get", ticket=ticket)
        history = self.records("history_orders_get", ticket=ticket)
        deals = self.records("history_deals_get", ticket=ticket) if history or orders else []
        self._note_time()
        return {
            "connected": terminal.get("connected"),
            "orders": [] if history else self._stamped(orders),
            "history": self._stamped(history),
            "deals": deals,
            "contract_sizes": self._contract_sizes([*orders, *history, *deals]),
            "time": self.server_time(),
        }

    def symbols(self) -> list[Row]:
        """Return the terms of the configured symbols, or of all that the terminal shows."""
        self.identify()
        if not self._config.symbols:
            return [item for item in self.records("symbols_get") if item.get("visible")]
        return [self.symbol(name) for name in self._config.symbols]

    def symbol(self, name: str) -> Row:
        """Return the terms of one symbol. Raises RefusedError when there is none."""
        found = self._module.symbol_info(name)
        if found is None:
            raise RefusedError(Refusal.INVALID, f"symbol: the terminal does not know {name[:40]!r}")
        return plain(found)

    def prices(self, names: Iterable[str]) -> dict[str, object]:
        """Return the latest prices, and whether the terminal hears of new ones."""
        _, terminal = self.identify()
        ticks = self._ticks(names)
        return {"connected": terminal.get("connected"), "ticks": ticks, "time": self.server_time()}

    def ticks(self, names: Iterable[str]) -> list[Row]:
        """Return the latest price of each symbol that has one."""
        self.identify()
        return self._ticks(names)

    def _ticks(self, names: Iterable[str]) -> list[Row]:
        found: list[Row] = []
        for name in names:
            tick = self._module.symbol_info_tick(name)
            if tick is not None:
                found.append({**plain(tick), "symbol": name})
        self._note_time()
        return found

    def server_time(self) -> dict[str, object]:
        """Return the newest server time seen, how long ago it changed, and what the settings say."""
        return {
            "tick_ms": self._tick_ms,
            "age_s": None if self._fresh_at is None else time.monotonic() - self._fresh_at,
            "utc_offset_s": self._config.utc_offset_s,
        }

    def check(self, request: Mapping[str, object]) -> Row | None:
        """Ask the terminal what it thinks of an order; None when it does not say."""
        found = self._module.order_check(dict(request))
        return None if found is None else plain(found)

    def send(self, request: Mapping[str, object]) -> dict[str, object]:
        """Send one trade request, once, and return what came back, whatever it is."""
        try:
            found = self._module.order_send(dict(request))
        except SLIPS as e:
            return {"raised": f"{type(e).__name__}: {e}"[:200]}
        if found is None:
            code, words = self._last_error()
            return {"last_error": code, "message": words}
        reply = plain(found)
        return {name: reply.get(name) for name in ("retcode", "order", "deal", "volume", "price", "comment")}

    def shutdown(self) -> None:
        """Let go of the terminal, which goes on running."""
        if self._is_open:
            self._module.shutdown()

    def failure_of_last_call(self, name: str) -> RefusedError:
        """Return why a call gave nothing, by `last_error`."""
        return self._failure(name)

    def _history_window(self) -> tuple[datetime, datetime]:
        """Return a span that holds today by the machine's clock and by the server's (a simulated one)."""
        now = datetime.now(UTC)  # noqa: TID251  the machine's time, for a window of days
        newest = datetime.fromtimestamp(self._tick_ms / 1000, UTC) if self._tick_ms else now
        return min(now, newest) - _HISTORY_BACK, max(now, newest) + _HISTORY_AHEAD

    def _stamped(self, found: Iterable[Row]) -> list[Row]:
        return [{**item, "revision": self._revisions.stamp(item)} for item in found]

    def _contract_sizes(self, found: Iterable[Row]) -> dict[str, object]:
        names = {str(item.get("symbol")) for item in found if item.get("symbol")}
        now = time.monotonic()
        for name in names:
            known = self._sizes.get(name)
            if known is None or now - known[0] > _SIZES_FOR_S:
                self._sizes[name] = (now, self.symbol(name).get("trade_contract_size"))
        return {name: self._sizes[name][1] for name in sorted(names)}

    def _note_time(self) -> None:
        """Look at the newest tick: one that changed between two looks in a row was quoted just now."""
        now, newest = time.monotonic(), self._tick_ms
        for name in self._clock_symbols:
            tick = self._module.symbol_info_tick(name)
            newest = max(newest, 0 if tick is None else int(tick.time_msc))
        if newest > self._tick_ms and now - self._looked_at < _LOOK_WITHIN_S:
            self._fresh_at = now
        elif newest > self._tick_ms:
            self._fresh_at = None
        self._tick_ms, self._looked_at = newest, now

    def _failure(self, name: str) -> RefusedError:
        code, words = self._last_error()
        message = f"{name}: {code} {words}"
        if code in _BROKEN_PIPE:
            self._is_open = False
        if code == TerminalError.AUTH_FAILED:
            return RefusedError(Refusal.NOT_LOGGED_IN, message)
        return RefusedError(Refusal.NOT_CONNECTED, message)

    def _last_error(self) -> tuple[int, str]:
        code, words = self._module.last_error()
        return int(code), str(words)[:200]


def plain(record: object) -> Row:
    """Return a named tuple of the module with exact numbers: floats keep their shortest form.

    Raises:
        ProtocolError: it is no record, or holds what is not a number.
    """
    as_dict: Callable[[], dict[str, object]] | None = getattr(record, "_asdict", None)
    if as_dict is None:
        raise ProtocolError(f"expected a named tuple, got {type(record).__name__}")
    kept = {name: value for name, value in as_dict().items() if isinstance(value, bool | int | float | str)}
    return row(parse_json(json.dumps(kept)), "record")


def is_same_folder(terminal: str, reported: str) -> bool:
    """Whether the terminal program lies in the folder that the terminal reports; Windows ignores case."""
    program = terminal.replace("\\", "/").casefold()
    folder = reported.replace("\\", "/").casefold().rstrip("/")
    return folder in (program.rstrip("/"), program.rpartition("/")[0])


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise ConfigError(f"module: expected {name} to be installed ({e})") from e
