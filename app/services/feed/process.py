"""Run a venue's feed day after day."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import structlog
from redis.exceptions import RedisError

from app.domain.calendar_rules import TradingSession
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind
from app.services.feed.feed import Feed

log = structlog.get_logger()

_LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedWork:
    """Name what to feed: a session that is not over, and its contracts."""

    session: TradingSession
    instruments: Sequence[Instrument]


async def run_feed(
    find: Callable[[], FeedWork | None], make: Callable[[FeedWork], Feed], stop: asyncio.Event
) -> None:
    """Feed each session as soon as there is something to subscribe, until told to stop.

    Args:
        find: returns the work that is due, None while there is none (night, no contracts, nobody logged
            in); blocking.
        make: builds the feed of a session.
        stop: ends it.
    """
    while not stop.is_set():
        work = await asyncio.to_thread(find)
        if work is not None:
            log.info("feed_started", day=work.session.date.isoformat(), instruments=len(work.instruments))
            try:
                await make(work).run(stop)
            except* RedisError as e:
                log.warning("feed_waits", error=str(e.exceptions[0]))
        await _pause(stop)


def subscribed(instruments: Iterable[Instrument], day: date) -> list[Instrument]:
    """Return the indices and each underlying's options of the nearest expiry, ordered by id.

    On an expiry day the next one too: strategies may avoid the contracts that end today. Every further
    expiry would cost as much of the feed's time again.
    """
    ordered = sorted(instruments, key=lambda instrument: instrument.instrument_id)
    alive: dict[InstrumentId, set[date]] = {}
    for instrument in ordered:
        if instrument.option is not None and instrument.option.expiry >= day:
            alive.setdefault(instrument.option.underlying, set()).add(instrument.option.expiry)
    nearest = {underlying: _traded(sorted(expiries), day) for underlying, expiries in alive.items()}
    return [
        instrument
        for instrument in ordered
        if instrument.kind is InstrumentKind.INDEX
        or (
            instrument.option is not None
            and instrument.option.expiry in nearest.get(instrument.option.underlying, ())
        )
    ]


def _traded(expiries: list[date], day: date) -> list[date]:
    return expiries[:2] if expiries[0] == day else expiries[:1]


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_AGAIN_S):
            await stop.wait()
    except TimeoutError:
        return
