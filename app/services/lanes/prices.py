"""Find the price at which an exit leaves, whatever has failed: the feed's, the broker's own, the last known.

An exit is never blocked by missing market data (I7, I12). While the shared marks can be read nothing else is
needed. Without them, or when a mark is old, the account's own broker is asked, in threads that take none from
the orders; an exit waits for that answer for a moment only.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Self

import structlog
from redis import Redis

from app.db.exits import LegWork
from app.domain.errors import BrokerError, ConfigError, NotFoundError
from app.domain.ids import AccountId, InstrumentId
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.orders import OrderStatus, OrderType
from app.domain.ports import Clock, QuoteSource
from app.infra.marks import read_marks
from app.services.gateways import Gateways
from app.services.lanes.requests import ContractBook
from app.services.lanes.wakes import Wakes

log = structlog.get_logger()

_PATIENCE_S = 1.5
"""How long an exit without a mark waits for the broker's quote before it takes an older price."""
_ASK_EVERY_S = 1.0
_QUOTE_TIMEOUT_S = 1.0
_QUOTES_AT_ONCE = 4
_GOING_OFF = (OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED)

Prices = Mapping[InstrumentId, Tick]


class ExitPrices(AbstractContextManager["ExitPrices"]):
    """Tell an exits lane its prices and remember them. One owner; only quotes come from other threads."""

    def __init__(
        self,
        valkey: Redis,
        gateways: Gateways,
        contracts: ContractBook,
        clock: Clock,
        *,
        max_age: timedelta,
        wakes: Wakes,
    ) -> None:
        """Args: max_age: how old a price may be before the broker is asked for a newer one."""
        self._valkey = valkey
        self._gateways = gateways
        self._contracts = contracts
        self._clock = clock
        self._max_age = max_age
        self._wakes = wakes
        self._known: dict[InstrumentId, Tick] = {}
        self._missing_since: dict[InstrumentId, float] = {}
        self._blind: set[InstrumentId] = set()
        self._asked_at: dict[InstrumentId, float] = {}
        self._being_asked: set[InstrumentId] = set()
        self._turn = 0
        self._pool = ThreadPoolExecutor(_QUOTES_AT_ONCE, thread_name_prefix="exit-quotes")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, work: Sequence[LegWork]) -> Prices:
        """Return a price of each instrument that has one; for exits under way the best there is.

        Without the shared marks those in memory are good for as long as a mark may be old: a stop is watched
        through a Valkey that hangs for a moment.
        """
        wanted = {w.instrument_id for w in work}
        marks = read_marks(self._valkey, wanted)
        for mark in marks.values():
            self._learn(mark)
        remembered = {name: tick for name in wanted if (tick := self._fresh(name)) is not None}
        exits: dict[InstrumentId, list[LegWork]] = {}
        for each in work:
            if _is_on_its_way_out(each):
                exits.setdefault(each.instrument_id, []).append(each)
        for gone in self._missing_since.keys() - exits.keys():
            self._found_again(gone)
        found = {name: self._for_exit(name, marks, legs) for name, legs in exits.items()}
        return remembered | marks | {name: price for name, price in found.items() if price is not None}

    def _for_exit(self, name: InstrumentId, marks: Prices, legs: Sequence[LegWork]) -> Tick | None:
        fresh = self._fresh(name)
        if fresh is not None:
            self._found_again(name)
            return fresh
        known = self._known.get(name)
        self._ask(name, legs)
        if name in marks:
            return known  # old because its market rests, or because the feed does: no reason to wait
        at = self._clock.monotonic()
        if at - self._missing_since.setdefault(name, at) < _PATIENCE_S:
            return None
        if name not in self._blind:
            self._blind.add(name)
            log.warning("exit_priced_blind", instrument_id=name, is_entry_price=known is None)
        return known or _entry_price(legs)

    def _fresh(self, name: InstrumentId) -> Tick | None:
        known = self._known.get(name)
        is_fresh = known is not None and self._clock.wall() - known.ts_init <= self._max_age
        return known if is_fresh else None

    def _found_again(self, name: InstrumentId) -> None:
        self._missing_since.pop(name, None)
        self._blind.discard(name)

    def _learn(self, tick: Tick) -> None:
        known = self._known.get(tick.instrument_id)
        if known is None or known.ts_init < tick.ts_init:
            self._known[tick.instrument_id] = tick

    def _ask(self, name: InstrumentId, legs: Sequence[LegWork]) -> None:
        """Ask the broker of one of the accounts, another one each time: one may have no session."""
        at = self._clock.monotonic()
        if name in self._being_asked or at - self._asked_at.get(name, float("-inf")) < _ASK_EVERY_S:
            return
        self._turn += 1
        leg = legs[self._turn % len(legs)].leg
        try:
            instrument = self._contracts.get(leg.day, name)
        except NotFoundError:
            return
        self._asked_at[name] = at
        self._being_asked.add(name)
        self._pool.submit(self._quote, AccountId(leg.account_id), instrument)

    def _quote(self, account_id: AccountId, instrument: Instrument) -> None:
        """Read one quote. Runs in a pool thread."""
        name = instrument.instrument_id
        try:
            gateway = self._gateways.get(account_id)
            if isinstance(gateway, QuoteSource):
                tick = gateway.request_quote(instrument, timeout_s=_QUOTE_TIMEOUT_S)
                if tick is not None and tick.last > 0:
                    self._learn(replace(tick, ts_init=self._clock.wall()))
        except (BrokerError, ConfigError) as e:
            log.warning("exit_quote_missing", account_id=account_id, instrument_id=name, error=str(e))
        finally:
            self._being_asked.discard(name)
            self._wakes.set()


def _is_on_its_way_out(work: LegWork) -> bool:
    """Whether a price decides how the leg's exit goes on; a stop that rests needs none."""
    if work.held.net_qty == 0:
        return False
    if work.leg.exit_reason is not None:
        return True
    live = work.live
    return live is not None and (live.order_type != OrderType.STOP_LIMIT or live.status in _GOING_OFF)


def _entry_price(legs: Sequence[LegWork]) -> Tick | None:
    """Return what the leg cost as the last price of which anything is known."""
    work = next((each for each in legs if each.held.entry_px > 0), None)
    if work is None:
        return None
    at = work.leg.created_at
    return Tick(
        instrument_id=work.instrument_id,
        last=work.held.entry_px,
        bid=None,
        ask=None,
        ts_event=at,
        ts_init=at,
        sequence=0,
    )
