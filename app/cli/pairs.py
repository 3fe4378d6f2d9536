"""Read repeated options of the form NAME=VALUE."""

from app.domain.errors import InvalidInputError


def read_pairs(options: list[str] | None) -> dict[str, object]:
    """Return the values by name. Raises InvalidInputError for what has no name or no equals sign."""
    pairs: dict[str, object] = {}
    for option in options or []:
        name, separator, value = option.partition("=")
        if not separator or not name:
            raise InvalidInputError(f"expected NAME=VALUE, got {option!r}")
        pairs[name] = value
    return pairs
