"""Fill a database with a realistic morning of many accounts on NSE, one on Binance and one at MT5."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import redis
from sqlalchemy.orm import Session

from app.db.models import (
    AccountRow,
    AlarmRow,
    DeploymentRow,
    FillRow,
    InstrumentRow,
    LeaseRow,
    LegRow,
    LoginRow,
    OrderEventRow,
    OrderRow,
    PhaseRunRow,
    UserRow,
)
from app.db.order_evidence import add_look
from app.domain.accounts import LoginReason, LoginStatus
from app.domain.ids import BrokerOrderId, InstrumentId
from app.domain.instruments import InstrumentKind, index_id, venue_of
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from app.domain.unknown_orders import EvidenceSource, Look, look_for_tag
from app.domain.users import Role
from app.infra.names import BEAT_STATE_KEY, FEED_STATE_KEY, MARKS_KEY, WORKERS_KEY, QueueName, RunKind
from app.infra.passwords import hash_password

DAY = date(2026, 11, 20)
PASSWORD = "correct horse"
NAMES = [
    "Aarav",
    "Aditi",
    "Akash",
    "Ananya",
    "Arjun",
    "Bhavna",
    "Chirag",
    "Deepa",
    "Dev",
    "Esha",
    "Farhan",
    "Gauri",
    "Harsh",
    "Isha",
    "Jatin",
    "Kavya",
    "Lakshmi",
    "Manish",
    "Meera",
    "Nikhil",
    "Ojas",
    "Pooja",
    "Rahul",
    "Riya",
    "Sahil",
    "Sneha",
    "Tara",
    "Uday",
    "Varun",
    "Zoya",
]
STRIKE = 26050
CALL = f"NIFTY-20261124-{STRIKE}-CE.NSE"
PUT = f"NIFTY-20261124-{STRIKE}-PE.NSE"
PREMIUMS = {CALL: Decimal("142.35"), PUT: Decimal("128.60")}
LOT = Decimal(75)
LATE_ORDERS = timedelta(seconds=90)
COIN = "BTCUSDT.BINANCE"
EUROS = "EURUSD.MT5"
ABROAD = {COIN: Decimal("97512.4"), EUROS: Decimal("1.0848")}
TICKS = {COIN: Decimal("0.1"), EUROS: Decimal("0.00001")}


LISTED = (
    (CALL, InstrumentKind.OPTION, "INR", Decimal(1)),
    (PUT, InstrumentKind.OPTION, "INR", Decimal(1)),
    (COIN, InstrumentKind.SPOT, "USDT", Decimal(1)),
    (EUROS, InstrumentKind.FOREX, "USD", Decimal(100_000)),
)
"""Instrument, kind, currency and size of a whole contract."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Name what an account outside of India holds since the morning; `quantity` is negative when short."""

    broker: str
    label: str
    instrument: str
    quantity: Decimal
    entry_px: Decimal
    stop_px: Decimal


HOLDINGS = {
    6: Holding(
        broker="binance_spot",
        label="Binance",
        instrument=COIN,
        quantity=Decimal("0.0125"),
        entry_px=Decimal("97476.2"),
        stop_px=Decimal("96501.4"),
    ),
    7: Holding(
        broker="mt5",
        label="MT5",
        instrument=EUROS,
        quantity=Decimal(-20_000),
        entry_px=Decimal("1.08523"),
        stop_px=Decimal("1.0887"),
    ),
}
"""By the number of the person; everybody else sells a straddle on NSE."""


def at(hour: int, minute: int, second: int = 0) -> datetime:
    """Return a moment of the seeded day, given in India's time."""
    offset = timedelta(hours=5, minutes=30)
    return datetime(DAY.year, DAY.month, DAY.day, hour, minute, second, tzinfo=UTC) - offset


def list_instrument(name: str, kind: InstrumentKind, currency: str, contract: Decimal) -> InstrumentRow:
    """Return the day's terms of an instrument, as far as valuing and the clock need them."""
    terms: dict[str, object] = {}
    if kind is InstrumentKind.OPTION:
        underlying, expiry, strike, right = name.partition(".")[0].split("-")
        terms = {
            "underlying": index_id(underlying),
            "expiry": date.fromisoformat(expiry),
            "strike": Decimal(strike),
            "option_right": right,
        }
    return InstrumentRow(
        as_of=DAY,
        instrument_id=name,
        venue=venue_of(InstrumentId(name)),
        kind=kind,
        segment="seed",
        broker_symbol=name,
        broker_token=name,
        tick_size=Decimal("0.05"),
        lot_size=LOT if kind is InstrumentKind.OPTION else Decimal("0.0001"),
        freeze_qty=Decimal(0),
        contract_size=contract,
        currency=currency,
        **terms,
    )


