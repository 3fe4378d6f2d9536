"""Run the day's phases and the login chord."""

from datetime import date
from typing import Any

from celery import chord

from app.domain.ids import AccountId
from app.domain.instruments import Venue
from app.domain.phases import Phase
from app.infra.names import QueueName, TaskName, queue_of
from app.services.holding_costs import book_exercises
from app.services.market_day import MarketDay
from tasks.celery import celery_app
from tasks.container import container


@celery_app.task(name=TaskName.RUN_PHASE, soft_time_limit=300, time_limit=330)
def run_phase(day: str, phase: str, venue: str = Venue.NSE) -> None:
    """Run one phase of a market's day, once; LOGIN starts the chord."""
    market_day = container().market_days[Venue(venue)]
    on, step = date.fromisoformat(day), Phase(phase)
    if not market_day.begin(on, step):
        return
    summary = start_logins(market_day, on) if step is Phase.LOGIN else market_day.run(on, step)
    if step is Phase.CLOSE:
        summary |= book_exercises_at_close(market_day, on)
    market_day.finish(on, step, summary)


@celery_app.task(name=TaskName.LOGIN_BATCH, ignore_result=False, soft_time_limit=120, time_limit=150)
def login_batch(day: str, account_ids: list[int]) -> dict[str, int]:
    """Log a batch of accounts in; never raises for an account, so that the chord's body always runs."""
    return container().logins.log_in(date.fromisoformat(day), [AccountId(i) for i in account_ids])


@celery_app.task(name=TaskName.LOGIN_REPORT, ignore_result=False, soft_time_limit=120, time_limit=150)
def login_report(counts: list[dict[str, int]], day: str, venue: str = Venue.NSE) -> dict[str, Any]:
    """Report the chord; accounts that are ready did not wait for it."""
    market_day = container().market_days[Venue(venue)]
    return {"batches": len(counts), **market_day.report_logins(date.fromisoformat(day))}


@celery_app.task(name=TaskName.RETRY_LOGINS, soft_time_limit=120, time_limit=150)
def retry_logins() -> None:
    """Try again what the chord left out or lost, and let late accounts join."""
    for market_day in container().market_days.values():
        day = market_day.today()
        if not market_day.is_login_time(day):
            continue
        batches = market_day.login_batches(day)
        for batch in batches:
            container().logins.log_in(day, batch)
        market_day.let_join(day, has_news=bool(batches))


def book_exercises_at_close(market_day: MarketDay, day: date) -> dict[str, Any]:
    """Book the tax on what was held into its expiry; nothing on the days when everything was closed."""
    parts, trading = container(), market_day.session_of(day)
    if trading is None:
        return {}
    with parts.database.begin() as session:
        booked = book_exercises(
            session, parts.rates, trading, market=market_day.market, day=day, now=parts.clock.now()
        )
    return {"exercises": booked} if booked else {}


def start_logins(market_day: MarketDay, day: date) -> dict[str, Any]:
    """Start the login chord: few headers, each with a batch of accounts, and a body that reports."""
    batches = market_day.login_batches(day)
    if not batches:
        return {"accounts": 0}
    queue = queue_of(QueueName.LOGIN, market_day.market)
    header = [login_batch.s(day.isoformat(), [int(i) for i in batch]).set(queue=queue) for batch in batches]
    chord(header)(login_report.s(day=day.isoformat(), venue=market_day.venue.value))
    return {"accounts": sum(map(len, batches)), "batches": len(batches)}
