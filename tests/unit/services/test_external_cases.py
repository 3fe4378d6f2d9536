"""Check what is refused before the gate is asked, and that leaving never is."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.domain.deployments import DeploymentState
from app.domain.errors import AppError, InvalidInputError, NotFoundError
from app.domain.external import EXTERNAL, Amount, ExternalWish, Leave, Target, Trade, Unit
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, Venue
from app.domain.markets import BINANCE, NSE
from app.domain.orders import Side
from app.domain.targets import Holding, MoveKind
from app.services.external_cases import Case, NotArmedError
from tests.builders import deployment, index, option

DAY = date(2019, 1, 2)
ONE = Amount(value=Decimal(1), unit=Unit.LOTS)
COIN = Instrument(
    instrument_id=InstrumentId("BTCUSDT.BINANCE"),
    venue=Venue.BINANCE,
    kind=InstrumentKind.SPOT,
    segment="SPOT",
    broker_symbol="BTCUSDT",
    broker_token="BTCUSDT",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.00001"),
    currency="USDT",
)


def case(instrument: Instrument | None, ask: Target | Trade | Leave, **changes: Any) -> Case:
    name = InstrumentId("GONE.NSE") if instrument is None else instrument.instrument_id
    own = replace(deployment(), strategy=EXTERNAL, params={"stop_fraction": "0.3"})
    values: dict[str, Any] = {
        "deployment": own,
        "wish": ExternalWish(key="k", instrument_id=name, ask=ask),
        "holding": Holding(held=Decimal(0)),
        "instrument": instrument,
        "market": NSE,
        "day": DAY,
        "armed_on": DAY,
    }
    return Case(**values | changes)


def changed(**changes: Any) -> dict[str, Any]:
    own = replace(deployment(), strategy=EXTERNAL, params={"stop_fraction": "0.3"})
    return {"deployment": replace(own, **changes)}


def test_an_entry_becomes_one_protected_leg() -> None:
    one = case(option(), Target(amount=Amount(value=Decimal(-2), unit=Unit.LOTS)))

    signal = one.signal(one.move(), None)

    (leg,) = signal.legs
    assert (leg.side, leg.lots, signal.key) == (Side.SELL, 2, "ext:k")
    assert leg.protection is not None
    assert leg.protection.stop_fraction == Decimal("0.3")
    assert leg.reference_price == option().tick_size


@pytest.mark.parametrize(
    ("instrument", "changes", "error", "message"),
    [
        (None, {}, NotFoundError, "not in the day's master"),
        (index(), {}, InvalidInputError, "is an index"),
        (option(), {"market": BINANCE}, InvalidInputError, "expected an instrument that"),
        (
            option(),
            changed(params={"stop_fraction": "0.3", "instruments": ["X.NSE"]}),
            InvalidInputError,
            "expected an instrument that",
        ),
        (option(), changed(sizing={"model": "fixed_lots"}), InvalidInputError, "expected no sizing model"),
        (option(), {"armed_on": None}, NotArmedError, "is not armed for 2019-01-02"),
        (option(), changed(params={}), InvalidInputError, "stop_fraction"),
    ],
)
def test_an_entry_out_of_place_is_refused(
    instrument: Instrument | None, changes: dict[str, Any], error: type[AppError], message: str
) -> None:
    with pytest.raises(error, match=message):
        case(instrument, Target(amount=ONE), **changes).move()


def test_coins_of_the_users_own_are_not_sold() -> None:
    with pytest.raises(InvalidInputError, match="would be the user's own"):
        case(COIN, Trade(side=Side.SELL, amount=ONE), market=BINANCE).move()

    held = Holding(held=COIN.lot_size)
    assert case(COIN, Trade(side=Side.BUY, amount=ONE), market=BINANCE).move().kind is MoveKind.ENTER
    sold = case(COIN, Trade(side=Side.SELL, amount=ONE), market=BINANCE, holding=held).move()
    assert sold.kind is MoveKind.EXIT


def test_the_gate_says_no_to_a_paused_deployment_that_is_not_armed() -> None:
    paused = changed(state=DeploymentState.PAUSED)

    assert case(option(), Target(amount=ONE), armed_on=None, **paused).move().kind is MoveKind.ENTER


@pytest.mark.parametrize("ask", [Leave(), Target(amount=Amount(value=Decimal(0), unit=Unit.UNITS))])
def test_leaving_needs_no_contract_no_arming_and_no_place(ask: Leave | Target) -> None:
    one = case(None, ask, armed_on=None, market=BINANCE, **changed(params={}))

    move = one.move()

    assert move.kind is MoveKind.EXIT
    assert one.signal(move, None).instrument_id == "GONE.NSE"