@dataclass(frozen=True, kw_only=True)
class Person:
    """Name the rows that belong to one trader."""

    user_id: int
    name: str
    account_id: int
    deployment_id: int


def seed_people(session: Session, *, count: int = 30) -> list[Person]:
    """Add an operator, an administrator and `count` traders with an account and a straddle each."""
    hashed = hash_password(PASSWORD)
    session.add_all(
        UserRow(name=role.lower(), role=role, password_hash=hashed) for role in (Role.ADMIN, Role.OPS)
    )
    people = []
    for number in range(count):
        base = NAMES[number % len(NAMES)]
        name = base if number < len(NAMES) else f"{base} {number // len(NAMES) + 1}"
        user = UserRow(name=name.lower(), role=Role.TRADER, password_hash=hashed)
        session.add(user)
        session.flush()
        abroad = HOLDINGS.get(number)
        broker, label = ("kotak_neo", "Kotak") if abroad is None else (abroad.broker, abroad.label)
        account = AccountRow(user_id=user.id, name=f"{name} {label}", broker=broker)
        session.add(account)
        session.flush()
        deployment = DeploymentRow(
            user_id=user.id,
            account_id=account.id,
            name="straddle" if abroad is None else "trend",
            strategy="short_straddle" if abroad is None else "ema_cross",
            params={"entry_offset_s": 300} if abroad is None else {"instrument": abroad.instrument},
            limits={},
            armed_on=DAY,
        )
        session.add(deployment)
        session.flush()
        people.append(Person(user_id=user.id, name=name, account_id=account.id, deployment_id=deployment.id))
    return people


FAILED = {
    4: (LoginReason.BAD_TOTP, "The broker refused the TOTP code; the stored seed is probably wrong."),
    11: (LoginReason.EGRESS_DOWN, "No answer through 10.0.0.12 within 10 s."),
    23: (LoginReason.TIMEOUT, "The login did not answer within 10 s."),
}


def seed_day(session: Session, people: list[Person]) -> None:
    """Add phases, logins, runs, orders, legs and alarms as they stand at about 10:12 in India."""
    _seed_phases(session)
    session.add_all(list_instrument(*terms) for terms in LISTED)
    for number, person in enumerate(people):
        _seed_login(session, person, number)
        if number in HOLDINGS:
            _seed_holding(session, person, HOLDINGS[number])
        elif number not in FAILED and number != 17:
            _seed_straddle(session, person, number)
    _seed_runs(session, len(people))
    session.add_all(
        [
            AlarmRow(
                code="accounts_not_ready",
                subject=f"day:{DAY}",
                message=f"{len(people) - 4} of {len(people)} accounts are ready at the bell; "
                "the others join late",
                raised_at=at(9, 15),
            ),
            AlarmRow(
                code="login_failed",
                subject=f"account:{people[4 % len(people)].account_id}",
                message="The broker refused the TOTP code three times.",
                user_id=people[4 % len(people)].user_id,
                raised_at=at(8, 46),
                seen=3,
            ),
        ]
    )


def _seed_phases(session: Session) -> None:
    done: list[tuple[str, datetime, int, dict[str, Any]]] = [
        ("PREPARE", at(8, 30), 4, {"accounts": 30, "deployments": 30}),
        ("LOGIN", at(8, 45), 9, {"accounts_ready": 26, "accounts_failed": 3}),
        ("VERIFY", at(9, 5), 2, {"contracts": 412}),
        ("ARM", at(9, 14), 1, {"armed": 26}),
        ("BELL", at(9, 15), 1, {"ready": 26, "enrolled": 30}),
    ]
    for phase, due, took_s, summary in done:
        session.add(
            PhaseRunRow(
                venue="NSE",
                day=DAY,
                phase=phase,
                due_at=due,
                started_at=due,
                finished_at=due + timedelta(seconds=took_s),
                summary=summary,
            )
        )


def _seed_login(session: Session, person: Person, number: int) -> None:
    row = LoginRow(account_id=person.account_id, day=DAY, attempts=1, started_at=at(8, 45, 1))
    if number in FAILED:
        row.status, (row.reason, row.detail) = LoginStatus.FAILED, FAILED[number]
        row.attempts, row.took_ms, row.next_try_at = 6, 10_000, at(10, 12, 40)
    elif number == 17:
        row.status, row.attempts = LoginStatus.LOGGING_IN, 2
    else:
        row.status, row.took_ms = LoginStatus.READY, 380 + number * 17
        row.finished_at = at(8, 45, 2) + timedelta(milliseconds=row.took_ms)
    session.add(row)


