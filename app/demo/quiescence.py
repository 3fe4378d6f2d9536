"""Ask whether anything is under way, so that virtual time never runs ahead of real work."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from app.db.flight import Flight, in_flight
from app.db.session import Database
from app.demo.markets import DemoMarket
from app.demo.timeline import Timeline
from app.domain.errors import UnavailableError
from app.domain.instruments import Venue
from app.domain.phases import Phase
from app.infra.names import BARS_STREAM, FEED_STATE_KEY, LOOP_CURSOR_KEY, WATCH_CURSOR_KEY
from app.infra.streams import BEGINNING

Blockers = Mapping[str, str]
"""What is under way: a key that stays the same while it lasts -> words for a person."""
PRICES = frozenset({"feed", "indicators", "loop", "watch"})
"""First words of the keys that are about prices on their way."""


class Quiescence:
    """Look at the ledger, the queues between feeds and loops, and the markets. One thread at a time."""

    def __init__(
        self,
        *,
        database: Database,
        valkey: Redis,
        markets: Mapping[Venue, DemoMarket],
        timeline: Timeline,
        day: date,
    ) -> None:
        self._database = database
        self._valkey = valkey
        self._markets = markets
        self._timeline = timeline
        self._day = day
        self._loops: Mapping[str, str] = {}
        self._watches: Mapping[str, str] = {}

    def blockers(self, now: datetime, given_up: Collection[str] = ()) -> Blockers:
        """Return what is under way at a virtual instant; empty means that time may jump.

        While prices are on their way, nothing else is looked at, unless all of them were given up.
        """
        is_open = now >= self._timeline.session.open_at
        try:
            # The cheap and usual answer first: the prices are still on their way.
            prices = self._of_prices(now)
            if prices.keys() - set(given_up):
                return prices
            with self._database.begin() as session:
                flight = in_flight(session, self._day, now=now)
            if (flight.loops, flight.watches) != (self._loops, self._watches):
                self._loops, self._watches = flight.loops, flight.watches
                return prices | {"loops": "the list of loops has changed"}
            found = prices | self._of_ledger(flight, now)
            return found | (self._of_market(flight) if is_open else self._of_connections(flight, now))
        except (OperationalError, UnavailableError) as e:
            return {"ledger": f"something does not answer: {type(e).__name__}"}
        except RedisError as e:
            return {"valkey": f"Valkey does not answer: {type(e).__name__}"}

    def _of_ledger(self, flight: Flight, now: datetime) -> dict[str, str]:
        found = {f"order {i}": what for i, what in flight.orders.items()}
        found |= {f"leg {i}": what for i, what in flight.legs.items()}
        due = {phase for market in self._markets.values() for phase in market.phases_due(now)}
        found |= {f"phase {phase}": "due and not finished" for phase in sorted(due - flight.finished_phases)}
        is_login_time = Phase.LOGIN in self._timeline.phases_due(now)
        if is_login_time and now < self._timeline.session.open_at:
            found |= {f"login {i}": what for i, what in flight.logins.items()}
        return found

    def _of_connections(self, flight: Flight, now: datetime) -> dict[str, str]:
        """Return what must stand before the bell: on a real day there are minutes for it."""
        if Phase.ARM not in self._timeline.phases_due(now):
            return {}
        found = {f"run {name}": "nobody holds it yet" for name in flight.idle_runs}
        connections = [market.simulator.connections() for market in self._markets.values()]
        if flight.ready and not all(prices for _, prices in connections):
            found["stream of prices"] = "a feed is not connected yet"
        orders = sum(orders for orders, _ in connections)
        if orders < flight.ready:
            found["stream of orders"] = f"{orders} of {flight.ready} accounts are connected"
        return found

    def _of_market(self, flight: Flight) -> dict[str, str]:
        found, filled = {}, Decimal(0)
        for venue, market in self._markets.items():
            pending, filled_there = market.simulator.progress()
            filled += filled_there
            if pending:
                found[f"market {venue}"] = f"{pending} steps of orders under way at the broker"
        if filled != flight.filled_qty:
            found["fills"] = f"the brokers filled {filled:f}, the ledger knows {flight.filled_qty:f}"
        return found

    def _of_prices(self, now: datetime) -> dict[str, str]:
        found: dict[str, str] = {}
        for venue, market in self._markets.items():
            tick = market.last_tick(now)
            if tick is not None:
                found |= self._of_venue(venue, tick)
        return found

    def _of_venue(self, venue: Venue, tick: datetime) -> dict[str, str]:
        loops = [name for name, where in self._loops.items() if where == venue]
        watches = [name for name, where in self._watches.items() if where == venue]
        state, cursors, last_bar, watched = self._read_streams(venue, loops, watches)
        found = {}
        if _instant(state.get("last_ts")) < tick:
            found[f"feed {venue}"] = f"it stands at {state.get('last_ts') or 'nothing'}, the market at {tick}"
        if int(state.get("pending") or 0):
            found[f"indicators {venue}"] = f"{state['pending']} bars wait for their indicators"
        for name, cursor in zip(loops, cursors, strict=True):
            if _instant(cursor.get("ts")) < tick:
                found[f"loop {name}"] = f"{name} stands at {cursor.get('ts') or 'nothing'}"
            elif _entry_number(cursor.get("bars")) < _entry_number(last_bar):
                found[f"loop {name}"] = f"{name} has bars to judge"
        for name, judged in zip(watches, watched, strict=True):
            if _instant(judged) < tick:
                found[f"watch {name}"] = f"{name} stands at {judged or 'nothing'}"
        return found

    def _read_streams(
        self, venue: Venue, loops: Sequence[str], watches: Sequence[str]
    ) -> tuple[dict[str, str], list[dict[str, str]], str, list[str | None]]:
        with self._valkey.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(FEED_STATE_KEY.format(venue=venue))
            pipeline.xrevrange(BARS_STREAM.format(venue=venue), count=1)
            for name in loops:
                pipeline.hgetall(LOOP_CURSOR_KEY.format(run=name))
            for name in watches:
                pipeline.get(WATCH_CURSOR_KEY.format(run=name))
            state, bars, *found = pipeline.execute()
        cursors, watched = found[: len(loops)], found[len(loops) :]
        return state, cursors, bars[0][0] if bars else BEGINNING, watched


def _instant(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "0001-01-01T00:00:00+00:00")


def _entry_number(entry_id: str | None) -> tuple[int, int]:
    milliseconds, _, sequence = (entry_id or "0-0").partition("-")
    return int(milliseconds), int(sequence or 0)
