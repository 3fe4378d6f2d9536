"""Write the starts of bars into signal keys, and read them back: keys are all that a strategy remembers."""

from datetime import datetime


def stamp(start: datetime) -> str:
    """Return a UTC moment as text without a colon, because colons part the fields of a key."""
    return f"{start:%Y-%m-%dT%H%MZ}"


def read_stamp(text: str) -> datetime:
    """Return the moment of a stamp, aware UTC; raises ValueError for other text."""
    return datetime.strptime(text, "%Y-%m-%dT%H%M%z")
