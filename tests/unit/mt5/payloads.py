"""Hold rows as an agent sends them, and damage them."""

import string
from collections.abc import Mapping

import httpx
from hypothesis import strategies as st

from brokers.mt5.protocol import PROTOCOL
from brokers.mt5.rpc import Reply

MAGIC = 0x0123456789ABCDEF
ORDER_ROW: Mapping[str, object] = {
    "ticket": 500000001,
    "time_setup_msc": 1_399_377_600_000,
    "time_done_msc": 0,
    "type": 2,
    "state": 1,
    "magic": MAGIC,
    "volume_initial": "0.03",
    "volume_current": "0.03",
    "price_open": "1.39",
    "price_stoplimit": "0.0",
    "symbol": "EURUSD",
    "comment": "0123456789abcdef",
    "revision": 1_764_000_000_000,
}
DEAL_ROW: Mapping[str, object] = {
    "ticket": 700000001,
    "order": 500000001,
    "time_msc": 1_399_377_600_500,
    "type": 0,
    "entry": 0,
    "magic": MAGIC,
    "volume": "0.03",
    "price": "1.39213",
    "symbol": "EURUSD",
}
POSITION_ROW: Mapping[str, object] = {
    "ticket": 500000001,
    "identifier": 500000001,
    "time_msc": 1_399_377_600_500,
    "type": 1,
    "volume": "0.03",
    "symbol": "EURUSD",
}
SYMBOL_ROW: Mapping[str, object] = {
    "name": "EURUSD",
    "trade_calc_mode": 0,
    "trade_mode": 4,
    "trade_contract_size": "100000.0",
    "trade_tick_size": "1e-05",
    "point": "1e-05",
    "volume_min": "0.01",
    "volume_max": "100.0",
    "volume_step": "0.01",
    "currency_profit": "USD",
    "trade_exemode": 2,
    "trade_stops_level": 10,
    "filling_mode": 3,
}
TICK_ROW: Mapping[str, object] = {"bid": "1.39200", "ask": "1.39210"}

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(),
    st.text(alphabet=string.printable + "é٣", max_size=12),
    st.sampled_from(["NaN", "Infinity", "-1", "1e400", "0", "EURUSD", "0.01"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(alphabet="abc", max_size=3), st.integers(), max_size=2),
)


@st.composite
def damaged(draw: st.DrawFn, row: Mapping[str, object]) -> dict[str, object]:
    """Change or drop a few fields of a row."""
    changed = dict(row)
    for key in draw(st.sets(st.sampled_from(sorted(row)), max_size=4)):
        changed[key] = draw(JUNK)
    for key in draw(st.sets(st.sampled_from(sorted(row)), max_size=2)):
        changed.pop(key)
    return changed


def answered(body: Mapping[str, object], *, status: int = 200) -> Reply:
    """Return a reply that the agent itself gave."""
    return Reply(body={"protocol": PROTOCOL, **body}, status=status, text=f"HTTP {status}")


def broken(fault: httpx.HTTPError) -> Reply:
    """Return an exchange that broke."""
    return Reply(fault=fault, text=type(fault).__name__)


def transport_errors() -> list[httpx.HTTPError]:
    """Return one of every fault that httpx knows."""
    found: list[httpx.HTTPError] = []
    kinds = [httpx.TransportError, httpx.TooManyRedirects, httpx.DecodingError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found.append(kind("boom"))
    return found
