"""Read a request's parameters as the venue would, naming what is wrong."""

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation

from brokers.simulators.binance.replies import Refused, missing

_MOST_DECIMALS = 8


class Parameters:
    """The parameters of one request."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def text(self, name: str) -> str:
        """Return a mandatory text. Raises: Refused -1102."""
        value = self.values.get(name, "")
        if not value:
            raise missing(name)
        return value

    def optional(self, name: str) -> str | None:
        """Return a text, None when absent. Raises: Refused -1105 for an empty one."""
        value = self.values.get(name)
        if value is not None and not value:
            raise Refused(-1105, f"Parameter '{name}' was empty.")
        return value

    def choice(self, name: str, known: Collection[str], code: int, words: str) -> str:
        """Return one of the known values. Raises: Refused with the code for another one."""
        value = self.text(name)
        if value not in known:
            raise Refused(code, f"Invalid {words}.")
        return value

    def number(self, name: str) -> Decimal:
        """Return a mandatory positive number. Raises: Refused -1102, -1100, -1111."""
        return _number(name, self.text(name))

    def integer(self, name: str) -> int | None:
        """Return a whole number, None when absent. Raises: Refused -1100."""
        value = self.optional(name)
        if value is None:
            return None
        if not value.isascii() or not value.lstrip("-").isdigit():
            raise _illegal(name)
        return int(value)

    def flag(self, name: str) -> bool:
        """Return a boolean, false when absent. Raises: Refused -1100."""
        value = (self.optional(name) or "false").lower()
        if value not in {"true", "false"}:
            raise _illegal(name)
        return value == "true"

    def none_of(self, *names: str) -> None:
        """Refuse parameters that do not belong here. Raises: Refused -1106."""
        for name in names:
            if name in self.values:
                raise Refused(-1106, f"Parameter '{name}' sent when not required.")


def _illegal(name: str) -> Refused:
    return Refused(-1100, f"Illegal characters found in parameter '{name}'.")


def _number(name: str, text: str) -> Decimal:
    if not text.isascii() or text.strip("0123456789.") or text.count(".") > 1:
        raise _illegal(name)
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise _illegal(name) from error
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > _MOST_DECIMALS:
        raise Refused(-1111, f"Parameter '{name}' has too much precision.")
    return number
