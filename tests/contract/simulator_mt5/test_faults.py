"""Every fault: what the caller sees, and what the broker's own books say."""

from typing import Any

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from brokers.simulators.mt5.faults import KINDS, RETCODE_FAULTS
from brokers.simulators.mt5.limiter import RateLimiter
from brokers.simulators.mt5.profiles import PROFILES
from tests.contract.simulator_mt5.broker import HEDGING, NETTING, Broker, deal, pending, retcode, send
from tests.waiting import eventually

BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL
TIMEOUT = (-10005, "IPC timeout")


def fills(broker: Broker) -> int:
    return len(broker.mine("fills"))


def settle(broker: Broker) -> None:
    eventually(lambda: broker.get("clock")["pending"] == 0)


@pytest.mark.parametrize(
    ("rule", "error", "done"),
    [
        ({"kind": "request_lost"}, TIMEOUT, 0),
        ({"kind": "request_lost", "code": -10001}, (-10001, "IPC send failed"), 0),
        ({"kind": "ack_lost"}, TIMEOUT, 1),
        ({"kind": "ack_lost", "code": -10002}, (-10002, "IPC recv failed"), 1),
        ({"kind": "ipc_timeout"}, TIMEOUT, 0),
        ({"kind": "ipc_timeout", "accepted": True}, TIMEOUT, 1),
        ({"kind": "no_ipc"}, (-10004, "No IPC connection"), 0),
    ],
)
def test_a_broken_pipe_hides_whether_the_order_was_done(
    broker: Broker, rule: dict[str, Any], error: tuple[int, str], done: int
) -> None:
    broker.faults(rule | {"endpoint": "order_send", "count": 1})
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == error
    assert (fills(broker), broker.injected(rule["kind"])) == (done, 1)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE
    assert mt5.last_error() == (1, "Success")


def test_a_late_accept_appears_after_the_caller_gave_up(broker: Broker) -> None:
    late = {"kind": "late_accept", "endpoint": "order_send", "count": 1}
    broker.faults(late | {"seconds": 0.01}, late | {"seconds": 600})
    assert mt5.order_send(deal(BUY)) is None
    assert mt5.last_error() == TIMEOUT
    assert mt5.order_send(deal(BUY, magic=78)) is None
    eventually(lambda: broker.get("clock")["pending"] == 1)
    (position,) = mt5.positions_get() or ()
    assert (position.magic, position.comment) == (77, "ours")


def test_a_slow_execution_is_placed_first_and_done_later(broker: Broker) -> None:
    slow = {"kind": "slow_execution", "endpoint": "order_send", "count": 1}
    broker.faults(slow | {"seconds": 0.01}, slow | {"seconds": 600})
    result, other = mt5.order_send(deal(BUY)), mt5.order_send(deal(BUY))
    assert result is not None
    assert other is not None
    assert (result.retcode, result.deal) == (mt5.TRADE_RETCODE_PLACED, 0) == (other.retcode, other.deal)
    eventually(lambda: broker.get("clock")["pending"] == 1)
    (position,) = mt5.positions_get() or ()
    assert position.ticket == result.order


def test_a_slow_execution_can_end_in_a_rejection(broker: Broker) -> None:
    broker.faults(kind="slow_execution", endpoint="order_send", count=1, seconds=0.1)
    result = mt5.order_send(deal(BUY, 90.0))
    assert result is not None
    assert result.retcode == mt5.TRADE_RETCODE_PLACED
    settle(broker)
    (order,) = mt5.history_orders_get(ticket=result.order) or ()
    assert (order.state, order.volume_current) == (mt5.ORDER_STATE_REJECTED, 90.0)


def test_an_order_that_was_taken_can_be_rejected_later(broker: Broker) -> None:
    broker.faults(kind="rejected_later", endpoint="pending", count=1, seconds=0.01)
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.3))
    settle(broker)
    assert mt5.orders_get() == ()
    (order,) = mt5.history_orders_get(ticket=placed.order) or ()
    assert (order.state, order.volume_current) == (mt5.ORDER_STATE_REJECTED, 0.1)


def test_a_lost_connection_can_hide_an_order_that_comes_late(broker: Broker) -> None:
    broker.faults(kind="connection_lost", endpoint="order_send", count=1, accepted=True, seconds=600)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_CONNECTION
    assert (fills(broker), broker.get("clock")["pending"]) == (0, 1)
    broker.begin()
    assert broker.get("clock")["pending"] == 0


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("kind", sorted(RETCODE_FAULTS))
def test_the_trade_server_answers_with_the_code_of_the_fault(
    broker: Broker, kind: str, *, accepted: bool
) -> None:
    broker.faults(kind=kind, endpoint="order_send", count=1, accepted=accepted)
    result = mt5.order_send(deal(BUY))
    assert result is not None
    assert (result.retcode, result.deal, result.order) == (RETCODE_FAULTS[kind], 0, 0)
    assert fills(broker) == int(accepted)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE


