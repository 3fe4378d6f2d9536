"""Declare the tables, grouped by what they hold."""

from app.db.base import Base
from app.db.models.day import (
    AlarmRow,
    CommandRow,
    InjectedSessionRow,
    InstrumentRow,
    LeaseRow,
    LoginRow,
    PhaseRunRow,
)
from app.db.models.market import BarRow, IndicatorRow
from app.db.models.people import (
    AccountRow,
    AuditRow,
    BrokerSessionRow,
    CredentialRow,
    DeploymentRow,
    LimitVersionRow,
    TotpUseRow,
    UserRow,
)
from app.db.models.risk import EquityPointRow, LossLockRow
from app.db.models.times import BlackoutRow, SquareOffSettingRow
from app.db.models.trading import (
    OPEN_BASKET,
    BrokerTradeRow,
    ExternalFillRow,
    FillRow,
    LegRow,
    LostOrderRow,
    OrderEventRow,
    OrderEvidenceRow,
    OrderRow,
    SignalRow,
)

__all__ = [
    "OPEN_BASKET",
    "AccountRow",
    "AlarmRow",
    "AuditRow",
    "BarRow",
    "Base",
    "BlackoutRow",
    "BrokerSessionRow",
    "BrokerTradeRow",
    "CommandRow",
    "CredentialRow",
    "DeploymentRow",
    "EquityPointRow",
    "ExternalFillRow",
    "FillRow",
    "IndicatorRow",
    "InjectedSessionRow",
    "InstrumentRow",
    "LeaseRow",
    "LegRow",
    "LimitVersionRow",
    "LoginRow",
    "LossLockRow",
    "LostOrderRow",
    "OrderEventRow",
    "OrderEvidenceRow",
    "OrderRow",
    "PhaseRunRow",
    "SignalRow",
    "SquareOffSettingRow",
    "TotpUseRow",
    "UserRow",
]
