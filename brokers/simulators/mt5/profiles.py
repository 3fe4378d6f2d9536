"""Name the climates that the simulated broker can have, from calm to storm.

Source: the fault model of the markets reference, section 7.5, with the kinds that an MT5 terminal can show;
delays are short enough for a demo.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named climate: latencies (median and 99th percentile, real seconds), book lag, limit, rules."""

    name: str
    latency: tuple[float, float]
    book_lag_s: float
    requests_per_second: int
    rules: tuple[Mapping[str, object], ...] = ()


PROFILES: Mapping[str, Profile] = {
    "calm": Profile(name="calm", latency=(0.005, 0.050), book_lag_s=0.0, requests_per_second=1000),
    "open": Profile(
        name="open",
        latency=(0.100, 1.5),
        book_lag_s=0.3,
        requests_per_second=20,
        rules=(
            {"kind": "ack_lost", "endpoint": "order_send", "rate": 0.010},
            {"kind": "request_lost", "endpoint": "order_send", "rate": 0.005},
            {
                "kind": "late_accept",
                "endpoint": "order_send",
                "rate": 0.010,
                "seconds": 1.0,
                "seconds_max": 6.0,
            },
            {"kind": "requote", "endpoint": "order_send", "rate": 0.03},
            {"kind": "price_changed", "endpoint": "order_send", "rate": 0.01},
            {"kind": "connection_lost", "endpoint": "order_send", "rate": 0.005, "accepted": True},
            {"kind": "connection_lost", "endpoint": "order_send", "rate": 0.005},
            {"kind": "partial_fill", "rate": 0.05},
            {"kind": "ipc_timeout", "endpoint": "reads", "rate": 0.001, "seconds": 0.5},
            {"kind": "login_slow", "rate": 0.15, "once_per_login": True, "seconds": 0.5, "seconds_max": 3.0},
            {"kind": "login_fail", "rate": 0.03, "once_per_login": True},
        ),
    ),
    "storm": Profile(
        name="storm",
        latency=(0.4, 5.0),
        book_lag_s=2.0,
        requests_per_second=5,
        rules=(
            {"kind": "ack_lost", "endpoint": "order_send", "rate": 0.05},
            {"kind": "request_lost", "endpoint": "order_send", "rate": 0.03},
            {
                "kind": "late_accept",
                "endpoint": "order_send",
                "rate": 0.05,
                "seconds": 2.0,
                "seconds_max": 8.0,
            },
            {
                "kind": "slow_execution",
                "endpoint": "order_send",
                "rate": 0.05,
                "seconds": 1.0,
                "seconds_max": 4.0,
            },
            {"kind": "requote", "endpoint": "order_send", "rate": 0.15},
            {"kind": "price_off", "endpoint": "order_send", "rate": 0.05},
            {"kind": "connection_lost", "endpoint": "order_send", "rate": 0.02, "accepted": True},
            {"kind": "connection_lost", "endpoint": "order_send", "rate": 0.02},
            {"kind": "partial_fill", "rate": 0.20},
            {"kind": "comment_rewritten", "endpoint": "order_send", "rate": 0.05},
            {"kind": "ipc_timeout", "endpoint": "reads", "rate": 0.01, "seconds": 1.0},
            {"kind": "book_empty", "endpoint": "reads", "rate": 0.002},
            {"kind": "terminal_hang", "rate": 0.0005, "seconds": 20.0},
            {"kind": "terminal_crash", "rate": 0.0005},
            {"kind": "login_slow", "rate": 0.40, "once_per_login": True, "seconds": 1.0, "seconds_max": 6.0},
            {"kind": "login_fail", "rate": 0.20, "once_per_login": True},
        ),
    ),
}
