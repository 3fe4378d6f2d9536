"""Check what the risk gate lets through."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from mypy import api as mypy_api

from app.domain.accounts import TradingState
from app.domain.errors import InvariantError
from app.domain.ids import DeploymentId, SignalKey
from app.domain.markets import INR, USD, USDT, Currency
from app.domain.orders import OrderIntent, OrderRole, Side
from app.domain.risk.gate import Approved, Denied, evaluate
from app.domain.risk.limits import RiskLimits
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import DenialCode
from app.domain.risk.state import OpenPosition, RiskState
from tests.builders import CALL, NOW, OPEN, PUT, SQUARE_OFF, at_ease, holding, intent, option, quote

LIMITS = RiskLimits()


def denial(
    order: OrderIntent, state: RiskState, *, limits: RiskLimits = LIMITS, after_s: float = 0
) -> DenialCode | None:
    verdict = evaluate(order, state, limits=limits, now=NOW + timedelta(seconds=after_s))
    return verdict.code if isinstance(verdict, Denied) else None


def with_quote(last: str | None, *, age_s: float = 0.2) -> RiskState:
    return replace(at_ease(), quotes={CALL.instrument_id: quote(last, age_s=age_s)})


def test_approves_an_ordinary_entry() -> None:
    verdict = evaluate(intent(), at_ease(), limits=LIMITS, now=NOW)

    assert isinstance(verdict, Approved)
    assert verdict.value == intent()
    assert "Approved(OrderIntent(" in repr(verdict)


def test_every_denial_names_instrument_and_remedy() -> None:
    verdict = evaluate(intent(price="500"), at_ease(), limits=LIMITS, now=NOW)

    assert isinstance(verdict, Denied)
    assert verdict.message == f"{CALL.instrument_id}: expected a price within 20.00 of 100, got 500"
    assert verdict.remedy == DenialCode.PRICE_BAND.remedy


@pytest.mark.parametrize("code", DenialCode)
def test_every_denial_code_has_a_remedy(code: DenialCode) -> None:
    assert code.remedy.endswith(".")


@pytest.mark.parametrize("field", ["account_state", "user_state", "tenant_state"])
@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
def test_strictest_trading_state_stops_entries(field: str, state: TradingState) -> None:
    stopped = {
        "account_state": replace(at_ease(), account_state=state),
        "user_state": replace(at_ease(), user_state=state),
        "tenant_state": replace(at_ease(), tenant_state=state),
    }[field]

    assert denial(intent(), stopped) is DenialCode.TRADING_STATE


@pytest.mark.parametrize(
    ("opens", "closes", "expected"),
    [
        (NOW, SQUARE_OFF, None),
        (OPEN, NOW, DenialCode.SESSION_CLOSED),
        (NOW + timedelta(microseconds=1), SQUARE_OFF, DenialCode.SESSION_CLOSED),
        (None, SQUARE_OFF, DenialCode.SESSION_CLOSED),
        (OPEN, None, DenialCode.SESSION_CLOSED),
    ],
)
def test_entries_only_from_the_bell_until_the_square_off(
    opens: object, closes: object, expected: DenialCode | None
) -> None:
    state = replace(at_ease(), entries_open_at=opens, entries_close_at=closes)  # type: ignore[arg-type]  # parametrized

    assert denial(intent(), state) is expected


def test_denies_a_signal_from_its_valid_until_on() -> None:
    assert denial(intent(), at_ease(), after_s=4.999999) is None
    assert denial(intent(), at_ease(), after_s=5) is DenialCode.SIGNAL_EXPIRED


def test_denies_an_entry_without_validity() -> None:
    assert denial(replace(intent(), valid_until=None), at_ease()) is DenialCode.SIGNAL_EXPIRED


def test_denies_a_client_order_id_that_exists() -> None:
    state = replace(at_ease(), known_ids=frozenset({intent().client_order_id}))

    assert denial(intent(), state) is DenialCode.DUPLICATE


def test_denies_a_second_live_entry_on_the_same_side() -> None:
    other = replace(intent(leg=1), signal_key=SignalKey("another"))

    assert denial(intent(), at_ease().after(other)) is DenialCode.DUPLICATE


@pytest.mark.parametrize(
    "other",
    [
        replace(intent(leg=1, instrument=PUT), signal_key=SignalKey("another")),
        replace(intent(leg=1), deployment_id=DeploymentId(8)),
        intent(part=1),
    ],
    ids=["other instrument", "other deployment", "slice of the same leg"],
)
def test_other_live_entries_are_no_duplicates(other: OrderIntent) -> None:
    assert denial(intent(), at_ease().after(other)) is None


def test_denies_entries_in_an_instrument_with_unknown_outcome_only() -> None:
    state = replace(at_ease(), unknown_instruments=frozenset({CALL.instrument_id}))

    assert denial(intent(), state) is DenialCode.UNKNOWN_OUTCOME
    assert denial(intent(instrument=PUT), state) is None


def test_denies_a_price_older_than_the_limit() -> None:
    assert denial(intent(), with_quote("100", age_s=5)) is None
    assert denial(intent(), with_quote("100", age_s=5.000001)) is DenialCode.STALE_DATA


def test_denies_without_a_price_or_quote() -> None:
    assert denial(intent(), with_quote(None)) is DenialCode.STALE_DATA
    assert denial(intent(), replace(at_ease(), quotes={})) is DenialCode.STALE_DATA


def test_denies_broken_lots_and_more_than_the_freeze_quantity() -> None:
    roomy = RiskLimits(max_order_notional=Decimal(10**9))

    assert denial(intent(quantity=66), at_ease()) is DenialCode.QUANTITY
    assert denial(intent(quantity=27 * 65), at_ease(), limits=roomy) is None
    assert denial(intent(quantity=28 * 65), at_ease(), limits=roomy) is DenialCode.QUANTITY


def test_counts_all_slices_of_a_leg_against_max_lots() -> None:
    limits = RiskLimits(max_lots=Decimal(3))
    state = at_ease().after(intent(quantity=130, part=1))

    assert denial(intent(quantity=65), state, limits=limits) is None
    assert denial(intent(quantity=130), state, limits=limits) is DenialCode.QUANTITY


def test_takes_any_lot_count_without_a_freeze_quantity() -> None:
    free = replace(option(), freeze_qty=Decimal(0))
    state = replace(at_ease(), quotes={CALL.instrument_id: quote(instrument=free)})

    assert denial(intent(quantity=50 * 65), state) is None


@pytest.mark.parametrize(
    ("last", "price", "expected"),
    [
        ("100", "120", None),
        ("100", "120.05", DenialCode.PRICE_BAND),
        ("100", "80", None),
        ("100", "79.95", DenialCode.PRICE_BAND),
        ("0.50", "1.50", None),
        ("0.50", "1.55", DenialCode.PRICE_BAND),
        ("100", None, None),
    ],
)
def test_price_stays_in_the_band_around_the_last_one(
    last: str, price: str | None, expected: DenialCode | None
) -> None:
    assert denial(intent(price=price), with_quote(last)) is expected


def test_denies_an_order_above_its_notional() -> None:
    limits = RiskLimits(max_order_notional=Decimal(65 * 97))

    assert denial(intent(), at_ease(), limits=limits) is None
    assert denial(intent(price="97.05"), at_ease(), limits=limits) is DenialCode.ORDER_NOTIONAL


def test_values_a_market_order_at_the_last_price() -> None:
    limits = RiskLimits(max_order_notional=Decimal(65 * 100 - 1))

    assert denial(intent(price=None), at_ease(), limits=limits) is DenialCode.ORDER_NOTIONAL


def test_account_notional_counts_positions_and_reservations() -> None:
    state = holding(-65).after(intent(instrument=PUT, leg=1, price="90"))
    limits = RiskLimits(max_account_notional=Decimal(65 * (100 + 90 + 97)))

    assert denial(intent(), state, limits=limits) is None
    assert denial(intent(price="97.05"), state, limits=limits) is DenialCode.ACCOUNT_NOTIONAL


def test_denies_one_instrument_too_many() -> None:
    limits = RiskLimits(max_open_positions=Decimal(1))

    assert denial(intent(), at_ease(), limits=limits) is None
    assert denial(intent(), holding(-65), limits=limits) is None
    assert denial(intent(instrument=PUT), holding(-65), limits=limits) is DenialCode.OPEN_POSITIONS
    assert denial(intent(instrument=PUT), holding(0), limits=limits) is None


def test_adding_to_what_is_held_needs_no_free_place() -> None:
    state = holding(-65).after(intent(instrument=PUT, leg=1))

    assert denial(intent(), state, limits=RiskLimits(max_open_positions=Decimal(1))) is None


def test_denies_more_entries_in_a_second_than_the_limit() -> None:
    assert denial(intent(), replace(at_ease(), entries_this_second=7)) is None
    assert denial(intent(), replace(at_ease(), entries_this_second=8)) is DenialCode.ORDER_RATE


def test_a_daily_loss_that_names_its_currency_judges_that_sum_and_no_other() -> None:
    lost = NetPnl(realized=Decimal(-50))
    limits = RiskLimits(daily_losses=((Currency("JPY"), Decimal(7000)), (USDT, Decimal(50))))

    assert denial(intent(), replace(at_ease(), pnls={USD: lost}), limits=limits) is None
    assert denial(intent(), replace(at_ease(), pnl=lost, pnls={INR: lost}), limits=limits) is None
    at_the_limit = replace(at_ease(), pnls={USDT: lost, INR: NetPnl(realized=Decimal(9000))})
    assert denial(intent(), at_the_limit, limits=limits) is DenialCode.DAILY_LOSS
    just_above = replace(at_ease(), pnls={USDT: replace(lost, charges=Decimal("-0.01"))})
    assert denial(intent(), just_above, limits=limits) is None


def test_denies_entries_at_the_daily_loss() -> None:
    state = replace(
        at_ease(), pnl=NetPnl(realized=Decimal(-20_000), unrealized=Decimal("-4960.99"), charges=Decimal(39))
    )

    assert denial(intent(), state) is None
    assert (
        denial(intent(), replace(state, pnl=replace(state.pnl, charges=Decimal("39.01"))))
        is DenialCode.DAILY_LOSS
    )


def _everything_forbidden() -> RiskState:
    return RiskState(
        account_state=TradingState.HALTED,
        user_state=TradingState.HALTED,
        tenant_state=TradingState.HALTED,
        entries_open_at=None,
        entries_close_at=None,
        pnl=NetPnl(realized=Decimal(-(10**9))),
        entries_this_second=10**6,
        unknown_instruments=frozenset({CALL.instrument_id}),
        known_ids=frozenset({intent().client_order_id}),
    )


@pytest.mark.parametrize("role", [OrderRole.EXIT, OrderRole.STOP])
def test_no_limit_blocks_an_exit(role: OrderRole) -> None:
    state = holding(-65, base=_everything_forbidden())
    way_out = intent(side=Side.BUY, role=role, price="100000")

    assert denial(way_out, state) is None


@pytest.mark.parametrize(
    ("net_qty", "exiting_qty", "side", "quantity", "is_denied"),
    [
        (-65, 0, Side.BUY, 65, False),
        (65, 0, Side.SELL, 65, False),
        (-130, 65, Side.BUY, 65, False),
        (0, 0, Side.BUY, 65, True),
        (-65, 0, Side.SELL, 65, True),
        (-65, 0, Side.BUY, 130, True),
        (-65, 65, Side.BUY, 65, True),
    ],
)
def test_exits_only_reduce(
    net_qty: int,
    exiting_qty: int,
    side: Side,
    quantity: int,
    is_denied: bool,  # noqa: FBT001
) -> None:
    way_out = intent(side=side, quantity=quantity, role=OrderRole.EXIT)
    expected = DenialCode.REDUCE_ONLY if is_denied else None

    assert denial(way_out, holding(net_qty, exiting_qty=exiting_qty)) is expected


def test_denies_an_exit_of_an_instrument_that_was_never_held() -> None:
    assert denial(intent(role=OrderRole.EXIT, instrument=PUT), holding(-65)) is DenialCode.REDUCE_ONLY


def test_an_approved_exit_counts_for_the_next_one() -> None:
    way_out = intent(side=Side.BUY, role=OrderRole.EXIT)
    elsewhere = OpenPosition(
        deployment_id=DeploymentId(8),
        instrument_id=CALL.instrument_id,
        net_qty=Decimal(-65),
        price=Decimal(100),
    )
    state = holding(-65)
    state = replace(state, positions=(elsewhere, *state.positions)).after(way_out)

    assert denial(way_out, state) is DenialCode.REDUCE_ONLY
    assert state.positions[0] == elsewhere


def test_only_the_gate_can_approve() -> None:
    with pytest.raises(InvariantError, match="only come from the risk gate"):
        Approved(intent(), seal=object())  # type: ignore[arg-type]  # the forgery under test


_SNIPPET = """
from app.domain.orders import OrderIntent
from app.domain.markets import INR, USD, USDT, Currency
from app.domain.risk.gate import Approved, Denied, evaluate
from app.domain.risk.limits import RiskLimits
from app.domain.risk.state import RiskState
from datetime import datetime

def submit(order: Approved[OrderIntent]) -> None: ...

def act(intent: OrderIntent, state: RiskState, now: datetime) -> None:
    verdict = evaluate(intent, state, limits=RiskLimits(), now=now)
    {line}
"""


@pytest.fixture
def types_of(tmp_path: Path) -> Callable[[str], str]:
    def check(line: str) -> str:
        snippet = tmp_path / "snippet.py"
        snippet.write_text(_SNIPPET.format(line=line))
        cache = tmp_path / "cache"
        return mypy_api.run(
            ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={cache}", str(snippet)]
        )[0]

    return check


def test_the_type_checker_rejects_every_way_around_the_gate(types_of: Callable[[str], str]) -> None:
    assert "Success" in types_of("if not isinstance(verdict, Denied): submit(verdict)")
    assert 'incompatible type "OrderIntent"' in types_of("submit(intent)")
    assert 'incompatible type "Approved[OrderIntent] | Denied"' in types_of("submit(verdict)")
    assert 'Missing named argument "seal"' in types_of("submit(Approved(intent))")
