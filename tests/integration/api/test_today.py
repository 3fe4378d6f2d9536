"""What the page Today is told."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, update

from app.db.models import InstrumentRow, LeaseRow, LegRow, PhaseRunRow
from app.domain.accounts import BrokerCode
from app.domain.breaker import Breaker, BreakerState, EndpointClass
from app.domain.numbers import ZERO
from app.infra.breaker_store import BreakerStore
from app.infra.names import FEED_STATE_KEY
from tests.dashboard.seed import CALL, COIN, DAY, EUROS, at
from tests.integration.api.conftest import NOWHERE, MakeWorld, World


def _summary(world: World) -> dict[str, Any]:
    reply = world.client.get("/api/v1/summary", headers=world.headers("ops"))
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def _codes(world: World) -> set[str]:
    return {finding["code"] for finding in _summary(world)["findings"]}


def test_the_summary_counts_the_day(world: World) -> None:
    summary = _summary(world)

    assert summary["day"] == "2026-11-20"
    assert summary["is_open"] is True
    assert summary["accounts"] == {
        "total": 6, "ready": 5, "failed": 1, "waiting": 0, "halted": 0, "reducing": 0,
    }  # fmt: skip
    assert summary["loops"]["runs_alive"] == summary["loops"]["runs_wanted"] == 4
    assert summary["orders"] == {
        "total": 20, "working": 9, "filled": 11, "rejected": 0, "denied": 0, "unknown": 0,
    }  # fmt: skip
    assert (summary["open_positions"], summary["unprotected_positions"]) == (9, 0)
    assert summary["verdict"] == "attention"


def test_money_is_exact_text(world: World) -> None:
    legs = world.client.get("/api/v1/positions", headers=world.headers("aarav")).json()
    call = next(leg for leg in legs if leg["instrument_id"] == CALL)

    assert (call["net_qty"], call["entry_px"], call["mark"]) == ("-75", "142.2", "142.35")
    assert (call["total"], call["unrealized"], call["realized"]) == ("-11.25", "-11.25", "0")


def test_money_of_several_markets_is_never_added_up(world: World) -> None:
    before = _summary(world)["pnl"]
    person = world.people[0]
    with world.database.begin() as session:
        for instrument, cash in ((EUROS, Decimal("-11.40")), (COIN, Decimal("0.2380000000"))):
            session.add(
                LegRow(
                    deployment_id=person.deployment_id,
                    user_id=person.user_id,
                    account_id=person.account_id,
                    day=DAY,
                    instrument_id=instrument,
                    net_qty=ZERO,
                    cash=cash,
                )
            )

    lines = world.client.get("/api/v1/pnl", headers=world.headers("aarav")).json()
    legs = world.client.get("/api/v1/positions", headers=world.headers("aarav")).json()

    added = [("USD", "-11.4", "-11.4"), ("USDT", "0.238", "0.238")]
    assert [(pnl["currency"], pnl["total"], pnl["realized"]) for pnl in _summary(world)["pnl"]] == [
        ("INR", before[0]["total"], before[0]["realized"]),
        *added,
    ]
    assert [line["currency"] for line in lines] == ["INR", "USD", "USDT"]
    assert [(line["currency"], line["total"], line["realized"]) for line in lines[1:]] == added
    assert {leg["currency"]: leg["instrument_id"] for leg in legs if leg["currency"] != "INR"} == {
        "USD": EUROS,
        "USDT": COIN,
    }


def test_profit_is_told_before_and_after_charges_to_the_paisa(world: World) -> None:
    """Source: 75 sold at 142.20 and at 128.45 by the rates of November 2026, reckoned by hand."""
    reply = world.client.get("/api/v1/pnl", params={"by": "deployment"}, headers=world.headers("aarav"))
    [line] = reply.json()
    legs = world.client.get("/api/v1/positions", headers=world.headers("aarav")).json()

    assert line["charges"] == "38.9825"
    assert line["lines"] == {
        "gst": "1.3019",
        "ipft": "0.0021",
        "sebi": "0.0203",
        "stt": "30.4481",
        "transaction": "7.2101",
    }
    assert Decimal(line["net"]) == Decimal(line["total"]) - Decimal("38.9825")
    assert (line["basis"], line["unconfirmed"], line["uncharged"]) == ("MODEL", [], 0)
    assert sorted((leg["charges"], leg["mark_source"]) for leg in legs) == [
        ("18.501", "LAST_PRICE"),
        ("20.4815", "LAST_PRICE"),
    ]
    everybody = _summary(world)["pnl"][0]
    assert Decimal(everybody["net"]) == Decimal(everybody["total"]) - Decimal(everybody["charges"])
    assert Decimal(everybody["charges"]) > 5 * Decimal(38)


def test_an_order_without_rates_or_terms_is_counted_and_not_charged(world: World) -> None:
    with world.database.begin() as session:
        session.execute(delete(InstrumentRow).where(InstrumentRow.instrument_id == CALL))

    [inr] = _summary(world)["pnl"]

    assert inr["uncharged"] == 6
    assert "brokerage" not in inr["lines"]


def test_a_silent_feed_is_trouble_while_the_market_is_open(world: World) -> None:
    state = FEED_STATE_KEY.format(venue="NSE")
    world.valkey.hset(state, "last_wall", (world.clock.wall() - timedelta(seconds=60)).isoformat())
    assert "feed_silent" in _codes(world)

    world.clock.set(at(16, 30), rate=0.0)
    assert "feed_silent" not in _codes(world)


def test_a_phase_that_did_not_start_is_late_and_then_missed(world: World) -> None:
    with world.database.begin() as session:
        session.execute(delete(PhaseRunRow).where(PhaseRunRow.phase == "BELL"))

    assert "phase_late" in _codes(world)
    world.clock.set(at(15, 11), rate=0.0)
    assert "phase_missed" in _codes(world)


def test_a_position_without_a_stop_for_more_than_three_seconds_is_trouble(world: World) -> None:
    with world.database.begin() as session:
        exposed = world.clock.wall() - timedelta(seconds=4)
        session.execute(update(LegRow).where(LegRow.net_qty != 0).values(exposed_since=exposed))

    summary = _summary(world)
    assert summary["verdict"] == "trouble"
    assert summary["unprotected_positions"] == 9


def test_a_run_without_a_holder_is_trouble(world: World) -> None:
    with world.database.begin() as session:
        past = world.clock.wall() - timedelta(seconds=1)
        session.execute(update(LeaseRow).where(LeaseRow.kind == "exits").values(expires_at=past))

    assert "run_dead" in _codes(world)


def test_a_broker_whose_orders_fail_is_trouble_in_words_and_in_metrics(world: World) -> None:
    opened = Breaker(
        state=BreakerState.OPEN,
        since=world.clock.wall(),
        until=world.clock.wall() + timedelta(seconds=5),
        open_for=timedelta(seconds=5),
    )
    store = BreakerStore(world.valkey)
    store.change(BrokerCode.KOTAK_NEO, EndpointClass.ORDERS, lambda _: opened)
    store.change(
        BrokerCode.KOTAK_NEO, EndpointClass.READS, lambda _: replace(opened, state=BreakerState.CLOSED)
    )

    summary = _summary(world)
    told = {finding["code"]: finding["message"] for finding in summary["findings"]}

    assert "entries wait" in told["breaker_open"]
    states = [(b["broker"], b["endpoints"], b["state"]) for b in summary["health"]["breakers"]]
    assert states == [("kotak_neo", "ORDERS", "OPEN"), ("kotak_neo", "READS", "CLOSED")]
    text = world.client.get("/metrics").text
    assert 'openbell_breaker{broker="kotak_neo",endpoints="ORDERS",state="OPEN"} 1.0' in text
    assert 'openbell_breaker{broker="kotak_neo",endpoints="READS",state="OPEN"} 0.0' in text


def test_the_page_works_while_valkey_is_away(make_world: MakeWorld) -> None:
    world = make_world(live_url=NOWHERE)

    summary = _summary(world)

    assert summary["verdict"] == "trouble"
    assert summary["health"]["is_valkey_up"] is False
    assert [(pnl["currency"], pnl["unmarked"]) for pnl in summary["pnl"]] == [("INR", 9)]
    assert world.client.get("/readyz").status_code == 503
    assert world.client.get("/healthz").status_code == 200


def test_orders_come_page_by_page_without_gap_or_repeat(world: World) -> None:
    headers = world.headers("ops")
    seen: list[int] = []
    cursor: int | None = None
    while True:
        query = {"limit": 7} | ({} if cursor is None else {"cursor": cursor})
        page = world.client.get("/api/v1/orders", params=query, headers=headers).json()
        seen += [order["id"] for order in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 20
    assert seen == sorted(seen, reverse=True)


def test_metrics_count_and_name_nobody(world: World) -> None:
    text = world.client.get("/metrics").text

    assert 'openbell_logins{status="READY"} 5.0' in text
    assert "openbell_runs_alive 4.0" in text
    assert not any(person.name.lower() in text.lower() for person in world.people)
