"""Name the climates that the simulated broker can have, from calm to storm.

Source: the fault model of the markets reference, section 7.5, scaled so that one demo day of 200 accounts
meets every kind several times; delays are short enough for a demo.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named climate: latencies (median and 99th percentile, real seconds), partial fills, rules."""

    name: str
    latency: tuple[float, float]
    split_rate: float
    split_waits_for_tick: bool
    book_lag_s: float
    orders_per_second: int
    rules: tuple[Mapping[str, object], ...] = ()


PROFILES: Mapping[str, Profile] = {
    "calm": Profile(
        name="calm",
        latency=(0.060, 0.300),
        split_rate=0.03,
        split_waits_for_tick=False,
        book_lag_s=0.1,
        orders_per_second=10,
    ),
    "open": Profile(
        name="open",
        latency=(0.150, 2.5),
        split_rate=0.10,
        split_waits_for_tick=True,
        book_lag_s=0.5,
        orders_per_second=10,
        rules=(
            {"kind": "ack_lost", "endpoint": "place", "rate": 0.010},
            {"kind": "ack_lost", "endpoint": "modify", "rate": 0.005},
            {"kind": "ack_lost", "endpoint": "cancel", "rate": 0.005},
            {"kind": "late_placement", "endpoint": "place", "rate": 0.30, "seconds": 2.0, "seconds_max": 8.0},
            {"kind": "request_lost", "endpoint": "place", "rate": 0.005},
            {"kind": "hang", "endpoint": "place", "rate": 0.002, "seconds": 6.0},
            {"kind": "http_5xx_html", "endpoint": "orders", "rate": 0.002},
            {"kind": "login_slow", "rate": 0.15, "once_per_ucc": True, "seconds": 1.0, "seconds_max": 5.0},
            {"kind": "login_fail", "rate": 0.03, "once_per_ucc": True},
            {"kind": "feed_lost", "endpoint": "realtime", "rate": 0.01},
            {"kind": "feed_duplicate", "endpoint": "realtime", "rate": 0.02},
            {"kind": "feed_reorder", "endpoint": "realtime", "rate": 0.02},
            {"kind": "feed_drop", "endpoint": "realtime", "rate": 0.001},
        ),
    ),
    "storm": Profile(
        name="storm",
        latency=(0.6, 8.0),
        split_rate=0.20,
        split_waits_for_tick=True,
        book_lag_s=3.0,
        orders_per_second=3,
        rules=(
            {"kind": "ack_lost", "endpoint": "place", "rate": 0.05},
            {"kind": "ack_lost", "endpoint": "cancel", "rate": 0.03},
            {"kind": "late_placement", "endpoint": "place", "rate": 0.50, "seconds": 2.0, "seconds_max": 8.0},
            {"kind": "request_lost", "endpoint": "place", "rate": 0.03},
            {"kind": "hang", "endpoint": "place", "rate": 0.02, "seconds": 8.0},
            {"kind": "http_5xx_html", "rate": 0.02},
            {"kind": "http_5xx_json", "rate": 0.01},
            {"kind": "market_parked", "rate": 0.05},
            {"kind": "partial_stall", "rate": 0.05},
            {"kind": "login_slow", "rate": 0.40, "once_per_ucc": True, "seconds": 2.0, "seconds_max": 8.0},
            {"kind": "login_fail", "rate": 0.20, "once_per_ucc": True},
            {"kind": "feed_lost", "endpoint": "realtime", "rate": 0.10},
            {"kind": "feed_duplicate", "endpoint": "realtime", "rate": 0.05},
            {"kind": "feed_reorder", "endpoint": "realtime", "rate": 0.05},
            {"kind": "feed_drop", "endpoint": "realtime", "rate": 0.01},
            {"kind": "half_body", "endpoint": "place", "rate": 0.01},
            {"kind": "http_429_bare", "endpoint": "reports", "rate": 0.01},
            {"kind": "open_delay", "rate": 0.50, "seconds": 2.0, "seconds_max": 4.0},
            {"kind": "ack_lost", "endpoint": "modify", "rate": 0.02},
            {"kind": "modify_late", "rate": 0.10, "seconds": 1.0, "seconds_max": 3.0},
            {"kind": "cancel_late", "rate": 0.10, "seconds": 1.0, "seconds_max": 3.0},
            {"kind": "modify_refused", "rate": 0.02},
            {"kind": "fill_missing", "rate": 0.05},
            {"kind": "feed_garbage", "endpoint": "feeds", "rate": 0.01},
            {"kind": "feed_truncated", "endpoint": "feeds", "rate": 0.01},
        ),
    ),
}
