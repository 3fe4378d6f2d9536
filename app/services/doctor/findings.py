"""Describe what the doctor finds."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Say how bad a finding is: fine, worth knowing, or trading is not safe."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Say what was examined, what came out, and what to do about it ("" when nothing)."""

    code: str
    severity: Severity
    message: str
    remedy: str = ""


def fine(code: str, message: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(code=code, severity=Severity.OK, message=message)


def warning(code: str, message: str, remedy: str) -> Finding:
    """Return a finding that a person should know."""
    return Finding(code=code, severity=Severity.WARNING, message=message, remedy=remedy)


def error(code: str, message: str, remedy: str) -> Finding:
    """Return a finding that must be mended before trading."""
    return Finding(code=code, severity=Severity.ERROR, message=message, remedy=remedy)
