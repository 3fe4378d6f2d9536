"""What is handed in goes the way of a strategy's signals, and never trades twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

import pytest
from redis import Redis
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.db.models import AccountRow, AuditRow, DeploymentRow, LegRow
from app.db.scope import DataScope
from app.domain.accounts import TradingState
from app.domain.deployments import DeploymentState
from app.domain.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.domain.external import Amount, Door, ExternalWish, Leave, Target, Unit
from app.domain.ids import InstrumentId
from app.domain.instruments import OptionRight, index_id
from app.domain.orders import OrderStatus, Side
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope
from app.domain.targets import MoveKind, TargetFault
from app.domain.users import Actor, Role
from app.infra.names import MARKS_KEY, RunKind
from app.infra.streams import connect_impatient
from app.services.external_cases import NotArmedError
from app.services.external_signals import Answer
from app.services.limits import set_limits
from tests.integration.order_path.desk import Desk
from tests.integration.order_path.outside import Hand, add_external, disarm, open_doors, owner_of

ALL_AT_ONCE = 16


@pytest.fixture
def hand(desk: Desk) -> Hand:
    made = Hand(desk, add_external(desk, desk.deployments[0]))
    made.refresh()
    return made


def together(ask: Callable[[int], Answer]) -> list[Answer]:
    """Ask from many threads; who waited too long for the account asks again, as a client would."""

    def ask_until_answered(number: int) -> Answer:
        for _ in range(9):
            with suppress(OperationalError):
                return ask(number)
        return ask(number)

    with ThreadPoolExecutor(ALL_AT_ONCE) as pool:
        return list(pool.map(ask_until_answered, range(ALL_AT_ONCE)))


def held(desk: Desk, hand: Hand) -> Decimal:
    legs = desk.legs(deployment_id=hand.deployment.deployment_id)
    return sum((leg.net_qty for leg in legs), Decimal(0))


def test_the_same_key_makes_one_order_however_many_post_it_at_once(desk: Desk, hand: Hand) -> None:
    answers = together(lambda _: hand.trade(Side.BUY, 1, key="same"))

    assert len(desk.orders()) == 1
    assert {answer.signal.id for answer in answers} == {answers[0].signal.id}
    assert sorted(answer.is_repeat for answer in answers) == [False] + [True] * (ALL_AT_ONCE - 1)
    with desk.database.begin() as session:
        acts = session.scalars(select(AuditRow).where(AuditRow.action == "signal.handed_in")).all()
    assert [(act.actor, act.details["key"]) for act in acts] == [("owner", "same")]


def test_a_target_makes_one_order_however_many_keys_ask_for_it_at_once(desk: Desk, hand: Hand) -> None:
    answers = together(lambda n: hand.target(2, key=f"key-{n}"))

    (order,) = desk.orders()
    assert order.quantity == 2 * hand.option.lot_size
    kinds = sorted(answer.signal.outcome for answer in answers)
    assert kinds == [MoveKind.ENTER] + [MoveKind.NOTHING] * (ALL_AT_ONCE - 1)


def test_a_key_stands_for_one_wish(hand: Hand) -> None:
    hand.target(1, key="k")

    with pytest.raises(ConflictError, match="expected what it stands for"):
        hand.target(2, key="k")


def test_an_entry_is_filled_protected_and_left_as_a_strategys(desk: Desk, hand: Hand) -> None:
    with desk.running(RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS):
        answer = hand.target(-2, stop_fraction=Decimal("0.3"), reason="chart")
        assert (answer.code, len(answer.orders)) == (None, 1)
        desk.wait_for(lambda: held(desk, hand) == -2 * hand.option.lot_size)
        desk.wait_for(lambda: desk.count_orders(role="STOP", status=OrderStatus.ACCEPTED) == 1)
        (leg,) = desk.legs(deployment_id=hand.deployment.deployment_id)
        assert leg.stop_fraction == Decimal("0.3")
        hand.refresh()
        assert hand.target(-2).signal.outcome is MoveKind.NOTHING
        assert hand.target(-1).code == TargetFault.REDUCTION
        assert hand.target(-3).code is None
        desk.wait_for(lambda: held(desk, hand) == -3 * hand.option.lot_size)
        turned = hand.target(1)
        assert (turned.signal.outcome, turned.code) == (MoveKind.EXIT, TargetFault.REVERSAL)
        desk.wait_for(lambda: held(desk, hand) == 0)
        desk.wait_for(lambda: not any(not OrderStatus(o.status).is_terminal for o in desk.orders()))

    entries, own = desk.orders(role="ENTRY"), DataScope(user_id=hand.deployment.user_id)
    assert [o.quantity / hand.option.lot_size for o in entries] == [2, 1]
    assert hand.doors.follow(own, answer.signal.id).orders[0].status is OrderStatus.FILLED


def test_a_position_that_is_being_closed_is_not_entered_again(desk: Desk, hand: Hand) -> None:
    hand.target(1)
    hand.target(0)

    again = hand.target(1)

    assert (again.signal.outcome, again.code) == (MoveKind.REFUSED, TargetFault.LEAVING)
    (leg,) = desk.legs(deployment_id=hand.deployment.deployment_id)
    assert leg.exit_reason == "handed in", "an entry would have called the exit back"


def test_what_another_day_left_open_is_closed_too(desk: Desk, hand: Hand) -> None:
    hand.target(1)
    with desk.database.begin() as session:
        leg = session.scalars(select(LegRow)).one()
        yesterday = {"day": leg.day.replace(day=1), "net_qty": Decimal(75)}
        session.execute(update(LegRow).values(**yesterday))

    hand.leave()

    assert {leg.exit_reason for leg in desk.legs()} == {"handed in"}


@pytest.mark.parametrize("state", ["paused", "reducing", "unpriced", "disarmed", "limited"])
def test_leaving_is_never_refused(desk: Desk, hand: Hand, state: str) -> None:
    hand.target(1)
    _spoil(desk, hand, state)

    entered, left = _try(hand, 2), hand.target(0)

    assert entered == {
        "paused": DenialCode.DEPLOYMENT_STATE,
        "reducing": DenialCode.TRADING_STATE,
        "unpriced": DenialCode.STALE_DATA,
        "disarmed": "not_armed",
        "limited": DenialCode.QUANTITY,
    }.get(state)
    assert (left.signal.outcome, left.code) == (MoveKind.EXIT, None)
    assert desk.legs(deployment_id=hand.deployment.deployment_id)[0].exit_reason == "handed in"


def _try(hand: Hand, lots: int) -> str | None:
    """Ask for another contract, so that no live entry is in the way."""
    call, hand.option = hand.option, hand.desk.option(OptionRight.PUT)
    if hand.desk.parts.valkey.exists(MARKS_KEY.format(venue="NSE")):
        hand.refresh()
    try:
        return hand.target(lots).code
    except NotArmedError as e:
        return e.code
    finally:
        hand.option = call


def _spoil(desk: Desk, hand: Hand, state: str) -> None:
    with desk.database.begin() as session:
        if state == "paused":
            session.execute(update(DeploymentRow).values(state=DeploymentState.PAUSED))
        elif state == "reducing":
            session.execute(update(AccountRow).values(trading_state=TradingState.REDUCING))
        elif state == "limited":
            key = (LimitScope.ACCOUNT, str(hand.deployment.account_id))
            chief = Actor(name="chief", role=Role.ADMIN, origin="test")
            set_limits(
                session, chief, key, {"max_lots": 1}, expected_version=0, reason="x", now=desk.clock.now()
            )
    if state == "unpriced":
        desk.parts.valkey.delete(MARKS_KEY.format(venue="NSE"))
    elif state == "disarmed":
        disarm(desk, hand.deployment)


def test_a_denial_stays_under_its_key(desk: Desk, hand: Hand) -> None:
    desk.parts.valkey.delete(MARKS_KEY.format(venue="NSE"))
    first = hand.target(1, key="k")
    hand.refresh()

    again = hand.target(1, key="k")

    assert (first.code, again.code, again.is_repeat) == (DenialCode.STALE_DATA, DenialCode.STALE_DATA, True)
    assert again.remedy == DenialCode.STALE_DATA.remedy
    assert hand.target(1).code is None


def test_it_works_on_the_way_out_without_valkey(hand: Hand) -> None:
    hand.target(1)
    dead: Redis = connect_impatient("redis://127.0.0.1:1/0")
    hand.doors._valkey = dead
    hand.doors._trading._news._valkey = dead

    assert hand.target(0).signal.outcome is MoveKind.EXIT


def test_what_is_handed_in_twice_without_a_key_is_taken_once(hand: Hand) -> None:
    one = Amount(value=Decimal(1), unit=Unit.LOTS)
    wish = ExternalWish(key="print", instrument_id=hand.option.instrument_id, ask=Target(amount=one))

    def post(within_s: float) -> Answer:
        who, where = owner_of(hand.deployment), hand.deployment.deployment_id
        return hand.doors.hand_in(who, where, wish, door=Door.OPENALGO, repeats_within_s=within_s)

    first = together(lambda _: post(30))
    later = post(0)

    assert len({answer.signal.id for answer in first}) == 1
    assert first[0].signal.key.startswith("print@")
    assert (later.is_repeat, later.signal.outcome) == (False, MoveKind.NOTHING)


def test_nobody_hands_in_for_another(desk: Desk, hand: Hand) -> None:
    stranger = owner_of(desk.deployments[1])
    ops = Actor(name="ops", role=Role.OPS, origin="test", user_id=None)
    wish = ExternalWish(key="k", instrument_id=None, ask=Leave())
    where = hand.deployment.deployment_id

    with pytest.raises(NotFoundError):
        hand.doors.hand_in(stranger, where, wish, door=Door.REST)
    with pytest.raises(ForbiddenError):
        hand.doors.hand_in(ops, where, wish, door=Door.REST)
    with pytest.raises(InvalidInputError, match="expected a deployment of the strategy external"):
        hand.doors.hand_in(
            owner_of(desk.deployments[0]), desk.deployments[0].deployment_id, wish, door=Door.REST
        )


def test_what_does_not_fit_the_deployment_is_refused_and_not_recorded(desk: Desk, hand: Hand) -> None:
    narrow = add_external(desk, desk.deployments[0], name="narrow", instruments=["OTHER.NSE"])
    sized = add_external(desk, desk.deployments[0], name="sized")
    with desk.database.begin() as session:
        statement = update(DeploymentRow).where(DeploymentRow.id == sized.deployment_id)
        session.execute(statement.values(sizing={"model": "fixed_lots", "lots": "3"}))
    asked = [
        (hand.deployment, index_id("NIFTY"), InvalidInputError),
        (hand.deployment, InstrumentId("BTCUSDT.BINANCE"), NotFoundError),
        (narrow, hand.option.instrument_id, InvalidInputError),
        (sized, hand.option.instrument_id, InvalidInputError),
    ]

    for deployment, instrument_id, error in asked:
        one = Amount(value=Decimal(1), unit=Unit.LOTS)
        wish = ExternalWish(key="k", instrument_id=instrument_id, ask=Target(amount=one))
        with pytest.raises(error):
            open_doors(desk).hand_in(owner_of(deployment), deployment.deployment_id, wish, door=Door.REST)

    assert desk.orders() == []


def test_an_unsent_entry_is_withdrawn(desk: Desk, hand: Hand) -> None:
    answer = hand.target(1)

    canceled = hand.doors.withdraw(owner_of(hand.deployment), answer.signal.id, reason="mistake")

    assert canceled == 1
    assert [o.status for o in desk.orders()] == [OrderStatus.CANCELED]
    assert hand.doors.withdraw(owner_of(hand.deployment), answer.signal.id, reason="again") == 0
    with pytest.raises(NotFoundError):
        hand.doors.withdraw(owner_of(desk.deployments[1]), answer.signal.id, reason="not mine")
