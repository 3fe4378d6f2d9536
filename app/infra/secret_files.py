"""Keep generated secrets in files that only their owner may read."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr


def secret_or_file(configured: SecretStr | None, path: Path) -> SecretStr:
    """Return the configured secret, else the one in the file, which is made (mode 0600) when missing.

    Safe when several processes start together: the first file wins.
    """
    if configured is not None:
        return configured
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return SecretStr(path.read_text().strip())
