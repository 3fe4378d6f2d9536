"""The invented people are the same for the same seed, and each has an address of its own."""

import pytest

from app.demo.options import Breakage, DemoOptions, Faults, parse_broken, parse_venues, usual_venues
from app.demo.population import invent_people
from app.demo.simulators import kotak
from app.domain.accounts import BrokerCode
from app.domain.entry_checks import credential_faults
from app.domain.errors import InvalidInputError


def test_no_two_accounts_share_an_address_or_a_secret() -> None:
    people = invent_people(DemoOptions(accounts=500), [])

    assert len({p.egress for p in people}) == 500
    assert len({p.broker_totp_secret for p in people}) == 500
    assert "127.0.0.1" not in {p.egress for p in people}


def test_everybodys_credentials_have_the_form_that_the_platform_asks_for() -> None:
    people = invent_people(DemoOptions(accounts=500), [])

    assert [p.user for p in people if credential_faults(BrokerCode.KOTAK_NEO, p.credentials)] == []


def test_the_same_seed_invents_the_same_people_and_another_does_not() -> None:
    assert invent_people(DemoOptions(seed=1), []) == invent_people(DemoOptions(seed=1), [])
    assert invent_people(DemoOptions(seed=1), []) != invent_people(DemoOptions(seed=2), [])


def test_a_third_enters_at_the_bell_and_half_trades_breakouts() -> None:
    people = invent_people(DemoOptions(accounts=30), [])
    placements = [placement for person in people for placement in person.placements]

    assert sum(p.params.get("entry_offset_s") == 0 for p in placements) == 10
    assert sum(p.params.get("entry_offset_s") == 300 for p in placements) == 20
    assert sum(p.strategy == "opening_range" for p in placements) == 15


def test_broken_accounts_are_broken_on_the_right_side() -> None:
    options = DemoOptions(accounts=4, broken=parse_broken("bad_totp:1,hung_login:1,dead_egress:1"))
    people = invent_people(options, [])

    by_breakage = {person.breakage: person for person in people}
    assert set(by_breakage) == {None, *Breakage}
    for breakage, person in by_breakage.items():
        row = kotak.account(person)
        assert (person.credentials["totp_secret"] != row["totp_secret"]) is (breakage is Breakage.BAD_TOTP)
        assert row["login_hang"] is (breakage is Breakage.HUNG_LOGIN)
        assert (person.egress not in row["allowed_ips"]) is (breakage is Breakage.DEAD_EGRESS)


@pytest.mark.parametrize("text", ["nonsense:1", "bad_totp", "bad_totp:x"])
def test_an_unknown_breakage_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(InvalidInputError, match="bad_totp, hung_login, dead_egress"):
        parse_broken(text)


def test_a_day_of_broken_accounts_only_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="fewer than the 2 accounts at NSE"):
        DemoOptions(accounts=2, broken={Breakage.BAD_TOTP: 2})


def test_with_other_venues_a_part_of_the_accounts_trades_there() -> None:
    options = DemoOptions(accounts=30, venues=parse_venues("NSE,BINANCE,MT5"))
    people = invent_people(options, [])

    assert len(people) == 30
    brokers = [person.broker for person in people]
    assert (brokers.count(BrokerCode.BINANCE_FUTURES), brokers.count(BrokerCode.MT5)) == (6, 3)
    assert [p.user for p in people if credential_faults(p.broker, p.credentials)] == []
    assert len({person.egress for person in people}) == 30


@pytest.mark.parametrize(("accounts", "faults", "count"), [(9, "calm", 1), (9, "each", 3), (10, "calm", 3)])
def test_a_day_that_names_no_market_has_all_that_its_accounts_fill(
    accounts: int, faults: str, count: int
) -> None:
    assert len(usual_venues(accounts, Faults(faults))) == count


def test_a_market_without_an_account_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="one at least for each market, got 2"):
        DemoOptions(accounts=2, venues=parse_venues("NSE,BINANCE,MT5"))


@pytest.mark.parametrize("text", ["", "BSE", "NSE,LSE"])
def test_an_unknown_venue_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(InvalidInputError, match="expected some of NSE, BINANCE, MT5"):
        parse_venues(text)


def test_a_day_without_nse_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected NSE among them"):
        DemoOptions(venues=parse_venues("BINANCE"))
