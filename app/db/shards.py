"""Limit a leased run to its share of the accounts."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import InstrumentedAttribute

from app.db.models import AccountRow
from app.domain.accounts import BrokerCode


def in_shard(account_id: InstrumentedAttribute[int], spec: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return the condition on the column that names a row's account.

    `spec` of the run: `shard` is the remainder of the account's id divided by `of`, `brokers` their codes.
    """
    return and_(account_id % spec["of"] == spec["shard"], at_brokers(account_id, spec["brokers"]))


def at_brokers(
    account_id: InstrumentedAttribute[int], brokers: Collection[BrokerCode | str]
) -> ColumnElement[bool]:
    """Return the condition that a row's account is at one of these brokers."""
    codes = sorted(map(str, brokers))
    return account_id.in_(select(AccountRow.id).where(AccountRow.broker.in_(codes)))
