"""Check ids, instruments, numbers, market data, accounts and errors."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain import errors
from app.domain.accounts import AccountMode, BrokerCode, TradingState, may_open_exposure, strictest
from app.domain.errors import AppError, BrokerError, InvalidInputError
from app.domain.ids import ClientOrderId, DeploymentId, SignalKey, UserId, client_order_id, is_client_order_id
from app.domain.instruments import OptionRight, Venue, index_id, option_id
from app.domain.market_data import FIVE_MINUTES, ONE_MINUTE, Bar, IndicatorBar
from app.domain.numbers import Rounding, floor_to_lot, parse_decimal, plain, round_to_step, to_tick
from app.domain.ports import BrokerSession, Credentials
from app.domain.signals import Signal, SignalKind
from app.domain.users import Role, User
from tests.builders import CALL, index, option, report


def test_client_order_id_is_stable_and_fits_the_venue() -> None:
    made = client_order_id(DeploymentId(7), SignalKey("2026-11-23:straddle"), leg=0, attempt=0)

    assert made == client_order_id(
        DeploymentId(7), SignalKey("2026-11-23:straddle"), leg=0, attempt=0, part=0
    )
    assert len(made) == 18
    assert made.isalnum()
    assert made.islower()


def test_a_tag_of_ours_is_known_by_its_form() -> None:
    made = client_order_id(DeploymentId(7), SignalKey("2026-11-23:straddle"), leg=0, attempt=0)

    assert all(is_client_order_id(tag) for tag in (made, f"{made}-C", f"{made}_2"))
    assert not any(is_client_order_id(tag) for tag in ("", "by hand", made[:-1], f"{made}0", f"x{made}"))


def test_ids_of_instruments_are_readable() -> None:
    assert index_id("NIFTY") == "NIFTY.NSE"
    assert index_id("SENSEX", Venue.BSE) == "SENSEX.BSE"
    strike = Decimal("10850.00")
    made = option_id("NIFTY", expiry=date(2019, 1, 3), strike=strike, right=OptionRight.CALL)
    assert made == "NIFTY-20190103-10850-CE.NSE"


@pytest.mark.parametrize("strike", ["26000", "2.6E+4", "26000.0"])
def test_a_strike_has_one_spelling(strike: str) -> None:
    made = option_id("NIFTY", expiry=date(2026, 11, 23), strike=Decimal(strike), right=OptionRight.PUT)

    assert made == "NIFTY-20261123-26000-PE.NSE"


@pytest.mark.parametrize(
    ("field", "value"),
    [("tick_size", 0), ("lot_size", 0), ("contract_size", 0), ("freeze_qty", -1), ("min_notional", -1)],
)
def test_an_instrument_has_positive_terms(field: str, value: int) -> None:
    changes = {field: Decimal(value)}
    with pytest.raises(InvalidInputError, match=r"expected a (positive tick|freeze quantity)"):
        replace(CALL, **changes)  # type: ignore[arg-type]  # parametrized


def test_option_terms_belong_to_options_only() -> None:
    with pytest.raises(InvalidInputError, match="option terms"):
        replace(CALL, option=None)
    with pytest.raises(InvalidInputError, match="option terms"):
        replace(index(), option=CALL.option)


def test_the_largest_order_is_whole_lots_below_the_freeze() -> None:
    assert option().max_order_qty == 1755
    assert option(lot=2000).max_order_qty == 2000  # one lot always goes
    assert replace(CALL, freeze_qty=Decimal(0)).max_order_qty is None


@pytest.mark.parametrize("text", ["abc", "", "NaN", "-Infinity"])
def test_a_number_from_outside_is_finite_and_named(text: str) -> None:
    with pytest.raises(InvalidInputError, match="price: expected a"):
        parse_decimal(text, name="price")


@pytest.mark.parametrize(
    ("rounding", "value", "expected"),
    [
        (Rounding.DOWN, "100.07", "100.05"),
        (Rounding.UP, "100.07", "100.10"),
        (Rounding.NEAREST, "100.07", "100.05"),
        (Rounding.NEAREST, "100.075", "100.10"),
        (Rounding.DOWN, "-0.01", "-0.05"),
        (Rounding.UP, "100.05", "100.05"),
    ],
)
def test_rounding_goes_to_the_grid(rounding: Rounding, value: str, expected: str) -> None:
    assert round_to_step(Decimal(value), Decimal("0.05"), rounding) == Decimal(expected)


@pytest.mark.parametrize(("value", "step"), [("NaN", "1"), ("1", "0"), ("1", "-1"), ("1", "Infinity")])
def test_rounding_needs_a_number_and_a_grid(value: str, step: str) -> None:
    with pytest.raises(InvalidInputError, match="expected a finite value and a positive step"):
        round_to_step(Decimal(value), Decimal(step), Rounding.DOWN)


def test_a_float_enters_through_one_door() -> None:
    assert to_tick(0.1 + 0.2, Decimal("0.05"), Rounding.DOWN) == Decimal("0.30")
    assert to_tick(100.04999999999999716, Decimal("0.05"), Rounding.DOWN) == Decimal("100.05")
    assert to_tick(Decimal("100.09"), Decimal("0.05"), Rounding.DOWN) == Decimal("100.05")
    with pytest.raises(InvalidInputError, match="expected a finite number"):
        to_tick(float("nan"), Decimal("0.05"), Rounding.DOWN)


def test_lots_are_rounded_down() -> None:
    assert floor_to_lot(Decimal(129), Decimal(65)) == 65
    with pytest.raises(InvalidInputError, match="expected zero or more"):
        floor_to_lot(Decimal(-1), Decimal(65))


def test_a_bar_ends_after_its_length() -> None:
    start = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)
    one = Decimal(1)
    bar = Bar(
        instrument_id=CALL.instrument_id,
        spec=FIVE_MINUTES,
        start=start,
        open=one,
        high=one,
        low=one,
        close=one,
        volume=one,
    )
    shown = IndicatorBar(bar=bar, values=(("atr_14", one),))

    assert bar.end == start + timedelta(minutes=5)
    assert str(ONE_MINUTE) == "1m"
    assert shown.value("atr_14") == 1
    assert shown.value("sma_20") is None


def test_the_strictest_state_wins() -> None:
    active, reducing, halted = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED

    assert strictest(active, reducing) is reducing
    assert strictest(halted, reducing, active) is halted
    assert strictest() is active
    assert [state for state in TradingState if state.allows_entries] == [active]


def test_a_person_has_one_role() -> None:
    assert User(user_id=UserId(1), name="asha", role=Role.TRADER).role is Role.TRADER


def test_a_tag_is_ours_with_the_venues_suffix() -> None:
    ours = ClientOrderId("ob01")

    assert report(tag="ob01").has_tag(ours)
    assert report(tag="ob01-C").has_tag(ours)
    assert not report(tag="ob012").has_tag(ours)


def test_secrets_do_not_show() -> None:
    session = BrokerSession(
        broker=BrokerCode.KOTAK_NEO,
        expires_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        egress="",
        secret="s3cret",
    )

    assert repr(Credentials(fields={"mpin": "1234"})) == "Credentials(mpin: hidden)"
    assert repr(session) == "BrokerSession(kotak_neo, expires 2026-11-23 12:00Z)"


def test_every_error_has_its_own_code_and_one_root() -> None:
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, AppError)]

    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(400 <= kind.http_status < 600 for kind in kinds)


def test_broker_errors_carry_what_to_do() -> None:
    limited = errors.RateLimitedError("slow down", retry_after_s=1.5)
    refused = errors.LoginRefusedError("no", reason="bad_totp")

    assert (limited.retry_after_s, refused.reason) == (1.5, "bad_totp")
    assert isinstance(limited, BrokerError)
    assert isinstance(refused, BrokerError)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("97476.2000000000", "97476.2"), ("65.0000000000", "65"), ("100000", "100000"), ("0E-10", "0")],
)
def test_a_stored_amount_is_read_without_zeros_that_nobody_wrote(stored: str, shown: str) -> None:
    assert str(plain(Decimal(stored))) == shown


@pytest.mark.parametrize(
    ("broker", "mode", "is_simulated", "may"),
    [
        (BrokerCode.KOTAK_NEO, AccountMode.PAPER, False, False),
        (BrokerCode.KOTAK_NEO, AccountMode.LIVE, False, True),
        (BrokerCode.KOTAK_NEO, AccountMode.PAPER, True, True),
        (BrokerCode.PAPER, AccountMode.PAPER, False, True),
    ],
)
def test_an_account_on_paper_never_opens_exposure_at_a_live_broker(
    broker: BrokerCode,
    mode: AccountMode,
    is_simulated: bool,  # noqa: FBT001  parametrized
    may: bool,  # noqa: FBT001  parametrized
) -> None:
    assert may_open_exposure(broker, mode, is_simulated=is_simulated) is may


@pytest.mark.parametrize("seconds", ["0", "-1", "601"])
def test_a_leg_has_a_time_and_not_all_day(seconds: str) -> None:
    with pytest.raises(InvalidInputError, match="leg_timeout_s: expected above 0"):
        Signal(
            key=SignalKey("k"),
            kind=SignalKind.ENTER,
            reason="test",
            valid_for_s=Decimal(1),
            leg_timeout_s=Decimal(seconds),
        )
