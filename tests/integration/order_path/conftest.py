"""One desk per test."""

from tests.desk_fixture import desk

__all__ = ["desk"]
