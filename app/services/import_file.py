"""Read the import file: what it may say, and where each word stands."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from app.domain.accounts import BrokerCode
from app.domain.entry_checks import check_egress, check_name, check_password
from app.domain.errors import InvalidInputError
from app.domain.users import Role

Place = tuple[str | int, ...]

_TABLE = re.compile(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_SECRET_KEYS = frozenset({"password", "credentials"})


def _checked(check: Callable[[str], str]) -> AfterValidator:
    def validate(value: str) -> str:
        try:
            return check(value)
        except InvalidInputError as e:
            raise PydanticCustomError("openbell", "{sentence}", {"sentence": str(e)}) from e

    return AfterValidator(validate)


def _check_secret_password(password: SecretStr) -> SecretStr:
    try:
        check_password(password.get_secret_value())
    except InvalidInputError as e:
        raise PydanticCustomError("openbell", "{sentence}", {"sentence": str(e)}) from e
    return password


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class UserEntry(_Entry):
    """One [[users]] table."""

    name: Annotated[str, _checked(lambda name: check_name("a user", name))]
    role: Role = Field(default=Role.TRADER, strict=False)
    password: Annotated[SecretStr, AfterValidator(_check_secret_password)] | None = None


class AccountEntry(_Entry):
    """One [[accounts]] table."""

    user: str
    name: Annotated[str, _checked(lambda name: check_name("an account", name))]
    broker: BrokerCode = Field(default=BrokerCode.KOTAK_NEO, strict=False)
    egress: Annotated[str, _checked(check_egress)] = ""
    ip_group: str = ""
    settings: dict[str, str | int | Decimal] = Field(default_factory=dict)
    credentials: dict[str, SecretStr] | None = None


class DeploymentEntry(_Entry):
    """One [[deployments]] table."""

    user: str
    account: str
    name: Annotated[str, _checked(lambda name: check_name("a deployment", name))]
    strategy: str
    params: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, str | int | Decimal] = Field(default_factory=dict)
    sizing: dict[str, str | int | Decimal] = Field(default_factory=dict)


class ImportEntries(_Entry):
    """The whole file."""

    users: tuple[UserEntry, ...] = Field(default=(), strict=False)
    accounts: tuple[AccountEntry, ...] = Field(default=(), strict=False)
    deployments: tuple[DeploymentEntry, ...] = Field(default=(), strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFile:
    """Hold what a file says, and the line of every table and key."""

    name: str
    entries: ImportEntries
    lines: Mapping[Place, int]

    def fault(self, place: Place, sentence: str) -> str:
        """Return "file:line: place: sentence"."""
        return _fault(self.name, self.lines, place, sentence)


def read_import_file(name: str, text: str) -> ImportFile:
    """Return the entries of a TOML text.

    Raises: InvalidInputError with one line per fault, "file:line: accounts[3].egress: expected …, got …";
        entries count from 1, and secrets are never repeated.
    """
    try:
        # Amounts stay exact: TOML's floats are read as Decimal.
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as e:
        line = re.search(r"at line (\d+)", str(e))
        where = f"{name}:{line[1]}" if line else name
        raise InvalidInputError(f"{where}: expected valid TOML, got: {e}") from e
    lines = dict(_lines(text))
    try:
        return ImportFile(name=name, entries=ImportEntries.model_validate(content), lines=lines)
    except ValidationError as e:
        faults = [_fault(name, lines, error["loc"], _sentence(error)) for error in e.errors()]
        raise InvalidInputError("\n".join(faults)) from e


def _fault(name: str, lines: Mapping[Place, int], place: Place, sentence: str) -> str:
    known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    line = "" if known is None else f":{lines[known]}"
    words = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"{name}{line}: {words.removeprefix('.')}: {sentence}"


def _sentence(error: ErrorDetails) -> str:
    match error["type"]:
        case "openbell":
            return error["msg"]
        case "missing":
            return "expected a value, got nothing"
        case "extra_forbidden":
            return "expected a known key, got this one"
    expected = error["msg"].replace("Input should be", "expected").replace("a valid", "a")
    if _SECRET_KEYS & set(error["loc"]):
        return f"{expected}, got something else"
    return f"{expected}, got {error['input']!r}"


def _lines(text: str) -> Iterator[tuple[Place, int]]:
    # tomllib tells no positions. Headers and keys at the start of a line are all we need; a key inside a
    # value of several lines is at worst one place too many.
    counts: dict[Place, int] = {}
    prefix: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            path = _resolve(_words(header[2]), counts)
            if header[1]:
                counts[path] = counts.get(path, -1) + 1
                path = (*path, counts[path])
            prefix = path
            yield prefix, number
        elif key := _KEY.match(line):
            yield (*prefix, *_words(key[1])), number


def _resolve(words: list[str], counts: Mapping[Place, int]) -> Place:
    # "accounts.credentials" means the credentials of the latest [[accounts]].
    path: Place = ()
    for position, word in enumerate(words):
        path = (*path, word)
        if path in counts and position < len(words) - 1:
            path = (*path, counts[path])
    return path


def _words(dotted: str) -> list[str]:
    return [word.strip().strip("\"'") for word in dotted.split(".")]
