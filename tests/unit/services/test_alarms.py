"""Alarms are aligned in one order, whoever does it: two processes that cross would end in a deadlock."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy.orm import Session

from app.db import alarms

_NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_alarms_are_raised_and_cleared_in_the_order_of_their_subjects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sets of text have an order of their own in each process, which no test of one process can show."""
    touched: list[str] = []

    def touch(_session: object, _code: str, *, subject: str, **_: Any) -> None:
        touched.append(subject)

    prefix, subjects = "NSE:0/1:", [f"NSE:0/1:{n:02}" for n in range(40)]
    monkeypatch.setattr(alarms, "open_alarm_subjects", lambda _session, _code: frozenset(subjects[::2]))
    monkeypatch.setattr(alarms, "raise_alarm", touch)
    monkeypatch.setattr(alarms, "clear_alarm", touch)

    bare = dict.fromkeys(subjects[1::2], (1, "bare"))
    new = alarms.align_alarms(cast("Session", None), "unprotected", bare, prefix=prefix, now=_NOW)

    assert touched == subjects
    assert new == set(subjects[1::2])
