"""Take secrets from a hidden prompt or from standard input, never from the command line."""

import sys
from collections.abc import Sequence

import typer

from app.domain.entry_checks import CredentialField
from app.domain.errors import InvalidInputError


def read_password(*, is_from_stdin: bool) -> str:
    """Return a new password: one line of standard input, or asked for twice."""
    if is_from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def read_fields(fields: Sequence[CredentialField], *, is_from_stdin: bool) -> dict[str, str]:
    """Return credentials: lines `name=value` of standard input, or each asked for. Unchecked."""
    if not is_from_stdin:
        return {
            field.name: str(typer.prompt(f"{field.name} ({field.expected})", hide_input=True)).strip()
            for field in fields
        }
    found = {}
    for number, line in enumerate(sys.stdin, start=1):
        name, separator, value = line.strip().partition("=")
        if not name:
            continue
        if not separator:
            raise InvalidInputError(f"line {number}: expected name=value, got a line without =")
        found[name.strip()] = value.strip()
    return found
