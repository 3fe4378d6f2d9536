"""Encrypt what must not be read from the database: credentials and broker sessions."""

import json
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.domain.errors import ConfigError

KEY_FILE_NAME = "secret.keys"


class Vault:
    """Encrypt and decrypt small records with the newest key; older keys still open what they closed.

    Every ciphertext carries its purpose ("credentials:12"), so that a row copied to another account does
    not open there. Thread-safe.
    """

    def __init__(self, read_keys: Callable[[], MultiFernet]) -> None:
        """Args: read_keys: returns the keys, newest first; asked on every use, so that it may change."""
        self._read_keys = read_keys

    def encrypt(self, purpose: str, fields: Mapping[str, str]) -> bytes:
        """Return the ciphertext of some fields, bound to a purpose."""
        plain = json.dumps({"purpose": purpose, "fields": dict(fields)})
        return self._read_keys().encrypt(plain.encode())

    def decrypt(self, purpose: str, ciphertext: bytes) -> dict[str, str]:
        """Return the fields that `encrypt` closed for the same purpose.

        Raises: ConfigError when no key opens it, or it was made for another purpose.
        """
        record = json.loads(_open(self._read_keys(), ciphertext))
        if record["purpose"] != purpose:
            raise ConfigError(f"expected a secret made for {purpose}, got one made for {record['purpose']}")
        return dict(record["fields"])

    def renew(self, ciphertext: bytes) -> bytes:
        """Return the same secret closed with the newest key. Raises ConfigError when no key opens it."""
        keys = self._read_keys()
        return keys.encrypt(_open(keys, ciphertext))


class KeyFile:
    """Keep the keys in a file that only its owner may read, one key a line, newest first.

    The file is read again when it changes, so that a rotation reaches running processes at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, int], MultiFernet] | None = None

    def exists(self) -> bool:
        """Whether there is a key file."""
        return self.path.exists()

    def create(self) -> None:
        """Write a file with one new key. A file that another process made first wins."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._write_draft([new_key()])
        try:
            os.link(draft, self.path)  # unlike a rename, a link never replaces
        except FileExistsError:
            return
        finally:
            draft.unlink()

    def lines(self) -> list[str]:
        """Return the keys as written, newest first."""
        return [line.strip() for line in self.path.read_text().splitlines() if line.strip()]

    def replace(self, keys: list[str]) -> None:
        """Put other keys in place, all at once."""
        self._write_draft(keys).replace(self.path)

    def read(self) -> MultiFernet:
        """Return the keys. Raises ConfigError when the file is open to others or holds no valid key."""
        try:
            status = self.path.stat()
        except FileNotFoundError as e:
            raise ConfigError(f"expected the secret keys in {self.path}, found no file; restore it") from e
        version = (status.st_ino, status.st_mtime_ns)
        seen = self._seen
        if seen is not None and seen[0] == version:
            return seen[1]
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise ConfigError(
                f"expected {self.path} to be readable by its owner only, "
                f"got mode {stat.S_IMODE(status.st_mode):03o}; run: chmod 600 {self.path}"
            )
        keys = parse_keys(self.lines(), origin=str(self.path))
        self._seen = (version, keys)
        return keys

    def _write_draft(self, keys: list[str]) -> Path:
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        return draft


def new_key() -> str:
    """Return a fresh random key."""
    return Fernet.generate_key().decode()


def parse_keys(keys: list[str], *, origin: str) -> MultiFernet:
    """Return usable keys. Raises ConfigError naming the origin and the position of a bad key, never it."""
    if not keys:
        raise ConfigError(f"{origin}: expected at least one secret key, found none")
    found = []
    for number, key in enumerate(keys, start=1):
        try:
            found.append(Fernet(key))
        except ValueError as e:
            raise ConfigError(
                f"{origin}: expected key {number} to be 32 bytes in URL-safe base64 "
                "(make one with: openbell keys new), got something else"
            ) from e
    return MultiFernet(found)


def _open(keys: MultiFernet, ciphertext: bytes) -> bytes:
    try:
        return keys.decrypt(ciphertext)
    except InvalidToken as e:
        raise ConfigError(
            "expected a secret that one of the secret keys opens, got one that none of them opens; "
            "put the lost key back (OPENBELL_SECRET_KEYS, or the key file in OPENBELL_HOME), "
            "or store the credentials again"
        ) from e