def test_an_account_has_so_many_requests_in_a_rolling_second(broker: Broker) -> None:
    now = [10.0]
    limiter = RateLimiter(monotonic=lambda: now[0])
    assert [limiter.admits("order_send", 1, 2) for _ in range(3)] == [True, True, False]
    assert limiter.admits("order_send", 2, 2)
    now[0] = 11.0
    assert limiter.admits("order_send", 1, 2)

    broker.account(HEDGING, requests_per_second=0)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_TOO_MANY_REQUESTS
    assert broker.mine("fills") == []


def test_a_market_order_is_done_in_part(broker: Broker) -> None:
    broker.faults(kind="partial_fill", count=1)
    result = mt5.order_send(deal(BUY, 0.3))
    assert result is not None
    assert (result.retcode, result.volume) == (mt5.TRADE_RETCODE_DONE_PARTIAL, 0.15)
    (position,) = mt5.positions_get() or ()
    assert position.volume == 0.15
    (order,) = mt5.history_orders_get(ticket=result.order) or ()
    assert (order.volume_initial, order.volume_current) == (0.3, 0.15)
    broker.step(60)
    assert mt5.orders_total() == 0


def test_what_a_return_order_left_open_is_done_at_the_next_tick(broker: Broker) -> None:
    broker.faults(kind="partial_fill", count=1)
    request = deal(BUY, 0.3, symbol="EURUSD.ecn", type_filling=mt5.ORDER_FILLING_RETURN)
    result = mt5.order_send(request)
    assert result is not None
    assert result.retcode == mt5.TRADE_RETCODE_DONE_PARTIAL
    (order,) = mt5.orders_get() or ()
    assert (order.state, order.volume_current) == (mt5.ORDER_STATE_PARTIAL, 0.15)
    broker.step()
    (position,) = mt5.positions_get() or ()
    assert (position.volume, mt5.orders_total()) == (0.3, 0)
    assert len(mt5.history_deals_get(ticket=result.order) or ()) == 2


def test_a_fill_order_or_kill_never_fills_in_part(broker: Broker) -> None:
    broker.faults(kind="partial_fill")
    assert send(deal(BUY, 0.3, type_filling=mt5.ORDER_FILLING_FOK)).volume == 0.3


def test_a_pending_order_fills_in_two_ticks(broker: Broker) -> None:
    ask = mt5.symbol_info_tick("EURUSD").ask  # type: ignore[union-attr]  # connected
    broker.faults(kind="partial_fill", endpoint="pending", count=1)
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, round(ask - 0.0001, 5), volume=0.2))

    def part() -> list[tuple[int, float]]:
        return [(order.state, order.volume_current) for order in mt5.orders_get() or ()]

    while part() == [(mt5.ORDER_STATE_PLACED, 0.2)]:
        broker.step()
    assert part() == [(mt5.ORDER_STATE_PARTIAL, 0.1)]
    for _ in range(200):
        broker.step()
        if part() == []:
            break
    (position,) = mt5.positions_get() or ()
    assert (position.volume, position.identifier) == (0.2, placed.order)
    assert [row.volume for row in mt5.history_deals_get(position=placed.order) or ()] == [0.1, 0.1]


@pytest.mark.parametrize("action", [mt5.TRADE_ACTION_REMOVE, mt5.TRADE_ACTION_MODIFY])
def test_a_removal_or_a_change_meets_a_fill(broker: Broker, action: int) -> None:
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.3))
    broker.faults(kind="order_changed_by_fill", count=1)
    removal = {"action": action, "order": placed.order, "price": 1.29}
    assert retcode(removal) == mt5.TRADE_RETCODE_ORDER_CHANGED
    assert len(mt5.positions_get() or ()) == 1
    (order,) = mt5.history_orders_get(ticket=placed.order) or ()
    assert order.state == mt5.ORDER_STATE_FILLED
    assert retcode(removal) == mt5.TRADE_RETCODE_INVALID


def test_a_rule_can_name_one_action_of_order_send(broker: Broker) -> None:
    broker.faults(kind="reject", endpoint="remove")
    placed = send(pending(mt5.ORDER_TYPE_BUY_LIMIT, 1.3))
    assert retcode({"action": mt5.TRADE_ACTION_REMOVE, "order": placed.order}) == mt5.TRADE_RETCODE_REJECT
    send({"action": mt5.TRADE_ACTION_MODIFY, "order": placed.order, "price": 1.29})


def test_stale_books_show_the_past(broker: Broker) -> None:
    send(deal(BUY))
    assert mt5.positions_total() == 1
    broker.faults({"kind": "book_lag", "endpoint": "reads", "seconds": 3600})
    assert mt5.positions_get() == ()
    assert mt5.history_deals_get(0, 2_000_000_000) == ()
    broker.faults({"kind": "book_empty", "endpoint": "positions_get"})
    assert mt5.positions_get() == ()
    assert len(mt5.history_orders_get(0, 2_000_000_000) or ()) == 1


