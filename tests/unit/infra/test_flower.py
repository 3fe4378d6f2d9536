"""Flower stands behind a password that nobody else on the machine can read."""

from pathlib import Path

from pydantic import SecretStr

from app.config import Settings
from app.infra.flower import flower_process
from app.infra.secret_files import secret_or_file


def test_the_password_is_in_the_environment_and_never_in_the_arguments(tmp_path: Path) -> None:
    process = flower_process(Settings(home=tmp_path, flower_password=SecretStr("s3cret")))

    assert process.env == {"FLOWER_BASIC_AUTH": "openbell:s3cret"}
    assert "s3cret" not in " ".join(process.argv)
    assert "s3cret" not in repr(process)
    assert "--address=127.0.0.1" in process.argv


def test_a_missing_password_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = flower_process(Settings(home=tmp_path)).env
    second = flower_process(Settings(home=tmp_path)).env

    assert first == second
    assert len(first["FLOWER_BASIC_AUTH"]) > 30
    assert (tmp_path / "flower.password").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["flower.password"]


def test_a_configured_secret_writes_no_file(tmp_path: Path) -> None:
    assert secret_or_file(SecretStr("mine"), tmp_path / "key").get_secret_value() == "mine"
    assert list(tmp_path.iterdir()) == []
