"""Prove that who may have to take over has the accounts' gateways, and that none waits for another's."""

import threading

import pytest

from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.ids import AccountId
from app.domain.markets import NSE
from app.domain.ports import BrokerGateway, BrokerSession
from app.services.gateways import Gateways
from app.services.lanes.requests import ContractBook
from app.services.standby import Standby
from tests.integration.order_path.desk import TODAY, Desk
from tests.waiting import eventually


def _accounts(desk: Desk) -> list[AccountId]:
    return [deployment.account_id for deployment in desk.deployments]


def _standby(
    desk: Desk, gateways: Gateways, broker: BrokerCode, *, contracts: ContractBook | None = None
) -> Standby:
    return Standby(
        desk.database,
        gateways,
        contracts or ContractBook(desk.database),
        brokers=frozenset({broker}),
        days=lambda: {TODAY: [NSE]},
    )


@pytest.fixture
def gateways(desk: Desk) -> Gateways:
    """Those of another process, which has restored none yet."""
    return Gateways(desk.database, desk.parts.vault, desk.parts.adapter, desk.clock)


def test_a_standby_restores_every_account_that_is_logged_in(desk: Desk, gateways: Gateways) -> None:
    _standby(desk, gateways, BrokerCode.KOTAK_NEO).look()

    assert all(gateways.has(account_id) for account_id in _accounts(desk))
    gateways.close()


def test_a_standby_has_the_contracts_of_the_day(desk: Desk, gateways: Gateways) -> None:
    contracts = ContractBook(desk.database)
    _standby(desk, gateways, BrokerCode.KOTAK_NEO, contracts=contracts).look()

    contracts._database = Database("postgresql://nobody@127.0.0.1:9/none")
    assert contracts.of_day(TODAY, NSE)
    gateways.close()


def test_a_standby_of_other_brokers_restores_nothing(desk: Desk, gateways: Gateways) -> None:
    _standby(desk, gateways, BrokerCode.MT5).look()

    assert not any(gateways.has(account_id) for account_id in _accounts(desk))


def test_a_gateway_that_hangs_while_it_is_restored_delays_no_other_account(
    desk: Desk, gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = _accounts(desk)[:2]
    house, may_go_on, asked = desk.parts.adapter(BrokerCode.KOTAK_NEO), threading.Event(), threading.Event()
    restore, first = house.restore, desk.parts.gateways.stored_session(slow)

    def hang(session: BrokerSession) -> BrokerGateway:
        if session == first:
            asked.set()
            may_go_on.wait(20)
        return restore(session)

    monkeypatch.setattr(house, "restore", hang)
    waiting = threading.Thread(target=gateways.get, args=(slow,))
    waiting.start()
    eventually(asked.is_set)
    try:
        assert gateways.get(quick) is gateways.get(quick)
        assert not gateways.has(slow)
    finally:
        may_go_on.set()
        waiting.join()
    assert gateways.has(slow)
    gateways.close()
