"""A chat understands who shall be stopped, and nothing else."""

import pytest

from app.domain.chat import KillOrder, read_order
from app.domain.commands import ControlScope
from app.domain.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "scope", "name"),
    [
        ("kill all", ControlScope.TENANT, ""),
        ("/kill@openbell_bot  ALL", ControlScope.TENANT, ""),
        ("Kill user u001", ControlScope.USER, "u001"),
        ("kill Account u001/Main", ControlScope.ACCOUNT, "u001/Main"),
        ("/kill deployment u001/main/straddle", ControlScope.DEPLOYMENT, "u001/main/straddle"),
        ("kill broker kotak_neo", ControlScope.BROKER, "kotak_neo"),
        ("kill family desk", ControlScope.FAMILY, "desk"),
    ],
)
def test_an_order_names_whom_it_stops(text: str, scope: ControlScope, name: str) -> None:
    assert read_order(text) == KillOrder(scope=scope, name=name)


@pytest.mark.parametrize("text", ["kill", "/kill", "/kill@openbell_bot", " Kill "])
def test_a_bare_kill_is_about_what_it_answers(text: str) -> None:
    assert read_order(text) is None


@pytest.mark.parametrize("text", ["", "hello", "skill all", "do not kill all", "buy 100 NIFTY"])
def test_anything_else_is_told_what_would_be_understood(text: str) -> None:
    with pytest.raises(InvalidInputError, match="kill user NAME"):
        read_order(text)


@pytest.mark.parametrize(
    "text", ["kill u001", "kill tenant x", "kill user", "kill user a b", "kill all of it"]
)
def test_an_order_that_names_nobody_is_repeated_and_explained(text: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{text}' names nobody"):
        read_order(text)


def test_only_its_own_words_confirm_an_order() -> None:
    one = KillOrder(scope=ControlScope.USER, name="u001")
    everybody = KillOrder(scope=ControlScope.TENANT, name="")

    assert (one.title, everybody.title) == ("user u001", "everybody")
    assert one.is_confirmed_by("Halt  u001")
    assert everybody.is_confirmed_by("HALT everybody")
    assert not one.is_confirmed_by("HALT everybody")
    assert not one.is_confirmed_by("yes")
