"""Secrets open only with their keys, only for their purpose, and keys stay private and safe."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import MultiFernet

from app.domain.errors import ConfigError
from app.infra.passwords import hash_password, is_password
from app.infra.vault import KeyFile, Vault, new_key, parse_keys

SECRETS = {"mpin": "123456", "totp_secret": "JBSWY3DPEHPK3PXP"}


def keys(*texts: str) -> MultiFernet:
    return parse_keys(list(texts), origin="test")


def vault(*texts: str) -> Vault:
    ring = keys(*texts)
    return Vault(lambda: ring)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "home" / "secret.keys")


def test_a_ciphertext_holds_nothing_in_clear_and_opens_for_its_purpose() -> None:
    mine = vault(new_key())

    ciphertext = mine.encrypt("credentials:1", SECRETS)

    assert b"123456" not in ciphertext
    assert mine.decrypt("credentials:1", ciphertext) == SECRETS


def test_a_ciphertext_copied_to_another_account_does_not_open() -> None:
    mine = vault(new_key())

    with pytest.raises(ConfigError, match="made for credentials:2, got one made for credentials:1"):
        mine.decrypt("credentials:2", mine.encrypt("credentials:1", SECRETS))


def test_a_lost_key_is_said_without_the_secret() -> None:
    with pytest.raises(ConfigError, match="none of them opens") as caught:
        vault(new_key()).decrypt("credentials:1", vault(new_key()).encrypt("credentials:1", SECRETS))
    assert "123456" not in str(caught.value)


def test_renewing_moves_a_secret_to_the_newest_key() -> None:
    old, new = new_key(), new_key()

    renewed = vault(new, old).renew(vault(old).encrypt("credentials:1", SECRETS))

    assert vault(new).decrypt("credentials:1", renewed) == SECRETS


def test_a_bad_key_is_named_by_place_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="key 2") as caught:
        keys(new_key(), "hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="at least one"):
        keys()


def test_a_new_key_file_is_private(file: KeyFile) -> None:
    file.create()

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["secret.keys"]


def test_creating_never_replaces_a_key_file(file: KeyFile) -> None:
    file.create()
    before = file.lines()

    file.create()

    assert file.lines() == before


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    def create(_: int) -> list[str]:
        file = KeyFile(tmp_path / "secret.keys")
        file.create()
        return file.lines()

    with ThreadPoolExecutor(8) as pool:
        assert len({tuple(lines) for lines in pool.map(create, range(8))}) == 1


def test_a_key_file_that_others_can_read_is_refused(file: KeyFile) -> None:
    file.create()
    file.path.chmod(0o640)

    with pytest.raises(ConfigError, match="mode 640; run: chmod 600"):
        file.read()


def test_a_missing_key_file_is_said(file: KeyFile) -> None:
    with pytest.raises(ConfigError, match="found no file"):
        file.read()


def test_a_rotation_reaches_a_vault_that_is_open(file: KeyFile) -> None:
    file.create()
    running = Vault(file.read)
    before = running.encrypt("credentials:1", SECRETS)

    new = new_key()
    KeyFile(file.path).replace([new, *file.lines()])

    assert running.decrypt("credentials:1", before) == SECRETS
    assert vault(new).decrypt("credentials:1", running.encrypt("credentials:1", SECRETS)) == SECRETS


def test_a_password_is_known_by_its_hash_only() -> None:
    password_hash = hash_password("correct horse battery")

    assert "horse" not in password_hash
    assert is_password("correct horse battery", password_hash)
    assert not is_password("correct horse batterz", password_hash)


def test_nobody_signs_in_without_a_hash() -> None:
    assert not is_password("nobody has this password", None)
    assert not is_password("anything", "no hash at all")
