"""Read the tables for people: plain rows, scoped by user, never ORM objects."""

from typing import Any

from sqlalchemy import Row, Select

AnyRow = Row[*tuple[Any, ...]]
"""A plain row with named columns; the schemas of the API check what is in it."""
AnySelect = Select[*tuple[Any, ...]]