def _seed_straddle(session: Session, person: Person, number: int) -> None:
    for leg, instrument in enumerate((CALL, PUT)):
        entry_px = PREMIUMS[instrument] + Decimal(number % 7 - 3) / 20
        add_order(
            session,
            person,
            key=f"{number}-{leg}-entry",
            instrument=instrument,
            side=Side.SELL,
            status=OrderStatus.FILLED,
            price=entry_px,
            filled=LOT,
            moment=at(9, 20, number % 4),
        )
        is_out = leg == 0 and number % 6 == 5
        add_order(
            session,
            person,
            key=f"{number}-{leg}-stop",
            instrument=instrument,
            side=Side.BUY,
            role=OrderRole.STOP,
            status=OrderStatus.FILLED if is_out else OrderStatus.ACCEPTED,
            price=(entry_px * Decimal("1.25")).quantize(Decimal("0.05")),
            filled=LOT if is_out else Decimal(0),
            moment=at(9, 20, number % 4 + 1),
        )
        _seed_leg(session, person, instrument, entry_px=entry_px, is_out=is_out)


def _seed_holding(session: Session, person: Person, holding: Holding) -> None:
    is_long = holding.quantity > 0
    for role, price in ((OrderRole.ENTRY, holding.entry_px), (OrderRole.STOP, holding.stop_px)):
        is_entry = role is OrderRole.ENTRY
        add_order(
            session,
            person,
            key=f"{holding.broker}-{role.lower()}",
            instrument=holding.instrument,
            side=Side.BUY if is_entry is is_long else Side.SELL,
            role=role,
            status=OrderStatus.FILLED if is_entry else OrderStatus.ACCEPTED,
            price=price,
            quantity=abs(holding.quantity),
            filled=abs(holding.quantity) if is_entry else Decimal(0),
            moment=at(9, 30, 0 if is_entry else 1),
        )
    session.add(
        LegRow(
            deployment_id=person.deployment_id,
            day=DAY,
            instrument_id=holding.instrument,
            user_id=person.user_id,
            account_id=person.account_id,
            net_qty=holding.quantity,
            entry_qty=abs(holding.quantity),
            entry_value=abs(holding.quantity) * holding.entry_px,
            cash=-holding.quantity * holding.entry_px,
        )
    )


def _seed_leg(session: Session, person: Person, instrument: str, *, entry_px: Decimal, is_out: bool) -> None:
    stop_cost = LOT * entry_px * Decimal("1.25") if is_out else Decimal(0)
    session.add(
        LegRow(
            deployment_id=person.deployment_id,
            day=DAY,
            instrument_id=instrument,
            user_id=person.user_id,
            account_id=person.account_id,
            net_qty=Decimal(0) if is_out else -LOT,
            entry_qty=LOT,
            entry_value=LOT * entry_px,
            cash=LOT * entry_px - stop_cost,
            stop_fraction=Decimal("0.25"),
            is_stopped=is_out,
        )
    )


def add_order(
    session: Session,
    person: Person,
    *,
    key: str,
    instrument: str,
    side: Side,
    status: OrderStatus,
    price: Decimal,
    filled: Decimal,
    moment: datetime,
    quantity: Decimal = LOT,
    role: OrderRole = OrderRole.ENTRY,
    reject_reason: str = "",
) -> OrderRow:
    """Add one order with its first event."""
    row = OrderRow(
        client_order_id=f"ob{key}",
        user_id=person.user_id,
        account_id=person.account_id,
        deployment_id=person.deployment_id,
        day=DAY,
        **dict.fromkeys(("leg", "attempt", "part"), 0),
        instrument_id=instrument,
        side=side,
        role=role,
        order_type=OrderType.STOP_LIMIT if role is OrderRole.STOP else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=quantity,
        price=price,
        trigger_price=price if role is OrderRole.STOP else None,
        reason="straddle",
        status=status,
        broker_order_id=None if status in (OrderStatus.INITIALIZED, OrderStatus.DENIED) else f"26112000{key}",
        filled_qty=filled,
        avg_px=price if filled else None,
        reject_reason=reject_reason,
        ts_init=moment,
    )
    _add_sent(session, row)
    return row


