"""Expose gauges that are read from the tables, so that any number of API processes tells the same."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from app.domain.accounts import LoginStatus
from app.domain.breaker import BreakerState
from app.services.overview import Day, age_s


class DayCollector:
    """Turn one reading of the day into gauges; sums only, no user's data."""

    def __init__(self, day: Day) -> None:
        self._day = day

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        day = self._day
        logins = GaugeMetricFamily("openbell_logins", "Accounts by login status today", labels=["status"])
        for status in LoginStatus:
            logins.add_metric([status.value], day.logins_in(status))
        yield logins
        orders = GaugeMetricFamily("openbell_orders", "Orders of today by status", labels=["status"])
        counts: dict[str, int] = {}
        for row in day.order_counts:
            counts[row.status] = counts.get(row.status, 0) + row.n
        for name, count in sorted(counts.items()):
            orders.add_metric([name], count)
        yield orders
        singles = {
            "openbell_orders_unknown": ("Orders without a proven outcome", day.unknown_orders()),
            "openbell_positions_unprotected": ("Open legs without a stop", day.unprotected_legs()),
            "openbell_alarms_open": ("Open alarms", day.open_alarms),
            "openbell_runs_alive": ("Leased runs with a holder", sum(run.is_alive for run in day.runs)),
            "openbell_runs_wanted": ("Leased runs that should live", sum(run.is_wanted for run in day.runs)),
            "openbell_valkey_up": ("1 when Valkey answers", int(day.heartbeats is not None)),
        }
        for name, (text, value) in singles.items():
            yield GaugeMetricFamily(name, text, value=value)
        yield from self._live()

    def _live(self) -> Iterator[GaugeMetricFamily]:
        beats = self._day.heartbeats
        if beats is None:
            return
        feed_age = age_s(beats.feed_wall, self._day.moment.wall)
        if feed_age is not None:
            yield GaugeMetricFamily(
                "openbell_feed_age_seconds", "Real age of the last prices", value=feed_age
            )
        queues = GaugeMetricFamily("openbell_queue_length", "Tasks that wait", labels=["queue"])
        for name, length in beats.queues.items():
            queues.add_metric([name], length)
        yield queues
        breakers = GaugeMetricFamily(
            "openbell_breaker",
            "1 for the state that a breaker is in",
            labels=["broker", "endpoints", "state"],
        )
        for (broker, endpoints), breaker in self._day.breakers.items():
            for state in BreakerState:
                breakers.add_metric([broker, endpoints, state], int(breaker.state is state))
        yield breakers


def render(day: Day) -> bytes:
    """Return the gauges in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(DayCollector(day))
    return generate_latest(registry)
