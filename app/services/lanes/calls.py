"""Make one committed network call of a lane, once, and say how it ended; and what an account can do."""

from collections.abc import Callable

import structlog

from app.domain.breaker import Witness, witness_of_write
from app.domain.errors import BrokerError, ConfigError, InvalidInputError
from app.domain.ids import AccountId
from app.domain.orders import OrderType
from app.domain.ports import BrokerGateway, Clock
from app.domain.reports import FaultClass, WriteResult
from app.domain.risk.exits import ANY_MEANS, ExitMeans
from app.services.gateways import Gateways
from app.services.lanes.failures import found_no_way, refused_by_us

log = structlog.get_logger()

Ask = Callable[[BrokerGateway], WriteResult]


def ask_once(
    gateways: Gateways, clock: Clock, account_id: AccountId, ask: Ask
) -> tuple[WriteResult, Witness | None]:
    """Return the outcome of a call and what it says about the broker; a session that is over is renewed."""
    witness = None
    try:
        gateway = gateways.get(account_id)
        asked_at = clock.wall()
        result = ask(gateway)
        witness = witness_of_write(account_id, asked_at, result)
    except (BrokerError, ConfigError) as e:
        result = found_no_way(e)
    except InvalidInputError as e:
        log.error("call_refused_by_adapter", account_id=account_id, error=str(e))  # noqa: TRY400  no fault of code
        result = refused_by_us(e)
    if result.fault is FaultClass.AUTH_EXPIRED:
        _refresh(gateways, account_id)
    return result, witness


def means_of(gateways: Gateways, account_id: AccountId) -> ExitMeans:
    """Return what an account's venue can do with exits."""
    try:
        can = gateways.get(account_id).capabilities()
    except (BrokerError, ConfigError):
        # One account without a way to its broker must not end the exits of the others (I8); what is
        # decided for it does not leave either, and is decided again.
        return ANY_MEANS
    return ExitMeans(
        changes_in_place=can.changes_in_place,
        rests_stops=can.rests_stops and OrderType.STOP_LIMIT in can.order_types,
    )


def _refresh(gateways: Gateways, account_id: AccountId) -> None:
    try:
        gateways.refresh(account_id)
    except (BrokerError, ConfigError) as e:
        log.warning("broker_session_missing", account_id=account_id, error=str(e))
