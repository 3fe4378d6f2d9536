"""Turn signals and the verdicts on their intents into what the tables hold."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from app.db.models import OrderRow
from app.domain.ids import AccountId
from app.domain.numbers import ZERO
from app.domain.orders import OrderIntent, OrderStatus, ProtectionTerms
from app.domain.risk.gate import Approved, Denied
from app.domain.signals import Signal
from app.services.loops.ports import Wish


def order_row(
    verdict: Approved[OrderIntent] | Denied, wish: Wish, *, signal_id: int, day: date, now: datetime
) -> OrderRow:
    """Return the durable intent of a verdict, not yet added to a session."""
    intent = verdict.intent if isinstance(verdict, Denied) else verdict.value
    is_denied = isinstance(verdict, Denied)
    return OrderRow(
        client_order_id=intent.client_order_id,
        user_id=wish.deployment.user_id,
        account_id=AccountId(intent.account_id),
        deployment_id=intent.deployment_id,
        signal_id=signal_id,
        day=day,
        leg=intent.leg,
        attempt=0,
        part=intent.part,
        instrument_id=intent.instrument_id,
        side=intent.side,
        role=intent.role,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        price=intent.price,
        trigger_price=intent.trigger_price,
        stop_fraction=None if intent.protection is None else intent.protection.stop_fraction,
        exit_terms=_exits_of(intent.protection),
        is_hedge=intent.is_hedge,
        valid_until=intent.valid_until,
        reason=wish.signal.reason,
        status=OrderStatus.DENIED if is_denied else OrderStatus.INITIALIZED,
        denial_code=verdict.code if isinstance(verdict, Denied) else None,
        reject_reason=verdict.message if isinstance(verdict, Denied) else "",
        filled_qty=ZERO,
        venue_version=0,
        is_unknown=False,
        was_unknown=False,
        chase_step=0,
        ts_init=now,
    )


def payload_of(signal: Signal) -> dict[str, Any]:
    """Return the signal as JSON: what was wished, for the journal."""
    legs = [
        {
            "instrument_id": leg.instrument_id,
            "side": leg.side,
            "lots": leg.lots,
            "reference_price": str(leg.reference_price),
            "stop_fraction": None if leg.protection is None else str(leg.protection.stop_fraction),
            "is_hedge": leg.is_hedge,
        }
        | ({} if (exits := _exits_of(leg.protection)) is None else {"exits": exits})
        for leg in signal.legs
    ]
    scalars = {k: v for k, v in asdict(signal).items() if k in ("key", "kind", "reason", "instrument_id")}
    return {**scalars, "valid_for_s": str(signal.valid_for_s), "legs": legs}


def _exits_of(protection: ProtectionTerms | None) -> dict[str, Any] | None:
    if protection is None or protection.exits is None:
        return None
    return protection.exits.to_mapping()
