"""Limit a leased run to its share of the accounts."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import InstrumentedAttribute

from app.db.models import AccountRow
from app.domain.accounts import BrokerCode

Shard = tuple[int, int, tuple[str, ...]]
"""A run's share as a value: of, shard, brokers. Statements that lanes ask many times a second are kept by it,
because to build one costs more than to ask it."""


def shard_of(spec: Mapping[str, Any]) -> Shard:
    """Return the share that a run's `spec` names."""
    return spec["of"], spec["shard"], tuple(sorted(map(str, spec["brokers"])))


def is_in(shard: Shard, account_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Return the condition on the column that names a row's account, as `in_shard` does."""
    of, number, brokers = shard
    return and_(account_id % of == number, at_brokers(account_id, brokers))


def in_shard(account_id: InstrumentedAttribute[int], spec: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return the condition on the column that names a row's account.

    `spec` of the run: `shard` is the remainder of the account's id divided by `of`, `brokers` their codes.
    """
    return is_in(shard_of(spec), account_id)


def at_brokers(
    account_id: InstrumentedAttribute[int], brokers: Collection[BrokerCode | str]
) -> ColumnElement[bool]:
    """Return the condition that a row's account is at one of these brokers."""
    codes = sorted(map(str, brokers))
    return account_id.in_(select(AccountRow.id).where(AccountRow.broker.in_(codes)))
