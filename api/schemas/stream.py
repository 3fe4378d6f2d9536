"""Describe the frames of the WebSocket, so that clients get their types from the same document."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, RootModel

from api.schemas.accounts import Login
from api.schemas.base import DecimalStr, Shown
from api.schemas.day import Alarm, PhaseInfo, PnlInfo, Run
from api.schemas.trading import Order, Position


class _Frame(Shown):
    seq: int
    """Grows by one with each frame of a connection; a gap means frames were dropped: fetch again."""
    at: datetime
    """The platform's time."""


class MarkedLeg(Shown):
    """Carry a leg's new value."""

    deployment_id: int
    instrument_id: str
    mark: DecimalStr
    unrealized: DecimalStr
    total: DecimalStr


class Marks(Shown):
    """Carry the new sums, one per currency, and the legs whose value changed, at most four times a second."""

    pnl: list[PnlInfo]
    legs: list[MarkedLeg]


class OrdersFrame(_Frame):
    """Whole rows of the orders that changed."""

    type: Literal["orders"]
    data: list[Order]


class PositionsFrame(_Frame):
    """Whole rows of the legs that changed."""

    type: Literal["positions"]
    data: list[Position]


class LoginsFrame(_Frame):
    """Whole cells of the login matrix that changed."""

    type: Literal["logins"]
    data: list[Login]


class PhasesFrame(_Frame):
    """The whole timeline, when any phase changed."""

    type: Literal["phases"]
    data: list[PhaseInfo]


class RunsFrame(_Frame):
    """Runs that changed (staff only)."""

    type: Literal["runs"]
    data: list[Run]


class AlarmsFrame(_Frame):
    """Alarms that were raised, seen again or cleared."""

    type: Literal["alarms"]
    data: list[Alarm]


class MarksFrame(_Frame):
    """New values of positions."""

    type: Literal["marks"]
    data: Marks


class HeartbeatFrame(_Frame):
    """Sent every second, so that silence means trouble."""

    type: Literal["heartbeat"]
    data: None


class HelloFrame(_Frame):
    """The answer to a good token."""

    type: Literal["hello"]
    data: None


class StreamFrame(
    RootModel[
        Annotated[
            OrdersFrame
            | PositionsFrame
            | LoginsFrame
            | PhasesFrame
            | RunsFrame
            | AlarmsFrame
            | MarksFrame
            | HeartbeatFrame
            | HelloFrame,
            Field(discriminator="type"),
        ]
    ]
):
    """Any frame of the WebSocket."""
