"""Tell dashboards and sleeping runs what was committed. Lossy by design: the tables are the truth."""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.infra.names import OPS_EVENTS_STREAM, USER_EVENTS_STREAM, WAKE_STREAM

log = structlog.get_logger()

_KEEP_EVENTS = 2_000
_KEEP_WAKES = 100


class News:
    """Publish after commit. A failure is logged and forgotten: readers refetch, runs poll their tables."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    def tell_user(self, user_id: int, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event to a user's stream, with that user's next sequence number."""
        stream = USER_EVENTS_STREAM.format(user_id=user_id)
        self._append(stream, kind, data)

    def tell_ops(self, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event to the stream of ops staff."""
        self._append(OPS_EVENTS_STREAM, kind, data)

    def wake(self, run: str) -> None:
        """Wake a leased run, named by its lease."""
        try:
            self._valkey.xadd(WAKE_STREAM.format(run=run), {"w": "1"}, maxlen=_KEEP_WAKES, approximate=True)
        except RedisError as e:
            log.warning("wake_failed", run=run, error=type(e).__name__)

    def _append(self, stream: str, kind: str, data: Mapping[str, Any]) -> None:
        try:
            seq = self._valkey.incr(f"seq:{stream}")
            event = json.dumps({"type": kind, "seq": seq, "data": data}, default=str)
            self._valkey.xadd(stream, {"e": event}, maxlen=_KEEP_EVENTS, approximate=True)
        except RedisError as e:
            log.warning("news_not_published", stream=stream, kind=kind, error=type(e).__name__)


def order_news(row: Any) -> dict[str, Any]:  # noqa: ANN401  any object with the order's attributes
    """Return what a dashboard shows of an order."""
    return {
        "id": row.id,
        "account_id": row.account_id,
        "deployment_id": row.deployment_id,
        "client_order_id": row.client_order_id,
        "instrument_id": row.instrument_id,
        "side": row.side,
        "role": row.role,
        "order_type": row.order_type,
        "quantity": row.quantity,
        "price": row.price,
        "trigger_price": row.trigger_price,
        "status": row.status,
        "filled_qty": row.filled_qty,
        "avg_px": row.avg_px,
        "is_unknown": row.is_unknown,
        "denial_code": row.denial_code,
        "reject_reason": row.reject_reason,
        "reason": row.reason,
        "ts_init": row.ts_init,
    }