def test_one_read_can_be_down_while_orders_work(broker: Broker) -> None:
    broker.faults({"kind": "ipc_timeout", "endpoint": "positions_get"})
    assert mt5.positions_get() is None
    assert mt5.last_error() == TIMEOUT
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE
    assert mt5.orders_get() == ()


def test_orders_can_be_down_while_reads_work(broker: Broker) -> None:
    broker.faults({"kind": "connection_lost", "endpoint": "writes"}, {"kind": "disconnected"})
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_CONNECTION
    terminal = mt5.terminal_info()
    assert terminal is not None
    assert not terminal.connected
    assert mt5.positions_get() == ()


def test_another_account_can_answer(broker: Broker) -> None:
    broker.faults(kind="wrong_account", endpoint="account_info", other=NETTING)
    account = mt5.account_info()
    assert account is not None
    assert account.login == NETTING
    broker.faults(kind="wrong_account", endpoint="order_send", count=1)
    send(deal(BUY))
    assert broker.mine("fills", HEDGING) == []
    assert len(broker.mine("fills", NETTING)) == 1


def test_the_servers_time_can_be_off(broker: Broker) -> None:
    right = mt5.symbol_info_tick("EURUSD")
    broker.faults(kind="time_offset", seconds=-3600)
    wrong = mt5.symbol_info_tick("EURUSD")
    assert right is not None
    assert wrong is not None
    assert wrong.time - right.time == -3600
    assert wrong.bid == right.bid


@pytest.mark.parametrize(
    ("kind", "shown"), [("comment_rewritten", "cl#1001"), ("comment_truncated", "a long c")]
)
def test_the_broker_can_change_comments(broker: Broker, kind: str, shown: str) -> None:
    broker.faults(kind=kind, endpoint="order_send")
    sent = send(deal(BUY, comment="a long comment of ours"))
    (position,) = mt5.positions_get() or ()
    assert (position.comment, position.magic) == (shown, 77)
    (order,) = broker.mine("orders")
    assert (order["comment"], order["sent_comment"]) == (shown, "a long comment of ours")
    assert sent.request.comment == "a long comment of ours"


def test_logins_can_fail_and_the_terminal_can_refuse_to_start(broker: Broker) -> None:
    path = "/terminals/two/terminal64.exe"
    broker.faults({"kind": "login_fail", "count": 1}, {"kind": "init_fail", "login": [NETTING], "count": 1})
    assert not mt5.initialize(path, login=HEDGING, password="pw")
    assert mt5.last_error() == (-6, "Terminal: Authorization failed")
    assert not mt5.initialize(path, login=NETTING, password="pw")
    assert mt5.last_error()[0] == -10003
    assert mt5.account_info() is None
    assert mt5.last_error() == (-10004, "No IPC connection")
    assert mt5.initialize(path, login=NETTING, password="pw")
    broker.faults({"kind": "ipc_timeout", "endpoint": "initialize", "count": 1})
    assert not mt5.initialize(path)
    assert mt5.last_error() == TIMEOUT
    broker.faults({"kind": "terminal_hang", "endpoint": "initialize", "seconds": 0.05, "count": 1})
    assert not mt5.initialize(path)
    assert mt5.last_error() == TIMEOUT


def test_rules_are_limited_to_accounts_and_virtual_times(broker: Broker) -> None:
    window = {"from": "2014-05-06T09:00:00+00:00", "to": "2014-05-06T09:01:00+00:00"}
    broker.faults({"kind": "reject", "login": [HEDGING], **window})
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE
    broker.step(3600)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_REJECT
    broker.connect(NETTING)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE
    broker.connect(HEDGING)
    broker.step(60)
    assert retcode(deal(BUY)) == mt5.TRADE_RETCODE_DONE


def test_a_retry_with_the_same_magic_has_its_own_luck_and_runs_repeat(broker: Broker) -> None:
    def run() -> list[int]:
        broker.begin()
        broker.connect()
        broker.faults(kind="requote", endpoint="order_send", rate=0.5)
        return [retcode(deal(BUY, 0.01)) for _ in range(12)]

    first = run()
    assert set(first) == {mt5.TRADE_RETCODE_REQUOTE, mt5.TRADE_RETCODE_DONE}
    assert run() == first


def test_profiles_name_known_faults_and_can_be_chosen(broker: Broker) -> None:
    assert set(PROFILES) == {"calm", "open", "storm"}
    assert {str(rule["kind"]) for profile in PROFILES.values() for rule in profile.rules} <= KINDS
    assert broker.post("faults", {"profile": "storm"})["profile"] == "storm"
    refused = broker.http.post("/_sim/faults", json={"faults": [{"kind": "earthquake"}]})
    assert (refused.status_code, "earthquake" in refused.json()["error"]) == (400, True)
