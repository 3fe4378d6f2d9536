"""An import adds everything or nothing, and names every fault with its line."""

from pathlib import Path

import pytest

from app.db.accounts import list_accounts, lock_settings
from app.db.deployments import list_deployments
from app.db.session import Database
from app.db.users import find_user
from app.domain.accounts import AccountMode
from app.domain.errors import InvalidInputError
from app.domain.users import Actor
from app.infra.vault import Vault
from app.services.credentials import load_credentials
from app.services.import_file import read_import_file
from app.services.importing import Importer, import_file
from strategies.registry import load_registry

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[3] / "examples" / "openbell.toml"

BROKEN = """\
[[users]]
name = "ravi"
role = "BOSS"
password = "hunter2"

[[accounts]]
user = "ravi"
name = "main"
egress = "eth0"
nickname = "x"

[[accounts]]
name = "second"
credentials = { mpin = 4711 }
"""

UNFIT = """\
[[users]]
name = "meera"
[[users]]
name = "meera"

[[accounts]]
user = "meera"
name = "main"
egress = "127.3.0.1"
[accounts.credentials]
mobile_number = "+919812345678"
mpin = "4711"
totp = "JBSWY3DPEHPK3PXP"

[[accounts]]
user = "nobody"
name = "main"

[[users]]
name = "stranger"
[[accounts]]
user = "stranger"
name = "main"
egress = "127.3.0.1"

[[deployments]]
user = "meera"
account = "main"
name = "a"
strategy = "martingale"

[[deployments]]
user = "meera"
account = "other"
name = "b"
strategy = "short_straddle"

[[deployments]]
user = "meera"
account = "main"
name = "c"
strategy = "short_straddle"
[deployments.params]
lots = "many"

[[deployments]]
user = "meera"
account = "main"
name = "d"
strategy = "short_straddle"
[deployments.limits]
max_daily_los = 5000

[[deployments]]
user = "meera"
account = "main"
name = "e"
strategy = "short_straddle"
[deployments.sizing]
model = "fixed_lots"

[[accounts]]
user = "meera"
name = "third"
egress = "127.3.0.3"
settings = { capital = 0 }
"""


@pytest.fixture
def importer(database: Database, vault: Vault, admin: Actor) -> Importer:
    return Importer(database=database, vault=vault, actor=admin, book=load_registry())


def faults(text: str, importer: Importer | None = None) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:  # noqa: PT012  either step may refuse
        file = read_import_file("f.toml", text)
        assert importer is not None
        import_file(importer, file, is_dry_run=False)
    return str(caught.value).splitlines()


def test_the_shipped_example_is_added_on_paper_and_once(
    importer: Importer, database: Database, vault: Vault
) -> None:
    file = read_import_file("openbell.toml", EXAMPLE.read_text())

    counts = import_file(importer, file, is_dry_run=True)
    assert (counts.users, counts.accounts, counts.credentials, counts.deployments) == (1, 1, 1, 1)
    with database.begin() as session:
        assert find_user(session, "asha") is None

    import_file(importer, file, is_dry_run=False)
    with database.begin() as session:
        user = find_user(session, "asha")
        assert user is not None
        [account] = list_accounts(session, user.user_id)
        assert account.mode is AccountMode.PAPER
        assert load_credentials(session, vault, account).fields["mpin"] == "123456"
        [deployment] = list_deployments(session, user.user_id)
        assert deployment.params["lots"] == 1
        assert deployment.limits == {"max_lots": 2, "max_daily_loss": "10000"}
        assert deployment.sizing == {"model": "fixed_risk", "fraction": "0.01"}
        assert lock_settings(session, user.user_id, account.account_id) == {"capital": "500000"}

    with pytest.raises(InvalidInputError) as caught:
        import_file(importer, file, is_dry_run=False)
    assert [line.split(": expected")[0] for line in str(caught.value).splitlines()] == [
        "openbell.toml:10: users[1].name",
        "openbell.toml:16: accounts[1].name",
        "openbell.toml:34: deployments[1].name",
    ]


def test_wrong_words_are_named_by_line_and_secrets_not_repeated() -> None:
    found = faults(BROKEN)

    assert found == [
        "f.toml:3: users[1].role: expected 'ADMIN', 'OPS' or 'TRADER', got 'BOSS'",
        "f.toml:4: users[1].password: expected a password of at least 12 characters, got 7",
        (
            "f.toml:9: accounts[1].egress: expected an IP address of this machine, "
            "or \"\" for the default route, got 'eth0'"
        ),
        "f.toml:10: accounts[1].nickname: expected a known key, got this one",
        "f.toml:12: accounts[2].user: expected a value, got nothing",
        "f.toml:14: accounts[2].credentials.mpin: expected a string, got something else",
    ]


def test_a_text_that_is_no_toml_is_named_by_line() -> None:
    [fault] = faults('[[users]]\nname = "a\n')

    assert fault.startswith("f.toml:2: expected valid TOML, got: ")


def test_all_faults_of_meaning_come_at_once_and_nothing_is_added(
    importer: Importer, database: Database
) -> None:
    found = faults(UNFIT, importer)

    assert [line.partition(": ")[0] + " " + line.split(": ")[1] for line in found] == [
        "f.toml:4 users[2].name",
        "f.toml:13 accounts[1].credentials.totp",
        "f.toml:10 accounts[1].credentials.ucc",
        "f.toml:10 accounts[1].credentials.consumer_key",
        "f.toml:10 accounts[1].credentials.totp_secret",
        "f.toml:12 accounts[1].credentials.mpin",
        "f.toml:16 accounts[2].user",
        "f.toml:24 accounts[3].egress",
        "f.toml:66 accounts[4].settings",
        "f.toml:30 deployments[1].strategy",
        "f.toml:34 deployments[2].account",
        "f.toml:43 deployments[3].params",
        "f.toml:51 deployments[4].limits",
        "f.toml:59 deployments[5].sizing",
    ]
    assert all(": expected " in line or "Input should be" in line for line in found)
    assert "4711" not in "\n".join(found)
    with database.begin() as session:
        assert find_user(session, "meera") is None
        assert find_user(session, "stranger") is None


def test_amounts_stay_exact(importer: Importer, database: Database) -> None:
    text = UNFIT[: UNFIT.index("[accounts.credentials]")].replace('[[users]]\nname = "meera"\n', "", 1)
    text = text.replace("127.3.0.1", "127.3.0.9") + (
        '[[deployments]]\nuser="meera"\naccount="main"\nname="x"\nstrategy="short_straddle"\n'
        "limits = { price_band_fraction = 0.1 }\nsizing = { model = 'multiplier', factor = 0.1 }\n"
    )

    import_file(importer, read_import_file("f.toml", text), is_dry_run=False)

    with database.begin() as session:
        user = find_user(session, "meera")
        assert user is not None
        [deployment] = list_deployments(session, user.user_id)
    assert deployment.limits == {"price_band_fraction": "0.1"}
    assert deployment.sizing == {"model": "multiplier", "factor": "0.1"}
