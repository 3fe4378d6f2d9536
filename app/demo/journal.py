"""Write the day's decisions without ids and real times, so that two runs can be compared by `diff`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.db.outcomes import OrderOutcome, SignalOutcome
from app.domain.orders import OrderRole
from app.domain.risk.rules import WITHHELD


def write_journal(path: Path, signals: Sequence[SignalOutcome], orders: Sequence[OrderOutcome]) -> None:
    """Write one JSON object a line: every signal, then every intent that a signal led to.

    Stops, exits and what was withheld are left out: they follow from fills, which hang on real milliseconds.
    """
    lines = sorted((*_signals(signals), *_intents(orders)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _signals(signals: Sequence[SignalOutcome]) -> Iterator[str]:
    for signal in signals:
        yield json.dumps(
            {
                "what": "signal",
                "user": signal.user,
                "deployment": signal.deployment,
                "at": signal.ts_event.isoformat(),
                "payload": dict(signal.payload),
            },
            sort_keys=True,
        )


def _intents(orders: Sequence[OrderOutcome]) -> Iterator[str]:
    for order in orders:
        if order.role != OrderRole.ENTRY:
            continue
        yield json.dumps(
            {
                "what": "intent",
                "user": order.user,
                "deployment": order.deployment,
                "signal": order.signal_key,
                "id": order.client_order_id,
                "leg": order.leg,
                "part": order.part,
                "instrument": order.instrument_id,
                "side": order.side,
                "type": order.order_type,
                "quantity": str(order.quantity.normalize()),
                "price": None if order.price is None else str(order.price.normalize()),
                "denied": None if order.denial_code in WITHHELD else order.denial_code,
            },
            sort_keys=True,
        )
