"""One registered address serves one client or family (markets 2.3)."""

from dataclasses import replace

import pytest

from app.domain.accounts import AccountMode, BrokerAccount, BrokerCode, TradingState, may_share_egress
from app.domain.ids import AccountId, UserId

ONE = BrokerAccount(
    account_id=AccountId(1),
    user_id=UserId(1),
    name="one",
    broker=BrokerCode.KOTAK_NEO,
    mode=AccountMode.PAPER,
    egress="203.0.113.7",
    trading_state=TradingState.ACTIVE,
)
STRANGER = replace(ONE, account_id=AccountId(2), user_id=UserId(2), name="two")


def test_strangers_do_not_share_an_address_nor_the_default_route() -> None:
    assert not may_share_egress(ONE, STRANGER)
    assert not may_share_egress(replace(ONE, egress=""), replace(STRANGER, egress=""))


@pytest.mark.parametrize(
    "other",
    [
        replace(STRANGER, egress="203.0.113.8"),
        replace(STRANGER, broker=BrokerCode.PAPER),
        replace(STRANGER, user_id=ONE.user_id),
        replace(STRANGER, allows_shared_egress=True),
    ],
)
def test_others_may_share(other: BrokerAccount) -> None:
    assert may_share_egress(ONE, other)
    assert may_share_egress(other, ONE)


def test_only_the_same_named_family_shares() -> None:
    assert may_share_egress(replace(ONE, ip_group="rao"), replace(STRANGER, ip_group="rao"))
    assert not may_share_egress(replace(ONE, ip_group="rao"), replace(STRANGER, ip_group="mehta"))
    assert not may_share_egress(ONE, replace(STRANGER, ip_group="rao"))


def test_brokers_without_registered_addresses_do_not_care() -> None:
    paper = replace(ONE, broker=BrokerCode.PAPER)
    assert may_share_egress(paper, replace(STRANGER, broker=BrokerCode.PAPER))
