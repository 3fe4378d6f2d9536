"""Tell how far the accounts that follow one signal drifted from what each of them wished."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

from sqlalchemy.orm import Session

from app.db.scope import DataScope
from app.db.views import AnyRow
from app.db.views.sizing import read_shares
from app.domain.position_sizing import Share, widest_first, wished_lots


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLine:
    """Tell one account's share of one leg of a signal, in lots.

    `wished` is before rounding, `sized` what was judged, `got` what filled; `denial_code` says why nothing
    was sent.
    """

    strategy: str
    signal: str
    leg: int
    instrument_id: str
    account: str
    deployment_id: int
    deployment_name: str
    wished: Decimal
    sized: Decimal
    got: Decimal
    drift: Decimal
    drift_fraction: Decimal | None
    denial_code: str | None


def read_drift(session: Session, scope: DataScope, *, day: date) -> list[DriftLine]:
    """Return the shares of a day: a group is one leg of one signal, furthest from the wish first in each."""
    lines: list[DriftLine] = []
    for _, group in groupby(read_shares(session, scope, day=day), key=lambda r: (r.strategy, r.key, r.leg)):
        lines += _group(group)
    return lines


def _group(rows: Iterable[AnyRow]) -> list[DriftLine]:
    by_account = {f"{row.user_name}/{row.account_name}/{row.deployment_name}": row for row in rows}
    shares = [_share(account, row) for account, row in by_account.items()]
    return [_line(share, by_account[share.account]) for share in widest_first(shares)]


def _share(account: str, row: AnyRow) -> Share:
    lots = int(row.payload["legs"][row.leg]["lots"])
    return Share(
        account=account,
        wished=wished_lots(row.sizing, lots, sized=row.quantity / row.lot_size),
        got=row.filled_qty / row.lot_size,
    )


def _line(share: Share, row: AnyRow) -> DriftLine:
    return DriftLine(
        strategy=row.strategy,
        signal=row.key,
        leg=row.leg,
        instrument_id=row.instrument_id,
        account=f"{row.user_name}/{row.account_name}",
        deployment_id=row.deployment_id,
        deployment_name=row.deployment_name,
        wished=share.wished,
        sized=row.quantity / row.lot_size,
        got=share.got,
        drift=share.drift,
        drift_fraction=share.drift_fraction,
        denial_code=row.denial_code,
    )
