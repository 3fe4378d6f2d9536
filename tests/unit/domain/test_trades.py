"""Check how fills make trades."""

from datetime import timedelta
from decimal import Decimal

from app.domain.ids import DeploymentId
from app.domain.instruments import Instrument
from app.domain.orders import Side
from app.domain.risk.trades import EndedTrade, TradeFill, ended_trades
from tests.builders import CALL, NOW, PUT


def fill(  # one step
    side: Side,
    quantity: int,
    price: str,
    *,
    at_s: int = 0,
    is_stop: bool = False,
    instrument: Instrument = CALL,
    deployment: int = 7,
) -> TradeFill:
    return TradeFill(
        deployment_id=DeploymentId(deployment),
        instrument_id=instrument.instrument_id,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        at=NOW + timedelta(seconds=at_s),
        is_stop=is_stop,
    )


def test_a_trade_ends_when_its_leg_is_flat_with_what_it_earned() -> None:
    fills = [
        fill(Side.SELL, 65, "100"),
        fill(Side.SELL, 65, "90", at_s=1),
        fill(Side.BUY, 100, "120", at_s=2, is_stop=True),
        fill(Side.BUY, 30, "125", at_s=3, is_stop=True),
        fill(Side.SELL, 65, "50", at_s=4),
    ]

    assert ended_trades(fills) == (
        EndedTrade(
            deployment_id=DeploymentId(7),
            instrument_id=CALL.instrument_id,
            pnl=Decimal(65 * 190 - 100 * 120 - 30 * 125),
            ended_at=NOW + timedelta(seconds=3),
            is_stopped=True,
        ),
    )


def test_each_entry_after_flat_is_a_trade_of_its_own() -> None:
    fills = [
        fill(Side.BUY, 1, "10"),
        fill(Side.SELL, 1, "12", at_s=1),
        fill(Side.BUY, 1, "10", at_s=2),
        fill(Side.SELL, 1, "9", at_s=3),
    ]

    assert [trade.pnl for trade in ended_trades(fills)] == [2, -1]


def test_deployments_and_instruments_do_not_close_each_other() -> None:
    fills = [
        fill(Side.BUY, 1, "10"),
        fill(Side.SELL, 1, "12", deployment=8),
        fill(Side.SELL, 1, "12", instrument=PUT),
    ]

    assert ended_trades(fills) == ()