def seed_unknown(session: Session, person: Person, *, wall: datetime, lookalike: str = "") -> OrderRow:
    """Add an entry that nobody answered and that is looked for; `lookalike` is a stranger in the book."""
    row = add_order(
        session,
        person,
        key=f"unknown-{person.account_id}",
        instrument=PUT,
        side=Side.SELL,
        status=OrderStatus.SUBMITTED,
        price=PREMIUMS[PUT],
        filled=Decimal(0),
        moment=at(10, 11, 12),
    )
    row.broker_order_id, row.is_unknown, row.was_unknown = None, True, True
    row.submitted_wall = wall - timedelta(seconds=48)
    told = {"outcome": "UNKNOWN", "fault": "unknown", "message": "no answer within 5 s"}
    unanswered = {"kind": OrderEventKind.OUTCOME_UNKNOWN, "source": "entry_lane", "details": told}
    session.add(OrderEventRow(order_id=row.id, ts_init=at(10, 11, 17), **unanswered))
    ids = (BrokerOrderId(lookalike),) if lookalike else ()
    seen = f"An order of unknown origin resembles it: broker order {lookalike}." if lookalike else ""
    nothing = "No order of unknown origin resembles it."
    stranger = Look(source=EvidenceSource.ORDERS, is_clean=True, seen=seen or nothing, broker_order_ids=ids)
    trades = Look(
        source=EvidenceSource.TRADES, is_clean=True, seen="No trade of unknown origin resembles it."
    )
    for ago_s in range(40, 0, -1):
        looked_at = wall - timedelta(seconds=ago_s)
        for look in (look_for_tag(is_clean=ago_s != 20), stranger, trades):
            deadline = row.submitted_wall + LATE_ORDERS
            add_look(
                session,
                row.id,
                look,
                now=at(10, 12) - timedelta(seconds=ago_s),
                wall=looked_at,
                provable_from=deadline if look.source is EvidenceSource.TAG else None,
            )
            session.flush()
    return row


def _fill(order: OrderRow) -> FillRow:
    return FillRow(
        order_id=order.id,
        user_id=order.user_id,
        account_id=order.account_id,
        deployment_id=order.deployment_id,
        instrument_id=order.instrument_id,
        side=order.side,
        quantity=order.filled_qty,
        price=order.avg_px,
        cumulative_qty=order.filled_qty,
        ts_init=order.ts_init,
    )


def _add_sent(session: Session, row: OrderRow) -> None:
    session.add(row)
    session.flush()
    sent = {"kind": OrderEventKind.SUBMITTED, "source": "lane", "details": {"price": str(row.price)}}
    session.add(OrderEventRow(order_id=row.id, ts_init=row.ts_init, **sent))
    if row.filled_qty:
        session.add(_fill(row))


def _seed_runs(session: Session, accounts: int) -> None:
    kinds = (
        (RunKind.LOOPS, QueueName.LOOPS),
        (RunKind.ENTRIES, QueueName.ORDERS),
        (RunKind.EXITS, QueueName.EXITS),
        (RunKind.BOOKS, QueueName.BOOKS),
    )
    for kind, queue in kinds:
        session.add(
            LeaseRow(
                name=f"{kind}:nse:0",
                kind=kind,
                queue=queue,
                holder=f"worker-{kind}@host",
                fence=3,
                expires_at=datetime.now(UTC) + timedelta(hours=1),
                spec={"shard": 0, "of": 1},
                progress={"accounts": accounts, "rounds": 3_412, "last_act": "09:20:01 signal"},
            )
        )


def beat(valkey: redis.Redis, marks: dict[str, Decimal], *, now: datetime) -> None:
    """Write what live processes write: marks, feed state, beat and worker heartbeats."""
    wall = datetime.now(UTC).timestamp()
    for name, px in marks.items():
        mark = json.dumps([str(px), str(px), str(px), now.isoformat(), wall])
        valkey.hset(MARKS_KEY.format(venue=venue_of(InstrumentId(name))), name, mark)
    feed = {"last_ts": now.isoformat(), "last_wall": datetime.now(UTC).isoformat(), "status": "live"}
    valkey.hset(FEED_STATE_KEY.format(venue="NSE"), mapping=feed)
    valkey.hset(BEAT_STATE_KEY, mapping={"wall": wall})
    workers = {f"worker-{name}@host": wall for name in ("control", "loops", "orders", "exits", "cpu")}
    valkey.hset(WORKERS_KEY, mapping=workers)


def move(marks: dict[str, Decimal], random: Random) -> dict[str, Decimal]:
    """Return the next marks of a random walk on the tick grid."""
    moved = {}
    for name, px in marks.items():
        tick = TICKS.get(name, Decimal("0.05"))
        moved[name] = max(px + random.randint(-6, 6) * tick, tick)
    return moved
