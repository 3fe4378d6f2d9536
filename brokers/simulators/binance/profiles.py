"""Name the climates that the simulated venue can have, from calm to storm.

Source: the fault model of the broker reference, section 4.3; rates as in the Kotak simulator, delays short
enough for a demo.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named climate: latencies (median and 99th percentile, real seconds), partial fills, rules."""

    name: str
    latency: tuple[float, float]
    split_rate: float
    book_lag_s: float
    rules: tuple[Mapping[str, object], ...] = ()


PROFILES: Mapping[str, Profile] = {
    "calm": Profile(name="calm", latency=(0.004, 0.020), split_rate=0.0, book_lag_s=0.0),
    "open": Profile(
        name="open",
        latency=(0.030, 0.5),
        split_rate=0.10,
        book_lag_s=0.2,
        rules=(
            {"kind": "ack_lost", "endpoint": "place", "rate": 0.010},
            {"kind": "ack_lost", "endpoint": "algo_place", "rate": 0.010},
            {"kind": "ack_lost", "endpoint": "cancel", "rate": 0.005},
            {"kind": "late_placement", "endpoint": "place", "rate": 0.30, "seconds": 2.0, "seconds_max": 8.0},
            {"kind": "request_lost", "endpoint": "place", "rate": 0.005},
            {"kind": "hang", "endpoint": "place", "rate": 0.002, "seconds": 6.0},
            {"kind": "code_1007", "endpoint": "place", "rate": 0.005, "accepted": True},
            {"kind": "code_1007", "endpoint": "place", "rate": 0.003},
            {"kind": "code_1008", "endpoint": "place", "rate": 0.005},
            {"kind": "http_5xx_html", "endpoint": "reads", "rate": 0.002},
            {"kind": "not_found_lag", "endpoint": "order", "rate": 0.05, "seconds": 0.5},
            {"kind": "fills_lag", "rate": 0.02},
            {"kind": "feed_lost", "endpoint": "user", "rate": 0.01},
            {"kind": "feed_duplicate", "endpoint": "user", "rate": 0.02},
            {"kind": "feed_reorder", "endpoint": "user", "rate": 0.02},
            {"kind": "feed_drop", "endpoint": "user", "rate": 0.001},
        ),
    ),
    "storm": Profile(
        name="storm",
        latency=(0.3, 4.0),
        split_rate=0.25,
        book_lag_s=2.0,
        rules=(
            {"kind": "ack_lost", "endpoint": "writes", "rate": 0.05},
            {"kind": "half_body", "endpoint": "writes", "rate": 0.01},
            {"kind": "late_placement", "endpoint": "place", "rate": 0.50, "seconds": 2.0, "seconds_max": 8.0},
            {"kind": "request_lost", "endpoint": "writes", "rate": 0.03},
            {"kind": "hang", "endpoint": "place", "rate": 0.02, "seconds": 8.0},
            {"kind": "code_1006", "endpoint": "place", "rate": 0.01, "accepted": True},
            {"kind": "code_1007", "endpoint": "place", "rate": 0.02, "accepted": True},
            {"kind": "code_1007", "endpoint": "place", "rate": 0.01},
            {"kind": "code_1008", "endpoint": "place", "rate": 0.03},
            {"kind": "http_429", "endpoint": "place", "rate": 0.01},
            {"kind": "http_5xx_html", "rate": 0.02},
            {"kind": "http_5xx_json", "rate": 0.01},
            {"kind": "html_200", "endpoint": "place", "rate": 0.005},
            {"kind": "partial_stall", "endpoint": "place", "rate": 0.05},
            {"kind": "cancel_races_fill", "endpoint": "cancel", "rate": 0.05},
            {"kind": "not_found_lag", "endpoint": "order", "rate": 0.20, "seconds": 2.0},
            {"kind": "fills_lag", "rate": 0.10},
            {"kind": "feed_lost", "endpoint": "user", "rate": 0.10},
            {"kind": "feed_duplicate", "endpoint": "user", "rate": 0.05},
            {"kind": "feed_reorder", "endpoint": "user", "rate": 0.05},
            {"kind": "feed_drop", "endpoint": "streams", "rate": 0.005},
        ),
    ),
}
